"""What the edge costs: connections that do little, inputs as fast as they go, waits, and lockstep over the socket.

    python -m tests.benchmarks.edge [idle | inputs | wake | lockstep ...] [--seconds 8]

Each part starts a server of its own (``serve --limits off --shards 1``), and ends within a minute. The agents run in
this process, on the same cores; their own processor time is printed, since they take it from the server.

``idle``: resident memory of the gateway for each of 1,000 connections that have a seat and observe once in 5 s.
``inputs``: durable outcomes a second of 400 connections in a closed loop, in worlds of 60 Hz, as a share of what the
bare path does (``bare_path.py``): one after the other, in turns. ``wake``: from the outcome of an input (its tick is
durable then) to the answer of a wait for that tick, both as they arrive here. ``lockstep``: ticks a second of Snakes
with four clients; durable, and only written with the bare path beside it; and by `act` over one connection.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from worldline import protocol

GAMES: Final = Path(__file__).parents[1] / "system" / "games"
MSGPACK: Final = [Subprotocol(protocol.MSGPACK_SUBPROTOCOL)]
WARM_UP_S: Final = 2.0
PARTS: Final = ("idle", "inputs", "wake", "lockstep")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(protocol.ServerMessage).decode


class Agent:
    """One connection that has one request under way at a time, or waits for several replies by their ids."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.world = self.player = ""
        self._id = 0

    async def ask(self, kind: type[protocol.Request], **fields: Any) -> Any:
        """Send a request and return its reply; pushes are passed over."""
        self._id += 1
        await self.connection.send(_encode(kind(id=self._id, **fields)))
        while True:
            reply = _decode(await self.connection.recv(decode=False))
            if reply.re == self._id:
                assert not isinstance(reply, protocol.Error), reply
                return reply

    async def join(self, **fields: Any) -> protocol.Joined:
        """Take a seat."""
        joined: protocol.Joined = await self.ask(protocol.Join, **fields)
        self.world, self.player = joined.world, joined.player
        return joined


@contextlib.asynccontextmanager
async def agents(
    url: str, count: int, *, hello: bool = True, durability: str = "durable"
) -> AsyncIterator[list[Agent]]:
    """So many connections, which have said hello to a server that promises this durability."""
    async with contextlib.AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            opening = connect(url, subprotocols=MSGPACK, compression=None, ping_interval=None, proxy=None)
            found.append(Agent(await stack.enter_async_context(opening)))
            if hello:
                welcome: protocol.Welcome = await found[-1].ask(protocol.Hello, name="bench")
                assert welcome.durability == durability, welcome.durability
        yield found


class Way(NamedTuple):
    """Where agents connect to, and the two processes on the way of an input."""

    url: str
    gateway: int
    shard: int

    def cpu_s(self) -> tuple[float, float]:
        """Processor time that gateway and shard have used."""
        return _cpu_s(self.gateway), _cpu_s(self.shard)


class Rate(NamedTuple):
    """What a closed loop did: so many a second, the agents' share of a core, and what each cost on the way."""

    hz: float
    agents: float
    gateway_us: float
    shard_us: float

    def __str__(self) -> str:
        return (
            f"{self.hz:.0f}/s (processor time of each: gateway {self.gateway_us:.0f} µs, shard {self.shard_us:.0f} µs; "
            f"agents {100 * self.agents:.0f} % of a core)"
        )


