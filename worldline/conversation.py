"""One conversation with a server, over as many connections as it takes.

A request is put once and answered once, however often the connection breaks in between: what has no reply yet is sent
again, with the same id and the same seq, on the next connection, after the session has been resumed there. So callers
wait a little longer and notice nothing else. Invariant: a reply belongs to the request with its id; a request is given
up only when its caller cancels it, or when the conversation ends.

The conversation ends when it is closed, when the server says not to come back (`FINAL_CLOSES`), or when it could not be
taken up again for ``give_up_after_s``: then every open and later request raises `Disconnected`.

Not here: what requests and pushes mean (`worldline.client`).
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI
from websockets.typing import Subprotocol

from worldline import protocol
from worldline.errors import Disconnected, InvalidRequest, WorldlineError, error_from

# Twice what a server of this version sends (`limits.max_reply_bytes`).
MAX_MESSAGE_BYTES: Final = 2 * 2**20
# An agent may keep its event loop busy for a minute (a model that is called without await): be in no hurry to give up.
PING_INTERVAL_S: Final = 30.0
PING_TIMEOUT_S: Final = 120.0
HELLO_TIMEOUT_S: Final = 30.0

FIRST_DELAY_S: Final = 0.1  # before the first attempt to come back; doubles with each that fails
LONGEST_DELAY_S: Final = 5.0
STEADY_S: Final = 10.0  # a connection that lasts so long, or brings a reply, is out of trouble
GIVE_UP_AFTER_S: Final = 120.0
"""How long a client tries to come back: as long as most games keep its seat (`RulesReply.grace_s`)."""

FINAL_CLOSES: Final = frozenset({1000, 1002, 1003, 1007, protocol.CLOSE_PROTOCOL, protocol.CLOSE_TOO_BIG, 4001})
"""Close codes after which the same client would fare no better: done, broken framing, refused, too big, taken over."""

_RETRY_AFTER: Final = re.compile(r"retry_after_ms=(\d{1,9})")

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[protocol.ServerMessage] = msgspec.msgpack.Decoder(protocol.ServerMessage)

AnyReply = TypeVar("AnyReply", bound=protocol.Reply)


@dataclass(slots=True)
class Open:
    """A request that has no reply yet."""

    request: protocol.Request
    data: bytes
    answer: asyncio.Future[protocol.ServerMessage]
    times_sent: int = 0
    sent_on: ClientConnection | None = None


class Conversation:
    """Made with a ``hello`` to begin with; its ``resume`` is renewed by each welcome.

    ``on_welcome`` is called with each welcome before anything is sent again, ``on_reply`` with each reply before its
    caller has it, ``on_push`` with each push, ``on_end`` when there will be no connection any more.
    """

    welcome: protocol.Welcome

    def __init__(
        self,
        url: str,
        hello: protocol.Hello,
        *,
        give_up_after_s: float,
        on_welcome: Callable[[protocol.Welcome], None],
        on_reply: Callable[[protocol.Request, protocol.ServerMessage], None],
        on_push: Callable[[protocol.ServerMessage], None],
        on_end: Callable[[Disconnected], None],
    ) -> None:
        self.url = url
        self._hello = hello
        self._give_up_after_s = give_up_after_s
        self._on_welcome = on_welcome
        self._on_reply = on_reply
        self._on_push = on_push
        self._on_end = on_end
        self._last_id = hello.id
        self._open: dict[int, Open] = {}
        self._socket: ClientConnection | None = None  # only while it is welcome there
        self._ended: Disconnected | None = None
        self._in_trouble_since_s: float | None = None
        self._attempts = 0
        self._running: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether requests go out at once; else they wait for the next connection."""
        return self._socket is not None

    def next_id(self) -> int:
        """An id for a request."""
        self._last_id += 1
        return self._last_id

    async def start(self) -> None:
        """Connect and say hello. Raises `Disconnected` at once if that fails, `WorldlineError` if it is refused."""
        socket = await self._connect()
        self._socket = socket
        self._running = asyncio.create_task(self._run(socket))

    async def close(self) -> None:
        """End the conversation and its connection."""
        if self._running is None:
            return
        if self._ended is None:
            self._ended = Disconnected("you have closed this connection", hint="connect again", close_code=1000)
        if self._socket is not None:
            await self._socket.close()
        self._running.cancel()
        await asyncio.wait([self._running])
        self._fail_all(self._ended)

    async def ask(self, request: protocol.Request, expected: type[AnyReply]) -> AnyReply:
        """Send ``request`` and return its reply; if need be over several connections. Raises what the reply says."""
        if self._ended is not None:
            raise _another(self._ended)
        data = _encode(request)
        limit_bytes = self.welcome.limits.max_message_bytes
        if len(data) > limit_bytes:
            raise InvalidRequest(
                "too_large",
                f"the request has {len(data)} bytes, a message may have {limit_bytes}",
                hint="send less at once",
                data={"limit_bytes": limit_bytes},
            )
        opened = self._open[request.id] = Open(request, data, asyncio.get_running_loop().create_future())
        try:
            if self._socket is not None:
                await _send(self._socket, opened)
            reply = await opened.answer
        finally:
            self._open.pop(request.id, None)
        if isinstance(reply, protocol.Error):
            raise error_from(reply)
        if not isinstance(reply, expected):
            raise WorldlineError(
                "unexpected", f"the server answered {type(reply).__name__} to {type(request).__name__}"
            )
        return reply

    def settle(self, settled: Callable[[protocol.Request], protocol.ServerMessage | None]) -> None:
        """Answer open requests here, for a server that no longer can: those for which ``settled`` returns a reply."""
        for opened in self._open.values():
            reply = settled(opened.request)
            if reply is not None and not opened.answer.done():
                opened.answer.set_result(reply)

    # --- connections ---------------------------------------------------------------------------------

    async def _run(self, socket: ClientConnection) -> None:
        """Read from one connection after the other, until the conversation ends."""
        try:
            while True:
                lost = await self._read(socket)
                self._socket = None
                socket = await self._come_back(lost)
                self._socket = socket
        except Disconnected as end:
            self._end(end)
        except BaseException:
            self._end(Disconnected("this client has stopped reading", hint="connect again"))
            raise

    def _end(self, end: Disconnected) -> None:
        self._ended = self._ended or end
        self._socket = None
        self._fail_all(self._ended)
        self._on_end(self._ended)

    async def _send_again(self, socket: ClientConnection) -> None:
        """Send what has no answer yet, in the order in which it was asked."""
        for opened in list(self._open.values()):
            if opened.sent_on is not socket and not opened.answer.done():
                await _send(socket, opened)

    async def _come_back(self, lost: Disconnected) -> ClientConnection:
        """Connect and resume, again and again. Raises `Disconnected` when that shall not or could not be done."""
        loop = asyncio.get_running_loop()
        if self._in_trouble_since_s is None:
            self._in_trouble_since_s = loop.time()
        give_up_at_s = self._in_trouble_since_s + self._give_up_after_s
        while True:
            if lost.close_code in FINAL_CLOSES or self._ended is not None or self._give_up_after_s <= 0:
                raise lost
            wait_s = delay_s(self._attempts, lost.retry_after_ms)
            self._attempts += 1
            if loop.time() + wait_s > give_up_at_s:
                raise Disconnected(
                    f"{lost.message}, and for {self._give_up_after_s:g} s it could not be taken up again",
                    hint="connect again later, with resume= and the token in client.resume",
                    close_code=lost.close_code,
                    retry_after_ms=lost.retry_after_ms,
                )
            await asyncio.sleep(wait_s)
            try:
                socket = await self._connect()
            except Disconnected as error:
                lost = error
            except WorldlineError as error:
                if error.retry_after_ms is None:
                    raise Disconnected(f"the server refuses the hello: {error}", hint="connect anew") from error
                lost = Disconnected(str(error), hint="wait", retry_after_ms=error.retry_after_ms)
            else:
                return socket

    def _out_of_trouble(self) -> None:
        """The connection works: what follows is new trouble, with patience from the start."""
        self._in_trouble_since_s = None
        self._attempts = 0

    async def _connect(self) -> ClientConnection:
        """A connection on which the server has said welcome. Raises `Disconnected`, `WorldlineError`."""
        socket = await open_socket(self.url)
        try:
            async with asyncio.timeout(HELLO_TIMEOUT_S):
                await self._greet(socket)
        except TimeoutError as error:
            socket.transport.abort()
            raise Disconnected(f"no welcome within {HELLO_TIMEOUT_S:g} s", hint="is this a Worldline?") from error
        except ConnectionClosed as error:
            raise _disconnected(error) from error
        except BaseException:
            socket.transport.abort()
            raise
        return socket

    async def _greet(self, socket: ClientConnection) -> None:
        await socket.send(_encode(self._hello))
        while True:
            message = self._decoded(await socket.recv(decode=False))
            if isinstance(message, protocol.Error):
                raise error_from(message)
            if isinstance(message, protocol.Welcome):
                self.welcome = message
                self._hello.resume = message.resume
                self._on_welcome(message)
                return
            if message is not None:
                self._on_push(message)

    # --- what comes in -------------------------------------------------------------------------------

    async def _read(self, socket: ClientConnection) -> Disconnected:
        """Hand out what comes in, until the connection ends; return how. Raises it if there is no point in going on."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        sending = asyncio.create_task(self._send_again(socket))
        try:
            while True:
                self._receive(await socket.recv(decode=False))
        except ConnectionClosed as error:
            if loop.time() - began_s >= STEADY_S:
                self._out_of_trouble()
            return _disconnected(error)
        except msgspec.DecodeError as error:
            await socket.close()
            raise Disconnected(f"the server sent what is no message: {error}", hint="check the address") from error
        finally:
            sending.cancel()

    def _receive(self, data: bytes) -> None:
        message = self._decoded(data)
        if message is None:
            return
        if message.re is None:
            self._on_push(message)
            return
        self._out_of_trouble()
        opened = self._open.get(message.re)
        if opened is not None and not opened.answer.done():
            message = _first_answer(opened, message)
            self._on_reply(opened.request, message)
            opened.answer.set_result(message)

    def _decoded(self, data: bytes) -> protocol.ServerMessage | None:
        """The message; None if it is of a newer server: a push is ignored then, a reply fails its request."""
        try:
            return _decoder.decode(data)
        except msgspec.ValidationError:
            message = msgspec.msgpack.decode(data)
        number = message.get("re") if isinstance(message, dict) else None
        opened = self._open.get(number) if isinstance(number, int) else None
        if opened is not None and not opened.answer.done():
            opened.answer.set_exception(
                WorldlineError("unexpected", "the server's reply is newer than this client", hint="upgrade worldline")
            )
        return None

    def _fail_all(self, end: Disconnected) -> None:
        for opened in self._open.values():
            if not opened.answer.done():
                opened.answer.set_exception(_another(end))
                # Whoever was cancelled meanwhile will not look at it, and that is no fault.
                opened.answer.exception()


def delay_s(attempt: int, retry_after_ms: int | None) -> float:
    """How long to wait before attempt 0, 1, 2 … to come back: twice as long each time, with jitter. If the server has
    said when to come back, it is so much later: many may have been told the same, and shall not all come at once."""
    delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(attempt, 16)) * random.uniform(0.5, 1.0)
    return (retry_after_ms or 0) / 1000 + delay


async def open_socket(url: str) -> ClientConnection:
    """Open a WebSocket. Raises `Disconnected`."""
    try:
        return await open_websocket(
            url,
            subprotocols=[Subprotocol(protocol.MSGPACK_SUBPROTOCOL)],
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            proxy=None,
        )
    except (OSError, InvalidHandshake, TimeoutError, EOFError) as error:
        raise Disconnected(
            f"cannot connect to {url}: {error}",
            hint="start a server with `worldline serve`, or check the address (it looks like ws://HOST:PORT/ws)",
            retry_after_ms=_retry_after_header(error),
        ) from error
    except InvalidURI as error:
        raise Disconnected(f"{url} is no WebSocket address", hint="use one like ws://127.0.0.1:8765/ws") from error


def _retry_after_header(error: Exception) -> int | None:
    """What a server that refuses the upgrade says about coming back."""
    text = error.response.headers.get("Retry-After", "") if isinstance(error, InvalidStatus) else ""
    return int(text) * 1000 if text.isdecimal() and len(text) < 6 else None


async def _send(socket: ClientConnection, opened: Open) -> None:
    opened.times_sent += 1
    opened.sent_on = socket
    try:
        await socket.send(opened.data)
    except ConnectionClosed:
        return  # the reader notices too: it is sent again on the next connection


def _first_answer(opened: Open, reply: protocol.ServerMessage) -> protocol.ServerMessage:
    """The answer that the first sending got, where a repetition is answered in another way."""
    request = opened.request
    if (
        isinstance(request, protocol.Leave)
        and opened.times_sent > 1
        and isinstance(reply, protocol.Error)
        and reply.code == "not_joined"
    ):
        return protocol.Left(re=reply.re, world=request.world, player=request.player or "")
    return reply


def _another(end: Disconnected) -> Disconnected:
    """The same once more: each who asks gets an exception of its own."""
    return Disconnected(end.message, hint=end.hint or "", close_code=end.close_code, retry_after_ms=end.retry_after_ms)


def _disconnected(closed: ConnectionClosed) -> Disconnected:
    """The exception for a connection that ended, with what the close frame says."""
    code = closed.rcvd.code if closed.rcvd is not None else None
    reason = closed.rcvd.reason if closed.rcvd is not None else ""
    wait = _RETRY_AFTER.search(reason)
    retry_after_ms = int(wait.group(1)) if wait else None
    said = f" ({code}: {reason})" if reason else f" ({code})" if code is not None else ""
    hint = "connect again" if retry_after_ms is None else f"connect again in {retry_after_ms} ms"
    if code == protocol.CLOSE_TAKEN_OVER:
        hint = "another connection goes on with this session: use that one, or connect as somebody new"
    return Disconnected(f"the connection ended{said}", hint=hint, close_code=code, retry_after_ms=retry_after_ms)
