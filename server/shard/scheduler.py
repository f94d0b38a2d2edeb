"""When each world ticks: a heap of deadlines, with no clock and no I/O of its own.

Worlds of one rate share a grid (multiples of 1/tick_hz), so that the ticks of many worlds fall together and one group
of the journal makes them all durable. There is no barrier: a world's next deadline depends on itself alone. A tick is
never skipped. A world that is late by more than `CATCH_UP_S` gives the time up: its clock falls behind real time by
that much (time dilation), and the caller counts it.
"""

from __future__ import annotations

import heapq
import math
from typing import Final

CATCH_UP_S: Final = (
    0.1  # a short pause (a snapshot, a busy machine) is made good; longer ones would come back as a burst
)
STALE_KEPT: Final = 64  # deadlines that were given up before they came, beyond which they are cleared away


class Scheduler:
    """Deadlines of worlds, by world id. All times are seconds on one monotonic clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        """Deadlines, soonest first. One that is not its world's in ``_due_s`` (any more) counts for nothing."""
        self._due_s: dict[str, float] = {}
        self._period_s: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._due_s.keys() | self._period_s.keys())

    def add(self, world: str, tick_hz: float, now_s: float) -> None:
        """From now on ``world`` ticks ``tick_hz`` times a second."""
        assert world not in self._period_s, f"{world} is scheduled already"
        period_s = 1.0 / tick_hz
        self._period_s[world] = period_s
        self._push(world, _next_on_grid(now_s, period_s))

    def wake(self, world: str, at_s: float | None) -> None:
        """``world``, which has no rate, is due at ``at_s`` and not before; None: not at all."""
        assert world not in self._period_s, f"{world} ticks by itself"
        if at_s is None:
            self._due_s.pop(world, None)
        elif self._due_s.get(world) != at_s:
            self._push(world, at_s)

    def remove(self, world: str) -> None:
        """``world`` ticks no more. Nothing happens if it did not."""
        self._period_s.pop(world, None)
        self._due_s.pop(world, None)

    def next_deadline_s(self) -> float | None:
        """When the next tick is due, or None if no world ticks."""
        while self._heap and self._due_s.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now_s: float) -> list[tuple[str, float]]:
        """The worlds that are due, with their deadlines, earliest first; each at most once.

        The caller runs one tick of each and then calls `ran` for it.
        """
        due: list[tuple[str, float]] = []
        while (next_s := self.next_deadline_s()) is not None and next_s <= now_s:
            deadline_s, world = heapq.heappop(self._heap)
            del self._due_s[world]
            due.append((world, deadline_s))
        return due

    def ran(self, world: str, deadline_s: float, now_s: float) -> float:
        """Note that the tick due at ``deadline_s`` has run by ``now_s``. Returns the seconds by which the world's clock
        fell behind real time for good; 0.0 if it keeps up."""
        period_s = self._period_s.get(world)
        if period_s is None:  # removed while it ran, or woken from time to time
            return 0.0
        next_s = deadline_s + period_s
        lost_s = 0.0
        if now_s - next_s > CATCH_UP_S:
            resumed_s = _next_on_grid(now_s, period_s)
            lost_s = resumed_s - next_s
            next_s = resumed_s
        self._push(world, next_s)
        return lost_s

    def _push(self, world: str, at_s: float) -> None:
        self._due_s[world] = at_s
        heapq.heappush(self._heap, (at_s, world))
        if len(self._heap) > 2 * len(self._due_s) + STALE_KEPT:
            self._heap = [(due_s, other) for other, due_s in self._due_s.items()]
            heapq.heapify(self._heap)


def _next_on_grid(now_s: float, period_s: float) -> float:
    return (math.floor(now_s / period_s) + 1) * period_s
