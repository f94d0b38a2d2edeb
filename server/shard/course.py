"""The course of one world: what is applied in its ticks and between them, from its first player to its end.

A tick has three steps, which the ticker calls for all worlds that are due:

1. `write_ahead`: the waiting joins, leaves and inputs become entries of a tick record, which goes to the journal.
2. `run_tick`: the entries are applied to the Lua world and its tick runs.
3. `answer`: outcomes, observations and pushes are made, each to leave when the record's group is durable.

Only a running world with a realtime clock lets joins and leaves wait for its next tick. In all others it may be long in
coming: they are logged and applied at once, between ticks. One that is paused takes nothing, and can be looked at.

Invariant: what reports a change waits for ``ticket``, the journal group of the world's last record.

Not here: which requests are taken (host), when ticks run (pace, scheduler), what is logged (history), who is told what
(telling).
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
from games.errors import StateNotSaveable, WorldFaulted
from games.runtime.world import Entry, TickResult, World
from server import messages, refusals
from server.rates import InputRate
from server.shard import clocks, replies, reports
from server.shard.acts import Acts
from server.shard.audience import Audience
from server.shard.breakage import Breakage, breakage
from server.shard.desk import Desk
from server.shard.drivers import Drivers
from server.shard.history import History
from server.shard.inbox import (
    Asker,
    Inbox,
    Pending,
    PendingClock,
    PendingInput,
    PendingJoin,
    PendingLeave,
    PendingSilence,
)
from server.shard.meters import Meters
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
        self.subscribers = Subscribers(world, self.drivers, self.desk, self.sight)
        self._history = history
        self._surroundings = surroundings
        self._eager = eager
        self._dev = dev
        self._broken: Breakage | None = None
        """In ``dev``: why the world stands before a tick that raised."""
        self._pause: tuple[protocol.WorldStatus, str] | None = None
        """While the world is paused: its status before, and why."""
        self._drained: list[Pending] = []
        self._silent: tuple[str, ...] = ()
        self._entries: list[Entry] = []
        self._result: TickResult | None = None
        self._next_tick = world.tick + 1

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
        self._next_tick = tick
        self.end_faulted(WorldFaulted(self.id, self.world.tick, "stuck", reason))

    # --- standing still ------------------------------------------------------------------------------

    @property
    def why_paused(self) -> str | None:
        """Why the world stands still, for people; None if it does not."""
        return None if self._pause is None else self._pause[1]

    @property
    def waits_for_author(self) -> bool:
        """Whether it stands before a tick that raised."""
        return self._broken is not None

    def pause(self, reason: str) -> None:
        """Stand still until `resume`; ``reason`` is for people. Nothing happens if the world has ended or is paused."""
        if self.ended or self._pause is not None:
            return
        self._pause = self.status, reason
        self.sight.status = "paused"
        self._surroundings.paused(self)
        refusal = refusals.world_paused(self.id, reason)
        for pending in self.inbox.drain():
            if isinstance(pending, PendingLeave) and pending.asker is None:
                self.inbox.put(pending)  # decided here: it is written down when the world goes on
            else:
                self.desk.turn_away(pending, refusal)
        while self.pace.steps:
            step = self.pace.steps.popleft()
            if step.act is None:
                self.desk.refuse(step.asker, refusal)
            else:
                self.acts.give_up(step.act, refusal, at_once=True)
        self.waits.wake_all("now")
        self.desk.tell_now(replies.paused(self.id, reason), self._change())

    def resume(self) -> None:
        """Go on as before, with whole deadlines. Not for a world that is not paused, or waits for its author."""
        if self._pause is None or self._broken is not None or self.ended:
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
        for pending, problem in self.inbox.unfit(code.manifest):
            expected = self.world.players[pending.player].next_seq
            refusal = replies.seq_gap(pending.seq, expected) if problem is None else replies.bad_arguments(problem)
            self.desk.turn_away(pending, refusal)
        if self._broken is not None:
            self._broken = None
            self.resume()
        elif self.status == "running" and not self.pace.realtime:
            self._count(anew=False)  # whom it waits for is the game's to say, and this is another
            if self.sight.fault is not None:
                self.end_faulted(self.sight.fault)
            else:
                self.wake()

    def _take_back(self, result: TickResult, before: bytes) -> None:
        """The tick raised: the world is again what it was before it."""
        self.world.go_back(before)
        self._broken = breakage(self.game, result.debug)
        self.telling.debug(result.debug)

    def _stand_before(self, broken: Breakage, drained: list[Pending]) -> None:
        """Undo in the log the tick that was taken back, and wait for the author."""
        self.desk.journal(self._history.code(_now_ms()))
        reason = f"{broken.what}, {broken.place}; it goes on when its author has saved the game"
        for pending in drained:
            if isinstance(pending, PendingLeave) and pending.asker is None:
                self.inbox.put(pending)
            else:
                self.desk.refuse_pending(pending, refusals.world_paused(self.id, reason))
        about = {"world": self.id}
        _log.error("world %s stands still before tick %d: %s", self.id, self.world.tick + 1, reason, extra=about)
        self.desk.tell_developers(broken.told(self.game, self.id))
        self.pause(reason)

    # --- the tick ------------------------------------------------------------------------------------

    def write_ahead(self, time_ms: int) -> list[Piece]:
        """Take what waits; return the records of the tick that is about to run, none if it needs none."""
        pieces: list[Piece] = []
        beat = self._history.beat_if_due()
        if beat is not None:
            pieces.append(beat)
        if len(self.inbox) or not self.pace.realtime:
            self._drained = self._in_order(self.inbox.drain())
            record, self._entries = self._history.tick(self._drained, ran=True, time_ms=time_ms)
            pieces.append(record)
        return pieces

    def is_ready(self, now_s: float) -> bool:
        """Whether the tick that is due runs now. One that waits for players is due again later, if it does not."""
        if self.pace.realtime:
            return True
        decision = self.pace.decide(now_s)
        if isinstance(decision, clocks.Wait):
            self._surroundings.wake(self, decision.until_s)
            return False
        self._silent = decision.silent
        return True

    def _in_order(self, drained: list[Pending]) -> list[Pending]:
        """The entries of the tick: in order of arrival; where each player acts once, in seat order, the silent ones
        included."""
        if not self.pace.one_each:
            return drained
        acts = {pending.player: pending for pending in drained if isinstance(pending, PendingInput)}
        silent = {player: PendingSilence(player) for player in self._silent}
        seats = self.world.players
        return [(acts | silent)[player] for player in sorted(acts.keys() | silent.keys(), key=lambda p: seats[p].seat)]

    def run_tick(self) -> None:
        """Apply what was written ahead and run the tick."""
        self._next_tick = self.world.tick + 1
        try:
            before = self._saved() if self._dev else None
            result = self.world.apply(self._entries, step=True)
            if result.failed and before is not None:
                self._take_back(result, before)
                return
            self.world.check_memory()
            self._result = result
            if self._eager:
                for player in self.world.players:
                    self.sight.observation(player, 1, "both")
        except WorldFaulted as fault:
            self.sight.fault = fault
        else:
            self._next_tick += 1

    def _saved(self) -> bytes | None:
        """The world as it is now; None if the game keeps what cannot be saved, which its next checkpoint tells."""
        try:
            return self.world.snapshot()
        except StateNotSaveable:
            return None

    def answer(self) -> None:
        """Tell what came of the tick that has just run."""
        drained, result = self._drained, self._result
        self._drained, self._entries, self._result = [], [], None
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
        elif self._broken is not None:
            self._stand_before(self._broken, drained)

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
        self._time_until_durable([pending for pending in applied if isinstance(pending, PendingInput)])
        self.telling.tell(applied, result)
        self.subscribers.look()
        if self.sight.fault is not None:  # an observation broke the world
            self.end_faulted(self.sight.fault)
        elif result.finished is not None:
            self._end_finished(result.finished)
        else:
            self.waits.look()

    def _time_until_durable(self, inputs: Sequence[PendingInput]) -> None:
        """Measure from when inputs came in to when their outcomes may leave."""
        if not inputs or self.ticket is None:
            return
        received_ms = [pending.received_ms for pending in inputs]

        def durable(_: Ticket) -> None:
            now_ms = _now_ms()
            for since_ms in received_ms:
                self.meters.input_to_durable_seconds.record(max(0, now_ms - since_ms) / 1000)

        self.ticket.add_done_callback(durable)

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
        tick = self._next_tick
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
        for pending in (*also_refuse, *self.inbox.drain()):
            self.desk.refuse_pending(pending, refusal)
        while self.pace.steps:  # fewer ticks than were asked for: the game may have ended in one of them
            step = self.pace.steps.popleft()
            finished = status == "finished"
            if step.act is not None:
                self.acts.give_up(step.act, None if finished and step.act.begun else refusal, at_once=False)
                continue
            stepped = protocol.Stepped(world=self.id, tick=self.world.tick)
            self.desk.answer(step.asker, stepped if finished else refusal)
        for waiting in self.waits.take_all():
            self._last_look(Asker(waiting.link, waiting.message.request), waiting.message, refusal)
        self.audience.world_ended()
        closed = protocol.Closed(world=self.id, reason=reason, status=status, result=result)
        self.desk.push(closed)
        self.desk.report(self.pulse())  # the last scores: an ended world is listed with them
        self._report_change()
        self._surroundings.ended(self, ended)

    def _last_look(self, asker: Asker, message: messages.ObservePlayer, refusal: protocol.Error) -> None:
        """Show the end to a player who waits; one who can see nothing any more is told that it has ended."""
        seen = None if self.status == "faulted" else self.sight.beside(message.player, message.since, message.format)
        if seen is not None:
            seen.woke = "end"
        self.desk.answer(asker, refusal if seen is None else seen)

    def pulse(self) -> messages.WorldPulse:
        """How the world is doing."""
        return reports.pulse(self.world, self.drivers.connected(), self.pace)

    def _report_change(self) -> None:
        self.desk.report(self._change())

    def _change(self) -> messages.WorldChanged:
        return messages.WorldChanged(
            world=self.id, status=self.status, tick=self.world.tick, reason=self.end_reason or None
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
