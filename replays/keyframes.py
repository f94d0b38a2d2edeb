"""Keyframes: a replay at some of the places it has been to, kept in memory, so that going back is no starting over.

As many as their budget of bytes has room for, spread over the whole way: when it is spent every second one is let go,
and from then on they are taken half as often. A game of half an hour with 2,000 nodes keeps all of them. Not here:
snapshots on disk, which a replay uses in the same way, and how it uses keyframes (``replay.py``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Final

import msgspec

from eventlog.piece import LogEnd
from replays.standing import Standing

MAX_KEYFRAMES: Final = 4096
BUDGET_BYTES: Final = 64 * 2**20
"""Of memory, for the keyframes of one replay. One of a world with 2,000 nodes takes about 240 KB, and half an hour of
it at 60 Hz has 177."""
FIRST_SPACING_TICKS: Final = 600
"""Ticks from one keyframe to the next, at first: 10 s at 60 Hz, well below 100 ms to re-execute."""


class Keyframe(msgspec.Struct, frozen=True, kw_only=True):
    """A replay after ``tick``: where it was in the log, how many records it had executed, and how the world stood."""

    tick: int
    position: LogEnd
    records_done: int
    standing: Standing
    compared_tick: int = 0
    """That of the last record whose fingerprint was compared."""
    is_begun: bool = False
    """It is within the record that follows, which is one of many ticks."""

    @property
    def size_bytes(self) -> int:
        """What it takes, nearly."""
        return len(self.standing.snapshot)


class Keyframes:
    """Keyframes of one replay, by tick."""

    def __init__(
        self,
        limit: int = MAX_KEYFRAMES,
        spacing_ticks: int = FIRST_SPACING_TICKS,
        budget_bytes: int = BUDGET_BYTES,
    ) -> None:
        """``limit``: how many are kept, at least 2. Two are kept whatever they take."""
        if limit < 2:
            raise ValueError(f"{limit} keyframes are too few: keep at least 2")
        self.spacing_ticks = spacing_ticks
        self._limit = limit
        self._budget_bytes = budget_bytes
        self._frames: list[Keyframe] = []
        self.size_bytes = 0
        """What all of them take."""
        self.walked_to = 0
        """Up to this tick somebody has gone through the world to make them. Those that were let go since are not
        missed: there was no room."""

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def ticks(self) -> list[int]:
        """The ticks of those that are kept, ascending."""
        return [frame.tick for frame in self._frames]

    def is_due(self, tick: int) -> bool:
        """Is ``tick`` so far from the keyframe before it that another should be taken?"""
        before = self.at_or_before(tick)
        return tick - (before.tick if before else 0) >= self.spacing_ticks

    def next_due(self, tick: int) -> int:
        """The tick after ``tick`` at which another should be taken."""
        before = self.at_or_before(tick)
        due = (before.tick if before else 0) + self.spacing_ticks
        return due if due > tick else tick + self.spacing_ticks

    def gap(self, first_tick: int, end: int) -> int | None:
        """Where to go on, from `walked_to` on, to keep another that is missing before ``end``; None: none is."""
        after, before = max(first_tick, self.walked_to), first_tick
        for tick in (*self.ticks, end):
            if tick > after and tick - before > self.spacing_ticks:
                return max(before, after)
            before = tick
        return None

    def clear(self) -> None:
        """Let all of them go."""
        self._frames.clear()
        self.size_bytes = self.walked_to = 0

    def at_or_before(self, tick: int) -> Keyframe | None:
        """The last one whose tick is ``tick`` or below, or None."""
        place = bisect_right(self._frames, tick, key=_tick_of)
        return self._frames[place - 1] if place else None

    def add(self, frame: Keyframe) -> None:
        """Keep a keyframe, in place of one with the same tick."""
        place = bisect_left(self._frames, frame.tick, key=_tick_of)
        if place < len(self._frames) and self._frames[place].tick == frame.tick:
            self.size_bytes -= self._frames[place].size_bytes
            del self._frames[place]
        self._frames.insert(place, frame)
        self.size_bytes += frame.size_bytes
        while len(self._frames) > self._limit or (self.size_bytes > self._budget_bytes and len(self._frames) > 2):
            del self._frames[1::2]
            self.size_bytes = sum(kept.size_bytes for kept in self._frames)
            self.spacing_ticks *= 2


def _tick_of(frame: Keyframe) -> int:
    return frame.tick
