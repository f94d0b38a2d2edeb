"""A shard: its links, its journal, and the worlds they serve.

One thread runs everything here: links, Lua, framing. The journal's writer thread only makes system calls.

Not here: the process (main), how worlds come here (arrivals) and change their code (reloads), when they tick (ticker)
and are looked at (reads), which of them a gateway's message is for (router), and what becomes of it there (host).

Invariant: nothing that depends on a tick leaves this process before the journal group of its record is durable
(``server/shard/outbox.py``). If the journal fails, the process ends at once: what was not durable was never told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from eventlog.disk import Disk
from eventlog.errors import DiskFull
from eventlog.journal import Journal
from eventlog.piece import Piece
from eventlog.store import Store
from eventlog.ticket import Ticket
from games.code import Engine
from replays.shelf import Shelf
from server import messages
from server.callpage import CallPage
from server.histogram import Histogram
from server.link import Link, serve_unix
from server.process import cpu_seconds, resident_bytes
from server.rates import InputRate
from server.shard.arrivals import Arrivals
from server.shard.checkpoints import Checkpoints
from server.shard.course import Course
from server.shard.host import WorldHost
from server.shard.opening import Opened
from server.shard.outbox import Outbox
from server.shard.reloads import Reloads
from server.shard.router import Router
from server.shard.ticker import Ticker
from worldline import protocol

CHECK_EVERY_S: Final = 1.0
CLOCK_SLOW_RATE: Final = 0.95  # below this share of its speed, a world's players are told
CLOCK_SLOW_EVERY_S: Final = 10.0

_log = logging.getLogger("worldline.shard")


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
            may_encode=self._is_slack,
            disk=disk,
        )
        self._ticker = Ticker(self._calls, self._journal.append, self._checkpoints.ticked)
        self._hosts: dict[str, WorldHost] = {}
        self._router = Router(self._hosts, self._calls, self._outbox, self.report, may_read=self._is_slack)
        self._counted = messages.WorldCounters()
        """What the worlds that have ended had counted."""
        self._reloads = Reloads(self._hosts, self._shelf, self._calls, self.push, may_reload=self._may_reload)
        self._arrivals = Arrivals(
            config,
            self._shelf,
            self._engine,
            self._calls,
            self.report,
            may_open=self._is_slack,
            settle=self._settle,
            reload=self._reloads.reload,
        )
        self._listener: asyncio.AbstractServer | None = None
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
            self._router.gateway_came,
            self._router.message,
            self._router.gateway_lost,
        )
        self._loop.call_later(CHECK_EVERY_S, self._check)
        self._supervisor.send(messages.ShardReady())

    def _is_slack(self) -> bool:
        """Whether no tick is due: there is time for something else."""
        return not self._ticker.is_due()

    def _may_reload(self) -> bool:
        """Whether worlds may go on with other code now: without room on the disk, that cannot be written down."""
        return not self._draining and self._why_paused is None

    # --- surroundings of the hosts (server/shard/surroundings.py) ---------------------------------------

    def journal(self, pieces: Sequence[Piece]) -> Ticket:
        """Hand pieces to the journal."""
        return self._journal.append(pieces)

    def send(self, link: Link[Any], message: messages.Message, after: Ticket | None) -> None:
        """Send to a gateway once ``after`` is durable."""
        self._outbox.send(link, message, after)

    def push(self, message: messages.Push | messages.CodeBroken, after: Ticket | None) -> None:
        """Send to all gateways once ``after`` is durable."""
        for link in self._router.gateways:
            self._outbox.send(link, message, after)

    def report(self, message: messages.Message, after: Ticket | None) -> None:
        """Send to the supervisor once ``after`` is durable."""
        self._outbox.send(self._supervisor, message, after)

    def read(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        """Let a player look in the slack between ticks."""
        self._router.reads.put(link, message)

    def look(self, world: str, job: Callable[[], None]) -> None:
        """Do something that looks at a world's view in the slack between ticks."""
        self._router.reads.look(world, job)

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
        self._router.ended(course, after)

        def let_go(_: Ticket) -> None:
            # Not by the outbox: a departure's ticket bears the number of a group, which other messages wait for.
            self._journal.release_world(course.id).add_done_callback(released)
            course.world.close()

        def released(_: Ticket) -> None:
            self._supervisor.send(messages.WorldReleased(world=course.id))

        self._checkpoints.ended(course, lambda: after.add_done_callback(let_go))

    # --- what the supervisor says -------------------------------------------------------------------

    def on_supervisor_message(self, message: messages.FromSupervisor) -> None:
        """Carry out an order of the supervisor."""
        if self._draining:
            return  # it stops all of us
        match message:
            case messages.OpenWorld() | messages.RestoreWorld():
                self._arrivals.put(message)
            case messages.CloseWorld():
                host = self._hosts.get(message.world)
                if host is not None:
                    host.course.close(message.reason)
            case messages.ReloadGame():
                self._reloads.saved(message.game)
            case messages.AskView():
                self._router.reads.put(self._supervisor, message)
            case messages.AskStatistics():
                self._supervisor.send(self._statistics(message.request))
            case messages.Drain():
                self._loop.create_task(self._drain())
            case _:
                _log.error("a shard has no use for %s", type(message).__name__)

    def _settle(self, opened: Opened) -> WorldHost:
        """Let a world live here from now on."""
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
        self._arrivals.pause(reason)
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
            self._loop.call_soon(self._reloads.reload, host.id)
        self._arrivals.resume()

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
        self._router.draining = True
        self._arrivals.stop()
        self._ticker.stop()
        if self._journal.full is not None:
            self._on_disk_failure(self._journal.full)
            return
        if not self._config.keep_worlds:
            for host in list(self._hosts.values()):
                host.course.close("server_stopped")
        await self._checkpoints.stop()
        await self._journal.close()
        for link in (*self._router.gateways, self._supervisor):
            link.close()
        if not self.stopped.done():
            self.stopped.set_result(None)
