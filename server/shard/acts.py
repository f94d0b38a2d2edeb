"""Acts: one request that lets several players act, and runs ticks of a manual world if it says so.

An act is taken as a whole or not at all: its inputs wait for the same tick. One with ticks begins when the steps before
it are done, so that its inputs are applied in the first of its own ticks. Sent again with the same seqs it is the same
act: its outcomes come again, and what is missing of its ticks is run.

Invariant: every act gets exactly one answer: once all of its inputs have an outcome (or can have none any more) and its
ticks have run, or when its agent does not want to wait any longer.

Not here: which input is taken (admission), and when ticks run (pace, course).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from games.runtime.world import World
from server import messages, refusals
from server.shard import admission, replies
from server.shard.desk import Desk
from server.shard.drivers import Drivers
from server.shard.inbox import Act, Asker, Inbox, InputAsker
from server.shard.pace import Pace, Step
from server.shard.sight import Sight
from server.shard.telling import Telling
from worldline import protocol


class Acts:
    """The acts of one world. ``wake`` has its next tick run when it is time; ``why_paused`` says why it does not."""

    def __init__(
        self,
        world: World,
        inbox: Inbox,
        pace: Pace,
        desk: Desk,
        sight: Sight,
        drivers: Drivers,
        telling: Telling,
        *,
        wake: Callable[[], None],
        why_paused: Callable[[], str | None],
    ) -> None:
        self._world = world
        self._inbox = inbox
        self._pace = pace
        self._desk = desk
        self._sight = sight
        self._drivers = drivers
        self._telling = telling
        self._wake = wake
        self._why_paused = why_paused

    def put(self, asker: Asker, message: messages.ActPlayers) -> None:
        """Let players act. Whoever asks for ticks may do so: that has been seen to."""
        act = Act(asker, message, [None] * len(message.inputs), [])
        if message.step is None:
            self._begin(act, None)
        else:
            act.ticking = True
            self._pace.steps.append(Step(asker, message.step, act))
            self.begin_next()
        if not self._pace.realtime:
            self._wake()

    def begin_next(self) -> None:
        """The steps before are done: if an act is next, its inputs are taken now."""
        steps = self._pace.steps
        while steps and (act := steps[0].act) is not None and not act.begun:
            act.begun = True
            if not self._begin(act, steps[0]):
                steps.popleft()

    def ticked(self, act: Act) -> None:
        """All of its ticks have run."""
        act.ticking = False
        if act.complete:
            self._telling.acted(act)

    def give_up(self, act: Act, error: protocol.Error | None, *, at_once: bool) -> None:
        """There are no more ticks for it. ``error`` says why; None: because its game is over, by the rules."""
        act.ticking = False
        act.outcomes = [outcome or error for outcome in act.outcomes]
        act.refusal = error
        self._telling.acted(act, at_once=at_once)

    def _begin(self, act: Act, step: Step | None) -> bool:
        """Take the inputs of an act. False if it has been answered."""
        message = act.message
        verdicts = [self._judge(given) for given in message.inputs]
        known = bool(verdicts) and all(isinstance(verdict, admission.Again) for verdict in verdicts)
        refusal = self._refusal(message, verdicts, known=known)
        if refusal is not None:
            self._desk.refuse(act.asker, refusal)
            return False
        for place, (given, verdict) in enumerate(zip(message.inputs, verdicts, strict=True)):
            asker = InputAsker(act.asker, False, 1, act, place)
            match verdict:
                case admission.Taken():
                    pending = admission.pending_input(given, verdict, asker)
                    self._pace.take(given.player)
                    self._inbox.put(pending)
                    act.pending.append(pending)
                case admission.Waiting(pending):
                    pending.askers.append(asker)
                    act.pending.append(pending)
                case admission.Again(first):
                    act.outcomes[place] = replies.outcome(
                        self._world.id, first, seen_tick=given.seen_tick, duplicate=True, seen=None
                    )
        if known and step is not None:
            first_tick = min(verdict.outcome.tick for verdict in verdicts if isinstance(verdict, admission.Again))
            step.ticks = first_tick - 1 + step.ticks - self._world.tick
            act.ticking = step.ticks > 0
        if act.complete:
            self._telling.acted(act)
            return False
        self._wait_at_most(message.wait_ms, act)
        return True

    def _judge(self, given: messages.PlayerInput) -> admission.Verdict:
        if given.player in self._world.players and given.seen_tick is not None:
            self._drivers.heard(given.player).saw(given.seen_tick)
        return admission.judge(self._world, self._inbox, self._pace, given, self._sight.status)

    def _refusal(
        self, message: messages.ActPlayers, verdicts: Sequence[admission.Verdict], *, known: bool
    ) -> protocol.Error | None:
        """Why an act is not taken."""
        if known:
            return None
        paused = self._why_paused()
        if paused is not None:
            return refusals.world_paused(self._world.id, paused)
        if message.at_tick not in (None, self._world.tick):
            return replies.wrong_tick(message.at_tick or 0, self._world.tick)
        for place, (given, verdict) in enumerate(zip(message.inputs, verdicts, strict=True)):
            if isinstance(verdict, protocol.Error):
                return replies.of_an_act(verdict, place, given.player)
        new = sum(isinstance(verdict, admission.Taken) for verdict in verdicts)
        if not self._inbox.has_room(new):
            return replies.overloaded(self._world.id, len(self._inbox), self._pace.retry_after_ms)
        return None

    def _wait_at_most(self, wait_ms: int, act: Act) -> None:
        """Say what is known of an act by then."""

        def lose_patience() -> None:
            for pending in act.pending:
                for asker in [asker for asker in pending.askers if asker.act is act]:
                    pending.askers.remove(asker)
                    act.outcomes[asker.place] = replies.pending(self._world, pending)
            self._telling.acted(act)

        # Where time or the act itself makes the world tick, nobody who has not asked for it waits for as long as that.
        if wait_ms < protocol.MAX_WAIT_MS or not (self._pace.realtime or act.ticking):
            act.timer = asyncio.get_running_loop().call_later(wait_ms / 1000, lose_patience)
