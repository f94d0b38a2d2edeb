"""How long are worlds away after a crash?

    python -m tests.benchmarks.recovery [--agents 100] [--play 20] [--kills 5] [--folder DIR]

100 agents play 13 worlds of Tsunami on two tick workers. Then, ``--kills`` times each, with play in between:

- *both tick workers*: ``kill -9`` of both at once, until every world has run a tick in another process
- *the whole server*: ``kill -9`` of all its processes, and a start on the same data folder, until it serves again: by
  then every world ticks. The start of the command itself counts
- *standstill*: the whole tree of processes is stopped for five seconds, once; counted are worlds that it ended

The agents are the sample bots of ``worldline bot``; afterwards everything they were told is looked for in the logs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from eventlog.reader import read_world
from eventlog.records import Fault
from eventlog.store import Store
from server.audit import audit, read_lines
from server.config import ServeConfig
from server.demo.killing import kill_and_wait, ticking
from server.process import python_environment
from server.supervisor import Supervisor
from tests.system.chaos.faults import free_port
from tests.system.harness import RunningServer, await_first_line, spawn_server

SHARDS: Final = 2
GAP_S: Final = 5.0  # of play between two kills
STANDSTILL_S: Final = 5.0
THINK: Final = "2-5"
SEATED_WITHIN_S: Final = 60.0


@contextlib.contextmanager
def bots(url: str, count: int, told: Path) -> Iterator[None]:
    """Sample bots in a process of their own, which write down what they are told."""
    words = ["bot", "tsunami", "--count", str(count), "--think", THINK, "--url", url, "--record", str(told)]
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "server.commands", *words, "--parent", str(os.getpid())],
        stdin=subprocess.DEVNULL,
        env=python_environment(),
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def account(name: str, data: Path, told: Path) -> str:
    """What the logs say about all that the bots were told."""
    found = audit(data, read_lines(told))
    return f"{name}: {found.acknowledged} acknowledged · {found.lost} lost · {found.doubled} doubled"


def row(name: str, seconds: list[float]) -> str:
    """One line of the result."""
    return f"{name:34} {statistics.median(seconds):8.2f} {max(seconds):8.2f} {len(seconds):6}"


# --- tick workers --------------------------------------------------------------------------------------


async def shard_kills(folder: Path, agents: int, play_s: float, kills: int) -> tuple[list[float], int, str]:
    """Kill all tick workers at once; return the times, how many worlds there were, and the account."""
    data, told = folder / "data", folder / "told.jsonl"
    times: list[float] = []
    async with Supervisor(ServeConfig(port=0, data=data, shards=SHARDS, log_level="error")) as supervisor:
        with bots(supervisor.url, agents, told):
            await _all_seated(supervisor, agents)
            await asyncio.sleep(play_s)
            for _ in range(kills):
                await asyncio.sleep(GAP_S)
                shards = (await supervisor.statistics()).shards
                worlds = {world for shard in shards for world in ticking(shard)}
                times.append(await kill_and_wait(supervisor, {shard.pid for shard in shards}, worlds))
    return times, len(worlds), account("tick workers", data, told)


async def _all_seated(supervisor: Supervisor, agents: int) -> None:
    async with asyncio.timeout(SEATED_WITHIN_S):
        while sum(len(world.players) for world in supervisor.worlds()) < agents:
            await asyncio.sleep(0.1)


# --- the whole server ----------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def serving(folder: Path, port: int) -> AsyncIterator[RunningServer]:
    """A server on the data folder, killed at the end with all its processes."""
    words = ("--shards", str(SHARDS), "--port", str(port), "--log-level", "warning")
    server = spawn_server(folder / "data", *words, cwd=folder, games=None)
    try:
        await asyncio.to_thread(await_first_line, server)
        yield server
    finally:
        signal_all(server, signal.SIGKILL)
        server.process.wait()
        server.clean_up()


def signal_all(server: RunningServer, number: signal.Signals) -> None:
    """Send a signal to every process of a server."""
    for pid in server.family():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


async def server_kills(folder: Path, agents: int, play_s: float, kills: int) -> tuple[list[float], str, str]:
    """Kill the whole server; then stop it for a while. Return the times, what the standstill did, and the account."""
    told, port = folder / "told.jsonl", free_port()
    times: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(contextlib.AsyncExitStack())
        await running.enter_async_context(serving(folder, port))
        stack.enter_context(bots(f"ws://127.0.0.1:{port}/ws", agents, told))
        await asyncio.sleep(play_s)
        for _ in range(kills):
            await asyncio.sleep(GAP_S)
            began_s = time.monotonic()
            await running.aclose()
            server = await running.enter_async_context(serving(folder, port))
            times.append(time.monotonic() - began_s)
        await asyncio.sleep(GAP_S)
        standstill = await _stand_still(server)
    return times, standstill, account("the whole server", folder / "data", told)


async def _stand_still(server: RunningServer) -> str:
    before = server.shard_pids()
    signal_all(server, signal.SIGSTOP)
    await asyncio.sleep(STANDSTILL_S)
    signal_all(server, signal.SIGCONT)
    await asyncio.sleep(GAP_S)
    store = Store.read_only(server.data)
    faults = [
        stored for world in store.world_ids() for stored in read_world(server.data, world)
        if isinstance(stored.record, Fault)
    ]  # fmt: skip
    killed = len(set(before) - set(server.shard_pids()))
    return f"standstill of {STANDSTILL_S:g} s: {len(faults)} worlds faulted, {killed} tick workers killed"


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description="How long are worlds away after a crash?")
    parser.add_argument("--agents", type=int, default=100)
    parser.add_argument("--play", type=float, default=20.0, help="seconds of play before the first kill")
    parser.add_argument("--kills", type=int, default=5, help="of each kind")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        shards, server = Path(name) / "shards", Path(name) / "server"
        shards.mkdir()
        server.mkdir()
        todo = arguments.agents, arguments.play, arguments.kills
        workers_s, worlds, first = asyncio.run(shard_kills(shards, *todo))
        server_s, standstill, second = asyncio.run(server_kills(server, *todo))
    print(f"{arguments.agents} agents in {worlds} worlds, {SHARDS} tick workers; seconds until every world ticks again")
    print(f"{'kill -9 of':34} {'median':>8} {'longest':>8} {'kills':>6}")
    print(row("both tick workers", workers_s))
    print(row("the whole server, and a start", server_s))
    print(standstill)
    print(first)
    print(second)


if __name__ == "__main__":
    main()
