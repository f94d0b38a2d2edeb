"""The way out of one world: who asked gets its answer, gateways and supervisor hear what has changed.

Invariants: what reports a change of the world waits for ``ticket``, the journal group of the world's last record; a
refusal reports none and leaves at once.

Not here: what the answers say (replies), and when they are due (host).
"""

from __future__ import annotations

from typing import Any, Protocol

from eventlog.piece import Piece
from eventlog.ticket import Ticket
from server import messages
from server.shard.inbox import (
    Act,
    Asker,
    InputAsker,
    Pending,
    PendingClock,
    PendingInput,
    PendingJoin,
    PendingLeave,
    PendingSilence,
)
from server.shard.surroundings import Surroundings
from worldline import protocol


class Acted(Protocol):
    """Answers an act; ``at_once``: nothing has been written down of it."""

    def __call__(self, act: Act, *, at_once: bool = False) -> None: ...


def _nobody_acts(act: Act, *, at_once: bool = False) -> None:  # noqa: ARG001 - as `Acted` has it
    raise AssertionError("an act has come before somebody was there to answer it")


class Desk:
    """What leaves one world. ``ticket``: the journal group of its last record."""

    def __init__(self, world: str, surroundings: Surroundings) -> None:
        self._world = world
        self._surroundings = surroundings
        self.ticket: Ticket | None = None
        self.acted: Acted = _nobody_acts
        """Answers an act of which everything is known."""

    def journal(self, record: Piece) -> Ticket:
        """Journal a record by itself: what leaves from now on waits for it."""
        self.ticket = self._surroundings.journal([record])
        return self.ticket

    def answer(self, asker: Asker, message: Any) -> None:
        """Answer a request with something that the world's last record must stand behind."""
        self.send(asker, messages.Answer(request=asker.request, message=message))

    def send(self, asker: Asker, message: messages.Message) -> None:
        """Send a gateway something that the world's last record must stand behind."""
        self._surroundings.send(asker.link, message, self.ticket)

    def push(
        self,
        message: protocol.Started | protocol.Closed | protocol.RulesChanged | protocol.Notice,
        player: str | None = None,
    ) -> None:
        """Push to the world's players, or only to ``player``."""
        self._surroundings.push(messages.Push(world=self._world, player=player, message=message), self.ticket)

    def report(self, message: messages.Message) -> None:
        """Tell the supervisor of a change."""
        self._surroundings.report(message, self.ticket)

    def refuse(self, asker: Asker, error: protocol.Error | protocol.Outcome) -> None:
        """A refusal, or a ``pending``, reports no change of the world: it need not wait for the disk."""
        asker.link.send(messages.Answer(request=asker.request, message=error))

    @property
    def is_behind(self) -> bool:
        """Whether the world's last record is not durable yet: what is answered now will wait."""
        return self.ticket is not None and not self.ticket.durable

    def tell_now(self, message: protocol.Notice, report: messages.Message) -> None:
        """Tell players and supervisor of something that changes nothing in the world: it does not wait for the disk."""
        self._surroundings.push(messages.Push(world=self._world, message=message), None)
        self._surroundings.report(report, None)

    def tell_developers(self, message: messages.CodeBroken) -> None:
        """Tell developers what is wrong with a game's code, at once."""
        self._surroundings.push(message, None)

    def turn_away(self, pending: Pending, error: protocol.Error) -> None:
        """Refuse what waited for a tick, of which nothing was written down."""
        match pending:
            case PendingJoin():
                for joining in pending.askers:
                    self.refuse_join(joining.asker, pending.agent, error)
            case PendingLeave(asker=Asker() as asker):
                self.refuse(asker, error)
            case PendingInput():
                for waiting in pending.askers:
                    if waiting.act is None:
                        self.refuse(waiting.asker, error)
                    else:
                        self._part_of_act(waiting.act, waiting.place, error, at_once=True)

    def answer_input(self, asker: InputAsker, outcome: protocol.Outcome) -> None:
        """Answer an input with its outcome, or keep that until its act can be answered."""
        if asker.act is None:
            self.answer(asker.asker, outcome)
        else:
            self._part_of_act(asker.act, asker.place, outcome)

    def _part_of_act(
        self, act: Act, place: int, part: protocol.Outcome | protocol.Error, *, at_once: bool = False
    ) -> None:
        act.outcomes[place] = part
        if act.complete:
            self.acted(act, at_once=at_once)

    def refuse_join(self, asker: Asker, agent: str, error: protocol.Error) -> None:
        """Refuse a seat, and tell the lobby so."""
        self.refuse(asker, error)
        self._surroundings.report(messages.JoinRefused(world=self._world, agent=agent), None)

    def refuse_pending(self, pending: Pending, error: protocol.Error) -> None:
        """The world ended before this could be applied. That is a change of the world: it waits for the disk."""
        match pending:
            case PendingJoin():
                for joining in pending.askers:
                    self.answer(joining.asker, error)
                self.report(messages.JoinRefused(world=self._world, agent=pending.agent))
            case PendingLeave():
                if pending.asker is not None:
                    self.answer(pending.asker, error)
            case PendingInput():
                for waiting in pending.askers:
                    if waiting.act is None:
                        self.answer(waiting.asker, error)
                    else:
                        self._part_of_act(waiting.act, waiting.place, error)
            case PendingClock():
                self.answer(pending.asker, error)
            case PendingSilence():
                pass  # nobody asked
