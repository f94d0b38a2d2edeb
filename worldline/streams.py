"""What the server pushes for one player, as its agent reads it: events, and observations.

A stream has a number of its own for the next event. What it has missed - since the connection broke, or because nobody
read - it asks for again by that number; so it gives each event once and in order, as long as the server keeps it.

Not here: the requests and their answers (`worldline.client`), and events in observations (`worldline.player`).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING, Final

from worldline import protocol
from worldline.errors import NotPossible, WorldlineError

if TYPE_CHECKING:
    from worldline.player import Player

KEPT_PUSHES: Final = 1024  # for a caller that does not read; then they are asked for again, and the server keeps 256

Pushed = protocol.Event | protocol.Observation | protocol.Notice


class Streams:
    """The streams of one player, which share one subscription."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._streams: list[_Stream] = []
        self._ending: set[asyncio.Task[None]] = set()

    def push(self, message: Pushed) -> None:
        """Something was pushed for this player."""
        for stream in self._streams:
            stream.put(message)

    def again(self) -> None:
        """There is a new connection, on which nothing is subscribed to."""
        for stream in self._streams:
            stream.behind()

    def end(self) -> None:
        """The player has ended: nothing more comes."""
        for stream in self._streams:
            stream.put(None)

    async def events(self, kinds: Collection[str] | None) -> AsyncIterator[protocol.EventItem]:
        """Events from the first one that no observation has brought; of these kinds, or all."""
        next_n = self._player._next_event or 1
        async with self._open(None) as stream:
            while not stream.ended and await self._subscribe(next_n, stream):
                async for message in stream.read():
                    if isinstance(message, protocol.Notice):
                        if message.retry_after_ms is not None:  # they can be had again
                            break
                        next_n = max(next_n, (message.last or 0) + 1)
                    elif isinstance(message, protocol.Event) and message.n > next_n:
                        break  # pushed for another stream, or before this one was there again
                    elif isinstance(message, protocol.Event) and message.n == next_n:
                        next_n += 1
                        if kinds is None or message.kind in kinds:
                            yield protocol.EventItem(
                                n=message.n, tick=message.tick, kind=message.kind, data=message.data
                            )
                    elif isinstance(message, protocol.Observation) and message.ended is not None:
                        stream.ended = True
                        break

    async def observations(self, hz: float) -> AsyncIterator[protocol.Observation]:
        """What the player sees, so many times a second; the newest only."""
        async with self._open(hz) as stream:
            while not stream.ended and await self._subscribe(None, stream):
                async for message in stream.read():
                    if isinstance(message, protocol.Observation):
                        self._player._see(message)
                        yield message
                        if message.ended is not None:
                            stream.ended = True
                            break

    @contextlib.asynccontextmanager
    async def _open(self, hz: float | None) -> AsyncIterator[_Stream]:
        stream = _Stream(hz)
        self._streams.append(stream)
        try:
            yield stream
        finally:
            self._streams.remove(stream)
            if self._player.closed is None and not stream.ended:
                ending = asyncio.get_running_loop().create_task(self._unsubscribe())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)

    async def _subscribe(self, since: int | None, stream: _Stream) -> bool:
        """Have pushed what the streams need. False if the player has ended."""
        stream.clear()
        try:
            await self._ask(since)
        except NotPossible as refusal:
            if refusal.code not in ("world_closed", "not_joined"):
                raise
            return False
        return self._player.closed is None

    async def _unsubscribe(self) -> None:
        with contextlib.suppress(WorldlineError):  # nobody is there to be told: what is pushed is thrown away
            await self._ask(None)

    async def _ask(self, since: int | None) -> None:
        rates = [stream.hz for stream in self._streams if stream.hz is not None]
        events = len(rates) < len(self._streams)
        player = self._player
        request = protocol.Subscribe(
            id=player.client._next_id(),
            world=player.world,
            player=player.player,
            events=events,
            since=since,
            observe_hz=_whole(max(rates)) if rates else None,
        )
        await player.client._ask(request, protocol.Subscribed)


class _Stream:
    """What one caller has not read yet. ``hz``: it wants observations; else events."""

    def __init__(self, hz: float | None) -> None:
        self.hz = hz
        self.ended = False
        self._waiting: deque[Pushed | None] = deque()
        self._is_behind = False
        self._news = asyncio.Event()

    def put(self, message: Pushed | None) -> None:
        """Keep what was pushed; None: it is the end."""
        if self.hz is not None and isinstance(message, protocol.Observation):
            self._waiting.clear()
        self._waiting.append(message)
        if len(self._waiting) > KEPT_PUSHES:
            self._waiting.clear()
            self._is_behind = True
        self._news.set()

    def clear(self) -> None:
        """What was pushed until now will be pushed again."""
        self._waiting.clear()
        self._is_behind = False

    def behind(self) -> None:
        """What comes next is not what follows: it has to be asked for."""
        self._is_behind = True
        self._news.set()

    async def read(self) -> AsyncIterator[Pushed]:
        """What was pushed, until something is missing or it has ended."""
        while True:
            while self._waiting:
                message = self._waiting.popleft()
                if message is None:
                    self.ended = True
                    return
                yield message
            if self._is_behind:
                self._is_behind = False
                return
            self._news.clear()
            await self._news.wait()


def _whole(hz: float) -> protocol.Number:
    return int(hz) if float(hz).is_integer() else hz
