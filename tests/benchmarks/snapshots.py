"""What snapshots of a large Tsunami world cost, and what they save when it comes back.

    python -m tests.benchmarks.snapshots [--seconds 600] [--tail 30] [--rounds 3] [--folder DIR]

Eight bots play; the game and its log are real. The world comes back once from its genesis and once from a snapshot that
was taken some seconds before the end, with the records after it. The tick thread is held while the world is encoded;
the helper thread hashes, compresses and writes. Times depend on the machine: trust the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from eventlog.snapshot_file import HEADER_BYTES, encode_snapshot
from eventlog.snapshots import Snapshots
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from games.tsunami.bot import decide
from replays.replay import Replay, Start, replay
from tests.games.tsunami_driver import TICK_HZ, shipped
from tests.replays.recording import WORLD, Recording

PLAYERS: Final = 8
DECIDE_EVERY_TICKS: Final = 15
TIMES: Final = 300


def play_on(recording: Recording, players: list[str], seconds: int) -> None:
    """Let the shipped bots play, each with a decision every quarter of a second."""
    end = recording.world.tick + seconds * TICK_HZ
    while recording.world.tick < end:
        began = recording.world.tick
        for player in players:
            decision = decide(msgspec.msgpack.decode(recording.world.observe(player, "data").data or b""))
            if decision.name is not None:
                recording.input(player, decision.name, decision.args)
        recording.run(began + DECIDE_EVERY_TICKS - recording.world.tick)


async def record(data: Path, seconds: int, tail: int) -> World:
    """Write the log of a long game with one snapshot, ``tail`` seconds before the end; return the world there."""
    recording = Recording(data, shipped(), seed=3, settings={})
    players = [recording.join() for _ in range(PLAYERS)]
    play_on(recording, players, seconds - tail)
    await recording.synced()
    recording.checkpoint()
    play_on(recording, players, tail)
    await recording.close(reason=None)
    return recording.world


def times_ms(call: Callable[[], object], times: int) -> list[float]:
    """How long each of several calls took."""
    found = []
    for _ in range(times):
        began_s = time.perf_counter()
        call()
        found.append((time.perf_counter() - began_s) * 1000)
    return found


def held_ms(world: World) -> tuple[list[float], list[float]]:
    """How long each of several snapshots holds the tick thread, with a tick between them; and its processor's share."""
    held, share = [], []
    for _ in range(TIMES):
        world.apply([], step=True)
        began_s, used_s = time.perf_counter(), time.thread_time()
        world.snapshot()
        held.append((time.perf_counter() - began_s) * 1000)
        share.append((time.thread_time() - used_s) * 1000)
    return held, share


def come_back(data: Path, start: Start, rounds: int) -> tuple[float, Replay]:
    """Seconds until a world stands at its last tick again (median), and what stands there."""
    walks: list[Replay] = []

    def walk() -> None:
        walks.append(replay(data, WORLD, start=start).run().catch_up())

    return statistics.median(times_ms(walk, rounds)) / 1000, walks[-1]


def spread(times: list[float]) -> str:
    """Median and 99th percentile."""
    ordered = sorted(times)
    return f"p50 {statistics.median(ordered):6.2f} ms   p99 {ordered[int(len(ordered) * 0.99) - 1]:6.2f} ms"


def print_costs(world: World, data: Path) -> None:
    """What taking, keeping and reading one snapshot costs."""
    (taken,) = Snapshots(data, WORLD).usable()
    state = world.snapshot()
    hashing, packing = times_ms(lambda: state_hash(state), 40), times_ms(lambda: encode_snapshot(taken), 40)
    packed = len(encode_snapshot(taken)) - HEADER_BYTES
    held, share = held_ms(world)
    print(f"the tick thread is held             {spread(held)}")
    print(f"  of that the processor's share     {spread(share)}")
    print(f"the helper thread: hash             {spread(hashing)}")
    print(f"the helper thread: compress, digest {spread(packing)}")
    print(f"restore a world from its state      {spread(times_ms(lambda: World.restore(world.code, state), 40))}")
    print(f"a snapshot                          {len(taken.state):,} bytes, {packed:,} compressed")


def main() -> None:
    """Read the command line, play and print."""
    parser = argparse.ArgumentParser(description="What snapshots of a large Tsunami world cost, and what they save.")
    parser.add_argument("--seconds", type=int, default=600, help="of the game")
    parser.add_argument("--tail", type=int, default=30, help="seconds of it after the snapshot")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        data = Path(name) / "data"
        world = asyncio.run(record(data, arguments.seconds, arguments.tail))
        print(f"Tsunami, {PLAYERS} players, {world.tick:,} ticks, {world.inspection.statistics().nodes:,} nodes")
        genesis_s, walked = come_back(data, "genesis", arguments.rounds)
        latest_s, restored = come_back(data, "latest", arguments.rounds)
        found, expected = state_hash(restored.world.snapshot()), state_hash(walked.world.snapshot())
        if found != expected:
            sys.exit("the world that the snapshot gives is another one than that of its genesis")
        print(f"back from genesis                   {genesis_s:.2f} s, {walked.records_done:,} records")
        print(
            f"back from the snapshot and its tail {latest_s:.2f} s, {restored.records_done:,} records,"
            f" {restored.world.tick - restored.began_at_tick:,} ticks: {genesis_s / latest_s:.1f} times as fast"
        )
        print_costs(world, data)


if __name__ == "__main__":
    main()
