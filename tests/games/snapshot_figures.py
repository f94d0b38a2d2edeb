"""What saving, restoring and hashing a Tsunami world costs: eight players, 30 s of play, more than 2,000 nodes.

    python -m tests.games.snapshot_figures

prints medians. Times depend on the machine: trust the ratios.
"""

from __future__ import annotations

import statistics
import time
import zlib
from collections.abc import Callable
from typing import Final

import msgspec

from games.runtime.snapshots import decode_snapshot, state_hash
from games.runtime.world import World
from tests.games.tsunami_driver import Table, play, sensibly

PLAYERS: Final = 8
SECONDS: Final = 30
TIMES: Final = 40


class Figures(msgspec.Struct, frozen=True):
    """Milliseconds (medians, and for the tick thread also the best and the first) and bytes."""

    nodes: int
    save_ms: float
    save_best_ms: float
    save_first_ms: float
    restore_ms: float
    hash_ms: float
    snapshot_bytes: int
    compressed_bytes: int
    core_bytes: int
    scene_bytes: int
    values_bytes: int


def played() -> World:
    """A world in which eight bots have played for half a minute."""
    table = Table(PLAYERS, seed=3)
    play(table, {f"p_{n}": sensibly for n in range(1, PLAYERS + 1)}, seconds=SECONDS, seed=4)
    return table.world


def times_ms(call: Callable[[], object]) -> list[float]:
    """How long each of several calls took, the first one first."""
    found = []
    for _ in range(TIMES):
        started = time.perf_counter()
        call()
        found.append((time.perf_counter() - started) * 1000)
    return found


def measure() -> Figures:
    """Measure everything once."""
    world = played()
    saving = times_ms(world.snapshot)
    snapshot = world.snapshot()
    parts = decode_snapshot(snapshot)
    return Figures(
        nodes=world.inspection.statistics().nodes,
        save_ms=statistics.median(saving),
        save_best_ms=min(saving),
        save_first_ms=saving[0],
        restore_ms=statistics.median(times_ms(lambda: World.restore(world.code, snapshot))),
        hash_ms=statistics.median(times_ms(lambda: state_hash(snapshot))),
        snapshot_bytes=len(snapshot),
        compressed_bytes=len(zlib.compress(snapshot, 1)),
        core_bytes=len(bytes(parts.core)),
        scene_bytes=len(parts.scene),
        values_bytes=len(parts.values),
    )


if __name__ == "__main__":
    for name, value in msgspec.structs.asdict(measure()).items():
        print(f"{name:18} {value:,.2f}" if isinstance(value, float) else f"{name:18} {value:,}")