def _cpu_s(pid: int) -> float:
    """Processor time of a process, user's and system's."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def server(*arguments: str) -> Iterator[Way]:
    """A server with one gateway and one shard."""
    with tempfile.TemporaryDirectory(prefix="wl-") as folder:
        options = [
            "--port",
            "0",
            "--shards",
            "1",
            "--data",
            folder,
            "--games",
            str(GAMES),
            "--limits",
            "off",
            "--log-level",
            "error",
        ]
        command = [sys.executable, "-m", "server.commands", "serve", *options, *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            match = re.search(r"ws://\S+", first)
            try:
                assert match is not None, first
                children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_text() for pid in children}
                gateway, shard = (
                    next(pid for pid, command in commands.items() if name in command)
                    for name in ("server.gateway", "server.shard")
                )
                yield Way(match[0], gateway, shard)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait()


@contextlib.contextmanager
def bare_path(*arguments: str) -> Iterator[Way]:
    """The bare path."""
    with tempfile.TemporaryDirectory(prefix="wl-") as folder, contextlib.ExitStack() as stack:
        command = [sys.executable, "-m", "tests.benchmarks.bare_path"]
        path = f"{folder}/shard.sock"

        def start(*more: str) -> tuple[str, int]:
            process = stack.enter_context(subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert process.stdout is not None
            return process.stdout.readline().strip(), process.pid

        _, shard = start("shard", path, f"{folder}/log", *arguments)
        port, gateway = start("gateway", path)
        yield Way(f"ws://127.0.0.1:{port}", gateway, shard)


def resident_kib(pid: int) -> int:
    """Resident memory of a process."""
    return int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])


async def closed_loop(
    path: Way, agents: list[Agent], act: Callable[[Agent], Coroutine[Any, Any, None]], seconds: float
) -> Rate:
    """Let each agent act again as soon as it has been answered."""
    done = 0

    async def run(agent: Agent) -> None:
        nonlocal done
        while True:
            await act(agent)
            done += 1

    running = [asyncio.create_task(run(agent)) for agent in agents]
    await asyncio.sleep(WARM_UP_S)
    began_s, cpu_s, before, done = time.monotonic(), time.process_time(), path.cpu_s(), 0
    await asyncio.sleep(seconds)
    took_s, cost_s, after, counted = time.monotonic() - began_s, time.process_time() - cpu_s, path.cpu_s(), done
    for task in running:  # not one after the other: the others' outcomes can depend on it
        task.cancel()
    for ended in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(ended, Exception):
            raise ended
    gateway_us, shard_us = (1e6 * (late - early) / counted for late, early in zip(after, before, strict=True))
    return Rate(counted / took_s, cost_s / took_s, gateway_us, shard_us)


# --- the parts ---------------------------------------------------------------------------------------


async def idle(seconds: float) -> None:
    """Memory of connections that do little."""
    count = 1000
    with server("--max-worlds", "256") as path:
        async with agents(path.url, 50):  # what the first ones allocate once
            before = resident_kib(path.gateway)
            async with agents(path.url, count) as connected:
                for agent in connected:
                    await agent.join(game="echo")
                began_s = time.monotonic()
                while time.monotonic() - began_s < min(seconds, 15):
                    for agent in connected[:: max(1, count // 200)]:  # 200 a second: each once in 5 s
                        await agent.ask(protocol.Observe, world=agent.world)
                    connected.append(connected.pop(0))
                each = (resident_kib(path.gateway) - before) / count
    print(f"idle: {each:.1f} KiB resident for each of {count} connections (at most 25)")


async def inputs(seconds: float) -> None:
    """Inputs as fast as they go, beside the bare path."""

    async def act(agent: Agent) -> None:
        await agent.ask(protocol.Input, world=agent.world or "w", name="count", args={"by": 1})

    for _ in range(2):
        with server() as path:
            async with agents(path.url, 400) as connected:
                for agent in connected:
                    await agent.join(game="echo")
                full = await closed_loop(path, connected, act, seconds)
        with bare_path("--sync", "--hz", "60") as path:
            async with agents(path.url, 400, hello=False) as connected:
                bare = await closed_loop(path, connected, act, seconds)
        print(f"inputs: {full}")
        print(f"   the bare path: {bare}: {full.hz / bare.hz:.2f} of it (at least 0.7)")


async def wake(seconds: float) -> None:
    """From the outcome of an input to the end of a wait for its tick."""
    late_ms: list[float] = []
    with server() as path:
        async with agents(path.url, 2) as (speaker, listener):
            joined = await speaker.join(game="echo")
            await listener.join(world=joined.world)
            began_s = time.monotonic()

            async def timed(asking: Coroutine[Any, Any, Any]) -> tuple[float, Any]:
                reply = await asking
                return time.monotonic(), reply

            await listener.ask(protocol.Observe, world=joined.world)
            while time.monotonic() - began_s < seconds:
                waiting = asyncio.create_task(
                    timed(listener.ask(protocol.Observe, world=joined.world, until="event", wait_ms=20_000))
                )
                await asyncio.sleep(0.005)
                told_s, outcome = await timed(
                    speaker.ask(protocol.Input, world=joined.world, name="say", args={"text": "hey"})
                )
                woken_s, seen = await waiting
                assert seen.woke == "event"
                assert seen.tick >= outcome.tick
                late_ms.append(1000 * (woken_s - told_s))
            began_s = time.monotonic()
            for _ in range(200):
                await speaker.ask(protocol.Ping)
            ping_ms = 1000 * (time.monotonic() - began_s) / 200
    quantiles = statistics.quantiles(late_ms, n=100)
    print(
        f"wake: {quantiles[49]:.2f} ms p50, {quantiles[98]:.2f} ms p99 after the outcome of the same tick "
        f"({len(late_ms)} waits; a ping takes {ping_ms:.2f} ms; at most 3 ms p99)"
    )


async def lockstep(seconds: float) -> None:
    """Snakes, four clients or one."""
    print(f"lockstep: {await _snakes(seconds, 'durable')} durable ticks with four clients (at least 400)")
    written = await _snakes(seconds, "written")
    with bare_path("--gather", "4") as path:
        async with agents(path.url, 4, hello=False) as connected:

            async def act(agent: Agent) -> None:
                await agent.ask(protocol.Input, world="w", name="move", args={"direction": "up"})

            moves = await closed_loop(path, connected, act, seconds)
    bare = Rate(moves.hz / 4, moves.agents, 4 * moves.gateway_us, 4 * moves.shard_us)
    print(f"lockstep: {written} written ticks with four clients")
    print(f"   the bare path: {bare}: {written.hz / bare.hz:.2f} of it (at least 0.5)")
    acts = await _acts(seconds, "written")
    print(f"lockstep: {acts} written ticks by act over one connection (at least 1,200)")


def _where_to(turn: int) -> dict[str, str]:
    """Round and round: the snakes live until one has eaten too much."""
    return {"direction": ("up", "right", "down", "left")[turn % 4]}


async def _snakes(seconds: float, durability: str) -> Rate:
    """Ticks a second of games of four clients, one after the other."""
    with server("--durability", durability) as path:
        async with agents(path.url, 4, durability=durability) as connected:

            async def play(agent: Agent, world: str) -> int:
                turn = 0
                with contextlib.suppress(_Over):
                    while True:
                        await _moved(agent, world, turn)
                        turn += 1
                return turn

            ticks = 0
            began = time.monotonic(), time.process_time(), path.cpu_s()
            while time.monotonic() - began[0] < seconds:
                made = await connected[0].ask(protocol.Create, game="snakes", private=True)
                for agent in connected:
                    await agent.ask(protocol.Join, world=made.world, join_code=made.join_code)
                ticks += max(await asyncio.gather(*(play(agent, made.world) for agent in connected)))
            return _rate_since(path, began, ticks)


def _rate_since(path: Way, began: tuple[float, float, tuple[float, float]], ticks: int) -> Rate:
    """The rate of so many ticks since then, and what each has cost."""
    took_s, cpu_s = time.monotonic() - began[0], time.process_time() - began[1]
    gateway_us, shard_us = (1e6 * (late - early) / ticks for late, early in zip(path.cpu_s(), began[2], strict=True))
    return Rate(ticks / took_s, cpu_s / took_s, gateway_us, shard_us)


class _Over(Exception):
    """The snake is out, or the game is."""


async def _moved(agent: Agent, world: str, turn: int) -> None:
    agent._id += 1
    request = protocol.Input(id=agent._id, world=world, name="move", args=_where_to(turn))
    await agent.connection.send(_encode(request))
    while (reply := _decode(await agent.connection.recv(decode=False))).re != agent._id:
        pass
    if isinstance(reply, protocol.Error):
        raise _Over


async def _acts(seconds: float, durability: str) -> Rate:
    """Ticks a second of a manual world that one client steps for all four snakes."""
    with server("--durability", durability) as path:
        async with agents(path.url, 1, durability=durability) as (agent,):
            ticks = 0
            began = time.monotonic(), time.process_time(), path.cpu_s()
            while time.monotonic() - began[0] < seconds:
                made = await agent.ask(protocol.Create, game="snakes", clock="manual")
                await agent.ask(protocol.Join, world=made.world, seats=4)
                living = [f"p_{number}" for number in range(1, 5)]
                turn = 0
                while len(living) > 1:
                    moves = [protocol.ActInput(player=player, name="move", args=_where_to(turn)) for player in living]
                    agent._id += 1
                    await agent.connection.send(
                        _encode(protocol.Act(id=agent._id, world=made.world, inputs=moves, step=1))
                    )
                    while (reply := _decode(await agent.connection.recv(decode=False))).re != agent._id:
                        pass
                    if isinstance(reply, protocol.Error):
                        if reply.code != "not_your_turn":
                            break
                        living = reply.data["waiting_for"] if reply.data else []
                        continue
                    turn += 1
                ticks += turn
            return _rate_since(path, began, ticks)


def main() -> None:
    """Run the parts that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help="of " + ", ".join(PARTS))
    parser.add_argument("--seconds", type=float, default=8.0)
    options = parser.parse_args()
    for part in options.parts or PARTS:
        if part not in PARTS:
            parser.error(f"there is no part {part!r} → {', '.join(PARTS)}")
        uvloop.run({"idle": idle, "inputs": inputs, "wake": wake, "lockstep": lockstep}[part](options.seconds))


if __name__ == "__main__":
    main()
