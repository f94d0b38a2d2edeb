"""What system tests stand on: a real `worldline serve` process, and agents that speak the protocol to it.

`RunningServer` starts ``python -m server.commands serve --port 0`` in a process of its own and knows its whole family
of processes by a mark in their environment. `Agent` is one WebSocket connection that speaks JSON as the protocol says;
it uses none of our client's code, so that a mistake is not made on both sides.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

GAMES: Final = Path(__file__).parent / "games"
START_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 20.0
ANSWER_WITHIN_S: Final = 30.0
ORPHANS_END_WITHIN_S: Final = 5.0
FIRST_LINE: Final = re.compile(r"worldline \S+ · (wss?://\S+:(\d+)/ws) · data (.+)\n")
MARK: Final = "WORLDLINE_TEST_MARK"


class StartFailed(AssertionError):
    """The server ended instead of serving; ``exit_code`` and ``stderr`` say how."""

    def __init__(self, exit_code: int | None, stderr: str) -> None:
        super().__init__(f"the server ended with {exit_code} instead of serving:\n{stderr}")
        self.exit_code = exit_code
        self.stderr = stderr


def serve_command(data: Path, arguments: Sequence[str]) -> list[str]:
    """The command line of a server on any free port. ``arguments`` may say otherwise: the last one counts."""
    return [sys.executable, "-m", "server.commands", "serve", "--port", "0", "--data", str(data), *arguments]


def run_serve(data: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a server that is expected not to start, and return how it ended."""
    return subprocess.run(
        serve_command(data, arguments), cwd=cwd, capture_output=True, text=True, timeout=START_WITHIN_S, check=False
    )


def marked_processes(mark: str) -> dict[int, str]:
    """Every living process that carries ``mark`` in its environment: pid → command line."""
    needle = f"{MARK}={mark}".encode()
    found: dict[int, str] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        # Processes come and go while we look; those that went are not part of the answer.
        with contextlib.suppress(OSError):
            if needle in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                if command:  # a zombie has none
                    found[int(folder.name)] = command
    return found


