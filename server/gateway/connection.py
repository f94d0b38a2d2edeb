"""One WebSocket of the gateway: what the library does not tell, and writing without ever waiting.

The library gives messages without their opcode when asked not to decode them, so the opcodes are noted as frames come
in. Writing is synchronous: straight to the transport while that holds little, else into a bounded outbox that goes out
when the transport has room again. Nothing here awaits a slow reader; who reads too slowly is cut off by the sweeper.

Invariant: messages leave in the order in which they were sent.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from websockets.asyncio.server import Server, ServerConnection, broadcast
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN, Event
from websockets.server import ServerProtocol

from server.gateway import http
from server.gateway.decoding import Encoding
from server.gateway.limits import GatewayLimits
from worldline import protocol as wire

if TYPE_CHECKING:
    from server.gateway.entrance import Entrance

_DATA: Final = (Opcode.TEXT, Opcode.BINARY)
_CLOSED_WITHOUT_A_WORD: Final = 1006
_CAUSES: Final = {
    wire.CLOSE_PROTOCOL: "refused",
    wire.CLOSE_RESTART: "restart",
    wire.CLOSE_TAKEN_OVER: "taken_over",
    wire.CLOSE_TOO_SLOW: "silent",
    wire.CLOSE_FLOODING: "flooding",
}
"""Why we close, by close code, as /metrics says it."""

_log = logging.getLogger("worldline.gateway")


class GatewayConnection(ServerConnection):
    """A WebSocket with an outbox. Made by the server for each TCP connection, before it is known to be a WebSocket.

    ``opened_at_s``, ``heard_at_s`` (last data or pong), ``full_since_s`` (the outbox has been over its limit since),
    ``pinged_at_s`` and ``unanswered_since_s`` (first ping after which nothing was heard) are times of the event loop.
    """

    limits = GatewayLimits()
    entrance: Entrance | None = None
    """Set by the gateway, both, in a class of its own: the library makes connections and knows no such arguments."""

    def __init__(self, protocol: ServerProtocol, server: Server, **options: Any) -> None:
        super().__init__(protocol, server, **options)
        self.opened_at_s = self.heard_at_s = self.loop.time()
        self.agent: str | None = None
        """Who has said hello here, for logs."""
        self.address: str | None = None
        self.admitted = False
        """By which ``address`` this visitor is counted (None: by none), once it may come in."""
        self.answered = False
        """Whether it is counted among the answers over plain HTTP that are under way."""
        self.pinged_at_s: float | None = None
        self.unanswered_since_s: float | None = None
        self.full_since_s: float | None = None
        self._opcodes: deque[bool] = deque()
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self.on_room: Callable[[], None] | None = None
        """Called when the outbox has been full and is so no more."""
        self._room = asyncio.Event()
        self._room.set()
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._closing: asyncio.Task[None] | None = None
        self._ended_by_us: str | None = None

    @property
    def encoding(self) -> Encoding:
        """How messages are written on this connection."""
        return "msgpack" if self.subprotocol == wire.MSGPACK_SUBPROTOCOL else "json"

    # reading

    def process_event(self, event: Event) -> None:
        """Note what the library forgets: when something was heard, and which opcode a message had."""
        if isinstance(event, Frame):
            self.heard_at_s = self.loop.time()
            self.unanswered_since_s = None
            if event.opcode in _DATA:
                self._opcodes.append(event.opcode is Opcode.TEXT)
        super().process_event(event)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        super().connection_made(transport)
        if self.entrance is not None:
            self.entrance.opened(self)

    def data_received(self, data: bytes) -> None:
        """Feed the library, but answer HTTP methods that it would drop without a word, and bound its own pongs."""
        if self.request is None and http.refuse_method(self.transport, data):
            return
        super().data_received(data)
        # Pongs are written at once, whatever waits: who pings without ever reading would fill the memory with them.
        if self.transport.get_write_buffer_size() > self.limits.max_reply_bytes + 2 * self.limits.outbox_bytes:
            self.cut_off("it pings and never reads")

    async def receive(self) -> tuple[bytes, bool]:
        """The next message and whether it came in a text frame. Waits while the outbox is full or reading is held.

        Raises `websockets.exceptions.ConnectionClosed`.
        """
        await self._may_read.wait()
        if self.full_since_s is not None:
            await self._room.wait()
        data = await self.recv(decode=False)
        return data, self._opcodes.popleft()

    def hold_reading(self) -> None:
        """Take no further message until `go_on_reading`, or the end of the connection."""
        self._may_read.clear()

    def go_on_reading(self) -> None:
        """Take messages again."""
        self._may_read.set()

    # writing

    @property
    def waiting_bytes(self) -> int:
        """What the other side has not read yet, as far as this process knows."""
        return self._outbox_bytes + self.transport.get_write_buffer_size()

    @property
    def full(self) -> bool:
        """Whether more waits than may: 256 KiB, or a single reply if that is larger."""
        return bool(self._outbox) and self.waiting_bytes > self.limits.outbox_bytes

    @property
    def behind(self) -> bool:
        """Whether something waits that the other side has not read: what can be left out is left out then."""
        return bool(self._outbox) or self.paused

    def send_now(self, data: bytes) -> None:
        """Send an encoded message, at once or when there is room. On a closed connection it goes nowhere."""
        if self.protocol.state is not OPEN:
            return
        if self._outbox or self.paused:
            self._outbox.append(data)
            self._outbox_bytes += len(data)
            if self.full_since_s is None and self.full:
                self.full_since_s = self.loop.time()
                self._room.clear()
        else:
            broadcast((self,), data, text=self.encoding == "json")

    def resume_writing(self) -> None:
        """The transport has room: write on."""
        super().resume_writing()
        while self._outbox and not self.paused:
            data = self._outbox.popleft()
            self._outbox_bytes -= len(data)
            broadcast((self,), data, text=self.encoding == "json")
        if self.full_since_s is not None and not self.full:
            self.full_since_s = None
            self._room.set()
            if self.on_room is not None:
                self.on_room()

    def ping_now(self) -> None:
        """Send a ping without waiting for its pong."""
        if self.protocol.state is OPEN:
            self.pinged_at_s = self.loop.time()
            if self.unanswered_since_s is None:
                self.unanswered_since_s = self.pinged_at_s
            self.protocol.send_ping(b"")
            self.send_data()

    # ending

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        super().connection_lost(exc)
        if self.entrance is not None:
            self.entrance.closed(self)
        self._outbox.clear()
        self._outbox_bytes = 0
        self.on_room = None
        self._room.set()
        self._may_read.set()

    def cut_off(self, why: str) -> None:
        """Drop the socket at once: the other side would not read a close frame."""
        if not self.transport.is_closing():
            _log.info("cut off %s: %s", self.peer, why, extra=self.about)
            self._ended_by_us = self._ended_by_us or "too_slow"
        self.transport.abort()

    def close_soon(self, code: int, reason: str) -> asyncio.Task[None] | None:
        """Close with a close frame, in a task of its own; a reader that is behind is cut off instead."""
        self._ended_by_us = self._ended_by_us or _CAUSES[code]
        if self.paused or self._outbox:
            self.cut_off(f"it was behind when it was to be closed ({code})")
            return None
        if self._closing is None:
            self._closing = self.loop.create_task(self._close(code, reason))
        return self._closing

    async def _close(self, code: int, reason: str) -> None:
        try:
            async with asyncio.timeout(self.limits.close_timeout_s * 1.5):
                await self.close(code, reason)
        except TimeoutError:
            self.transport.abort()

    @property
    def ending(self) -> str:
        """Why a connection that is gone has ended: closed or lost by the client, else what we had against it."""
        if self._ended_by_us is not None:
            return self._ended_by_us
        if self.close_code == wire.CLOSE_TOO_BIG:
            return "too_big"
        return "client_lost" if self.close_code in (None, _CLOSED_WITHOUT_A_WORD) else "client_closed"

    @property
    def peer(self) -> str:
        """The other side's address, for logs."""
        address = self.remote_address
        return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "a connection"

    @property
    def about(self) -> dict[str, str]:
        """What a line of the log that is about this connection names."""
        return {"connection": self.peer} | ({} if self.agent is None else {"agent": self.agent})


def name_connection(record: logging.LogRecord) -> bool:
    """A filter for the library's logger: let what it says of a connection name it, as what we say does."""
    connection = getattr(record, "websocket", None)
    if connection is not None:
        vars(record).update(connection.about)
    return True


def close_reason(text: str, retry_after_ms: int | None = None) -> str:
    """A close frame's reason: ``retry_after_ms=N; text``."""
    return text if retry_after_ms is None else f"retry_after_ms={retry_after_ms}; {text}"
