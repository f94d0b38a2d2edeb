"""The Python client: what an agent's code imports.

    async with worldline.connect("ws://127.0.0.1:8765/ws", name="ada") as client:
        me = await client.join("tsunami")
        seen = await me.observe()
        outcome = await me.input("move", to="home", observe=True, note="wave is near")

Requests may be in flight at the same time; each gets its own reply. Inputs of one player are sent one after the
other, each with the next ``seq``, so that none is applied twice or out of order. A refusal raises one of
`worldline.errors`; a rejection by the game does not: it is an `Outcome` with ``ok`` false.

Not here: reconnecting. When the connection is lost, every open and later request raises `Disconnected`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as open_websocket
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from worldline import protocol
from worldline.errors import Disconnected, TryLater, WorldlineError, error_from

DEFAULT_URL: Final = "ws://127.0.0.1:8765/ws"

# How often and how long a patient client waits by itself for one request.
PATIENCE_TRIES: Final = 5
PATIENCE_MS: Final = 10_000

# Twice what a server of this version sends (`limits.max_reply_bytes`).
MAX_MESSAGE_BYTES: Final = 2 * 2**20
# An agent may keep its event loop busy for a minute (a model that is called without await): be in no hurry to give up.
PING_INTERVAL_S: Final = 30.0
PING_TIMEOUT_S: Final = 120.0
KEPT_NOTICES: Final = 64

_RETRY_AFTER: Final = re.compile(r"retry_after_ms=(\d{1,9})")

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[protocol.ServerMessage] = msgspec.msgpack.Decoder(protocol.ServerMessage)

AnyReply = TypeVar("AnyReply", bound=protocol.Reply)


@contextlib.asynccontextmanager
async def connect(
    url: str | None = None,
    *,
    name: str | None = None,
    think_s: tuple[float, float] | None = None,
    patient: bool = True,
) -> AsyncIterator[Client]:
    """Connect and say hello.

    ``url``: the server's address; None takes WORLDLINE_URL, else ws://127.0.0.1:8765/ws. ``name``: what others see.
    ``think_s``: how long `Player.think` sleeps, (least, most) seconds. ``patient``: a request that is refused with
    ``retry_after_ms`` is sent again after that time, up to 5 times and 10 s in all, before `TryLater` is raised.

    Raises `Disconnected` if the server cannot be reached, `WorldlineError` if it refuses the hello.
    """
    address = url or os.environ.get("WORLDLINE_URL") or DEFAULT_URL
    socket = await _open(address)
    client = Client(socket, address, think_s=think_s, patient=patient)
    try:
        await client._start(name)
        yield client
    finally:
        await client.close()


async def _open(address: str) -> ClientConnection:
    try:
        return await open_websocket(
            address,
            subprotocols=[Subprotocol(protocol.MSGPACK_SUBPROTOCOL)],
            compression=None,
            max_size=MAX_MESSAGE_BYTES,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            proxy=None,
        )
    except (OSError, InvalidHandshake, TimeoutError, EOFError) as error:
        raise Disconnected(
            f"cannot connect to {address}: {error}",
            hint="start a server with `worldline serve`, or check the address (it looks like ws://HOST:PORT/ws)",
        ) from error
    except InvalidURI as error:
        raise Disconnected(f"{address} is no WebSocket address", hint=f"use one like {DEFAULT_URL}") from error


class Client:
    """One connection to a server; made by `connect`.

    ``welcome`` is the server's answer to the hello: who you are, and the limits. ``notices`` holds the last notices of
    the server, oldest first. ``players`` are the players joined here, by (world, player).
    """

    welcome: protocol.Welcome

    def __init__(
        self,
        socket: ClientConnection,
        url: str,
        *,
        think_s: tuple[float, float] | None = None,
        patient: bool = True,
    ) -> None:
        self.url = url
        self.think_s = think_s
        self.patient = patient
        self.notices: deque[protocol.Notice] = deque(maxlen=KEPT_NOTICES)
        self.players: dict[tuple[str, str], Player] = {}
        self._socket = socket
        self._last_id = 0
        self._open: dict[int, asyncio.Future[protocol.ServerMessage]] = {}
        self._lost: Callable[[], Disconnected] | None = None  # each who asks gets an exception of its own
        self._reader = asyncio.create_task(self._read())

    async def _start(self, name: str | None) -> None:
        hello = protocol.Hello(id=self._next_id(), name=name, client="worldline-python")
        self.welcome = await self._ask(hello, protocol.Welcome)

    async def close(self) -> None:
        """End the connection. Players stay seated for the game's ``grace_s``; use `Player.leave` to go at once."""
        await self._socket.close()
        await self._reader

    @property
    def agent(self) -> str:
        """Who you are here: an id like ``a_…``."""
        return self.welcome.agent

    @property
    def name(self) -> str:
        """What others see."""
        return self.welcome.name

    async def join(self, game: str | None = None, *, world: str | None = None, observe: bool = False) -> Player:
        """Take a seat in ``world``, or in any world of ``game`` (the seat you have, else a free one, else a new world).

        With ``observe`` the first observation comes along, in `Player.observation`.
        """
        request = protocol.Join(id=self._next_id(), game=game, world=world, observe=observe)
        joined = await self._ask(request, protocol.Joined)
        known = self.players.get((joined.world, joined.player))
        if known is not None and known.closed is None:
            known._see(joined.observation)
            return known
        player = Player(self, joined)
        self.players[joined.world, joined.player] = player
        return player

    async def games(self) -> list[protocol.GameSummary]:
        """The games of this server."""
        return (await self._ask(protocol.Games(id=self._next_id()), protocol.GamesReply)).games

    async def rules(self, game: str) -> protocol.RulesReply:
        """How a game is played: its SKILL.md as ``markdown``, and JSON Schemas."""
        return await self._ask(protocol.Rules(id=self._next_id(), game=game), protocol.RulesReply)

    async def worlds(
        self, game: str | None = None, *, status: protocol.WorldStatus | None = None, mine: bool = False
    ) -> list[protocol.WorldSummary]:
        """All worlds, newest first: of one game, of one status, or only those you play in."""
        found: list[protocol.WorldSummary] = []
        after: str | None = None
        while True:
            page = await self._ask(
                protocol.Worlds(id=self._next_id(), game=game, status=status, mine=mine, limit=100, next=after),
                protocol.WorldsReply,
            )
            found += page.worlds
            after = page.next
            if after is None:
                return found

    async def ping(self) -> int:
        """The server's clock, in milliseconds since 1970."""
        return (await self._ask(protocol.Ping(id=self._next_id()), protocol.Pong)).server_time_ms

    # requests

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _ask(self, request: protocol.Request, expected: type[AnyReply]) -> AnyReply:
        """Send ``request`` and return its reply; raises what the reply says. Patient clients send it again as told."""
        waited_ms = 0
        for attempt in range(1, PATIENCE_TRIES + 1):
            try:
                return await self._ask_once(request, expected)
            except TryLater as refusal:
                wait_ms = refusal.retry_after_ms
                if not self.patient or wait_ms is None or attempt == PATIENCE_TRIES:
                    raise
                waited_ms += wait_ms
                if waited_ms > PATIENCE_MS:
                    raise
            await asyncio.sleep(wait_ms / 1000)
        raise AssertionError("the last attempt returns or raises")

    async def _ask_once(self, request: protocol.Request, expected: type[AnyReply]) -> AnyReply:
        if self._lost is not None:
            raise self._lost()
        answer: asyncio.Future[protocol.ServerMessage] = asyncio.get_running_loop().create_future()
        self._open[request.id] = answer
        try:
            try:
                await self._socket.send(_encode(request))
            except ConnectionClosed as error:
                raise _disconnected(error) from error
            reply = await answer
        finally:
            self._open.pop(request.id, None)
        if isinstance(reply, protocol.Error):
            raise error_from(reply)
        if not isinstance(reply, expected):
            raise WorldlineError(
                "unexpected", f"the server answered {type(reply).__name__} to {type(request).__name__}"
            )
        return reply

    async def _read(self) -> None:
        """Hand out what comes in, until the connection ends."""
        try:
            while True:
                self._receive(await self._socket.recv(decode=False))
        except ConnectionClosed as error:
            self._lost = partial(_disconnected, error)
        except msgspec.DecodeError as error:
            self._lost = partial(Disconnected, f"the server sent what is no message: {error}", hint="check the address")
            await self._socket.close()
        for answer in self._open.values():
            if not answer.done():
                answer.set_exception(self._lost())
                # Whoever was cancelled meanwhile will not look at it, and that is no fault.
                answer.exception()

    def _receive(self, data: bytes) -> None:
        try:
            message = _decoder.decode(data)
        except msgspec.ValidationError:
            self._receive_unknown(data)
            return
        if message.re is not None:
            answer = self._open.get(message.re)
            if answer is not None and not answer.done():
                answer.set_result(message)
        elif isinstance(message, protocol.Notice):
            self.notices.append(message)
        elif isinstance(message, protocol.Closed):
            for player in self.players.values():
                if player.world == message.world and message.player in (None, player.player):
                    player._end(message)

    def _receive_unknown(self, data: bytes) -> None:
        """A message from a newer server: a push is ignored, a reply fails its request."""
        message = msgspec.msgpack.decode(data)
        number = message.get("re") if isinstance(message, dict) else None
        answer = self._open.get(number) if isinstance(number, int) else None
        if answer is not None and not answer.done():
            answer.set_exception(
                WorldlineError("unexpected", "the server's reply is newer than this client", hint="upgrade worldline")
            )


