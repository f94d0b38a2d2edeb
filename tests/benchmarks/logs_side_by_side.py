"""This log beside the two obvious alternatives: the same records, the same disk, one run.

    python -m tests.benchmarks.logs_side_by_side [--worlds 1000] [--rounds 30] [--folder DIR]

Each round makes one tick record of every world durable, as one shard does at 10 ticks a second with an input each:

- *this log*: framed, one group in the shard's journal, one sync; the bytes go on to the world files in the background
- *a file per world*: the same framed bytes appended to a file per world, each file synced
- *SQLite*: the same payloads as rows, WAL, ``synchronous=FULL``, one transaction

Rounds of the three alternate, so that a busy moment of the machine hits all. Printed: the time until a round is
durable, and the processor time of a round as a share of a core at ten rounds a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

from eventlog import records
from eventlog.journal import Journal
from eventlog.worldlog import WorldLog

ROUNDS_HZ: Final = 10.0
NOTE: Final = "r07 is epic and 505 west of me: there in 23 s, but the wave has me at 25 s, so r12 first"


def tick_record(tick: int) -> records.Tick:
    """A tick with one input, about 300 bytes as a record."""
    entry = records.InputEntry(
        player="p_3",
        seq=tick,
        name="move",
        args={"x": 120.5 + tick, "z": -84},
        note=NOTE,
        seen_tick=tick,
        observed_tick=tick,
        received_ms=1_795_400_000_000 + tick,
    )
    note = records.OutcomeNote(player="p_3", seq=max(1, tick - 1), status="applied")
    return records.Tick(
        tick=tick, time_ms=1_795_400_000_000 + tick, entries=[entry], fingerprint=b"12345678", outcomes=[note]
    )


def genesis(world: str) -> records.Genesis:
    """The first record of a world."""
    return records.Genesis(world=world, game="echo", digest="d", seed=1, engine="e", created_ms=0)


class Way(Protocol):
    """One way to keep the records of many worlds."""

    name: str

    async def round(self, tick: int) -> None:
        """Make one record of every world durable."""

    async def close(self) -> None:
        """End in order."""


class ThisLog:
    """The shard journal and the world logs."""

    name = "this log"

    def __init__(self, folder: Path, worlds: int) -> None:
        self._journal = Journal.open(folder, 0, on_failure=_fail)
        self._logs = [WorldLog.create(genesis(f"w_{number:010}"), shard=0) for number in range(worlds)]
        self._ready = self._journal.append([log.head for log in self._logs])

    async def round(self, tick: int) -> None:
        """Make one record of every world durable."""
        await self._ready.wait()
        await self._journal.append([log.append(tick_record(tick)) for log in self._logs]).wait()

    async def close(self) -> None:
        """End in order."""
        await self._journal.close()


class FilePerWorld:
    """What a log without a journal does."""

    name = "a file per world"

    def __init__(self, folder: Path, worlds: int) -> None:
        folder.mkdir()
        self._logs = [WorldLog.create(genesis(f"w_{number:010}"), shard=0) for number in range(worlds)]
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._files = [os.open(folder / log.world, flags, 0o644) for log in self._logs]
        for log, file in zip(self._logs, self._files, strict=True):
            os.write(file, log.head.data)

    async def round(self, tick: int) -> None:
        """Make one record of every world durable."""
        for log, file in zip(self._logs, self._files, strict=True):
            os.write(file, log.append(tick_record(tick)).data)
            os.fdatasync(file)

    async def close(self) -> None:
        """End in order."""
        for file in self._files:
            os.close(file)


class Sqlite:
    """What a database gives without any work."""

    name = "SQLite"

    def __init__(self, folder: Path, worlds: int) -> None:
        folder.mkdir()
        self._worlds = worlds
        self._database = sqlite3.connect(folder / "log.sqlite")
        self._database.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "CREATE TABLE log (world TEXT, tick INTEGER, payload BLOB, PRIMARY KEY (world, tick)) WITHOUT ROWID;"
        )

    async def round(self, tick: int) -> None:
        """Make one record of every world durable."""
        with self._database:
            self._database.executemany("INSERT INTO log VALUES (?, ?, ?)", self._rows(tick))

    def _rows(self, tick: int) -> Iterator[tuple[str, int, bytes]]:
        for number in range(self._worlds):
            yield f"w_{number:010}", tick, records.encode(tick_record(tick))

    async def close(self) -> None:
        """End in order."""
        self._database.close()


class Cost:
    """What the rounds of one way took."""

    def __init__(self) -> None:
        self.durable_s: list[float] = []
        self.processor_s: list[float] = []

    async def measure(self, work: Awaitable[None]) -> None:
        """Count one round, and what goes on in the background until the next one begins."""
        began_cpu_s, began_s = _processor_s(), time.perf_counter()
        await work
        self.durable_s.append(time.perf_counter() - began_s)
        await asyncio.sleep(0.02)  # world files are written behind the round: their processor time counts too
        self.processor_s.append(_processor_s() - began_cpu_s)

    def row(self, name: str) -> str:
        """One line of the result."""
        ordered = sorted(self.durable_s)
        share = 100 * statistics.median(self.processor_s) * ROUNDS_HZ
        return (
            f"{name:18} {1000 * statistics.median(ordered):10.2f} {1000 * ordered[int(0.99 * len(ordered))]:10.2f}"
            f" {1000 * statistics.median(self.processor_s):14.2f} {share:18.1f}"
        )


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _fail(error: Exception) -> None:
    raise error


async def run(folder: Path, worlds: int, rounds: int) -> Iterable[str]:
    """Play the rounds and return the lines to print."""
    ways: list[Way] = [
        ThisLog(folder / "log", worlds),
        FilePerWorld(folder / "files", worlds),
        Sqlite(folder / "sqlite", worlds),
    ]
    costs = [Cost() for _ in ways]
    for tick in range(1, rounds + 1):
        for way, cost in zip(ways, costs, strict=True):
            await cost.measure(way.round(tick))
    for way in ways:
        await way.close()
    size_bytes = len(records.encode(tick_record(rounds))) + 24
    return [
        f"{worlds} worlds, {rounds} rounds, {size_bytes} bytes a record",
        f"{'':18} {'p50 ms':>10} {'p99 ms':>10} {'processor ms':>14} {'% of a core, 10 Hz':>18}",
        *(cost.row(way.name) for way, cost in zip(ways, costs, strict=True)),
    ]


def main() -> None:
    """Read the command line and print the comparison."""
    parser = argparse.ArgumentParser(description="This log beside a file per world and SQLite.")
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for line in asyncio.run(run(Path(folder), arguments.worlds, arguments.rounds)):
            print(line)


if __name__ == "__main__":
    main()
