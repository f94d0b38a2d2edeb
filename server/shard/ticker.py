"""Ticks: wakes when a world's deadline has come, and runs the passes.

In one pass every world that is due ticks once, and all their records go to the journal as one group. Between two
passes the loop reads and writes.

Not here: when each world is due (scheduler), and what a tick does in its world (host).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from eventlog.piece import Piece
from eventlog.ticket import Ticket
from server.callpage import CallPage
from server.shard.host import WorldHost
from server.shard.scheduler import Scheduler


class Ticker:
    """The ticks of one shard. ``journal`` takes the records of a pass; used on the loop's thread."""

    def __init__(self, calls: CallPage, journal: Callable[[Sequence[Piece]], Ticket]) -> None:
        self._calls = calls
        self._journal = journal
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler()
        self._hosts: dict[str, WorldHost] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, host: WorldHost) -> None:
        """Tick this world from now on."""
        now_s = time.monotonic()
        host.meters.started_at_s = now_s
        self._hosts[host.id] = host
        self._scheduler.add(host.id, host.manifest.tick_hz, now_s)
        self._set_timer()

    def remove(self, world: str) -> None:
        """Tick this world no more. Nothing happens if it did not."""
        self._hosts.pop(world, None)
        self._scheduler.remove(world)

    def is_due(self) -> bool:
        """Whether a tick is due now: everything else can wait."""
        deadline_s = self._scheduler.next_deadline_s()
        return deadline_s is not None and time.monotonic() >= deadline_s

    # --- inside --------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_s = self._scheduler.next_deadline_s()
        if deadline_s is not None:
            self._timer = self._loop.call_later(max(0.0, deadline_s - time.monotonic()), self._run_due)

    def _run_due(self) -> None:
        """One pass: every world that is due ticks once. Then the loop may read and write before the next pass."""
        self._timer = None
        due = [(self._hosts[world], deadline_s) for world, deadline_s in self._scheduler.take_due(time.monotonic())]
        self._write_ahead([host for host, _ in due])
        for host, deadline_s in due:
            began_s = time.monotonic()
            with self._calls.during(host.id, host.world.tick + 1, "tick"):
                host.run_tick()
            ended_s = time.monotonic()
            host.meters.ticked(
                lateness_s=began_s - deadline_s, took_s=ended_s - began_s, period_s=1.0 / host.manifest.tick_hz
            )
            host.meters.dilated_s += self._scheduler.ran(host.id, deadline_s, ended_s)
        for host, _ in due:
            with self._calls.during(host.id, host.world.tick, "observe"):
                host.answer()
        self._set_timer()

    def _write_ahead(self, hosts: Sequence[WorldHost]) -> None:
        """Put the records of the ticks that are about to run into one group."""
        time_ms = time.time_ns() // 1_000_000
        pieces: list[Piece] = []
        writers: list[WorldHost] = []
        for host in hosts:
            ahead = host.write_ahead(time_ms)
            if ahead:
                pieces.extend(ahead)
                writers.append(host)
        if pieces:
            ticket = self._journal(pieces)
            for host in writers:
                host.ticket = ticket
