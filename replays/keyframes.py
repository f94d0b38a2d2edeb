"""Keyframes: a replay at some of the places it has been to, kept in memory, so that going back is no starting over.

A bounded number of them, spread over the whole way: when there are too many every second one is let go, and from then
on they are taken half as often. Not here: snapshots on
disk, which a replay uses in the same way, and how it uses keyframes (``replay.py``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from eventlog.piece import LogEnd
from replays.standing import Standing

MAX_KEYFRAMES: Final = 64
"""A keyframe of a world with 2,000 nodes is about 160 KB."""
FIRST_SPACING_TICKS: Final = 600
"""Ticks from one keyframe to the next, at first: 10 s at 60 Hz, well below 100 ms to re-execute."""


class Keyframe(msgspec.Struct, frozen=True, kw_only=True):
    """A replay after ``tick``: where it was in the log, how many records it had executed, and how the world stood."""

    tick: int
    position: LogEnd
    records_done: int
    standing: Standing


class Keyframes:
    """Keyframes of one replay, by tick."""

    def __init__(self, limit: int = MAX_KEYFRAMES, spacing_ticks: int = FIRST_SPACING_TICKS) -> None:
        """``limit``: how many are kept, at least 2."""
        if limit < 2:
            raise ValueError(f"{limit} keyframes are too few: keep at least 2")
        self.spacing_ticks = spacing_ticks
        self._limit = limit
        self._frames: list[Keyframe] = []

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

    def at_or_before(self, tick: int) -> Keyframe | None:
        """The last one whose tick is ``tick`` or below, or None."""
        return next((frame for frame in reversed(self._frames) if frame.tick <= tick), None)

    def add(self, frame: Keyframe) -> None:
        """Keep a keyframe, in place of one with the same tick."""
        self._frames = sorted([*(kept for kept in self._frames if kept.tick != frame.tick), frame], key=_tick_of)
        while len(self._frames) > self._limit:
            del self._frames[1::2]
            self.spacing_ticks *= 2


def _tick_of(frame: Keyframe) -> int:
    return frame.tick
