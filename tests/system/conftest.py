"""Fixtures of the system tests: servers in processes of their own, agents over real sockets.

A test that leaves a process of its server behind fails, and the process is killed.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.system.harness import GAMES, Agent, RunningServer, agent, start_server


class ServerFactory(Protocol):
    """Starts a server. ``data`` defaults to ``data`` in the test's folder; ``games`` to the test games."""

    def __call__(
        self,
        *arguments: str,
        data: Path | None = None,
        games: Path | None = GAMES,
        environment: dict[str, str] | None = None,
    ) -> RunningServer: ...


Connect = Callable[..., Awaitable[Agent]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[ServerFactory]:
    """Start servers: ``serve("--shards", "2")``. All are stopped at the end of the test."""
    started: list[RunningServer] = []

    def start(
        *arguments: str,
        data: Path | None = None,
        games: Path | None = GAMES,
        environment: dict[str, str] | None = None,
    ) -> RunningServer:
        server = start_server(
            tmp_path / "data" if data is None else data,
            *arguments,
            cwd=tmp_path,
            games=games,
            environment=environment,
        )
        started.append(server)
        return server

    yield start
    for server in started:
        server.clean_up()


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """An empty folder whose path is short enough for unix sockets in it."""
    with tempfile.TemporaryDirectory(prefix="wl-", dir="/tmp") as folder:
        yield Path(folder)


@pytest.fixture
def server(serve: ServerFactory) -> RunningServer:
    """A server with one shard, the packaged games and the test games."""
    return serve("--shards", "1")


@pytest.fixture
async def connect_agent() -> AsyncIterator[Connect]:
    """Connect agents: ``ada = await connect_agent(server.url, "ada")``. All are closed at the end of the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def connect(url: str, name: str | None = "tester", resume: str | None = None) -> Agent:
            return await stack.enter_async_context(agent(url, name, resume))

        yield connect
