"""Going through a recorded world without keeping others waiting: in steps, so that the loop has its turn in between.

Not here: how a replay goes from one tick to another (``replays/replay.py``).
"""

from __future__ import annotations

import asyncio
import time

from replays.replay import Replay
from server.callpage import CallPage

STEP_S = 0.01
"""Ticks are executed for about so long before others get their turn."""


class Pace:
    """How many ticks make a step, found out on the way."""

    def __init__(self, step_s: float = STEP_S) -> None:
        self.ticks = 30
        self._step_s = step_s

    def took(self, ticks: int, seconds: float) -> None:
        """So many ticks took so long."""
        if ticks > 0:
            rate = ticks / max(seconds, 1e-6)
            self.ticks = max(1, min(2 * self.ticks, int(rate * self._step_s)))


async def travel(replay: Replay, tick: int, calls: CallPage) -> None:
    """Go to ``tick``, from the nearest keyframe or snapshot if that is a shorter way.

    Raises what `Replay.seek` raises."""
    world, pace = replay.genesis.world, Pace()
    with calls.during(world, tick, "restore"):
        if not replay.go_near(tick) and replay.world.tick > tick:
            replay.seek(replay.first_tick)
    while replay.world.tick < tick:
        before, began_s = replay.world.tick, time.perf_counter()
        with calls.during(world, before + 1, "restore"):
            advance(replay, min(tick, before + pace.ticks))
        if replay.world.tick == before:
            return  # the log ends here
        pace.took(replay.world.tick - before, time.perf_counter() - began_s)
        await asyncio.sleep(0)
    with calls.during(world, tick, "restore"):
        advance(replay, tick)


def advance(replay: Replay, tick: int) -> None:
    """Go on to ``tick``, beyond the last record if the world has been shown there."""
    replay.advance(tick)
    if replay.world.tick < tick <= replay.until and replay.ended is None:
        replay.catch_up(tick)
