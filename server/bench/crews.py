"""The processes of agents, as the bench sees them: started, told what to do, heard, and ended.

Not here: what happens in such a process (``agents.py``), and the order of a run (``run.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from server.audit import Acknowledged
from server.bench import messages
from server.bench.options import AGENT_PROCESSES, BenchOptions
from server.link import Link, attach
from server.process import python_environment

JOIN_WITHIN_S: Final = 60.0
PROGRESS_EVERY_S: Final = 0.2
_STANDARD_ERROR: Final = 2

Progress = Callable[[messages.Phase, float, float], None]
"""Told what the run is doing, how far it is, and what that is out of (agents joined, or seconds)."""


class BenchError(Exception):
    """The run cannot go on: ``what`` says why, ``remedy`` what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} → {remedy}")
        self.what = what
        self.remedy = remedy


class Crew:
    """One process of agents, as the bench sees it."""

    def __init__(self, process: subprocess.Popen[bytes], size: int) -> None:
        loop = asyncio.get_running_loop()
        self.process = process
        self.size = size
        self.joined = 0
        self.decisions = 0
        self.acknowledged: list[Acknowledged] = []
        self.all_joined: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[messages.AgentsDone] = loop.create_future()
        self.failed: asyncio.Future[str] = loop.create_future()
        self.link: Link[messages.FromAgents]

    def result(self) -> messages.AgentsDone:
        """What it measured; once it is done."""
        return self.done.result()

    def on_message(self, _link: Link[messages.FromAgents], message: messages.FromAgents) -> None:
        match message:
            case messages.AgentsJoined():
                self.joined = message.count
                if self.joined == self.size and not self.all_joined.done():
                    self.all_joined.set_result(None)
            case messages.AgentsProgress():
                self.decisions = message.decisions
            case messages.Acknowledgements():
                self.acknowledged += message.items
            case messages.AgentsDone():
                self.done.set_result(message)
            case messages.AgentsFailed():
                self._fail(message.reason)

    def on_lost(self, _link: Link[messages.FromAgents]) -> None:
        self._fail("a process of agents has died")

    def _fail(self, reason: str) -> None:
        if not self.failed.done():
            self.failed.set_result(reason)


@contextlib.asynccontextmanager
async def start_crews(url: str, options: BenchOptions) -> AsyncIterator[list[Crew]]:
    """The agents' processes, configured; ended on the way out."""
    crews: list[Crew] = []
    sizes = [len(range(number, options.agents, AGENT_PROCESSES)) for number in range(AGENT_PROCESSES)]
    try:
        for number, size in enumerate(size for size in sizes if size):
            crew = await _spawn(size)
            crews.append(crew)
            crew.link.send(
                messages.Configure(
                    url=url,
                    game=options.game,
                    game_folders=[str(Path(folder).resolve()) for folder in options.game_folders],
                    first=1 + sum(sizes[:number]),
                    count=size,
                    think_s=options.think_s,
                    policy=options.policy,
                    seed=options.seed,
                )
            )
        yield crews
    finally:
        for crew in crews:
            crew.link.close()
            crew.process.kill()  # it has said all it had to say, or the run has failed
            crew.process.wait()


async def _spawn(size: int) -> Crew:
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "server.bench.agents", str(theirs.fileno()), str(os.getpid())],
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,  # standard output is for the report alone
            env=python_environment(),
        )
    except OSError as error:
        ours.close()
        raise BenchError(f"cannot start a process of agents: {error.strerror}", "free some memory") from error
    finally:
        theirs.close()
    crew = Crew(process, size)
    crew.link = await attach(ours, messages.FromAgents, crew.on_message, crew.on_lost)
    return crew


async def join(crews: list[Crew], agents: int, progress: Progress) -> float:
    """Wait until every agent has a seat; return how long that took, in seconds."""
    started = time.monotonic()
    joining = asyncio.ensure_future(wait_for_all(crews, [crew.all_joined for crew in crews], JOIN_WITHIN_S))
    while not joining.done():
        progress("joining", sum(crew.joined for crew in crews), agents)
        await asyncio.wait([joining], timeout=PROGRESS_EVERY_S)
    joining.result()
    return time.monotonic() - started


async def wait(crews: list[Crew], seconds: float, phase: messages.Phase, progress: Progress) -> None:
    """Let ``seconds`` pass, unless a process of agents fails meanwhile."""
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        progress(phase, passed, seconds)
        failures = [crew.failed for crew in crews]
        timeout = min(PROGRESS_EVERY_S, seconds - passed)
        failed, _ = await asyncio.wait(failures, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if failed:
            raise _agents_failed(crews)


async def wait_for_all(crews: list[Crew], futures: Sequence[asyncio.Future[Any]], within_s: float) -> None:
    """Wait for all ``futures``. Raises `BenchError` if a process fails or the time is over."""
    deadline_s = time.monotonic() + within_s
    while waiting := [future for future in futures if not future.done()]:
        if any(crew.failed.done() for crew in crews):
            raise _agents_failed(crews)
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            break
        failures: list[asyncio.Future[Any]] = [crew.failed for crew in crews]
        await asyncio.wait([*waiting, *failures], timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
    else:
        return
    raise BenchError(
        f"the agents did not answer within {within_s:g} s", "see the messages above, or use fewer --agents"
    )


def tell(crews: list[Crew], message: messages.ToAgents) -> None:
    for crew in crews:
        crew.link.send(message)


def _agents_failed(crews: list[Crew]) -> BenchError:
    reasons = [crew.failed.result() for crew in crews if crew.failed.done()]
    return BenchError(f"the agents cannot go on: {reasons[0]}", "see the messages above")
