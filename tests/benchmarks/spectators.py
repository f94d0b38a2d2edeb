"""What spectators cost: one live world of Tsunami that eight bots play, with and without 200 who watch it.

    .venv/bin/python -m tests.benchmarks.spectators [--spectators 200] [--pairs 5] [--seconds 2.5]

Pairs of windows, one with spectators and one without, one right after the other. Told are medians over the pairs: the
processor time of one tick of the world and its ratio, with ÷ without; how much of a core the shard's main thread takes
in all (frames are made in it, between ticks), and the gateway's while they watch; and the mean size of a frame, as
JSON, after the first of each stream.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from server.config import ServeConfig
from server.supervisor import Supervisor

BOTS = 8
WARM_UP_S = 3.0
SETTLE_S = 1.0
"""After the scenes have been sent, until everybody has read them."""


def thread_cpu_s(pid: int) -> float:
    """The processor time of a process's main thread."""
    nanoseconds = Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]
    return int(nanoseconds) / 1e9


class Crowd:
    """Spectators on connections of their own; ``sizes`` are those of all frames but the first of each."""

    def __init__(self) -> None:
        self.connections: list[ClientConnection] = []
        self.watches: list[str] = []
        self.frames = 0
        self.bytes = 0
        self._answers: list[asyncio.Future[dict[str, Any]]] = []
        self._readers: list[asyncio.Task[None]] = []

    async def come(self, url: str, number: int, stack: contextlib.AsyncExitStack) -> None:
        """Connect."""
        for _ in range(number):
            connection = await stack.enter_async_context(
                connect(url, subprotocols=[Subprotocol("worldline.v1.json")], compression=None, proxy=None)
            )
            await connection.send('{"type":"hello","id":1}')
            await connection.recv()
            self._answers.append(asyncio.get_running_loop().create_future())
            self._readers.append(asyncio.create_task(self._read(len(self.connections), connection)))
            self.connections.append(connection)

    async def watch(self, world: str) -> None:
        """All begin to watch."""
        answers = await self._ask([{"type": "watch", "id": 2, "world": world} for _ in self.connections])
        self.watches = [answer["watch"] for answer in answers]

    async def stop(self) -> None:
        """All stop."""
        await self._ask([{"type": "control", "id": 3, "watch": watch, "action": "stop"} for watch in self.watches])

    async def _ask(self, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self._answers = [asyncio.get_running_loop().create_future() for _ in requests]
        for connection, request in zip(self.connections, requests, strict=True):
            await connection.send(json.dumps(request))
        return await asyncio.gather(*self._answers)

    async def _read(self, number: int, connection: ClientConnection) -> None:
        async for message in connection:
            assert isinstance(message, str)
            if message.startswith('{"type":"frame"'):
                if '"base_tick"' in message:
                    self.frames += 1
                    self.bytes += len(message)
            elif '"re":' in message[:80]:
                answer = json.loads(message)
                assert answer["type"] == "watching", answer
                self._answers[number].set_result(answer)


class Used(NamedTuple):
    """What has been used up so far."""

    at_s: float
    ticks: int
    tick_cpu_s: float
    shard_cpu_s: float
    gateway_cpu_s: float

    def since(self, before: Used) -> Used:
        """What has been used up since then."""
        return Used(*(late - early for late, early in zip(self, before, strict=True)))  # type: ignore[arg-type]


async def measure(supervisor: Supervisor, options: argparse.Namespace) -> dict[str, float]:
    """Run the pairs."""
    crowd = Crowd()
    while not (worlds := [each for each in supervisor.worlds() if len(each.players) == BOTS]):
        await asyncio.sleep(0.2)
    world = worlds[0].world

    async def used() -> Used:
        statistics = await supervisor.statistics()
        (shard,), (gateway,) = statistics.shards, statistics.gateways
        (course,) = (each for each in shard.worlds if each.world == world)
        cpu_s = thread_cpu_s(shard.pid), thread_cpu_s(gateway.pid)
        return Used(time.perf_counter(), course.ticks_run, course.tick_cpu_s, *cpu_s)

    async def window(watched: bool) -> tuple[Used, int]:
        """What one window has used, and how many frames came in it."""
        if watched:
            await crowd.watch(world)
        await asyncio.sleep(SETTLE_S)
        frames, before = crowd.frames, await used()
        await asyncio.sleep(options.seconds)
        after = await used()
        came = crowd.frames - frames
        if watched:
            await crowd.stop()
        return after.since(before), came

    async with contextlib.AsyncExitStack() as stack:
        await crowd.come(supervisor.url, options.spectators, stack)
        await asyncio.sleep(WARM_UP_S)
        pairs: list[dict[bool, Used]] = []
        rates = []
        for pair in range(options.pairs):
            costs: dict[bool, Used] = {}
            for watched in (pair % 2 == 0, pair % 2 == 1):
                costs[watched], came = await window(watched)
                if watched:
                    rates.append(came / options.spectators / costs[True].at_s)
            pairs.append(costs)

    def median(figure: Callable[[dict[bool, Used]], float]) -> float:
        return statistics.median(map(figure, pairs))

    return {
        "spectators": options.spectators,
        "tick_cpu_ms_without": median(lambda each: 1000 * each[False].tick_cpu_s / each[False].ticks),
        "tick_cpu_ms_with": median(lambda each: 1000 * each[True].tick_cpu_s / each[True].ticks),
        "tick_cpu_ratio": median(
            lambda each: each[True].tick_cpu_s / each[True].ticks / (each[False].tick_cpu_s / each[False].ticks)
        ),
        "shard_of_a_core_without": median(lambda each: each[False].shard_cpu_s / each[False].at_s),
        "shard_of_a_core_with": median(lambda each: each[True].shard_cpu_s / each[True].at_s),
        "gateway_of_a_core": median(lambda each: each[True].gateway_cpu_s / each[True].at_s),
        "frames_a_second": statistics.median(rates),
        "frame_bytes": crowd.bytes / max(1, crowd.frames),
    }


async def run(options: argparse.Namespace) -> dict[str, float]:
    """Start a server and bots, and measure."""
    with tempfile.TemporaryDirectory(prefix="spectators-") as folder:
        config = ServeConfig(data=Path(folder) / "data", port=0, shards=1, limits=False, keep_worlds=False)
        async with Supervisor(config) as supervisor:
            command = [sys.executable, "-m", "server.commands", "bot", "tsunami", "--count", str(BOTS)]
            bots = subprocess.Popen(
                [*command, "--think", "0.5-1.5", "--url", supervisor.url],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                return await measure(supervisor, options)
            finally:
                bots.terminate()
                bots.wait()


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--spectators", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.5)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        figures = runner.run(run(options))
    for name, value in figures.items():
        print(f"{name:28} {value:.3f}")


if __name__ == "__main__":
    main()
