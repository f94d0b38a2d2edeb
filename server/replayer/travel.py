"""Going through a recorded world without keeping others waiting: in steps, so that the loop has its turn in between.

Not here: how a replay goes from one tick to another (``replays/replay.py``).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from replays.replay import Replay

STEP_S = 0.01
"""Ticks are executed for about so long before others get their turn."""


class Pace:
    """How many ticks make a step, found out on the way."""

    def __init__(self) -> None:
        self.ticks = 30

    def took(self, ticks: int, seconds: float) -> None:
        """So many ticks took so long."""
        if ticks > 0:
            rate = ticks / max(seconds, 1e-6)
            self.ticks = max(1, min(2 * self.ticks, int(rate * STEP_S)))


async def travel(replay: Replay, tick: int, kept: Iterable[int]) -> None:
    """Go to ``tick``, from the nearest of the ``kept`` ticks (keyframes, snapshots) if that is a shorter way.

    Raises what `Replay.seek` raises."""
    here = replay.world.tick
    start = max((each for each in (0, *kept) if each <= tick), default=0)
    if here > tick or start > here:
        replay.seek(start)
    pace = Pace()
    while replay.world.tick < tick:
        before, began_s = replay.world.tick, time.perf_counter()
        advance(replay, min(tick, before + pace.ticks))
        if replay.world.tick == before:
            return  # the log ends here
        pace.took(replay.world.tick - before, time.perf_counter() - began_s)
        await asyncio.sleep(0)
    advance(replay, tick)


def advance(replay: Replay, tick: int) -> None:
    """Go on to ``tick``, beyond the last record if the world has been shown there."""
    replay.advance(tick)
    if replay.world.tick < tick <= replay.until and replay.ended is None:
        replay.catch_up(tick)
