"""What is done to a server: seeded kills of shards, gateways and the whole server, which is then started again.

A fault is drawn together with the pause before it. Some pauses are so short that the next fault meets a recovery under
way; some servers are killed again while they start, and some come back with another number of shards. Every kill is
`SIGKILL`. Now and then nothing is killed but everything stands still for a while, as when a virtual machine is moved.

Not here: who plays meanwhile (``agents.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import time
from collections import Counter
from pathlib import Path
from typing import Final, Literal

import msgspec

from tests.system.harness import GAMES, RunningServer, await_first_line, spawn_server

Kind = Literal["shard", "all shards", "gateway", "server", "server in its start", "standstill"]

WEIGHTS: Final[dict[Kind, int]] = {
    "shard": 60,
    "all shards": 10,
    "gateway": 12,
    "server": 12,
    "server in its start": 6,
    "standstill": 5,
}
PAUSES_S: Final = ((0.0, 0.3), (0.3, 1.5), (0.3, 1.5), (1.5, 4.0))
"""From one of these, drawn anew for each fault: into a recovery, soon after one, or into a quiet game."""
SHARDS: Final = (1, 2, 2, 3)
"""One of these is the number of shards after a kill of the whole server."""
LONGEST_STANDSTILL_S: Final = 3.0
LONGEST_START_S: Final = 1.5
VICTIM_WITHIN_S: Final = 60.0
PORTS: Final = (20_000, 32_000)
"""Below those that the kernel gives to clients: an agent that tries a free port of that range may connect to itself."""


class Fault(msgspec.Struct, frozen=True):
    """Something to be killed, so many seconds after the fault before it has been dealt."""

    kind: Kind
    pause_s: float
    share: float
    """0 … 1: which of several victims, how far into its start a server is killed, how long it stands still."""
    shards: int
    """How many the next server has."""


def draw_fault(rng: random.Random) -> Fault:
    """The next fault."""
    kind = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
    return Fault(kind, rng.uniform(*rng.choice(PAUSES_S)), rng.random(), rng.choice(SHARDS))


def free_port() -> int:
    """A port on which nobody listens, and that the kernel gives to no client."""
    while True:
        port = random.randrange(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Victim:
    """A server that is killed and started again on the same data folder and port, as often as need be."""

    def __init__(self, folder: Path, data: Path, shards: int) -> None:
        self.port = free_port()
        self.url = f"ws://127.0.0.1:{self.port}/ws"
        self.fired: Counter[str] = Counter()
        """Processes killed, by kind; ``server`` counts whole servers."""
        self.logs: list[Path] = []
        self._folder = folder
        self._data = data
        self._shards = shards
        self._server: RunningServer

    async def start(self) -> None:
        """Start the server and wait until it serves. Raises `tests.system.harness.StartFailed`."""
        await asyncio.to_thread(await_first_line, self._spawn())

    def stop(self) -> int:
        """Stop the server in order; its exit code."""
        code = self._server.terminate()
        self._server.clean_up()
        return code

    async def suffer(self, fault: Fault) -> None:
        """Deal one fault; return when the server has been started again, if the fault has ended it."""
        self._shards = fault.shards
        match fault.kind:
            case "shard" | "all shards" | "gateway":
                await self._kill_children(fault)
            case "server":
                self.kill_server()
                await self.start()
            case "server in its start":
                self.kill_server()
                server = self._spawn()
                # Anywhere from its first instruction to a while after its first line.
                await asyncio.sleep(fault.share * LONGEST_START_S)
                self.kill_server()
                assert server.process.returncode == -signal.SIGKILL, f"it ended by itself:\n{server.stderr()}"
                await self.start()
            case "standstill":
                self._signal_all(signal.SIGSTOP)
                await asyncio.sleep(fault.share * LONGEST_STANDSTILL_S)
                self._signal_all(signal.SIGCONT)
                self.fired["standstill"] += 1

    def kill_server(self) -> None:
        """Kill every process of the server at once, the supervisor first or last."""
        self._signal_all(signal.SIGKILL)
        self._server.process.wait()
        self._server.clean_up()
        self.fired["server"] += 1

    def _signal_all(self, number: signal.Signals) -> None:
        family = list(self._server.family())
        random.shuffle(family)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _kill_children(self, fault: Fault) -> None:
        deadline_s = time.monotonic() + VICTIM_WITHIN_S
        gateway = fault.kind == "gateway"
        while not (pids := self._server.gateway_pids() if gateway else self._server.shard_pids()):
            assert self._server.process.poll() is None, f"the server has ended:\n{self._server.stderr()}"
            assert time.monotonic() < deadline_s, f"no {fault.kind} came back:\n{self._server.stderr()}"
            await asyncio.sleep(0.02)  # it has been killed just now, and its successor is not there yet
        for pid in pids if fault.kind == "all shards" else [pids[int(fault.share * len(pids))]]:
            with contextlib.suppress(ProcessLookupError):  # it has just died of an earlier fault
                os.kill(pid, signal.SIGKILL)
                self.fired["gateway" if gateway else "shard"] += 1

    def _spawn(self) -> RunningServer:
        words = ("--shards", str(self._shards), "--port", str(self.port), "--log-level", "info")
        self._server = spawn_server(self._data, *words, cwd=self._folder, games=GAMES)
        self.logs.append(self._server.stderr_path)
        return self._server
