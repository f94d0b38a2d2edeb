"""A real gateway on real sockets, with a test at the other end of its links.

The test plays supervisor and shard: it reads what the gateway asks and decides what is answered, when, or never. So it
can bring about moments that a whole server passes through in microseconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server import messages
from server.config import Guests
from server.gateway.catalogue import Catalogue
from server.gateway.gateway import Gateway
from server.gateway.limits import GatewayLimits
from server.link import Link, attach, serve_unix
from worldline import protocol

WITHIN_S = 10.0
SECRET = b"k" * 32

Expected = TypeVar("Expected", bound=messages.Message)


class Edge:
    """The gateway under test. ``supervisor`` and ``shard`` hold what it has sent to each."""

    def __init__(self) -> None:
        self.supervisor: asyncio.Queue[messages.Message] = asyncio.Queue()
        self.shard: asyncio.Queue[messages.Message] = asyncio.Queue()
        self.url = ""
        self.control: Link[Any]
        self.shard_link: Link[Any]
        self.gateway: Gateway

    async def asked(self, kind: type[Expected]) -> Expected:
        """The next message that the gateway sends to the supervisor: must be of this kind."""
        return _expect(await asyncio.wait_for(self.supervisor.get(), WITHIN_S), kind)

    async def told(self, kind: type[Expected]) -> Expected:
        """The next message that the gateway sends to the shard: must be of this kind."""
        return _expect(await asyncio.wait_for(self.shard.get(), WITHIN_S), kind)

    async def seat(self, client: Talker, number: int = 50, world: str = "w_1", player: str = "p_1") -> None:
        """Let ``client`` join ``world``."""
        await client.send({"type": "join", "id": number, "world": world})
        place = await self.asked(messages.AskPlace)
        self.control.send(messages.Placed(request=place.request, world=world, game="echo", shard=0))
        join = await self.told(messages.JoinWorld)
        self.shard_link.send(messages.Answer(request=join.request, message=joined(world, player)))
        assert (await client.hear())["type"] == "joined"


async def eventually(check: Callable[[], bool], what: str) -> None:
    """Wait for what no message tells."""
    async with asyncio.timeout(WITHIN_S):
        while not check():
            await asyncio.sleep(0.01)
    assert check(), what


def _expect(message: messages.Message, kind: type[Expected]) -> Expected:
    assert isinstance(message, kind), message
    return message


def joined(world: str = "w_1", player: str = "p_1", cursor: int = 1) -> protocol.Joined:
    return protocol.Joined(
        world=world,
        game="echo",
        player=player,
        seat=1,
        next_seq=1,
        cursor=cursor,
        status="running",
        tick=3,
        clock="realtime",
        tick_hz=60,
        digest="d",
    )


def observation(cursor: int = 1, text: str = "hi") -> protocol.Observation:
    return protocol.Observation(
        world="w_1",
        player="p_1",
        tick=3,
        game_time_s=0.05,
        status="running",
        cursor=cursor,
        missed=0,
        events=[],
        score=0,
        total_reward=0,
        text=text,
    )


class Talker:
    """One client that speaks JSON by hand."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: dict[str, Any]) -> None:
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        """The next message, whatever it is."""
        heard: dict[str, Any] = json.loads(await asyncio.wait_for(self.connection.recv(), WITHIN_S))
        return heard

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Send and return the next message."""
        await self.send(message)
        return await self.hear()

    async def ended(self) -> tuple[int | None, str]:
        """Read until the connection ends; its close code and reason (None if it was cut off)."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(self.connection.recv(), WITHIN_S)
        return self.connection.close_code, self.connection.close_reason or ""


@contextlib.asynccontextmanager
async def running_edge(
    folder: Path,
    limits: GatewayLimits | None = None,
    *,
    guests: Guests = "developer",
    hosts: list[str] | None = None,
    tls: messages.Tls | None = None,
    nobody_plays: bool = False,
) -> AsyncIterator[Edge]:
    """A gateway with one shard, listening on a free port. ``nobody_plays``: no session has a player, and the test is
    not asked for any."""
    edge = Edge()
    ours, theirs = socket.socketpair()

    def to_supervisor(_: Link[Any], message: messages.Message) -> None:
        if nobody_plays and isinstance(message, messages.AskSession):
            edge.control.send(messages.SessionFound(request=message.request, players=[], lost=[]))
        else:
            edge.supervisor.put_nowait(message)

    edge.control = await attach(ours, messages.ToSupervisor, to_supervisor, _ignore)

    def connected(link: Link[Any]) -> None:
        edge.shard_link = link

    path = folder / "shard.sock"
    shard = await serve_unix(path, messages.GatewayToShard, connected, lambda _, m: edge.shard.put_nowait(m), _ignore)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)  # as the supervisor's has
    config = _configuration(folder, guests, hosts, tls)
    early: list[messages.FromSupervisor] = []
    link: Link[Any] = await attach(
        theirs,
        messages.FromSupervisor,
        lambda _, m: edge.gateway.on_supervisor_message(m) if hasattr(edge, "gateway") else early.append(m),
        _ignore,
    )
    edge.gateway = Gateway(config, link, Catalogue({}), limits or GatewayLimits())
    host, port = listening.getsockname()
    await edge.gateway.start(listening)
    edge.url = f"ws://{host}:{port}/ws"
    await edge.asked(messages.GatewayReady)
    edge.control.send(messages.ShardUp(shard=0, socket_path=str(path)))
    try:
        yield edge
    finally:
        edge.control.send(messages.Drain())
        await asyncio.wait_for(asyncio.shield(edge.gateway.stopped), WITHIN_S)
        shard.close()
        edge.control.close()


def _configuration(
    folder: Path, guests: Guests, hosts: list[str] | None, tls: messages.Tls | None
) -> messages.ConfigureGateway:
    return messages.ConfigureGateway(
        gateway=0,
        listen_fd=-1,
        games=[],
        durability="durable",
        limits=True,
        guests=guests,
        data=str(folder),
        secret=SECRET,
        bots_token="",
        hosts=hosts,
        tls=tls,
        log_format="text",
        log_level="info",
    )


def _ignore(_: Link[Any]) -> None:
    """What these tests do when a link ends: nothing, they look at what the gateway says."""


@contextlib.asynccontextmanager
async def talking(edge: Edge, *, hello: bool = True, **options: Any) -> AsyncIterator[Talker]:
    """A client, by default one that has said hello."""
    async with connect(edge.url, compression=None, ping_interval=None, proxy=None, **options) as connection:
        client = Talker(connection)
        if hello:
            assert (await client.ask(type="hello", id=0))["type"] == "welcome"
        yield client
