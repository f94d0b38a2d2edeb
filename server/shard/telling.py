"""What came of the entries of a tick, told to those who asked for them: seats, leaves, outcomes.

Invariant: whatever was taken from the inbox and applied is answered here, each asker once, in the order of the entries.

Not here: how a world ends (course), who gets nothing (dismissal), and how answers leave (desk).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from games.runtime.players import InputOutcome
from games.runtime.results import DebugLine, Kicked, TickResult
from games.runtime.world import World
from server import messages
from server.link import Link
from server.sessions import TAKEN_OVER
from server.shard import replies, reports
from server.shard.audience import Audience
from server.shard.desk import Desk
from server.shard.drivers import Drivers
from server.shard.history import History
from server.shard.inbox import (
    Act,
    Inbox,
    InputAsker,
    JoinAsker,
    Pending,
    PendingClock,
    PendingInput,
    PendingJoin,
    PendingLeave,
    PendingSilence,
)
from server.shard.sight import Sight
from worldline import protocol

_log: Final = logging.getLogger("worldline.shard")


class Telling:
    """Answers for one world."""

    def __init__(
        self,
        world: World,
        history: History,
        inbox: Inbox,
        drivers: Drivers,
        desk: Desk,
        sight: Sight,
        audience: Audience,
        *,
        dev: bool,
    ) -> None:
        """``dev``: what the game says to its developers is for the terminal."""
        self._debug_level = logging.INFO if dev else logging.DEBUG
        self._inbox = inbox
        self._world = world
        self._history = history
        self._drivers = drivers
        self._desk = desk
        self._sight = sight
        self._audience = audience

    def tell(self, applied: Sequence[Pending], result: TickResult) -> None:
        """Answer everybody who asked for what has been applied."""
        self._audience.changes += 1
        self.debug(result.debug)
        outcomes = iter(result.outcomes)
        for pending in applied:
            match pending:
                case PendingJoin():
                    self._seated(pending)
                case PendingLeave():
                    self._unseated(pending)
                case PendingInput():
                    outcome = next(outcomes)
                    self._history.came_out(outcome)
                    self._audience.came_out(pending, outcome)
                    for asker in pending.askers:
                        self.outcome(asker, outcome, pending.seen_tick, duplicate=False)
                case PendingClock():
                    self._desk.answer(pending.asker, protocol.Playing(world=self._world.id, tick=self._world.tick))
                case PendingSilence():
                    pass  # nobody asked: the next observation shows what was done

        for kicked in result.kicked:
            self._sent_away(kicked)

    def debug(self, lines: Sequence[DebugLine]) -> None:
        """Log what the game says to its developers."""
        for line in lines:
            _log.log(self._debug_level, "%s@%d: %s", self._world.id, line.tick, line.text)

    def outcome(self, asker: InputAsker, outcome: InputOutcome, seen_tick: int | None, *, duplicate: bool) -> None:
        """Answer an input with its outcome."""
        seen = self._sight.beside(outcome.player, asker.since) if asker.observe else None
        reply = replies.outcome(self._world.id, outcome, seen_tick=seen_tick, duplicate=duplicate, seen=seen)
        self._desk.answer_input(asker, reply)

    def acted(self, act: Act, *, at_once: bool = False) -> None:
        """Answer an act of which everything is known that there is to know, or to be waited for."""
        if act.answered:
            return
        act.answered = True
        if act.timer is not None:
            act.timer.cancel()
        outcomes = [outcome for outcome in act.outcomes if outcome is not None]
        done = any(isinstance(outcome, protocol.Outcome) for outcome in outcomes)
        first = next(iter(outcomes), act.refusal)
        if not done and isinstance(first, protocol.Error):
            if at_once:
                self._desk.refuse(act.asker, first)
            else:
                self._desk.answer(act.asker, first)
            return
        seen = [self._sight.beside(viewer.player, viewer.since) for viewer in act.message.viewers]
        acted = protocol.Acted(
            world=self._world.id,
            tick=self._world.tick,
            outcomes=outcomes,
            observations=[observation for observation in seen if observation is not None] or None,
        )
        self._desk.answer(act.asker, acted)

    def joined(self, asker: JoinAsker) -> None:
        """Answer a join with its seats, which its session drives from now on."""
        players = [player for player in asker.all_players if player in self._world.players]
        if not players:  # the game sent them away as they came
            self._desk.answer(asker.asker, replies.kicked_at_once(", ".join(asker.all_players), self._world.id))
            return
        for player in players:
            self.drive(player, asker.asker.link, asker.session)
        seen = [
            self._sight.beside(player, self._drivers.heard(player).since) if asker.observe else None
            for player in players
        ]
        joined = replies.joined(self._world, players, status=self._sight.status, seen=seen, several=asker.several)
        self._desk.answer(asker.asker, joined)

    def drive(self, player: str, link: Link[Any], session: str) -> None:
        """A session drives this player from now on; one that did until now hears of it first."""
        if self._drivers.session_of(player) != session:
            if self._drivers.is_driven(player):
                taken = protocol.Closed(world=self._world.id, player=player, reason=TAKEN_OVER)
                self._desk.push(taken, player)
            self._desk.report(messages.PlayerTaken(world=self._world.id, player=player, session=session))
        self._drivers.drive(player, link, session)

    def _seated(self, pending: PendingJoin) -> None:
        player = pending.player
        if player in self._world.players:
            self._drivers.seated(player, pending.agent, pending.session)
            self._audience.mark("joined", f"{self._world.players[player].name} joined", player)
            # Before the answers: a client that knows of its seat, and asks the lobby for it, is never too early.
            self._desk.report(reports.joined(self._world, player, pending.session))
        else:  # the game sent it away as it came
            self._desk.report(messages.JoinRefused(world=self._world.id, agent=pending.agent))
        for asker in pending.askers:
            self.joined(asker)

    def _unseated(self, pending: PendingLeave) -> None:
        player, world = pending.player, self._world
        self._drivers.gone(player, pending.reason, world.tick)
        self._audience.mark("left", f"{player} left: {pending.reason}", player)
        self._history.left(player)
        self._desk.report(messages.PlayerLeft(world=world.id, player=player, reason=pending.reason, tick=world.tick))
        if pending.asker is not None:
            self._desk.answer(pending.asker, protocol.Left(world=world.id, player=player))
        else:
            self._desk.push(protocol.Closed(world=world.id, player=player, reason=pending.reason), player)

    def _sent_away(self, kicked: Kicked) -> None:
        """The game has kicked a player: it is gone, and so is what it had waiting."""
        player, reason, world = kicked.player, "kicked", self._world
        if player not in self._drivers.connected():
            return
        self._drivers.gone(player, reason, world.tick)
        self._audience.mark("left", f"{player} was sent away by the game", player)
        self._history.left(player)
        for pending in self._inbox.drop(player):
            self._desk.refuse_pending(pending, replies.not_joined(player, world.id))
        self._desk.report(messages.PlayerLeft(world=world.id, player=player, reason=reason, tick=world.tick))
        result = {"message": kicked.message} if kicked.message else None
        self._desk.push(protocol.Closed(world=world.id, player=player, reason=reason, result=result), player)
