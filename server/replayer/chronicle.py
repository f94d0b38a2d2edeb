"""A world's log as those see it who look for a place in it: who was there, what is worth a look, up to where it goes.

It reads each record once and executes nothing. The log of a running world grows: `Chronicle.refresh` reads on.

Not here: the world at a tick (``replays/replay.py``).
"""

from __future__ import annotations

import asyncio
import bisect
import time
from pathlib import Path
from typing import Final

from eventlog import records
from eventlog.piece import LogEnd
from eventlog.reader import StoredRecord, read_world, read_world_from
from replays.origins import first_tick
from replays.outline import Outline
from replays.replay import behind
from worldline import protocol

RECORDS_AT_ONCE: Final = 200
"""Then others get their turn: a record takes some 10 µs."""
MARKS_KEPT: Final = 1000
FRESH_FOR_S: Final = 0.5


class Chronicle:
    """What the log of ``world`` has said so far."""

    outline: Outline

    def __init__(self, data: Path, world: str) -> None:
        self._data = data
        self.world = world
        self._position: LogEnd | None = None
        self._refreshed_s = 0.0
        self._reading = asyncio.Lock()
        self.marks: list[protocol.Mark] = []
        self.until = 0
        """Up to this tick the world may have been shown."""
        self._ticks: list[int] = []
        self._times_ms: list[int] = []

    @property
    def genesis(self) -> records.Genesis:
        """The first record."""
        return self.outline.genesis

    @property
    def first_tick(self) -> int:
        """The tick that the world began with: above 0 in a fork."""
        return first_tick(self.outline.genesis)

    @property
    def last_tick(self) -> int:
        """The tick that the log has reached."""
        return self.outline.last_tick

    @property
    def has_ended(self) -> bool:
        """Whether the log goes no further."""
        return self.outline.ended is not None

    def had_seat(self, agent: str) -> bool:
        """Whether this agent has a seat in the world, or has had one."""
        return any(part.agent == agent for part in self.outline.parts.values())

    async def refresh(self, *, now: bool = False) -> None:
        """Read what the log has more; unless ``now``, what was read a moment ago will do.

        Raises the errors of ``eventlog``."""
        async with self._reading:
            is_fresh = not now and time.monotonic() - self._refreshed_s < FRESH_FOR_S
            if self._position is not None and (self.has_ended or is_fresh):
                return
            if self._position is None:
                position = LogEnd(world=self.world, epoch=0, file=1, offset=0, crc=0, tick=0)
                stored = read_world(self._data, self.world)
            else:
                position = self._position
                stored = read_world_from(self._data, position)
            for count, each in enumerate(stored, 1):
                self._take(each)
                self._position = position = behind(each, position)
                if count % RECORDS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            self._refreshed_s = time.monotonic()

    def tick_at(self, time_ms: int) -> int:
        """The last tick that the world had reached at a Unix time."""
        index = bisect.bisect_right(self._times_ms, time_ms)
        return self._ticks[index - 1] if index else 0

    def _take(self, stored: StoredRecord) -> None:
        record = stored.record
        if isinstance(record, records.Genesis):
            self.outline = Outline(world=self.world, genesis=record)
        self.outline.take(stored)
        match record:
            case records.Beat():
                self.until = max(self.until, record.until)
            case records.Tick():
                self._take_tick(record)
            case records.Close():
                self._mark(record.tick, "ended", f"the world ended: {record.reason}")
            case records.Fault():
                self._mark(self.last_tick, "ended", f"the world broke: {record.kind}")

    def _take_tick(self, record: records.Tick) -> None:
        self._ticks.append(record.tick)
        self._times_ms.append(record.time_ms)
        for entry in record.entries:
            match entry:
                case records.JoinEntry():
                    self._mark(record.tick, "joined", f"{entry.name} joined", entry.player)
                case records.LeaveEntry():
                    self._mark(record.tick, "left", f"{entry.player} left: {entry.reason}", entry.player)
                case records.CodeEntry():
                    self._mark(record.tick, "code", "it goes on with other code")

    def _mark(self, tick: int, kind: str, text: str, player: str | None = None) -> None:
        if len(self.marks) < MARKS_KEPT:
            self.marks.append(protocol.Mark(tick=tick, kind=kind, text=text, player=player))
