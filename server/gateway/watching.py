"""Who of this gateway's clients watches what, and the way of a frame to them.

A stream comes once from its shard, whoever watches it here; all its viewers of an encoding get the same bytes. A viewer
who is behind misses frames, and nothing waits for it here; when it has room again it gets a whole frame.

Invariants: a viewer gets a frame with a base only if the frame before went to it; frames never wait in an outbox; what
is remembered is one entry per viewer.

Not here: what is in a frame (``server/films.py``), and who may watch (the shard).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from server import messages
from server.gateway import refusals
from server.gateway.backends import Waiting
from server.gateway.decoding import Encoding
from server.gateway.session import Session
from worldline import protocol

MAX_WATCHES: Final = 8  # of one connection
LOOK_EVERY_S: Final = 0.1  # for viewers that were behind and may have room again

_decode = msgspec.msgpack.Decoder().decode
_to_json = msgspec.json.Encoder().encode


class Viewer(msgspec.Struct, eq=False):
    """One client's share in a stream. ``has`` is the number of the frame it got last; None: it needs a whole one."""

    session: Session
    has: int | None = None


class Stream(msgspec.Struct, eq=False):
    """A stream that comes from a shard, and its viewers here. ``newest`` is the number of its latest frame;
    ``asked``: a whole one has been asked for."""

    watching: protocol.Watching
    shard: int
    viewers: dict[Session, Viewer] = {}
    newest: int = 0
    asked: bool = False


