"""A shard process for measurements: the product's own, whose disk calls are counted, with its log or without one.

    python -m tests.benchmarks.counted_shard log|none COUNTS_FILE CONTROL_FD PARENT_PID

With ``none``, records are neither framed nor journalled nor written: tickets are done one turn of the loop later, and
everything else is as in the product. When the shard is asked for its statistics, it writes to COUNTS_FILE as JSON its
disk calls, and what the log's code on the loop and its writer had used of the processor, now and the times before.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import eventlog.groupcommit
import eventlog.journal
import eventlog.worldlog
import server.shard.opening
import server.shard.worker
from eventlog.disk import RealDisk
from eventlog.journal import Journal, JournalStatistics
from eventlog.piece import Piece
from eventlog.records import Genesis, Record, last_tick_of
from eventlog.ticket import Ticket
from server.process import run_child
from server.shard.main import main

NAMES = {".journal": "segment", ".wlog": "world file"}
ON_THE_LOOP = {
    eventlog.worldlog.WorldLog: ("append",),
    eventlog.journal.Journal: ("append", "_flush"),
    eventlog.groupcommit.GroupCommit: ("_submit_next", "_done", "_seal"),
}
"""Where the log's work on the loop's thread begins: framing records, groups, buffering what goes to world files."""
_calls: Counter[str] = Counter()
_asked: list[tuple[float, float]] = []


class Meter:
    """Processor time of the loop's thread in the log's code."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self._inside = False

    def timed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; what it calls of the others counts once."""

        def call(*arguments: Any) -> Any:
            if self._inside:
                return function(*arguments)
            self._inside = True
            began_s = time.thread_time()
            try:
                return function(*arguments)
            finally:
                self.spent_s += time.thread_time() - began_s
                self._inside = False

        return call

    @staticmethod
    def writer_s() -> float:
        """Processor time of the journal's writer thread."""
        for thread in threading.enumerate():
            if thread.name.startswith("journal-"):
                return int(Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text().split()[0]) / 1e9
        return 0.0

    def mark(self, counts_file: Path, statistics: Callable[..., JournalStatistics]) -> Callable[..., JournalStatistics]:
        """A journal's ``statistics``; writes down what was counted until it was asked."""

        def ask(journal: Any) -> JournalStatistics:
            _asked.append((self.spent_s, self.writer_s()))
            counts_file.write_text(json.dumps({"calls": _calls, "asked": _asked}))
            return statistics(journal)

        return ask


class CountedDisk(RealDisk):
    """The real disk; counts what is written and synced, by kind of file. ``sync group`` is that which follows one."""

    def __init__(self) -> None:
        self._kinds: dict[int, str] = {}
        self._group_written = False

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._kinds[descriptor] = NAMES.get(path.suffix, path.suffix)
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self._group_written = data.startswith(b"WGRP")
        _calls["write group" if self._group_written else f"write {self._kinds[descriptor]}"] += 1
        super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        _calls["sync group" if self._group_written else f"sync {self._kinds[descriptor]}"] += 1
        self._group_written = False
        super().sync(descriptor)


class NoWorldLog:
    """Stands in for `eventlog.worldlog.WorldLog`: frames nothing."""

    epoch = file = 1
    offset = crc = 0

    def __init__(self, world: str) -> None:
        self.world = world
        self.last_tick = 0
        self.head = self._nothing = Piece(world, 1, 1, 0, b"")

    @classmethod
    def create(cls, genesis: Genesis, *, shard: int) -> NoWorldLog:
        """The log of a new world."""
        return cls(genesis.world)

    def append(self, record: Record) -> Piece:
        """Nothing."""
        self.last_tick = last_tick_of(record, self.last_tick)
        return self._nothing


class NoJournal:
    """Stands in for `eventlog.journal.Journal`: every ticket is done in the next turn of the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ticket: Ticket | None = None
        self._groups = 0
        self.full = None

    @classmethod
    def open(cls, data: Path, shard: int, **_: Any) -> NoJournal:
        """A journal that keeps nothing."""
        return cls()

    def append(self, pieces: Sequence[Piece]) -> Ticket:
        """The ticket of this turn of the loop."""
        if self._ticket is None:
            self._groups += 1
            self._ticket = Ticket(self._loop, self._groups)
            self._loop.call_soon(self._group_done)
        return self._ticket

    def _group_done(self) -> None:
        ticket, self._ticket = self._ticket, None
        assert ticket is not None
        ticket.resolve()

    def retire_world(self, world: str) -> Ticket:
        """Nothing to do."""
        return self.append(())

    async def close(self) -> None:
        """Nothing to do."""

    def statistics(self) -> JournalStatistics:
        """What would have been groups."""
        return JournalStatistics(groups=self._groups, bytes=0, segments=0)


def replace(module: object, name: str, stand_in: Callable[..., object]) -> None:
    """Have ``module`` use ``stand_in``."""
    assert hasattr(module, name)
    setattr(module, name, stand_in)


def run() -> None:
    """Run the shard and write the counts."""
    log, counts_file = sys.argv[1], Path(sys.argv[2])
    replace(eventlog.journal, "RealDisk", CountedDisk)
    meter = Meter()
    journal: type[Journal] | type[NoJournal] = NoJournal if log == "none" else Journal
    if log == "none":
        replace(server.shard.worker, "Journal", NoJournal)
        replace(server.shard.opening, "WorldLog", NoWorldLog)
    else:
        for part, names in ON_THE_LOOP.items():
            for name in names:
                replace(part, name, meter.timed(getattr(part, name)))
    replace(journal, "statistics", meter.mark(counts_file, journal.statistics))
    sys.argv[1:] = sys.argv[3:]
    run_child(main)


if __name__ == "__main__":
    run()
