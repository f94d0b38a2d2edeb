"""A real shard in this process: its journal on disk, its Lua worlds, its unix socket, and a test at each end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from eventlog.disk import Disk
from eventlog.store import Store
from games.code import GameCode
from server import messages
from server.callpage import CallReader
from server.link import Link, attach, connect_unix
from server.shard.worker import Shard
from tests.eventlog.disks import GatedDisk
from worldline import protocol

GAMES = Path(__file__).parents[1] / "system" / "games"
WORLD = "w_000000test"


class RunningShard:
    """A shard as its supervisor and one gateway see it."""

    def __init__(self, shard: Shard, data: Path) -> None:
        self.shard = shard
        self.data = data
        self.reports: list[Any] = []
        self.pushes: list[messages.Push] = []
        self.framed: list[messages.Framed] = []
        self.news = asyncio.Event()
        """Set when one more of them has come."""
        self.control: Link[Any]
        self.gateway: Link[Any]
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._requests = 0
        self._reported = asyncio.Event()

    def on_report(self, _: Link[Any], message: Any) -> None:
        self.reports.append(message)
        self._reported.set()

    def on_gateway_message(self, _: Link[Any], message: Any) -> None:
        if isinstance(message, messages.Push):
            self.pushes.append(message)
            self._reported.set()
        elif isinstance(message, messages.Framed):
            self.framed.append(message)
            self.news.set()
        else:
            is_answer = isinstance(message, messages.Answer)
            self._answers[message.request].set_result(message.message if is_answer else message)

    async def report(self, kind: type[Any]) -> Any:
        """The first report of a kind, once it has come."""
        while True:
            for message in self.reports:
                if isinstance(message, kind):
                    return message
            self._reported.clear()
            await self._reported.wait()

    async def push(self, kind: type[Any]) -> Any:
        """The first push of a kind, once it has come."""
        while True:
            for push in self.pushes:
                if isinstance(push.message, kind):
                    return push.message
            self._reported.clear()
            await self._reported.wait()

    def ask(self, kind: type[Any], *, through: Link[Any] | None = None, **fields: Any) -> asyncio.Future[Any]:
        """Send a request as a gateway does, ``through`` another than the first; the future is its answer."""
        self._requests += 1
        answer = self._answers[self._requests] = asyncio.get_running_loop().create_future()
        (through or self.gateway).send(kind(request=self._requests, **({"world": WORLD} | fields)))
        return answer

    async def open(self, game: str = "echo", **fields: Any) -> None:
        """Make the world; ``fields`` are those of the order."""
        self.code = GameCode.load(GAMES / game)
        Store.attach(self.data).put_code(self.code.digest, self.code.files)
        self.control.send(
            messages.OpenWorld(world=WORLD, game=self.code.name, digest=self.code.digest, seed=1, **fields)
        )
        await self.report(messages.WorldOpened)

    async def join(self, agent: str = "a_1", **fields: Any) -> protocol.Joined:
        """Seat an agent."""
        joined = await self.ask(messages.JoinWorld, agent=agent, session="s_1", name=agent, **fields)
        assert isinstance(joined, protocol.Joined), joined
        return joined

    def input(self, name: str, args: dict[str, Any], *, player: str = "p_1", **fields: Any) -> asyncio.Future[Any]:
        """Send an input."""
        return self.ask(messages.PlayerInput, player=player, name=name, args=args, **fields)


@contextlib.asynccontextmanager
async def running_shard(
    folder: Path, *, disk: Disk | None = None, eager: bool = False, limits: bool = False
) -> AsyncIterator[RunningShard]:
    """Run a shard on a data folder inside ``folder``, whose path must be short."""
    data = folder / "data"
    ours, theirs = socket.socketpair()
    CallReader(folder / "shard.page")
    config = messages.ConfigureShard(
        shard=0,
        data=str(data),
        socket_path=str(folder / "shard.sock"),
        call_page_path=str(folder / "shard.page"),
        durability="durable",
        limits=limits,
        log_format="text",
        log_level="info",
        eager=eager,
    )

    def to_shard(_: Link[Any], message: Any) -> None:
        shard.on_supervisor_message(message)

    shard_end: Link[Any] = await attach(theirs, messages.FromSupervisor, to_shard, lambda _: None)
    shard = Shard(config, shard_end, disk=disk)
    running = RunningShard(shard, data)
    running.control = await attach(ours, messages.ToSupervisor, running.on_report, lambda _: None)
    await shard.start()
    running.gateway = await connect_unix(
        config.socket_path, messages.ShardToGateway, running.on_gateway_message, lambda _: None
    )
    try:
        yield running
    finally:
        if isinstance(disk, GatedDisk):
            disk.lift()  # a failed test must not wait for its own gate
        if shard.failed is None:
            running.control.send(messages.Drain())
            await shard.stopped
        for thread in threading.enumerate():  # a shard that has failed ends its process: here it is only left alone
            if thread.name.startswith("snapshots"):
                await asyncio.to_thread(thread.join, 20)
        running.gateway.close()
        running.control.close()
