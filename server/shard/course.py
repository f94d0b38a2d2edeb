"""The course of one world: what is applied in its ticks and between them, from its first player to its end.

Its ticks are written and run elsewhere (next_tick); what comes of them is told here.

Only a running world with a realtime clock lets joins and leaves wait for its next tick. In all others it may be long in
coming: they are logged and applied at once, between ticks. One that is paused takes nothing, and can be looked at.

Invariant: what reports a change waits for ``ticket``, the journal group of the world's last record.

Not here: which requests are taken (host), when ticks run (pace, scheduler) and how (next_tick), what is logged
(history), who is told what (telling), and who is told that nothing comes of it (dismissal).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from eventlog.errors import RecordInvalid, RecordTooLarge
from eventlog.piece import Piece
from eventlog.ticket import Ticket
from games.code import GameCode
from games.errors import WorldFaulted
from games.runtime.world import TickResult, World
from server import messages, refusals
from server.rates import InputRate
from server.shard import clocks, replies, reports
from server.shard.acts import Acts
from server.shard.audience import Audience
from server.shard.breakage import breakage
from server.shard.desk import Desk
from server.shard.dismissal import Dismissal
from server.shard.drivers import Drivers
from server.shard.history import History
from server.shard.inbox import (
    Inbox,
    Pending,
    PendingClock,
    PendingInput,
    PendingJoin,
    PendingLeave,
)
from server.shard.meters import Meters
from server.shard.next_tick import NextTick
from server.shard.pace import Pace
from server.shard.sight import Sight
from server.shard.subscribers import Subscribers
from server.shard.surroundings import Surroundings
from server.shard.telling import Telling
from server.shard.waits import Waits
from worldline import protocol

_log: Final = logging.getLogger("worldline.shard")


class Course:
    """One world on its way, with what waits for it and who speaks for its players."""

    def __init__(
        self,
        world: World,
        history: History,
        surroundings: Surroundings,
        *,
        rate: InputRate | None,
        eager: bool,
        dev: bool,
        fair_play: bool,
    ) -> None:
        """``rate``: how many inputs a player may send. ``eager``: compute every player's observation in every tick.
        ``dev``: stand still where the game raises. ``fair_play``: keep from others what could help a player."""
        self.world = world
        self.id = world.id
        self.game = world.code.name
        self.manifest = world.code.manifest
        self.meters = Meters()
        self.end_reason = ""
        self.inbox = Inbox()
        self.drivers = Drivers()
        self.pace = Pace(world, self.inbox, rate)
        self.desk = Desk(self.id, surroundings)
        self.sight = Sight(world, history, self.drivers, self.meters, self.pace)
        look = partial(surroundings.look, world.id)
        self.next_tick = NextTick(world, history, self.inbox, self.pace, self.sight, eager=eager, take_back=dev)
        self.audience = Audience(world, history, self.desk, look, fair_play=fair_play)
        self.telling = Telling(world, history, self.inbox, self.drivers, self.desk, self.sight, self.audience, dev=dev)
        self.waits = Waits(world, self.pace, surroundings.read)
        self.acts = Acts(
            world,
            self.inbox,
            self.pace,
            self.desk,
            self.sight,
            self.drivers,
            self.telling,
            wake=self.wake,
            why_paused=lambda: self.why_paused,
        )
        self.desk.acted = self.telling.acted
        self._dismissal = Dismissal(world, self.inbox, self.pace, self.desk, self.sight, self.acts, self.waits)
        self.subscribers = Subscribers(world, self.drivers, self.desk, self.sight)
        self._history = history
        self._surroundings = surroundings
        self._pause: tuple[protocol.WorldStatus, str] | None = None
        """While the world is paused: its status before, and why."""

    @property
    def ticket(self) -> Ticket | None:
        """The journal group of the world's last record: what reports a change of the world waits for it."""
        return self.desk.ticket

    @ticket.setter
    def ticket(self, ticket: Ticket) -> None:
        self.desk.ticket = ticket

    @property
    def status(self) -> protocol.WorldStatus:
        """Whether the world runs, waits for players, or has ended."""
        return self.sight.status

    @property
    def ended(self) -> bool:
        """Whether the world takes nothing more."""
        return self.status in ("closed", "finished", "faulted")

    # --- a restored world ----------------------------------------------------------------------------

    def restored(self, players: int) -> None:
        """The world was played before; so many sit in it. One that ticked once ticks on, also when most have left."""
        if self.world.tick or players >= self.manifest.min_players:
            self.sight.status = "running"

    def go_on(self) -> None:
        """Let a restored world tick; or end it, if its game ended it on the way to here."""
        if self.world.finished is not None:
            self._end_finished(self.world.finished)
        elif self.status == "running":
            self._begin()

    def end_at(self, tick: int, reason: str) -> None:
        """End a restored world that took a shard down in ``tick``, which is not run again."""
        self.next_tick.number = tick
        self.end_faulted(WorldFaulted(self.id, self.world.tick, "stuck", reason))

    # --- standing still ------------------------------------------------------------------------------

    @property
    def why_paused(self) -> str | None:
        """Why the world stands still, for people; None if it does not."""
        return None if self._pause is None else self._pause[1]

    @property
    def waits_for_author(self) -> bool:
        """Whether it stands before a tick that raised."""
        return self.next_tick.raised is not None

    def pause(self, reason: str) -> None:
        """Stand still until `resume`; ``reason`` is for people. Nothing happens if the world has ended or is paused."""
        if self.ended or self._pause is not None:
            return
        self._pause = self.status, reason
        self.sight.status = "paused"
        self._surroundings.paused(self)
        self._dismissal.paused(refusals.world_paused(self.id, reason))
        self.desk.tell_now(replies.paused(self.id, reason), self._change())

    def resume(self) -> None:
        """Go on as before, with whole deadlines. Not for a world that is not paused, or waits for its author."""
        if self._pause is None or self.waits_for_author or self.ended:
            return
        (self.sight.status, _), self._pause = self._pause, None
        self.desk.tell_now(replies.goes_on(self.id), self._change())
        if self.status == "running":
            self._begin()

    # --- other code ----------------------------------------------------------------------------------

    def reload(self, code: GameCode) -> None:
        """Go on with other code of the game, state kept; a world that stood still before a tick that raised goes on.

        Raises GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted: then nothing has changed.
        """
        self.world.reload(code)
        self.audience.changes += 1
        self.desk.journal(self._history.code(_now_ms()))
        self.audience.mark("code", "it goes on with other code")
        self.desk.push(protocol.RulesChanged(world=self.id, game=self.game, digest=code.digest, tick=self.world.tick))
        self.desk.report(messages.WorldReloaded(world=self.id, digest=code.digest))
        self._dismissal.unfit(code.manifest)
        if self.waits_for_author:
            self.next_tick.raised = None
            self.resume()
        elif self.status == "running" and not self.pace.realtime:
            self._count(anew=False)  # whom it waits for is the game's to say, and this is another
            if self.sight.fault is not None:
                self.end_faulted(self.sight.fault)
            else:
                self.wake()

    def _stand_before(self, raised: TickResult, drained: list[Pending]) -> None:
        """Undo in the log the tick that was taken back, and wait for the author."""
        self.telling.debug(raised.debug)
        broken = breakage(self.game, raised.debug)
        self.desk.journal(self._history.code(_now_ms()))
        reason = f"{broken.what}, {broken.place}; it goes on when its author has saved the game"
        self._dismissal.taken_back(drained, refusals.world_paused(self.id, reason))
        about = {"world": self.id}
        _log.error("world %s stands still before tick %d: %s", self.id, self.world.tick + 1, reason, extra=about)
        self.desk.tell_developers(broken.told(self.game, self.id))
        self.pause(reason)

    # --- the tick ------------------------------------------------------------------------------------

    def is_ready(self, now_s: float) -> bool:
        """Whether the tick that is due runs now. One that waits for players is due again later, if it does not."""
        if self.pace.realtime:
            return True
        decision = self.pace.decide(now_s)
        if isinstance(decision, clocks.Wait):
            self._surroundings.wake(self, decision.until_s)
            return False
        self.next_tick.silent = decision.silent
        return True

    def answer(self) -> None:
        """Tell what came of the tick that has just run."""
        drained, result = self.next_tick.take()
        if result is not None:
            if not self.pace.realtime:
                self._count(anew=True)
            self._tell(drained, result)
            if self.pace.steps and not self.ended:
                self._stepped()
            if not self.ended and not self.pace.realtime:
                self.wake()
        elif self.sight.fault is not None:
            self.end_faulted(self.sight.fault, also_refuse=drained)
        elif self.next_tick.raised is not None:
            self._stand_before(self.next_tick.raised, drained)

    def _stepped(self) -> None:
        """One of the ticks that the owner asked for has run."""
        step = self.pace.steps[0]
        step.ticks -= 1
        if step.ticks:
            return
        self.pace.steps.popleft()
        if step.act is None:
            self.desk.answer(step.asker, protocol.Stepped(world=self.id, tick=self.world.tick))
        else:
            self.acts.ticked(step.act)
        self.acts.begin_next()

    def _begin(self) -> None:
        """Tick from now on; what waits for players waits for the whole time."""
        self._count(anew=True)
        if self.sight.fault is not None:
            self.end_faulted(self.sight.fault)
            return
        self._surroundings.started(self)
        if not self.pace.realtime:
            self.wake()

    def _count(self, *, anew: bool) -> None:
        """Ask the game whom the next tick waits for; ``anew``: and wait for the whole time."""
        if self.status != "running" or self.sight.fault is not None:
            return
        try:
            self.pace.count(time.monotonic(), anew=anew)
        except WorldFaulted as fault:
            self.sight.fault = fault

    def wake(self) -> None:
        """Have the next tick run when it is time: now, if nothing is awaited any more."""
        now_s = time.monotonic()
        decision = self.pace.decide(now_s)
        self._surroundings.wake(self, decision.until_s if isinstance(decision, clocks.Wait) else now_s)

    # --- joining and leaving -------------------------------------------------------------------------

    def take(self, coming: Sequence[PendingJoin | PendingLeave]) -> None:
        """Queue joins or a leave for the next tick; apply them at once where that may be long in coming."""
        if self.status != "waiting" and self.pace.realtime:
            for pending in coming:
                self.inbox.put(pending)
            return
        for pending in coming:
            if isinstance(pending, PendingLeave):
                for dropped in self.inbox.drop(pending.player):
                    self.desk.refuse_pending(dropped, replies.not_joined(pending.player, self.id))
        self.apply_now(coming)

    def apply_now(self, applied: Sequence[Pending]) -> None:
        """Log and apply between two ticks what cannot wait for the next, and answer it."""
        record, entries = self._history.tick(list(applied), ran=False, time_ms=_now_ms())
        self.desk.journal(record)
        try:
            result = self.world.apply(entries, step=False)
            self.world.check_memory()
        except WorldFaulted as fault:
            self.end_faulted(fault, also_refuse=applied)
            return
        starts = self.status == "waiting" and len(self.world.players) >= self.manifest.min_players
        if starts:
            self.sight.status = "running"
        other_clock = any(isinstance(pending, PendingClock) for pending in applied)
        self._count(anew=starts or other_clock)
        self._tell(applied, result)
        if starts and not self.ended:
            self.desk.push(protocol.Started(world=self.id, tick=self.world.tick))
            self._report_change()
        if (starts or other_clock) and not self.ended:
            self._surroundings.started(self)
        if not self.ended and not self.pace.realtime:
            self.wake()

    def _tell(self, applied: Sequence[Pending], result: TickResult) -> None:
        for outcome in result.outcomes:
            self.meters.came_out(outcome)
        received_ms = [pending.received_ms for pending in applied if isinstance(pending, PendingInput)]
        self.meters.time_until_durable(received_ms, self.ticket)
        self.telling.tell(applied, result)
        self.subscribers.look()
        if self.sight.fault is not None:  # an observation broke the world
            self.end_faulted(self.sight.fault)
        elif result.finished is not None:
            self._end_finished(result.finished)
        else:
            self.waits.look()

    # --- the end -------------------------------------------------------------------------------------

    def close(self, reason: str) -> None:
        """End the world in order. Nothing happens if it has ended."""
        if not self.ended:
            self._end("closed", reason, None, self._history.close(reason, None))

    def _end_finished(self, result: Any) -> None:
        try:
            record = self._history.close("finished", result)
        except (RecordTooLarge, RecordInvalid) as error:
            self.end_faulted(WorldFaulted(self.id, self.world.tick, "result", f"world.finish: {error}"))
        else:
            self._end("finished", "finished", result, record)

    def end_faulted(self, fault: WorldFaulted, also_refuse: Sequence[Pending] = ()) -> None:
        """The game broke: the tick that it broke in, or that would be next, does not count as run."""
        tick = self.next_tick.number
        about = {"world": self.id}
        _log.error("world %s of %s faulted at tick %d: %s", self.id, self.game, tick, fault.message, extra=about)
        inputs = [pending for pending in also_refuse if isinstance(pending, PendingInput)]
        record = self._history.fault(tick, fault.kind, inputs[-1] if inputs else None)
        self._end("faulted", fault.message, None, record, also_refuse)

    def _end(
        self,
        status: protocol.WorldStatus,
        reason: str,
        result: Any,
        record: Piece,
        also_refuse: Sequence[Pending] = (),
    ) -> None:
        self.sight.status, self.end_reason = status, reason
        _log.info("world %s of %s has ended: %s", self.id, self.game, reason, extra={"world": self.id})
        ended = self.desk.journal(record)
        refusal = refusals.world_ended(self.id, self.game, status, reason)
        self._dismissal.ended(refusal, also_refuse)
        self.audience.world_ended()
        closed = protocol.Closed(world=self.id, reason=reason, status=status, result=result)
        self.desk.push(closed)
        self.desk.report(self.pulse())  # the last scores: an ended world is listed with them
        self._report_change()
        self._surroundings.ended(self, ended)

    def pulse(self) -> messages.WorldPulse:
        """How the world is doing."""
        return reports.pulse(self.world, self.drivers.connected(), self.pace)

    def _report_change(self) -> None:
        self.desk.report(self._change())

    def _change(self) -> messages.WorldChanged:
        return reports.changed(self.world, self.status, self.end_reason)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
