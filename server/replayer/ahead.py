"""Keyframes made ahead: while somebody watches a world, a replay of its own goes through the whole of it and keeps some
places, so that a seek has one near.

It works only while nobody waits for an answer, in steps of a few milliseconds: whoever asks is never behind more than
one of these. One world at a time, the one that was asked for last first.

Not here: how many keyframes are kept (``replays/keyframes.py``), and of how many worlds (kept).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Final

from replays.replay import Replay
from server.callpage import CallPage
from server.replayer.chronicle import Chronicle
from server.replayer.kept import Kept
from server.replayer.screening import BROKEN
from server.replayer.travel import Pace, advance

STEP_S: Final = 0.004
"""So long, nearly, may a step hold up those who come; going to a place that is kept takes some 10 ms more."""

_log = logging.getLogger("worldline.replayer")


class Ahead:
    """Goes ahead in worlds."""

    def __init__(self, kept: Kept, calls: CallPage) -> None:
        self._kept = kept
        self._calls = calls
        self._wanted: dict[str, Chronicle] = {}
        self._task: asyncio.Task[None] | None = None
        self._quiet = asyncio.Event()
        self._quiet.set()

    def want(self, chronicle: Chronicle) -> None:
        """Somebody watches this world."""
        self._wanted.pop(chronicle.world, None)
        self._wanted[chronicle.world] = chronicle
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._work())

    def busy(self, busy: bool) -> None:
        """Somebody waits for an answer, or nobody does any more."""
        if busy:
            self._quiet.clear()
        else:
            self._quiet.set()

    def close(self) -> None:
        """Stop."""
        self._wanted.clear()
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        try:
            while self._wanted:
                _, chronicle = self._wanted.popitem()
                with contextlib.suppress(*BROKEN):  # whoever comes there is told
                    await self._go_through(chronicle)
        except Exception:
            _log.exception("no keyframes are made ahead")
        finally:
            self._task = None

    async def _go_through(self, chronicle: Chronicle) -> None:
        await self._quiet.wait()
        keyframes, first = self._kept.keyframes(chronicle.world), chronicle.first_tick
        place = keyframes.gap(first, chronicle.last_tick)
        if place is None:
            return
        pace = Pace(STEP_S)
        with self._kept.lent(chronicle, place) as walk:
            while place is not None:
                await self._quiet.wait()
                before, began_s = self._go_near(walk, place), time.perf_counter()
                with self._calls.during(chronicle.world, before + 1, "restore"):
                    advance(walk, min(chronicle.last_tick, before + pace.ticks))
                if walk.world.tick == before:
                    return
                pace.took(walk.world.tick - before, time.perf_counter() - began_s)
                keyframes.walked_to = max(keyframes.walked_to, walk.world.tick)
                await asyncio.sleep(0)
                place = keyframes.gap(first, chronicle.last_tick)

    def _go_near(self, walk: Replay, place: int) -> int:
        """Stand where the next keyframe is missing, or before it; returns the tick."""
        if not place <= walk.world.tick <= place + walk.keyframes.spacing_ticks:
            with self._calls.during(walk.genesis.world, place, "restore"):
                if not walk.go_near(place) and walk.world.tick > place:
                    walk.seek(walk.first_tick)
        return walk.world.tick