class Player:
    """Your part in one world; made by `Client.join`.

    ``world``, ``player``, ``seat``, ``game``, ``clock``, ``tick_hz`` and ``digest`` say what and where; ``tick`` is the
    highest tick you have heard of; ``observation`` the last one you got; ``closed`` is None while you play, else why
    it ended, and ``result`` is then the game's result, if it has one.
    """

    def __init__(self, client: Client, joined: protocol.Joined) -> None:
        self.client = client
        self.world = joined.world
        self.game = joined.game
        self.player = joined.player
        self.seat = joined.seat
        self.clock = joined.clock
        self.tick_hz = joined.tick_hz
        self.digest = joined.digest
        self.tick = joined.tick
        self.observation: protocol.Observation | None = None
        self.closed: str | None = None
        self.result: Any = None
        self._next_seq = joined.next_seq
        self._in_order = asyncio.Lock()
        self._see(joined.observation)

    def __repr__(self) -> str:
        return f"<Player {self.player} in {self.world} ({self.game}), seat {self.seat}, tick {self.tick}>"

    async def input(
        self,
        name: str,
        args: Mapping[str, Any] | None = None,
        /,
        *,
        observe: bool = False,
        note: str | None = None,
        **more: Any,
    ) -> protocol.Outcome:
        """Do something; returns when the tick that applied it is durable.

        Arguments of the input are given by keyword, or as a mapping where their names clash with these: ``observe``
        puts what you see at that tick into ``outcome.observation``; ``note`` is your reasoning, for the log and
        spectators. Cancelling the call does not take the input back: the next input waits for its outcome.
        """
        request = asyncio.ensure_future(self._input(name, {**(args or {}), **more}, observe, note))
        request.add_done_callback(_retrieve)
        return await asyncio.shield(request)

    async def _input(self, name: str, args: dict[str, Any], observe: bool, note: str | None) -> protocol.Outcome:
        async with self._in_order:
            request = protocol.Input(
                id=self.client._next_id(),
                world=self.world,
                player=self.player,
                name=name,
                args=args,
                seq=self._next_seq,
                note=note,
                seen_tick=self.observation.tick if self.observation is not None else None,
                observe=observe,
            )
            # A refusal leaves the seq free; only an outcome uses it up.
            outcome = await self.client._ask(request, protocol.Outcome)
            self._next_seq += 1
        self.tick = max(self.tick, outcome.tick)
        self._see(outcome.observation)
        return outcome

    async def observe(self, *, since: int | None = None, format: protocol.Format = "both") -> protocol.Observation:
        """What you may know now, with the events since your last look (or those with n ≥ ``since``)."""
        request = protocol.Observe(
            id=self.client._next_id(), world=self.world, player=self.player, since=since, format=format
        )
        observation = await self.client._ask(request, protocol.Observation)
        self._see(observation)
        return observation

    async def leave(self) -> None:
        """Give the seat back."""
        request = protocol.Leave(id=self.client._next_id(), world=self.world, player=self.player)
        await self.client._ask(request, protocol.Left)
        self.closed = self.closed or "left"

    async def think(self) -> None:
        """Sleep for a random time within the client's ``think_s``, as a slow agent would; at once if that is None."""
        if self.client.think_s is not None:
            await asyncio.sleep(random.uniform(*self.client.think_s))

    def _see(self, observation: protocol.Observation | None) -> None:
        if observation is not None and (self.observation is None or observation.tick >= self.observation.tick):
            self.observation = observation
            self.tick = max(self.tick, observation.tick)

    def _end(self, closed: protocol.Closed) -> None:
        self.closed = closed.reason
        self.result = closed.result


def _retrieve(request: asyncio.Future[protocol.Outcome]) -> None:
    """Look at the result, so that an input whose caller was cancelled does not warn about an exception nobody saw."""
    if not request.cancelled():
        request.exception()


def _disconnected(closed: ConnectionClosed) -> Disconnected:
    """The exception for a connection that ended, with what the close frame says."""
    code = closed.rcvd.code if closed.rcvd is not None else None
    reason = closed.rcvd.reason if closed.rcvd is not None else ""
    wait = _RETRY_AFTER.search(reason)
    retry_after_ms = int(wait.group(1)) if wait else None
    said = f" ({code}: {reason})" if reason else f" ({code})" if code is not None else ""
    hint = "connect again" if retry_after_ms is None else f"connect again in {retry_after_ms} ms"
    return Disconnected(f"the connection ended{said}", hint=hint, close_code=code, retry_after_ms=retry_after_ms)
