"""A shard: its links, its journal, and the worlds they serve.

One thread runs everything here: links, Lua, framing. The journal's writer thread only makes system calls.

Not here: the process (main), when worlds tick (ticker) and are looked at (reads), and what becomes of a request in its
world (host).

Invariant: nothing that depends on a tick leaves this process before the journal group of its record is durable
(``server/shard/outbox.py``). If the journal fails, the process ends at once: what was not durable was never told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from eventlog.disk import Disk
from eventlog.errors import DiskFull, EventLogError
from eventlog.journal import Journal
from eventlog.piece import Piece
from eventlog.store import Store
from eventlog.ticket import Ticket
from games.code import Engine
from games.errors import ArgumentProblem, GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted
from replays.replay import ReplayError
from replays.shelf import Shelf
from server import messages, refusals
from server.callpage import CallPage
from server.histogram import Histogram
from server.link import Link, serve_unix
from server.process import cpu_seconds, resident_bytes
from server.rates import InputRate
from server.shard import opening, replies
from server.shard.breakage import not_reloaded
from server.shard.checkpoints import Checkpoints
from server.shard.course import Course
from server.shard.host import WorldHost
from server.shard.outbox import Outbox
from server.shard.reads import Reads
from server.shard.ticker import Ticker
from worldline import protocol

ENDED_KEPT: Final = 1000  # how many ended worlds are remembered, to say why they ended
CHECK_EVERY_S: Final = 1.0
CLOCK_SLOW_RATE: Final = 0.95  # below this share of its speed, a world's players are told
CLOCK_SLOW_EVERY_S: Final = 10.0

_log = logging.getLogger("worldline.shard")


class Ended(NamedTuple):
    """A world that has ended. Nobody hears of it before its last record is durable (``after``)."""

    game: str
    status: protocol.WorldStatus
    reason: str
    tick: int
    after: Ticket


class Shard:
    """One tick worker. Made by `server.shard.main` once its configuration has come."""

    def __init__(self, config: messages.ConfigureShard, supervisor: Link[Any], *, disk: Disk | None = None) -> None:
        self._config = config
        self._supervisor = supervisor
        self._loop = asyncio.get_running_loop()
        store = Store.attach(Path(config.data))
        self._shelf = Shelf(store)
        self._engine = Engine.current()
        store.put_engine(self._engine.digest, self._engine.files)
        self._sync_seconds = Histogram()
        self._journal = Journal.open(
            Path(config.data),
            config.shard,
            durability=config.durability,
            loop=self._loop,
            on_failure=self._on_disk_failure,
            disk=disk,
            on_sync=self._sync_seconds.record,
            on_full=self._on_disk_full,
            on_room=self.resume,
        )
        self._calls = CallPage(Path(config.call_page_path))
        self._outbox = Outbox()
        self._checkpoints = Checkpoints(
            Path(config.data),
            self._journal.append,
            self._calls,
            may_encode=lambda: not self._ticker.is_due(),
            disk=disk,
        )
        self._ticker = Ticker(self._calls, self._journal.append, self._checkpoints.ticked)
        self._reads = Reads(
            self._calls,
            may_read=lambda: not self._ticker.is_due(),
            host_of=lambda world: self._hosts.get(world),
            observe=self._observe,
            watch=self._watch,
            answer_view=lambda reply, host: self.report(reply, None if host is None else host.course.ticket),
        )
        self._hosts: dict[str, WorldHost] = {}
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self._counted = messages.WorldCounters()
        """What the worlds that have ended had counted."""
        self._gateways: set[Link[Any]] = set()
        self._openings: deque[messages.OpenWorld | messages.RestoreWorld] = deque()
        self._listener: asyncio.AbstractServer | None = None
        self._saved_games: dict[str, messages.ServedGame] = {}
        """By name: the last `ReloadGame`."""
        self._why_paused: str | None = None
        self._draining = False
        self.stopped: asyncio.Future[None] = self._loop.create_future()
        """Done when the shard has drained, or has failed."""
        self.failed: Exception | None = None

    async def start(self) -> None:
        """Listen for gateways and say so to the supervisor."""
        self._listener = await serve_unix(  # kept: a listener that is forgotten closes
            self._config.socket_path,
            messages.GatewayToShard,
            self._gateway_came,
            self._on_gateway_message,
            self._on_gateway_lost,
        )
        self._loop.call_later(CHECK_EVERY_S, self._check)
        self._supervisor.send(messages.ShardReady())

    # --- surroundings of the hosts (server/shard/surroundings.py) ---------------------------------------

    def journal(self, pieces: Sequence[Piece]) -> Ticket:
        """Hand pieces to the journal."""
        return self._journal.append(pieces)

    def send(self, link: Link[Any], message: messages.Message, after: Ticket | None) -> None:
        """Send to a gateway once ``after`` is durable."""
        self._outbox.send(link, message, after)

    def push(self, message: messages.Push | messages.CodeBroken, after: Ticket | None) -> None:
        """Send to all gateways once ``after`` is durable."""
        for link in self._gateways:
            self._outbox.send(link, message, after)

    def report(self, message: messages.Message, after: Ticket | None) -> None:
        """Send to the supervisor once ``after`` is durable."""
        self._outbox.send(self._supervisor, message, after)

    def read(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        """Let a player look in the slack between ticks."""
        self._reads.put(link, message)

    def look(self, world: str, job: Callable[[], None]) -> None:
        """Do something that looks at a world's view in the slack between ticks."""
        self._reads.look(world, job)

    def started(self, course: Course) -> None:
        """Tick this world from now on."""
        self._ticker.add(course)

    def wake(self, course: Course, at_s: float | None) -> None:
        """Tick this world at ``at_s``, if it is ready then."""
        self._ticker.wake(course, at_s)

    def paused(self, course: Course) -> None:
        """Tick this world no more, until it is started again."""
        self._ticker.remove(course.id)

    def ended(self, course: Course, after: Ticket) -> None:
        """Tick this world no more, and let it go once its last record is durable and its last snapshot taken: then
        others may have its files."""
        self._ticker.remove(course.id)
        del self._hosts[course.id]
        self._counted.add(course.meters.counters())
        self._ended[course.id] = Ended(course.game, course.status, course.end_reason, course.world.tick, after)
        if len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)

        def let_go(_: Ticket) -> None:
            # Not by the outbox: a departure's ticket bears the number of a group, which other messages wait for.
            self._journal.release_world(course.id).add_done_callback(released)
            course.world.close()

        def released(_: Ticket) -> None:
            self._supervisor.send(messages.WorldReleased(world=course.id))

        self._checkpoints.ended(course, lambda: after.add_done_callback(let_go))

    # --- messages ------------------------------------------------------------------------------------

    def _gateway_came(self, link: Link[Any]) -> None:
        """A gateway has connected. Worlds that stood still before have told only those that were there."""
        self._gateways.add(link)
        for host in self._hosts.values():
            if host.course.why_paused is not None:
                link.send(messages.Push(world=host.id, message=replies.paused(host.id, host.course.why_paused)))

    def _on_gateway_message(self, link: Link[Any], message: messages.GatewayToShard) -> None:
        if isinstance(message, messages.ObservePlayer | messages.WatchWorld):
            self._reads.put(link, message)
            return
        if isinstance(message, messages.NeedWhole | messages.StopWatching):
            self._spectators(link, message)
            return
        if isinstance(message, messages.PlayerDetached | messages.PlayerDriven):
            self._spoken_for(link, message)
            return
        if isinstance(message, messages.AttachPlayer):
            self._attach(link, message)
            return
        if self._draining:
            link.send(messages.Answer(request=message.request, message=refusals.draining()))
            return
        host = self._host_or_refuse(link, message.request, message.world)
        if host is None:
            if isinstance(message, messages.JoinWorld):
                self.report(messages.JoinRefused(world=message.world, agent=message.agent), None)
            return
        with self._calls.during(host.id, host.world.tick, "entries"):
            match message:
                case messages.JoinWorld():
                    host.join(link, message)
                case messages.PlayerInput():
                    host.input(link, message)
                case messages.SubscribePlayer():
                    host.subscribe(link, message)
                case messages.ActPlayers():
                    host.act(link, message)
                case messages.LeaveWorld():
                    host.leave(link, message)
                case messages.StepWorld():
                    host.step(link, message)
                case messages.PlayWorld():
                    host.play(link, message)
                case messages.StopWorld():
                    host.stop(link, message)

    def _observe(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        host = self._host_or_refuse(link, message.request, message.world)
        if host is not None:
            with self._calls.during(host.id, host.world.tick, "observe"):
                host.observe(link, message)

    def _watch(self, link: Link[Any], message: messages.WatchWorld) -> None:
        host = self._host_or_refuse(link, message.request, message.world)
        if host is not None:
            with self._calls.during(host.id, host.world.tick, "view"):
                host.watch(link, message)

    def _spectators(self, link: Link[Any], message: messages.NeedWhole | messages.StopWatching) -> None:
        host = self._hosts.get(message.world)
        if host is None:
            return  # its streams have ended with it
        if isinstance(message, messages.NeedWhole):
            host.course.audience.need_whole(link, message.watch)
        else:
            host.course.audience.stop(link, message.watch, message.opening)

    def _spoken_for(self, link: Link[Any], message: messages.PlayerDriven | messages.PlayerDetached) -> None:
        host = self._hosts.get(message.world)
        ended = self._ended.get(message.world)
        if host is not None:
            host.spoken_for(link, message)
        elif ended is not None and isinstance(message, messages.PlayerDriven):
            # It ended on its way back, perhaps before this gateway was there to hear of it.
            closed = protocol.Closed(world=message.world, reason=ended.reason, status=ended.status)
            self._outbox.send(link, messages.Push(world=message.world, message=closed), ended.after)

    def _attach(self, link: Link[Any], message: messages.AttachPlayer) -> None:
        host = self._hosts.get(message.world)
        if host is not None:
            host.attach(link, message)
            return
        ended = self._ended.get(message.world)
        reason, tick, after = ("closed", 0, None) if ended is None else (ended.reason, ended.tick, ended.after)
        self._outbox.send(link, messages.PlayerAbsent(request=message.request, reason=reason, tick=tick), after)

    def _host_or_refuse(self, link: Link[Any], request: int, world: str) -> WorldHost | None:
        """The world's host; if it is not (or no longer) here, the request is answered with why."""
        host = self._hosts.get(world)
        if host is None:
            ended = self._ended.get(world)
            error = refusals.unknown_world(world, []) if ended is None else refusals.world_ended(world, *ended[:3])
            self._outbox.send(link, messages.Answer(request=request, message=error), ended and ended.after)
        return host

    def _on_gateway_lost(self, link: Link[Any]) -> None:
        self._gateways.discard(link)
        for host in list(self._hosts.values()):
            host.link_lost(link)

    def on_supervisor_message(self, message: messages.FromSupervisor) -> None:
        """Carry out an order of the supervisor."""
        if self._draining:
            return  # it stops all of us
        match message:
            case messages.OpenWorld() | messages.RestoreWorld():
                self._openings.append(message)
                self._loop.call_soon(self._open_next)
            case messages.CloseWorld():
                host = self._hosts.get(message.world)
                if host is not None:
                    host.course.close(message.reason)
            case messages.ReloadGame():
                self._saved_games[message.game.name] = message.game
                for world in [host.id for host in self._hosts.values() if host.course.game == message.game.name]:
                    self._loop.call_soon(self._reload, world)
            case messages.AskView():
                self._reads.put(self._supervisor, message)
            case messages.AskStatistics():
                self._supervisor.send(self._statistics(message.request))
            case messages.Drain():
                self._loop.create_task(self._drain())
            case _:
                _log.error("a shard has no use for %s", type(message).__name__)

    def _open_next(self) -> None:
        """Make one world per turn of the loop: loading takes milliseconds, and the ticks of others come first."""
        if self._draining or not self._openings:
            return
        if self._ticker.is_due():
            self._loop.call_soon(self._open_next)
            return
        if self._why_paused is not None:
            self._refuse_openings(self._why_paused)
            return
        message = self._openings.popleft()
        if isinstance(message, messages.OpenWorld):
            self._open_world(message)
        else:
            self._restore_world(message)

    def _refuse_openings(self, reason: str) -> None:
        """Nobody is waiting for long for a world that cannot be made now. Those that are to come back wait."""
        for message in list(self._openings):
            if isinstance(message, messages.OpenWorld):
                self._openings.remove(message)
                self._supervisor.send(messages.WorldNotOpened(world=message.world, reason=reason, later=True))

    def _reload(self, world: str) -> None:
        """Let a world go on with the code of its game that was saved last, if that is other code. If it cannot, the
        world goes on with its own."""
        host = self._hosts.get(world)
        game = None if host is None else self._saved_games.get(host.course.game)
        if host is None or game is None or self._draining or self._why_paused is not None:
            return  # where there is no room on the disk, this is done when there is
        try:
            code = self._shelf.code(game.name, game.digest, game.origin)
            if code.changes_rules_of(host.world.code):
                with self._calls.during(world, host.world.tick, "entries"):
                    host.course.reload(code)
                about = {"world": world}
                _log.info(
                    "world %s of %s goes on with the saved code at tick %d",
                    world, game.name, host.world.tick, extra=about,
                )  # fmt: skip
        except WorldFaulted as fault:
            host.course.end_faulted(fault)
        except (EventLogError, GameError, ReplayError, SnapshotUnreadable, StateNotSaveable) as error:
            _log.error(
                "world %s of %s goes on with the code it has: %s", world, game.name, error, extra={"world": world}
            )
            self.push(not_reloaded(game.name, world, error), None)

    def _open_world(self, message: messages.OpenWorld) -> None:
        try:
            code = self._shelf.code(message.game, message.digest)
            with self._calls.during(message.world, 0, "setup"):
                opened = opening.make(code, self._engine, message, shard=self._config.shard)
        except (GameError, ArgumentProblem, EventLogError, ReplayError) as error:
            about = {"world": message.world}
            _log.error("world %s of %s could not be made: %s", message.world, message.game, error, extra=about)
            self._supervisor.send(messages.WorldNotOpened(world=message.world, reason=str(error)))
            return
        host = self._host(opened)
        _log.info("world %s of %s begins", host.id, message.game, extra={"world": host.id})
        host.course.telling.debug(opened.world.setup_lines)
        self.report(messages.WorldOpened(world=host.id), host.course.ticket)
        self._reload(host.id)

    def _restore_world(self, message: messages.RestoreWorld) -> None:
        try:
            opened = opening.restore(
                Path(self._config.data),
                message.world,
                not_run=message.not_run,
                shard=self._config.shard,
                calls=self._calls,
                shelf=self._shelf,
            )
        except (GameError, EventLogError, ReplayError, WorldFaulted, opening.LogEnded) as error:
            status = error.status if isinstance(error, opening.LogEnded) else "damaged"
            answer = messages.WorldNotRestored(world=message.world, status=status, reason=str(error))
            self._supervisor.send(answer)
            return
        host = self._host(opened)
        self.report(host.restored(opened.joined), host.course.ticket)
        if message.not_run is None:
            host.course.go_on()
            self._reload(host.id)
        else:
            host.course.end_at(message.not_run, message.reason)

    def _host(self, opened: opening.Opened) -> WorldHost:
        host = WorldHost(
            opened.world,
            opened.history,
            self,
            opened.genesis,
            # Who plays alone or among friends takes nothing from others but what the inbox bounds.
            rate=InputRate() if self._config.limits and not opened.genesis.private else None,
            eager=self._config.eager,
            dev=self._config.dev,
            fair_play=self._config.fair_play,
        )
        if self._config.dev:
            host.world.compare_looks()
        self._hosts[host.id] = host
        host.course.ticket = self._journal.append([opened.log.head])
        self._checkpoints.add(host.course, opened.history, tail_s=opened.tail_s)
        return host

    # --- standing still ------------------------------------------------------------------------------

    def pause(self, reason: str) -> None:
        """Let all worlds stand still until `resume`, and make no new one; ``reason`` is for people."""
        self._why_paused = reason
        for host in list(self._hosts.values()):
            host.course.pause(reason)

    def resume(self) -> None:
        """Let all worlds go on."""
        if self._why_paused is None:
            return
        _log.info("%d worlds go on", len(self._hosts))
        self._why_paused = None
        for host in list(self._hosts.values()):
            host.course.resume()
            self._loop.call_soon(self._reload, host.id)
        for _ in self._openings:
            self._loop.call_soon(self._open_next)

    def _on_disk_full(self, full: DiskFull) -> None:
        """What was acknowledged is durable, and what was not waits: so nothing new is begun until there is room."""
        if self._draining:
            self._on_disk_failure(full)
            return
        _log.error("%s; %d worlds stand still until then", full, len(self._hosts))
        self.pause("there is no room on the server's disk")

    # --- housekeeping --------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._draining:
            return
        now_s = time.monotonic()
        for host in list(self._hosts.values()):
            with self._calls.during(host.id, host.world.tick, "entries"):
                host.check(now_s)
            self._tell_slow(host, now_s)
        for host in self._hosts.values():
            self.report(host.pulse(), host.course.ticket)
        self._loop.call_later(CHECK_EVERY_S, self._check)

    def _tell_slow(self, host: WorldHost, now_s: float) -> None:
        course = host.course
        if not course.pace.realtime:
            return
        rate = course.meters.rate_since_last_check(now_s, course.manifest.tick_hz)
        if rate >= CLOCK_SLOW_RATE or not course.meters.may_tell_slow(now_s, CLOCK_SLOW_EVERY_S):
            return
        about = {"world": host.id}
        _log.warning("world %s runs at %d %% of its speed: the shard is overloaded", host.id, rate * 100, extra=about)
        notice = protocol.Notice(
            code="clock_slow",
            message=f"this world runs at {rate:.0%} of its speed: its machine is overloaded",
            world=host.id,
            rate=round(rate, 2),
        )
        self.push(messages.Push(world=host.id, message=notice), None)

    def _statistics(self, request: int) -> messages.ShardStatistics:
        journal = self._journal.statistics()
        counters = messages.WorldCounters()
        for counted in (self._counted, *(host.course.meters.counters() for host in self._hosts.values())):
            counters.add(counted)
        return messages.ShardStatistics(
            request=request,
            shard=self._config.shard,
            pid=os.getpid(),
            cpu_s=cpu_seconds(),
            rss_bytes=resident_bytes(),
            journal_groups=journal.groups,
            journal_bytes=journal.bytes,
            sync_seconds=self._sync_seconds,
            snapshots=self._checkpoints.taken,
            snapshot_bytes=self._checkpoints.taken_bytes,
            snapshot_hold_seconds=self._checkpoints.hold_seconds,
            tail_s=self._checkpoints.tail_s,
            worlds=[host.statistics(time.monotonic()) for host in self._hosts.values()],
            counters=counters,
            inbox_depth=sum(len(host.course.inbox) for host in self._hosts.values()),
        )

    def _on_disk_failure(self, error: Exception) -> None:
        """A failed write or sync: what it covered is in doubt, so no retry and no acknowledgement."""
        _log.critical("the journal cannot be written: %s; this shard ends, its logs end with what was synced", error)
        self.failed = error
        self._checkpoints.abandon()
        if not self.stopped.done():
            self.stopped.set_result(None)

    async def _drain(self) -> None:
        """Save every world, let everything become durable, and end: the next server on this data goes on with them.

        Without room for that, end as a crash does: what is durable is enough to go on from.
        """
        self._draining = True
        self._ticker.stop()
        if self._journal.full is not None:
            self._on_disk_failure(self._journal.full)
            return
        if not self._config.keep_worlds:
            for host in list(self._hosts.values()):
                host.course.close("server_stopped")
        await self._checkpoints.stop()
        await self._journal.close()
        for link in (*self._gateways, self._supervisor):
            link.close()
        if not self.stopped.done():
            self.stopped.set_result(None)
