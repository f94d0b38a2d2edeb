"""A client that can misbehave: every frame is written by the test, in either encoding, and every message is looked at.

It reads nothing by itself, so what a test hears is all that was sent, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from ssl import SSLContext
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Encoding = Literal["json", "msgpack"]
WITHIN_S = 30.0


class EdgeClient:
    """One connection. Pushes are put aside into ``pushes``; everything else is heard in order."""

    def __init__(self, connection: ClientConnection, encoding: Encoding) -> None:
        self.connection = connection
        self.encoding = encoding
        self.pushes: list[dict[str, Any]] = []
        self._last_id = 1000

    def write(self, message: Any) -> str | bytes:
        """A message as a frame of this connection: str is a text frame, bytes a binary one."""
        return json.dumps(message) if self.encoding == "json" else msgspec.msgpack.encode(message)

    async def send(self, message: Any) -> None:
        """Send a message, or a raw frame (str or bytes)."""
        await self.connection.send(message if isinstance(message, str | bytes) else self.write(message))

    async def send_text(self, raw: bytes) -> None:
        """Send a text frame of any bytes, valid UTF-8 or not."""
        await self.connection.send(raw, text=True)

    async def hear(self) -> dict[str, Any]:
        """The next reply."""
        while True:
            data = await asyncio.wait_for(self.connection.recv(decode=False), WITHIN_S)
            message: dict[str, Any] = json.loads(data) if self.encoding == "json" else msgspec.msgpack.decode(data)
            # `re` is absent on pushes, and on errors where no id could be read.
            if "re" in message or message["type"] == "error":
                return message
            self.pushes.append(message)

    async def ask(self, message: Any) -> dict[str, Any]:
        """Send, and return the one reply. Fails if there are two."""
        await self.send(message)
        reply = await self.hear()
        await self.nothing_more()
        return reply

    async def nothing_more(self) -> None:
        """Fail if any reply is still under way: a ping's answer must be the next."""
        self._last_id += 1
        await self.send({"type": "ping", "id": self._last_id})
        reply = await self.hear()
        assert (reply["type"], reply["re"]) == ("pong", self._last_id), reply

    async def ended(self) -> tuple[int | None, str]:
        """Read until the connection ends; its close code and reason (1006: cut off)."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(self.connection.recv(decode=False), WITHIN_S)
        return self.connection.close_code, self.connection.close_reason or ""


@contextlib.asynccontextmanager
async def edge_client(
    url: str,
    encoding: Encoding = "json",
    *,
    hello: bool = True,
    small_buffers: bool = False,
    ssl: SSLContext | None = None,
) -> AsyncIterator[EdgeClient]:
    """Connect; by default say hello too. ``small_buffers``: the kernel keeps little for a reader that is behind."""
    sock = None
    if small_buffers:
        address = urlsplit(url)
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.connect((address.hostname, address.port))
        sock.setblocking(False)
    async with connect(
        url,
        sock=sock,
        ssl=ssl,
        subprotocols=[Subprotocol(f"worldline.v1.{encoding}")],
        compression=None,
        ping_interval=None,
        max_size=None,
        open_timeout=WITHIN_S,
        close_timeout=1.0,
        proxy=None,
    ) as connection:
        client = EdgeClient(connection, encoding)
        if hello:
            assert (await client.ask({"type": "hello", "id": 1, "name": "edge"}))["type"] == "welcome"
        yield client


def stop_reading(client: EdgeClient) -> None:
    """Read nothing more, as a client that hangs."""
    client.connection.transport.pause_reading()
    client.connection.recv_messages.resume = lambda: None


async def plain_http(url: str, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send raw HTTP to a server's port and return status, headers (names in lower case) and body."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), WITHIN_S)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(status.split()[1]), {name.lower(): value for name, value in pairs}, body
