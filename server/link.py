"""Links: ordered messages between two processes of one server, over a unix socket.

A frame is ``length u32 (little-endian) · MessagePack of one struct of server.messages``. What is sent within
one turn of the event loop goes to the kernel in one write. A link that breaks stays broken: each side learns of it
once (``on_lost``), and questions that were open on it are answered by whoever asked them.

Bounded: a peer that stops reading while more than `LINK_LIMIT_BYTES` wait for it is cut off, and a sender can ask
`Link.congested` before it takes on more work for that peer.

Not here: what messages mean (``server/messages/``), and anything that crosses a machine's border.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from server.messages import Message

_LENGTH: Final = struct.Struct("<I")
assert _LENGTH.size == 4

FRAME_LIMIT_BYTES: Final = 16 * 2**20  # a frame holds at most one page of worlds or one view: far below this
CONGESTED_BYTES: Final = 4 * 2**20  # above this a gateway refuses new work for the shard as `overloaded`
LINK_LIMIT_BYTES: Final = 64 * 2**20  # a peer this far behind is stuck

_log = logging.getLogger("worldline.link")
_encode = msgspec.msgpack.Encoder().encode

Incoming = TypeVar("Incoming", bound=Message)


class Link(asyncio.Protocol, Generic[Incoming]):
    """One end of a link. ``incoming`` is the union of structs that may arrive here.

    ``on_message(link, message)`` is called for each message in order; ``on_lost(link)`` once, when the other side
    is gone or broke the framing.
    """

    def __init__(
        self,
        incoming: Any,
        on_message: Callable[[Link[Incoming], Incoming], None],
        on_lost: Callable[[Link[Incoming]], None],
    ) -> None:
        self._decoder: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(incoming)
        self._on_message = on_message
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._outgoing: list[bytes] = []
        self._outgoing_bytes = 0
        self._lost = False

    @property
    def lost(self) -> bool:
        """Whether the link is broken or closed."""
        return self._lost

    @property
    def buffered_bytes(self) -> int:
        """How much waits here because the other side has not read it yet."""
        written = self._transport.get_write_buffer_size() if self._transport is not None else 0
        return self._outgoing_bytes + written

    @property
    def congested(self) -> bool:
        """Whether the other side is so far behind that it should get no new work."""
        return self.buffered_bytes > CONGESTED_BYTES

    def send(self, message: Message) -> None:
        """Send ``message`` at the end of this turn of the loop. On a lost link it goes nowhere."""
        if self._lost:
            return
        payload = _encode(message)
        if not self._outgoing:
            self._loop.call_soon(self._flush)
        self._outgoing.append(_LENGTH.pack(len(payload)))
        self._outgoing.append(payload)
        self._outgoing_bytes += _LENGTH.size + len(payload)

    def close(self) -> None:
        """Close after everything sent so far has been written."""
        self._flush()
        if self._transport is not None:
            self._transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's does not derive from it

    def data_received(self, data: bytes) -> None:
        self._received += data
        offset = 0
        available = len(self._received)
        view = memoryview(self._received)
        frames: list[Incoming] = []
        try:
            while available - offset >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(view, offset)
                if length > FRAME_LIMIT_BYTES:
                    raise msgspec.DecodeError(f"a frame of {length} bytes; the limit is {FRAME_LIMIT_BYTES}")
                end = offset + _LENGTH.size + length
                if end > available:
                    break
                frames.append(self._decoder.decode(view[offset + _LENGTH.size : end]))
                offset = end
        except msgspec.DecodeError as error:
            # Two processes of one version disagree: nothing that follows can be believed.
            _log.error("a link got a message that it does not understand: %s", error)
            self._abort()
        finally:
            view.release()
        del self._received[:offset]
        for frame in frames:
            self._on_message(self, frame)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self._outgoing.clear()
            self._outgoing_bytes = 0
            self._on_lost(self)

    # inside

    def _flush(self) -> None:
        if self._lost or self._transport is None or not self._outgoing:
            return
        self._transport.write(b"".join(self._outgoing))
        self._outgoing.clear()
        self._outgoing_bytes = 0
        waiting = self._transport.get_write_buffer_size()
        if waiting > LINK_LIMIT_BYTES:
            _log.error("a process has not read %d bytes of its link: cutting it off", waiting)
            self._abort()

    def _abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def connect_unix(
    path: str | Path,
    incoming: Any,
    on_message: Callable[[Link[Incoming], Incoming], None],
    on_lost: Callable[[Link[Incoming]], None],
) -> Link[Incoming]:
    """Connect to a process that listens at ``path``. Raises OSError if nobody does."""
    loop = asyncio.get_running_loop()
    _, link = await loop.create_unix_connection(lambda: Link(incoming, on_message, on_lost), str(path))
    return link


async def serve_unix(
    path: str | Path,
    incoming: Any,
    on_connected: Callable[[Link[Incoming]], None],
    on_message: Callable[[Link[Incoming], Incoming], None],
    on_lost: Callable[[Link[Incoming]], None],
) -> asyncio.AbstractServer:
    """Listen at ``path``. Raises OSError if that is not possible."""

    def accept() -> Link[Incoming]:
        link: Link[Incoming] = Link(incoming, on_message, on_lost)
        on_connected(link)
        return link

    return await asyncio.get_running_loop().create_unix_server(accept, str(path))


async def attach(
    connected: socket.socket,
    incoming: Any,
    on_message: Callable[[Link[Incoming], Incoming], None],
    on_lost: Callable[[Link[Incoming]], None],
) -> Link[Incoming]:
    """Make a link of one end of a connected socket pair. The link owns the socket from then on."""
    connected.setblocking(False)
    loop = asyncio.get_running_loop()
    _, link = await loop.create_unix_connection(lambda: Link(incoming, on_message, on_lost), sock=connected)
    return link
