"""Who of this gateway's clients watches what, and the way of a frame to them.

A stream comes once from its shard or replayer, whoever watches it here; all its viewers of an encoding get the same
bytes. A viewer who is behind misses frames, and nothing waits for it here; when it has room, it gets a whole frame.

Invariants: a viewer gets a frame with a base only if the frame before went to it; frames never wait in an outbox; what
is remembered is one entry per viewer.

Not here: what is in a frame (``server/films.py``), who may watch (the shard or the replayer), and who is asked for a
stream (``screens``).
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
FORMER_KEPT: Final = 32  # more controls than that are not on their way at one time
LOOK_EVERY_S: Final = 0.1  # for viewers that were behind and may have room again

_decode = msgspec.msgpack.Decoder().decode
_to_json = msgspec.json.Encoder().encode


class Showing(msgspec.Struct, frozen=True):
    """How somebody wants to see a world. ``live``: as it runs; else from ``tick`` on."""

    live: bool = True
    tick: int | None = None
    playing: bool = True
    speed: float = 1.0
    at_end: bool = False
    """Of a world that has ended, not from its beginning on."""
    view_as: str | None = None
    hz: float = protocol.MAX_WATCH_HZ


class Stream(msgspec.Struct, eq=False):
    """A stream that comes from a process (``source``: a shard, or a replayer), and its viewers here. ``opening``: which
    time it was opened last; ``asked``: a whole frame has been asked for."""

    watch: str
    world: str
    source: int
    opening: int = 0
    viewers: dict[Session, Viewer] = {}
    asked: bool = False


class Viewer(msgspec.Struct, eq=False):
    """One client's watch. ``has`` is the number of the frame it got last, of tick ``tick``; None: it needs a whole one.

    ``stream`` is None while it has none: its world is away, or has ended. ``wanted``: what the client has asked for
    since, with all who wait for that in ``pending``; ``asking`` is what was asked for it last and has no answer."""

    session: Session
    world: str
    game: str
    watching: protocol.Watching
    showing: Showing
    tick: int
    stream: Stream | None = None
    has: int | None = None
    wanted: Showing | None = None
    pending: list[Waiting] = []
    later: list[Waiting] = []
    """Controls that are done one after the other, because together with one before them they were refused."""
    former: list[str] = []
    """Names that its stream had before: who controls it may not have read yet how it is called now."""
    asking: Waiting | None = None
    nearest: list[str] = []
    """Names of worlds like the one that it wants."""
    losses: int = 0
    """How often its source has died since its last frame."""


class Watches:
    """All streams of this gateway. ``tell(source, message)`` sends to a shard or replayer, ``report`` to the
    supervisor."""

    def __init__(
        self, tell: Callable[[int, messages.Message], object], report: Callable[[messages.Message], None]
    ) -> None:
        self._tell = tell
        self._report = report
        self._streams: dict[str, Stream] = {}
        self._by_session: dict[Session, dict[str, Viewer]] = {}
        self._by_world: dict[str, dict[Viewer, None]] = {}
        self._looking: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return sum(map(len, self._by_session.values()))

    # --- viewers -------------------------------------------------------------------------------------

    def check_room(self, session: Session, re: int) -> None:
        """Raises `Refused` if this client watches as much as it may."""
        if len(self._by_session.get(session, ())) >= MAX_WATCHES:
            raise refusals.too_many_watches(MAX_WATCHES, list(self._by_session[session]), re)

    def viewer(self, session: Session, watch: str, re: int) -> Viewer:
        """The watch that a client means. Raises `Refused`."""
        mine = self._by_session.get(session, {})
        viewer = mine.get(watch) or next((each for each in mine.values() if watch in each.former), None)
        if viewer is None:
            raise refusals.unknown_watch(watch, list(mine), re)
        return viewer

    def of_world(self, world: str) -> list[Viewer]:
        """Who watches a world, or waits for it to come back, or has seen it end."""
        return list(self._by_world.get(world, ()))

    def sessions_in(self, world: str) -> list[Session]:
        """The same, each client once."""
        return list(dict.fromkeys(viewer.session for viewer in self.of_world(world)))

    def gone(self, session: Session) -> None:
        """A client is gone."""
        for viewer in list(self._by_session.get(session, {}).values()):
            self.leave(viewer)

    def leave(self, viewer: Viewer) -> None:
        """This watch is over."""
        mine = self._by_session.get(viewer.session, {})
        if mine.pop(viewer.watching.watch, None) is None:
            return
        if not mine:
            del self._by_session[viewer.session]
        there = self._by_world[viewer.world]
        del there[viewer]
        if not there:
            del self._by_world[viewer.world]
        self.detach(viewer)

    def detach(self, viewer: Viewer) -> None:
        """This watch gets nothing more of its stream."""
        stream, viewer.stream = viewer.stream, None
        viewer.has = None
        if stream is not None:
            stream.viewers.pop(viewer.session, None)
            if not stream.viewers:
                self._drop(stream)
        self._count(viewer.world)

    # --- streams -------------------------------------------------------------------------------------

    def unwanted(self, source: int, watched: messages.Watched) -> None:
        """A stream has come for which nobody waits any more."""
        watching = watched.watching
        stream = self._streams.get(watching.watch)
        if stream is None:
            stop = messages.StopWatching(world=watching.world, watch=watching.watch, opening=watched.opening)
            self._tell(source, stop)
        else:
            stream.opening = watched.opening

    def begin(self, viewer: Viewer, source: int, watched: messages.Watched) -> None:
        """This watch goes on with another stream."""
        session, watching = viewer.session, watched.watching
        stream = self._streams.get(watching.watch)
        if stream is None:
            stream = self._streams[watching.watch] = Stream(watching.watch, watching.world, source)
        stream.opening = watched.opening
        mine = self._by_session.setdefault(session, {})
        there = self._by_world.setdefault(viewer.world, {})
        twin, before = mine.get(watching.watch), viewer.stream
        if twin is not None and twin is not viewer:  # it watches that already: its watch begins anew
            there.pop(twin, None)
            twin.stream = None
        if mine.pop(viewer.watching.watch, None) is not None:
            viewer.former = [*viewer.former, viewer.watching.watch][-FORMER_KEPT:]
        mine[watching.watch] = viewer
        there[viewer] = None
        stream.viewers[session] = viewer
        viewer.watching, viewer.tick, viewer.stream, viewer.has = watching, watching.tick, stream, None
        if before is not None and before is not stream:
            before.viewers.pop(session, None)
            if not before.viewers:
                self._drop(before)
        self._count(viewer.world)

    def framed(self, framed: messages.Framed) -> None:
        """Frames of a stream have come: send them to all who can use them."""
        stream = self._streams.get(framed.watch)
        if stream is None:
            return  # nobody watches any more: its source is being told
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
                viewer.has, viewer.tick, viewer.losses = framed.number, framed.tick, 0
            else:
                viewer.has = None
                lacking = True
        if lacking:
            self._look_later()

    def ended(self, watch: str) -> list[Viewer]:
        """A stream does not go on; returns who watched it."""
        stream = self._streams.get(watch)
        return [] if stream is None else self._cut(stream)

    def source_lost(self, source: int) -> list[Viewer]:
        """A process is gone, with all its streams; returns who watched them."""
        lost = [stream for stream in self._streams.values() if stream.source == source]
        return [viewer for stream in lost for viewer in self._cut(stream)]

    # --- inside --------------------------------------------------------------------------------------

    def _cut(self, stream: Stream) -> list[Viewer]:
        """Its source sends nothing more of it."""
        viewers = list(stream.viewers.values())
        stream.viewers.clear()
        self._streams.pop(stream.watch, None)
        for viewer in viewers:
            viewer.stream, viewer.has = None, None
            viewer.losses += 1
        self._count(stream.world)
        return viewers

    def _drop(self, stream: Stream) -> None:
        """Nobody watches this stream here any more."""
        if self._streams.pop(stream.watch, None) is not None:
            self._tell(
                stream.source, messages.StopWatching(world=stream.world, watch=stream.watch, opening=stream.opening)
            )

    def _count(self, world: str) -> None:
        """Who has two streams of a world, as a page that looks for events in its past, is one of its spectators."""
        viewers = len({viewer.session for viewer in self._by_world.get(world, ()) if viewer.stream is not None})
        self._report(messages.WorldSpectators(world=world, viewers=viewers))

    def _look_later(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_EVERY_S, self._look)

    def _look(self) -> None:
        """Ask for whole frames for those who lack one and have room for it again."""
        self._looking = None
        for stream in self._streams.values():
            lacking = [viewer for viewer in stream.viewers.values() if viewer.has is None]
            if lacking:
                self._look_later()
            if not stream.asked and _any_has_room(lacking):
                stream.asked = True
                self._tell(stream.source, messages.NeedWhole(world=stream.world, watch=stream.watch))


def _any_has_room(viewers: Iterable[Viewer]) -> bool:
    return any(not viewer.session.connection.behind for viewer in viewers)


def stopped(viewer: Viewer) -> protocol.Watching:
    """What a client is told that watches no more."""
    return msgspec.structs.replace(
        viewer.watching,
        live=False,
        playing=False,
        tick=viewer.tick,
        last_tick=max(viewer.tick, viewer.watching.last_tick),
        players=[],
        marks=[],
        static=protocol.Scene(),
        re=None,
    )


def send(session: Session, frames: list[bytes], encoded: dict[Encoding, list[bytes]]) -> None:
    """Send frames in a client's encoding; what has been encoded for others is in ``encoded``."""
    connection = session.connection
    data = encoded.get(connection.encoding)
    if data is None:
        data = encoded[connection.encoding] = [_to_json(_decode(frame)) for frame in frames]
    for each in data:
        connection.send_now(each)


def in_encoding(packed: bytes, encoding: Encoding) -> bytes:
    """A message that comes as MessagePack as a client wants it."""
    return packed if encoding == "msgpack" else _to_json(_decode(packed))