class RunningServer:
    """One `worldline serve` process with its children. Made by `start_server`."""

    def __init__(self, process: subprocess.Popen[str], data: Path, mark: str, stderr_path: Path) -> None:
        self.process = process
        self.data = data
        self.mark = mark
        self.stderr_path = stderr_path
        self.first_line = ""
        self.url = ""
        self.port = 0

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self.process.pid

    def stderr(self) -> str:
        """What the server has logged so far."""
        return self.stderr_path.read_text(encoding="utf-8")

    def family(self) -> dict[int, str]:
        """Every living process of this server, the supervisor included: pid → command line."""
        return marked_processes(self.mark)

    def shard_pids(self) -> list[int]:
        """The process ids of the shards, oldest first."""
        return sorted(pid for pid, command in self.family().items() if "-m server.shard" in command)

    def gateway_pids(self) -> list[int]:
        """The process ids of the gateways."""
        return sorted(pid for pid, command in self.family().items() if "-m server.gateway" in command)

    def terminate(self) -> int:
        """Stop with SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_WITHIN_S)

    def kill(self) -> None:
        """Kill the supervisor; its children die with it."""
        self.process.kill()
        self.process.wait(STOP_WITHIN_S)

    def clean_up(self) -> None:
        """End whatever is left of this server. Only processes with its mark are touched.

        Raises AssertionError if a child has outlived the supervisor.
        """
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_WITHIN_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        orphans = self.orphans()
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert not orphans, f"left behind by the server: {orphans}\n{self.stderr()}"

    def orphans(self) -> dict[int, str]:
        """The processes that are still there a while after the supervisor has ended: none, if all is well."""
        assert self.process.poll() is not None, "the supervisor still runs"
        deadline_s = time.monotonic() + ORPHANS_END_WITHIN_S
        while (family := self.family()) and time.monotonic() < deadline_s:
            time.sleep(0.02)  # the kernel kills them one after the other; nothing tells us when it is done
        return family


def start_server(
    data: Path,
    *arguments: str,
    cwd: Path,
    games: Path | None = GAMES,
    environment: dict[str, str] | None = None,
    launcher: Sequence[str] = (),
) -> RunningServer:
    """Start a server and wait for its first line. Raises StartFailed if it ends instead.

    ``launcher``: a command that becomes the one behind it, in other surroundings.
    """
    server = spawn_server(data, *arguments, cwd=cwd, games=games, environment=environment, launcher=launcher)
    await_first_line(server)
    return server


def spawn_server(
    data: Path,
    *arguments: str,
    cwd: Path,
    games: Path | None = GAMES,
    environment: dict[str, str] | None = None,
    launcher: Sequence[str] = (),
) -> RunningServer:
    """Start the process of a server; `await_first_line` says when it serves."""
    mark = uuid.uuid4().hex
    stderr_path = cwd / f"server-{mark[:8]}.log"
    options = [*(("--games", str(games)) if games is not None else ()), *arguments]
    with stderr_path.open("wb") as stderr:
        process = subprocess.Popen(
            [*launcher, *serve_command(data, options)],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **(environment or {}), MARK: mark},
        )
    return RunningServer(process, data, mark, stderr_path)


def await_first_line(server: RunningServer) -> None:
    """Wait until the server says where it listens. Raises StartFailed if it ends instead, with nothing left of it."""
    process = server.process
    assert process.stdout is not None
    readable, _, _ = select.select([process.stdout], [], [], START_WITHIN_S)
    server.first_line = process.stdout.readline() if readable else ""
    match = FIRST_LINE.fullmatch(server.first_line)
    if match is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5 if readable else 0)
        exit_code = process.poll()
        server.clean_up()
        raise StartFailed(exit_code, server.first_line + server.stderr())
    server.url, server.port = match[1], int(match[2])


class Agent:
    """One connection. Requests are awaited one by one or many at a time; pushes are kept in order of arrival."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.pushes: list[dict[str, Any]] = []
        self.welcome: dict[str, Any] = {}
        self.close_code: int | None = None
        self._last_id = 0
        self._open: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())

    async def request(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send one request and return its reply, an error included."""
        self._last_id += 1
        answered: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._open[self._last_id] = answered
        await self.connection.send(json.dumps({"type": kind, "id": self._last_id, **fields}))
        return await asyncio.wait_for(answered, ANSWER_WITHIN_S)

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """As `request`, for a request that must not be refused."""
        reply = await self.request(kind, **fields)
        assert reply["type"] != "error", reply
        return reply

    async def hello(self, name: str = "tester", resume: str | None = None) -> dict[str, Any]:
        """Say hello, as every connection must first; with ``resume`` as the session of an earlier welcome."""
        self.welcome = await self.ask("hello", name=name, resume=resume)
        return self.welcome

    async def push(self, kind: str, within_s: float = ANSWER_WITHIN_S, **fields: Any) -> dict[str, Any]:
        """Wait for a push of this type in which ``fields`` are as given; one that came already counts."""

        def found() -> dict[str, Any] | None:
            wanted = {"type": kind, **fields}
            return next((push for push in self.pushes if wanted.items() <= push.items()), None)

        async with self._news:
            await asyncio.wait_for(self._news.wait_for(lambda: found() is not None), within_s)
        push = found()
        assert push is not None
        return push

    def notices(self, *, of: str = "world_") -> list[str]:
        """The codes of all notices so far that begin with ``of``. On a busy machine any world may be slow for a while,
        which is told as well (``clock_slow``)."""
        codes = [push["code"] for push in self.pushes if push["type"] == "notice"]
        return [code for code in codes if code.startswith(of)]

    async def closed(self, within_s: float = ANSWER_WITHIN_S) -> int | None:
        """Wait until the connection is closed and return the close code."""
        await asyncio.wait_for(asyncio.shield(self._reading), within_s)
        return self.close_code

    async def vanish(self) -> None:
        """Go without a word: no close frame, only the end of the TCP stream."""
        self.connection.transport.abort()
        await self._reading

    async def close(self) -> None:
        """Close politely."""
        await self.connection.close()
        await self._reading

    async def _read(self) -> None:
        try:
            async for text in self.connection:
                message = json.loads(text)
                answered = self._open.pop(message["re"], None) if "re" in message else None
                if answered is not None:
                    answered.set_result(message)
                    continue
                async with self._news:
                    self.pushes.append(message)
                    self._news.notify_all()
        except ConnectionClosed:
            pass  # however it ended, `close_code` says it
        self.close_code = self.connection.close_code
        for answered in self._open.values():
            if not answered.done():
                answered.set_exception(ConnectionError(f"closed with {self.close_code} before the reply"))
                answered.exception()  # nobody may be waiting for it any more


@contextlib.asynccontextmanager
async def agent(url: str, name: str | None = "tester", resume: str | None = None) -> AsyncIterator[Agent]:
    """Connect one agent that has said hello (with ``name=None``: not yet)."""
    json_only = [Subprotocol("worldline.v1.json")]
    async with connect(url, subprotocols=json_only, compression=None, open_timeout=ANSWER_WITHIN_S) as connection:
        guest = Agent(connection)
        if name is not None:
            await guest.hello(name, resume)
        yield guest
        await guest.close()


async def eventually(
    check: Callable[[], Awaitable[bool]] | Callable[[], bool], what: str, within_s: float = ANSWER_WITHIN_S
) -> None:
    """Ask ``check`` again and again until it says yes; fail, naming ``what`` was awaited, after ``within_s``.

    Only for what no message tells: files that appear, processes that end, listings of other people's worlds.
    """
    deadline_s = time.monotonic() + within_s
    while True:
        answer = check()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        assert time.monotonic() < deadline_s, f"not within {within_s:g} s: {what}"
        await asyncio.sleep(0.15)  # a check may cost a request, of which an agent has ten a second
