"""Computes worlds again from what was applied to them, elsewhere and without the JIT: they must come out equal."""

from __future__ import annotations

import time
from typing import Final

from games.checking.play import Progress
from games.checking.report import Course
from games.code import Engine, GameCode
from games.errors import WorldFaulted
from games.runtime.snapshots import state_hash
from games.runtime.world import World

AGAIN_CPU_S: Final = 4.0
"""Interpreted Lua is slow: what is not done by then is left."""


def compute_again(code: GameCode, engine: Engine, courses: list[Course], progress: Progress) -> list[str]:
    """Return where worlds came out differently, in words: nothing, if all is well."""
    different = list[str]()
    for number, course in enumerate(courses, 1):
        world = World.load(code, world_id="w_check", seed=course.seed, engine=engine)
        marks = {mark.steps: mark for mark in course.marks}
        for count, step in enumerate(course.steps, 1):
            if time.process_time() > AGAIN_CPU_S:
                return different
            progress.say(f"world {number}, tick {world.tick}: computing it again")
            try:
                world.apply(step.entries, step=step.step)
            except (WorldFaulted, ValueError):
                if count < len(course.steps):
                    different.append(f"world {number} has ended at tick {world.tick}, where it first went on")
                break
            mark = marks.get(count)
            if mark is not None and (world.fingerprint(), state_hash(world.snapshot())) != (
                mark.fingerprint,
                mark.hash,
            ):
                different.append(f"world {number} has come out differently at tick {mark.tick}")
                break
        world.close()
    return different
