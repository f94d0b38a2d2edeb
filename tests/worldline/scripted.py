"""A server whose every answer is written by the test: the other side of the client's tests.

It is a real WebSocket server on a real socket, and speaks the structs of `worldline.protocol`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import TypeVar

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.typing import Subprotocol

from worldline import protocol

WITHIN_S = 10.0

Expected = TypeVar("Expected", bound=protocol.Request)

_decoder: msgspec.msgpack.Decoder[protocol.ClientMessage] = msgspec.msgpack.Decoder(protocol.ClientMessage)


class Script:
    """One connection of a client, seen from the server."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def hear(self, kind: type[Expected]) -> Expected:
        """The client's next request: must be of this kind."""
        message = _decoder.decode(await asyncio.wait_for(self.connection.recv(decode=False), WITHIN_S))
        assert isinstance(message, kind), message
        return message

    async def say(self, message: protocol.Reply, re: int | None = None) -> None:
        """Send a reply (``re``) or a push."""
        message.re = re
        await self.connection.send(msgspec.msgpack.encode(message))

    async def greet(
        self,
        *,
        resumed: bool = False,
        players: Sequence[protocol.ResumedPlayer] = (),
        lost: Sequence[protocol.LostPlayer] = (),
    ) -> protocol.Hello:
        """Answer the client's hello."""
        hello = await self.hear(protocol.Hello)
        limits = protocol.Limits(
            rate_hz=10,
            burst=20,
            agent_rate_hz=20,
            max_open_requests=64,
            max_message_bytes=65536,
            max_reply_bytes=2**20,
            max_note_bytes=16384,
            max_wait_ms=25000,
            silence_s=180,
        )
        welcome = protocol.Welcome(
            session="s_1",
            resume="s_1.signed",
            resumed=resumed,
            agent="a_1",
            name=hello.name or "guest",
            role="agent",
            durability="durable",
            server="worldline/0",
            server_time_ms=1,
            features=[],
            limits=limits,
            players=list(players),
            lost=list(lost),
        )
        await self.say(welcome, hello.id)
        return hello

    async def seat(self, next_seq: int = 1) -> protocol.Join:
        """Answer the client's join."""
        join = await self.hear(protocol.Join)
        await self.say(
            protocol.Joined(
                world="w_1",
                game="echo",
                player="p_1",
                seat=1,
                next_seq=next_seq,
                cursor=1,
                status="running",
                tick=3,
                clock="realtime",
                tick_hz=60,
                digest="d",
            ),
            join.id,
        )
        return join

    async def apply(self, asked: protocol.Input, tick: int = 4) -> None:
        """Answer an input: applied."""
        await self.say(
            protocol.Outcome(world="w_1", player="p_1", seq=asked.seq or 0, status="applied", tick=tick), asked.id
        )


class ScriptedServer:
    """Listens; ``scripts`` holds the connections in the order in which they came."""

    def __init__(self) -> None:
        self.scripts: asyncio.Queue[Script] = asyncio.Queue()
        self.url = ""
        self.listening: Server

    async def stop(self) -> None:
        """Cut every connection and accept no more."""
        for connection in list(self.listening.connections):
            connection.transport.abort()
        self.listening.close(close_connections=False)
        await self.listening.wait_closed()

    async def script(self) -> Script:
        """The next connection."""
        return await asyncio.wait_for(self.scripts.get(), WITHIN_S)


@contextlib.asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A server on a free port."""
    scripted = ScriptedServer()

    async def handle(connection: ServerConnection) -> None:
        scripted.scripts.put_nowait(Script(connection))
        await connection.wait_closed()

    async with serve(
        handler=handle, host="127.0.0.1", port=0, subprotocols=[Subprotocol(protocol.MSGPACK_SUBPROTOCOL)]
    ) as server:
        scripted.listening = server
        port = server.sockets[0].getsockname()[1]
        scripted.url = f"ws://127.0.0.1:{port}/ws"
        yield scripted


def observation(tick: int = 5, text: str = "hi") -> protocol.Observation:
    return protocol.Observation(
        world="w_1",
        player="p_1",
        tick=tick,
        game_time_s=0.1,
        status="running",
        cursor=1,
        missed=0,
        events=[],
        score=0,
        total_reward=0,
        text=text,
    )
