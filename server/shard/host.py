"""One world in its shard: what is asked of it, how it ticks, what it answers.

A tick has three steps, which the worker calls for all worlds that are due:

1. `write_ahead`: the waiting joins, leaves and inputs become entries of a tick record, which goes to the journal.
2. `run_tick`: the entries are applied to the Lua world and its tick runs.
3. `answer`: outcomes, observations and pushes are made, each to leave when the record's group is durable.

A world that waits for players does not tick: joins and leaves are logged and applied at once, between ticks.

Invariants: every request gets exactly one answer; what reports a change waits for ``ticket``, the journal group of the
world's last record.

Not here: when ticks run (scheduler), what waits (inbox), who speaks for a player (drivers), what is logged (history),
which inputs are taken (admission), what players see (sight), how answers leave (desk) and look on the wire (replies).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from eventlog.errors import RecordInvalid, RecordTooLarge
from eventlog.piece import Piece
from eventlog.records import JoinEntry
from eventlog.ticket import Ticket
from games.errors import ObservationFailed, WorldFaulted
from games.runtime.players import InputOutcome
from games.runtime.results import Kicked
from games.runtime.world import Entry, TickResult, World
from server import messages, refusals
from server.link import Link
from server.shard import admission, replies, reports
from server.shard.desk import Desk
from server.shard.drivers import Drivers
from server.shard.history import History
from server.shard.inbox import Asker, Inbox, InputAsker, JoinAsker, Pending, PendingInput, PendingJoin, PendingLeave
from server.shard.meters import Meters
from server.shard.sight import Sight, logged
from server.shard.surroundings import Surroundings
from worldline import protocol

RETRY_NEXT_TICK_MS: Final = 50  # on top of one tick: what waits now is applied by then

_log = logging.getLogger("worldline.shard")
_encode = msgspec.msgpack.Encoder().encode


class WorldHost:
    """One world, its history, its inbox and its players' drivers. Times are seconds on the monotonic clock."""

    def __init__(self, world: World, history: History, surroundings: Surroundings, *, eager: bool) -> None:
        self.world = world
        self.id = world.id
        self.game = world.code.name
        self.manifest = world.code.manifest
        self.meters = Meters()
        self.status: protocol.WorldStatus = "waiting"
        self.end_reason = ""
        self._history = history
        self._surroundings = surroundings
        self._eager = eager
        self._inbox = Inbox()
        self._drivers = Drivers()
        self._drained: list[Pending] = []
        self._entries: list[Entry] = []
        self._result: TickResult | None = None
        self._next_tick = world.tick + 1
        self._desk = Desk(self.id, surroundings)
        self._sight = Sight(world, history, self._drivers, self.meters)

    def restored(self, joined: Mapping[str, JoinEntry]) -> messages.WorldRestored:
        """Take over those who sit in a world that was played before; return the report of it.

        ``joined`` says how they came, by player. Nobody drives them yet: their grace begins.
        """
        for player, entry in joined.items():
            self._drivers.seated(player, entry.agent, None)
        # A world that ticked once ticks on, also when most have left.
        if self.world.tick or len(joined) >= self.manifest.min_players:
            self.status = "running"
        return reports.restored(self.world, self.status, joined)

    def go_on(self) -> None:
        """Let a restored world tick; or end it, if its game ended it on the way to here."""
        if self.world.finished is not None:
            self._end_finished(self.world.finished)
        elif self.status == "running":
            self._surroundings.started(self)

    def end_at(self, tick: int, reason: str) -> None:
        """End a restored world that took a shard down in ``tick``, which is not run again."""
        self._next_tick = tick
        self._end_faulted(WorldFaulted(self.id, self.world.tick, "stuck", reason))

    @property
    def ticket(self) -> Ticket | None:
        """The journal group of the world's last record: what reports a change of the world waits for it."""
        return self._desk.ticket

    @ticket.setter
    def ticket(self, ticket: Ticket) -> None:
        self._desk.ticket = ticket

    @property
    def ended(self) -> bool:
        """Whether the world takes nothing more."""
        return self.status in ("closed", "finished", "faulted")

    # --- requests ------------------------------------------------------------------------------------

    def join(self, link: Link[Any], message: messages.JoinWorld) -> None:
        """Seat an agent, at the next tick or at once if the world does not tick yet."""
        asker = JoinAsker(Asker(link, message.request), message.observe)
        player = self._drivers.player_of(message.agent)
        if player is not None:  # asked twice: the same seat, driven from here now
            self._drivers.drive(player, link)
            self._answer_joined(asker, player)
            return
        waiting = self._inbox.join_of(message.agent)
        if waiting is not None:
            waiting.askers.append(asker)
        elif len(self.world.players) + self._inbox.joins_waiting >= self.manifest.max_players:
            self._desk.refuse_join(
                asker, message.agent, refusals.world_full(self.id, self.game, self.manifest.max_players)
            )
        elif self._inbox.full:
            overloaded = replies.overloaded(self.id, len(self._inbox), self._retry_after_ms)
            self._desk.refuse_join(asker, message.agent, overloaded)
        else:
            self._take(PendingJoin([asker], message.agent, message.session, message.name))

    def input(self, link: Link[Any], message: messages.PlayerInput) -> None:
        """Queue an input for the next tick; or say at once why not, or what became of it the first time."""
        asker = InputAsker(Asker(link, message.request), message.observe, message.since)
        if message.player in self.world.players and message.seen_tick is not None:
            self._drivers.heard(message.player).saw(message.seen_tick)
        match admission.judge(self.world, self._inbox, message, self.status, self._retry_after_ms):
            case admission.Taken(seq, args):
                self._inbox.put(
                    PendingInput(
                        player=message.player,
                        seq=seq,
                        name=message.name,
                        args=args,
                        note=message.note,
                        seen_tick=message.seen_tick,
                        received_ms=_now_ms(),
                        askers=[asker],
                        size_bytes=len(_encode(args)) + 4 * len(message.note or ""),
                    )
                )
            case admission.Waiting(pending):
                pending.askers.append(asker)
            case admission.Again(first):
                self._answer_outcome(asker, first, message.seen_tick, duplicate=True)
                if self._sight.fault is not None:
                    self._end_faulted(self._sight.fault)
            case error:
                self._desk.refuse(asker.asker, error)

    def observe(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        """Answer what a player sees now. Called in the slack between ticks."""
        asker = Asker(link, message.request)
        if message.player not in self.world.players:
            self._desk.refuse(asker, replies.not_joined(message.player, self.id))
            return
        if message.named:
            self._drivers.heard(message.player).named(message.since)
        try:
            self._desk.answer(
                asker, self._sight.observation(message.player, message.since, message.format, self.status)
            )
        except ObservationFailed as failure:
            self._desk.refuse(asker, replies.observe_failed(failure, logged(failure)))
        except WorldFaulted as fault:
            self._end_faulted(fault, also_refuse=[PendingLeave(asker, message.player, "")])

    def leave(self, link: Link[Any], message: messages.LeaveWorld) -> None:
        """Take a player out, at the next tick or at once if the world does not tick yet."""
        asker = Asker(link, message.request)
        if message.player not in self.world.players or self._inbox.leave_waiting(message.player):
            self._desk.refuse(asker, replies.not_joined(message.player, self.id))
        else:
            self._take(PendingLeave(asker, message.player, "left"))

    def attach(self, link: Link[Any], message: messages.AttachPlayer) -> None:
        """The player's session is back: it is driven from here now, and its grace is over."""
        player = self.world.players.get(message.player)
        if player is None:
            reason, tick = self._drivers.why_gone(message.player)
            asker = Asker(link, message.request)
            self._desk.send(asker, messages.PlayerAbsent(request=message.request, reason=reason, tick=tick))
            return
        self._drivers.drive(player.id, link)
        attached = messages.PlayerAttached(
            request=message.request,
            player=replies.resumed(self.world, player.id, status=self.status),
            since=self._drivers.heard(player.id).since,
        )
        self._desk.send(Asker(link, message.request), attached)

    def spoken_for(self, link: Link[Any], message: messages.PlayerDriven | messages.PlayerDetached) -> None:
        """A gateway says whether it has a connection for this player."""
        if isinstance(message, messages.PlayerDetached):
            self._drivers.detached(link, message.player)
        elif message.player in self.world.players:
            self._drivers.drive(message.player, link)

    def link_lost(self, link: Link[Any]) -> None:
        """A gateway is gone, and with it the connections of its players."""
        self._drivers.link_lost(link)

    # --- the tick ------------------------------------------------------------------------------------

    def write_ahead(self, time_ms: int) -> list[Piece]:
        """Take what waits; return the records of the tick that is about to run, none if it needs none."""
        pieces: list[Piece] = []
        beat = self._history.beat_if_due()
        if beat is not None:
            pieces.append(beat)
        if len(self._inbox):
            self._drained = self._inbox.drain()
            record, self._entries = self._history.tick(self._drained, ran=True, time_ms=time_ms)
            pieces.append(record)
        return pieces

    def run_tick(self) -> None:
        """Apply what was written ahead and run the tick."""
        self._next_tick = self.world.tick + 1
        try:
            self._result = self.world.apply(self._entries, step=True)
            if self._eager:
                for player in self.world.players:
                    self._sight.observation(player, 1, "both", self.status)
        except WorldFaulted as fault:
            self._sight.fault = fault
        else:
            self._next_tick += 1

    def answer(self) -> None:
        """Tell what came of the tick that has just run."""
        drained, result = self._drained, self._result
        self._drained, self._entries, self._result = [], [], None
        if result is not None:
            self._tell(drained, result)
        elif self._sight.fault is not None:
            self._end_faulted(self._sight.fault, also_refuse=drained)

    # --- housekeeping --------------------------------------------------------------------------------

    def check(self, now_s: float) -> None:
        """Once a second: who has been away for too long, and has the world been empty for too long?"""
        for player in self._drivers.alone_for(self.manifest.grace_s, now_s):
            if not self._inbox.leave_waiting(player):
                self._take(PendingLeave(None, player, "timeout"))
        if self._drivers.empty_for(self.manifest.idle_s, now_s):
            self.close("idle")

    def close(self, reason: str) -> None:
        """End the world in order. Nothing happens if it has ended."""
        if not self.ended:
            self._end("closed", reason, None, self._history.close(reason, None))

    def pulse(self) -> messages.WorldPulse:
        """How the world is doing."""
        return reports.pulse(self.world, self._drivers.connected())

    def statistics(self, now_s: float) -> messages.WorldStatistics:
        """What the world has cost."""
        return reports.statistics(self.world, self.meters, now_s)

    # --- joining and leaving -------------------------------------------------------------------------

    def _take(self, pending: PendingJoin | PendingLeave) -> None:
        """Queue a join or leave for the next tick. A world that does not tick yet takes it at once."""
        if self.status != "waiting":
            self._inbox.put(pending)
            return
        record, entries = self._history.tick([pending], ran=False, time_ms=_now_ms())
        self._desk.journal(record)
        try:
            result = self.world.apply(entries, step=False)
        except WorldFaulted as fault:
            self._end_faulted(fault, also_refuse=[pending])
            return
        starts = len(self.world.players) >= self.manifest.min_players
        if starts:
            self.status = "running"
        self._tell([pending], result)
        if starts and not self.ended:
            started = protocol.Started(world=self.id, tick=self.world.tick)
            self._desk.push(started)
            self._report_change()
            self._surroundings.started(self)

    def _seated(self, pending: PendingJoin) -> None:
        player = pending.player
        if player not in self.world.players:  # the game sent it away as it came
            self._desk.refuse_pending(pending, replies.kicked_at_once(player, self.id))
            return
        self._drivers.seated(player, pending.agent, pending.askers[-1].asker.link)
        # Before the answers: a client that knows of its seat, and asks the lobby for it, is never too early.
        self._desk.report(reports.joined(self.world, player, pending.session))
        for asker in pending.askers:
            self._answer_joined(asker, player)

    def _unseated(self, pending: PendingLeave) -> None:
        player = pending.player
        self._drivers.gone(player, pending.reason, self.world.tick)
        self._history.left(player)
        report = messages.PlayerLeft(world=self.id, player=player, reason=pending.reason, tick=self.world.tick)
        self._desk.report(report)
        if pending.asker is not None:
            self._desk.answer(pending.asker, protocol.Left(world=self.id, player=player))
        else:
            closed = protocol.Closed(world=self.id, player=player, reason=pending.reason)
            self._desk.push(closed, player)

    def _sent_away(self, kicked: Kicked) -> None:
        """The game has kicked a player: it is gone, and so is what it had waiting."""
        player, reason = kicked.player, "kicked"
        if player not in self._drivers.connected():
            return
        self._drivers.gone(player, reason, self.world.tick)
        self._history.left(player)
        for pending in self._inbox.drop(player):
            self._desk.refuse_pending(pending, replies.not_joined(player, self.id))
        report = messages.PlayerLeft(world=self.id, player=player, reason=reason, tick=self.world.tick)
        self._desk.report(report)
        result = {"message": kicked.message} if kicked.message else None
        self._desk.push(protocol.Closed(world=self.id, player=player, reason=reason, result=result), player)

    # --- outcomes ------------------------------------------------------------------------------------

    def _tell(self, drained: list[Pending], result: TickResult) -> None:
        for line in result.debug:
            _log.debug("%s@%d: %s", self.id, line.tick, line.text)
        outcomes = iter(result.outcomes)
        for pending in drained:
            match pending:
                case PendingJoin():
                    self._seated(pending)
                case PendingLeave():
                    self._unseated(pending)
                case PendingInput():
                    outcome = next(outcomes)
                    self._history.came_out(outcome)
                    for asker in pending.askers:
                        self._answer_outcome(asker, outcome, pending.seen_tick, duplicate=False)
        for kicked in result.kicked:
            self._sent_away(kicked)
        if self._sight.fault is not None:  # an observation broke the world
            self._end_faulted(self._sight.fault)
        elif result.finished is not None:
            self._end_finished(result.finished)

    def _answer_outcome(
        self, asker: InputAsker, outcome: InputOutcome, seen_tick: int | None, *, duplicate: bool
    ) -> None:
        seen = self._sight.beside(outcome.player, asker.since, self.status) if asker.observe else None
        reply = replies.outcome(self.id, outcome, seen_tick=seen_tick, duplicate=duplicate, seen=seen)
        self._desk.answer(asker.asker, reply)

    def _answer_joined(self, asker: JoinAsker, player: str) -> None:
        seen = self._sight.beside(player, self._drivers.heard(player).since, self.status) if asker.observe else None
        self._desk.answer(asker.asker, replies.joined(self.world, player, status=self.status, seen=seen))

    # --- the end -------------------------------------------------------------------------------------

    def _end_finished(self, result: Any) -> None:
        try:
            record = self._history.close("finished", result)
        except (RecordTooLarge, RecordInvalid) as error:
            self._end_faulted(WorldFaulted(self.id, self.world.tick, "result", f"world.finish: {error}"))
        else:
            self._end("finished", "finished", result, record)

    def _end_faulted(self, fault: WorldFaulted, also_refuse: Sequence[Pending] = ()) -> None:
        """The game broke: the tick that it broke in, or that would be next, does not count as run."""
        tick = self._next_tick
        _log.error("world %s of %s faulted at tick %d: %s", self.id, self.game, tick, fault.message)
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
        self.status, self.end_reason = status, reason
        ended = self._desk.journal(record)
        refusal = refusals.world_ended(self.id, self.game, status, reason)
        for pending in (*also_refuse, *self._inbox.drain()):
            self._desk.refuse_pending(pending, refusal)
        closed = protocol.Closed(world=self.id, reason=reason, result=result)
        self._desk.push(closed)
        self._report_change()
        self._surroundings.ended(self, ended)

    @property
    def _retry_after_ms(self) -> int:
        return RETRY_NEXT_TICK_MS + int(1000 / self.manifest.tick_hz)

    def _report_change(self) -> None:
        changed = messages.WorldChanged(
            world=self.id, status=self.status, tick=self.world.tick, reason=self.end_reason or None
        )
        self._desk.report(changed)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
