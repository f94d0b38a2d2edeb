"""A world's log as those see it who look for a place in it: who was there, what is worth a look, up to where it goes.

It reads each record once and executes nothing. The log of a running world grows: `Chronicle.refresh` reads on. What is
damaged is its end: what comes before can be shown, and `Chronicle.damage` says why no more.

Not here: the world at a tick (``replays/replay.py``).
"""

from __future__ import annotations

import asyncio
import bisect
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.errors import LogDamaged
from eventlog.piece import LogEnd
from eventlog.reader import read_world_from
from eventlog.summary import summarise
from eventlog.worldbytes import WorldBytes
from replays import origins
from replays.outline import Outline, beginning
from replays.reading import behind
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
        self._ended_unread = False
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
        """The first tick at which it can be seen: above 0 in a fork, or if the first files of its log are gone."""
        return self.outline.first_tick

    @property
    def last_tick(self) -> int:
        """The tick that the log has reached, as far as it is intact."""
        return self.outline.last_tick

    @property
    def has_ended(self) -> bool:
        """Whether the world has."""
        return self.outline.ended is not None or self._ended_unread

    @property
    def damage(self) -> LogDamaged | None:
        """Why nothing can be shown after `last_tick`."""
        return self.outline.damage

    @property
    def is_complete(self) -> bool:
        """Whether nothing can come after `last_tick`."""
        return self.has_ended or self.damage is not None

    @property
    def is_cut(self) -> bool:
        """Whether the first files of the log are gone."""
        return self.first_tick != origins.first_tick(self.genesis)

    def had_seat(self, agent: str) -> bool:
        """Whether this agent has a seat in the world, or has had one."""
        return agent in self.outline.visitors

    async def refresh(self, *, now: bool = False) -> None:
        """Read what the log has more; unless ``now``, what was read a moment ago will do.

        Raises the errors of ``eventlog``."""
        async with self._reading:
            is_fresh = not now and time.monotonic() - self._refreshed_s < FRESH_FOR_S
            if self._position is not None and (is_fresh or (self.has_ended and self.damage is None)):
                return
            if self._position is None:
                self.outline, self.until, position, stored = beginning(self._data, self.world)
            else:
                position, stored = self._position, read_world_from(self._data, self._position)
                self._mend()
            try:
                await self._read(position, stored)
            except LogDamaged as damage:
                self._end_at(damage)
            self._refreshed_s = time.monotonic()

    async def _read(self, position: LogEnd, stored: Iterator[StoredRecord]) -> None:
        self._position = position
        for count, each in enumerate(stored, 1):
            self._take(each)
            self._position = position = behind(each, position)
            if count % RECORDS_AT_ONCE == 0:
                await asyncio.sleep(0)

    def _mend(self) -> None:
        """What was damaged may have been restored from a copy."""
        if self.damage is not None:
            self.outline.damage, self._ended_unread = None, False
            self.marks = [mark for mark in self.marks if mark.kind != "damaged"]

    def _end_at(self, damage: LogDamaged) -> None:
        """Go no further. Raises the errors of ``eventlog``."""
        self.outline.damage = damage
        self._mark(self.last_tick, "damaged", "what came after this is damaged, and cannot be shown")
        self._ended_unread = summarise(WorldBytes.look(self._data, self.world)).status in ("closed", "faulted")

    def tick_at(self, time_ms: int) -> int:
        """The last tick that the world had reached at a Unix time."""
        index = bisect.bisect_right(self._times_ms, time_ms)
        return self._ticks[index - 1] if index else 0

    def _take(self, stored: StoredRecord) -> None:
        record = stored.record
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
