"""How soon does somebody who watches a recorded game see another tick of it?

    .venv/bin/python -m tests.benchmarks.seek [--minutes 30] [--seeks 100] [--bots 8]

A game of Tsunami is recorded as `time_travel` does it; then a server shows it to a client that takes JSON, beside a
live world of Tsunami that sample bots play. Told is the time from sending a request to its first whole picture, as the
client has read it:

- *cold*: the first look at the world at a tick at random, each in a server that has just been started
- *at once*: seeks to ticks at random right after that, while keyframes are being made
- *warm*: the same, when somebody has watched it for a few seconds
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import uvloop

from server.config import ServeConfig
from server.process import resident_bytes
from server.supervisor import Supervisor
from tests.benchmarks.time_travel import HZ, percentiles, record, told
from tests.replays.recording import WORLD
from tests.system.edge_client import edge_client
from tests.system.screen import Screen

COLD: Final = 5
AT_ONCE: Final = 20
WATCHED_S: Final = 4.0


async def seek_times_s(screen: Screen, ticks: list[int]) -> list[float]:
    """Go to each of these ticks."""
    times_s = []
    for tick in ticks:
        began_s = time.perf_counter()
        await screen.ask(type="control", watch=screen.watch, action="seek", tick=tick)
        await screen.until(lambda: screen.frames > 0)
        times_s.append(time.perf_counter() - began_s)
        assert screen.tick == tick, (screen.tick, tick)
    return times_s


def replayer_pid() -> int:
    """The child of this process that shows what has been."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"server.replayer" in (folder / "cmdline").read_bytes():
                return int(folder.name)
    raise AssertionError("there is no replayer")


@contextlib.asynccontextmanager
async def serving(data: Path, bots: int) -> AsyncIterator[str]:
    """A server with a live world that bots play; its address, when its replayer runs."""
    config = ServeConfig(data=data, port=0, shards=1, limits=False)
    async with Supervisor(config) as supervisor:
        command = [sys.executable, "-m", "server.commands", "bot", "tsunami", "--count", str(bots)]
        playing = subprocess.Popen(
            [*command, "--url", supervisor.url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            while sum(len(world.players) for world in supervisor.worlds()) < bots:
                await asyncio.sleep(0.1)
            async with edge_client(supervisor.url) as client:
                assert (await client.ask({"type": "log", "id": 1, "world": WORLD, "limit": 1}))["type"] == "log"
            yield supervisor.url
        finally:
            playing.terminate()
            playing.wait()


async def run(options: argparse.Namespace) -> None:
    """Record a game, start servers and bots, and measure."""
    last_tick = options.minutes * 60 * HZ
    chance = random.Random(1)

    def ticks(number: int) -> list[int]:
        return [chance.randint(0, last_tick) for _ in range(number)]

    with tempfile.TemporaryDirectory(prefix="seek-") as folder:
        data = Path(folder) / "data"
        await record(data, options.minutes * 60)
        cold_s: list[float] = []
        for tick in ticks(COLD):
            async with serving(data, options.bots) as url, edge_client(url) as client:
                began_s = time.perf_counter()
                await Screen(client).open(WORLD, from_tick=tick)
                cold_s.append(time.perf_counter() - began_s)
        told("first look at any tick, cold", percentiles(cold_s), "1000 ms")
        async with serving(data, options.bots) as url, edge_client(url) as client:
            screen = Screen(client)
            await screen.open(WORLD)
            told("seek to any tick, at once", percentiles(await seek_times_s(screen, ticks(AT_ONCE))))
            await asyncio.sleep(WATCHED_S)
            told("seek to any tick, warm", percentiles(await seek_times_s(screen, ticks(options.seeks))), "p95 150 ms")
            told("memory of the replayer", f"{resident_bytes(replayer_pid()) / 2**20:.0f} MiB")


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=int, default=30, help="of the game")
    parser.add_argument("--seeks", type=int, default=100)
    parser.add_argument("--bots", type=int, default=8)
    options = parser.parse_args()
    print(f"load of the machine: {os.getloadavg()[0]:.1f}, {len(os.sched_getaffinity(0))} cores")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(options))


if __name__ == "__main__":
    main()