class Watches:
    """All streams of this gateway. ``tell(shard, message)`` sends to a shard, ``report`` to the supervisor."""

    def __init__(
        self, tell: Callable[[int, messages.Message], object], report: Callable[[messages.Message], None]
    ) -> None:
        self._tell = tell
        self._report = report
        self._streams: dict[str, Stream] = {}
        self._by_session: dict[Session, dict[str, Stream]] = {}
        self._by_world: dict[str, set[str]] = {}
        self._waiting: dict[str, dict[tuple[Session, str], protocol.Watching]] = {}
        """By world whose shard has died: who watched which stream of it."""
        self._looking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(len(stream.viewers) for stream in self._streams.values())

    # --- what clients do -----------------------------------------------------------------------------

    def check_room(self, session: Session, re: int) -> None:
        """Raises `Refused` if this client watches as much as it may."""
        if len(self._by_session.get(session, ())) >= MAX_WATCHES:
            raise refusals.too_many_watches(MAX_WATCHES, list(self._by_session[session]), re)

    def control(self, session: Session, request: protocol.Control) -> protocol.Watching:
        """Do what a client wants with a stream of its own; returns the answer. Raises `Refused`."""
        mine = self._by_session.get(session, {})
        stream = mine.get(request.watch)
        if stream is not None:
            self._leave(session, request.watch)
            return _stopped(stream.watching)
        for waiting in self._waiting.values():
            watching = waiting.pop((session, request.watch), None)
            if watching is not None:
                return _stopped(watching)
        raise refusals.unknown_watch(request.watch, list(mine), request.id)

    def gone(self, session: Session) -> None:
        """A client is gone."""
        for watch in list(self._by_session.get(session, ())):
            self._leave(session, watch)
        for waiting in self._waiting.values():
            for key in [key for key in waiting if key[0] is session]:
                del waiting[key]

    def sessions_in(self, world: str) -> list[Session]:
        """Who watches a world, or waits for it to come back, each once."""
        streams = (self._streams[watch] for watch in self._by_world.get(world, ()))
        watching = [session for stream in streams for session in stream.viewers]
        return list(dict.fromkeys((*watching, *(session for session, _ in self._waiting.get(world, ())))))

    # --- what shards send ----------------------------------------------------------------------------

    def begin(self, waiting: Waiting, shard: int, watched: messages.Watched) -> list[bytes]:
        """A client watches from now on; returns what follows the answer. If the client has gone, nobody does.

        Raises `Refused` if it watches as much as it may by now."""
        session = waiting.session
        watch, world = watched.watching.watch, watched.watching.world
        stream = self._streams.get(watch)
        if stream is None:
            stream = self._streams[watch] = Stream(watched.watching, shard)
            self._by_world.setdefault(world, set()).add(watch)
        full = session not in stream.viewers and len(self._by_session.get(session, ())) >= MAX_WATCHES
        if (session.gone or full) and not stream.viewers:
            self._drop(watch)
        if session.gone:
            return []
        if full:
            self.check_room(session, waiting.request.id)
        stream.viewers[session] = Viewer(session)  # who watches already begins anew
        self._by_session.setdefault(session, {})[watch] = stream
        self._count(world)
        return watched.pages

    def framed(self, framed: messages.Framed) -> None:
        """Frames of a stream have come: send them to all who can use them."""
        stream = self._streams.get(framed.watch)
        if stream is None:
            return  # nobody watches any more: the shard is being told
        stream.newest = framed.number
        if framed.base is None:
            stream.asked = False
        encoded: dict[Encoding, list[bytes]] = {"msgpack": framed.frames}
        lacking = False
        for viewer in stream.viewers.values():
            if viewer.has == framed.number:
                continue
            fits = framed.base is None or viewer.has == framed.base
            if fits and not viewer.session.connection.behind:
                send(viewer.session, framed.frames, encoded)
                viewer.has = framed.number
            else:
                viewer.has = None
                lacking = True
        if lacking:
            self._look_later()

    def shard_lost(self, shard: int) -> None:
        """A shard is gone, with all its streams: who watched them waits until their worlds are back."""
        for session, watching in self._drop_all(
            watch for watch, stream in self._streams.items() if stream.shard == shard
        ):
            self._waiting.setdefault(watching.world, {})[session, watching.watch] = watching

    def returned(self, world: str) -> list[tuple[Waiting, protocol.Watch]]:
        """The world is back; returns who wants to watch on, and what."""
        return [
            (
                Waiting(session, request, world=world, game=watching.game, instead_of=watch),
                request,
            )
            for (session, watch), watching in self._waiting.pop(world, {}).items()
            for request in [protocol.Watch(id=0, world=world, hz=watching.hz)]
        ]

    def world_ended(self, world: str) -> list[Session]:
        """The world has ended, with all its streams; returns who watched."""
        waiting = [session for session, _ in self._waiting.pop(world, ())]
        return [*waiting, *(session for session, _ in self._drop_all(self._by_world.get(world, ())))]

    # --- inside --------------------------------------------------------------------------------------

    def _leave(self, session: Session, watch: str) -> None:
        mine = self._by_session[session]
        stream = mine.pop(watch)
        if not mine:
            del self._by_session[session]
        del stream.viewers[session]
        if not stream.viewers:
            self._drop(watch)
        self._count(stream.watching.world)

    def _drop(self, watch: str) -> None:
        """Nobody watches this stream here any more."""
        stream = self._forget(watch)
        self._tell(stream.shard, messages.StopWatching(world=stream.watching.world, watch=watch))

    def _drop_all(self, watches: Iterable[str]) -> list[tuple[Session, protocol.Watching]]:
        viewers = []
        for watch in list(watches):
            stream = self._forget(watch)
            for session in stream.viewers:
                viewers.append((session, stream.watching))
                mine = self._by_session[session]
                del mine[watch]
                if not mine:
                    del self._by_session[session]
            self._count(stream.watching.world)
        return viewers

    def _forget(self, watch: str) -> Stream:
        stream = self._streams.pop(watch)
        watches = self._by_world[stream.watching.world]
        watches.discard(watch)
        if not watches:
            del self._by_world[stream.watching.world]
        return stream

    def _count(self, world: str) -> None:
        streams = (self._streams[watch] for watch in self._by_world.get(world, ()))
        viewers = sum(len(stream.viewers) for stream in streams)
        self._report(messages.WorldSpectators(world=world, viewers=viewers))

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Ask for whole frames for those who lack one and have room for it again."""
        self._looking = None
        for watch, stream in self._streams.items():
            lacking = [viewer for viewer in stream.viewers.values() if viewer.has is None]
            if lacking:
                self._look_later()
            if not stream.asked and any(not viewer.session.connection.behind for viewer in lacking):
                stream.asked = True
                self._tell(stream.shard, messages.NeedWhole(world=stream.watching.world, watch=watch))


def send(session: Session, frames: list[bytes], encoded: dict[Encoding, list[bytes]]) -> None:
    """Send frames in a client's encoding; what has been encoded for others is in ``encoded``."""
    connection = session.connection
    data = encoded.get(connection.encoding)
    if data is None:
        data = encoded[connection.encoding] = [_to_json(_decode(frame)) for frame in frames]
    for each in data:
        connection.send_now(each)


def _stopped(watching: protocol.Watching) -> protocol.Watching:
    """What a client is told that watches no more."""
    return msgspec.structs.replace(watching, playing=False, players=[], marks=[], static=protocol.Scene(), re=None)


def in_encoding(packed: bytes, encoding: Encoding) -> bytes:
    """A message that comes as MessagePack as a client wants it."""
    return packed if encoding == "msgpack" else _to_json(_decode(packed))
