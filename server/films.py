"""A film: what one stream of a world shows, frame by frame, each as what is different from the frame before.

Whoever has the world (a shard, a replayer) takes a `Picture` of it and asks the film what is new in it. Nodes are
compared as the bytes that the game's ``view`` gave: nothing of a node that stays the same is decoded.

Invariants: a frame without base and the film's static nodes together are the whole scene, and so are a frame with base
and the scene at that base; no message of a film is larger than a client takes.

Pure: no clock, no socket. Not here: who watches, and when a picture is taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from worldline import protocol

VIEW_LIMIT_BYTES: Final = 4 * 2**20
"""Of a game's view: about 40,000 nodes. More would keep a link between two processes busy."""
PAGE_BYTES: Final = 96 * 1024
"""Of nodes in one message, as MessagePack: as JSON, where one byte becomes at most six, it is still below 1 MiB."""
TOLD_BYTES: Final = 64 * 1024
"""Of events and of inputs in one frame: some long notes. What is more is left out, the oldest first."""
RATES_HZ: Final = (10, 5, 2, 1, 0.5, 0.1)
"""Frames a second of the streams that there are: the more who watch share one, the less it costs."""
TOLD_LIMIT: Final = 256
"""Events, and inputs, in one frame."""

_encode = msgspec.msgpack.Encoder().encode


class ViewUnusable(Exception):
    """The game's view cannot be shown to spectators; the message says why."""


class _View(msgspec.Struct):
    """What a game's ``view`` returns, its parts as bytes."""

    nodes: list[msgspec.Raw]
    size: msgspec.Raw = msgspec.Raw(b"\xc0")
    camera: msgspec.Raw = msgspec.Raw(b"\xc0")


class _Named(msgspec.Struct):
    """Of a node only which one it is."""

    id: int | float | str


_decode_view: Final = msgspec.msgpack.Decoder(_View).decode
_decode_id: Final = msgspec.msgpack.Decoder(_Named).decode


class Picture(NamedTuple):
    """What spectators see at ``tick``. ``nodes`` are in the order of the view (a dict as an ordered set)."""

    tick: int
    nodes: dict[bytes, None]
    size: bytes
    camera: bytes
    players: list[protocol.WatchedPlayer]


class Told(NamedTuple):
    """What happened since the frame before."""

    events: Sequence[protocol.WatchedEvent] = ()
    inputs: Sequence[protocol.WatchedInput] = ()
    skipped: int = 0
    observation: protocol.Observation | None = None
    """What the player whom one watches has been sent."""
    tick_ms: float | None = None
    """The longest that a tick took."""


def rate_for(hz: float) -> float:
    """The rate of a stream for somebody who wants so many frames a second at most."""
    return next((rate for rate in RATES_HZ if rate <= hz), RATES_HZ[-1])


def picture(tick: int, view: bytes, players: list[protocol.WatchedPlayer]) -> Picture:
    """Take a picture of what a game's ``view`` has returned. Raises `ViewUnusable`."""
    if len(view) > VIEW_LIMIT_BYTES:
        raise ViewUnusable(f"the game's view has {len(view)} bytes; spectators get at most {VIEW_LIMIT_BYTES}")
    try:
        seen = _decode_view(view)
    except msgspec.ValidationError as error:
        raise ViewUnusable(f"the game's view has no list of nodes: {error}") from None
    nodes = dict.fromkeys(map(bytes, seen.nodes))
    if nodes and len(max(nodes, key=len)) > PAGE_BYTES:
        raise ViewUnusable(f"a node of the game's view has more than {PAGE_BYTES} bytes")
    return Picture(tick, nodes, bytes(seen.size), bytes(seen.camera), players)


class Film:
    """One stream. ``watch`` is its name; it begins with ``first``."""

    def __init__(self, watch: str, first: Picture, told: Told | None = None) -> None:
        """``told`` goes with the first frame. Raises `ViewUnusable`."""
        self.watch = watch
        self._ids_of(first.nodes)  # nodes without an id could never be removed
        self._first = first
        self.last = first
        """The latest picture."""
        self._told = told or Told()
        self.last_tick: int | None = None
        """Up to where the world can be watched now, for the frames that come."""

    def static(self) -> tuple[protocol.Scene, list[bytes]]:
        """The nodes with which the film begins: as much as fits into one message, and messages with the others."""
        pages = list(_pages(self._first.nodes))
        scene = protocol.Scene(nodes=_raws(pages[0]) if pages else [])
        scene.size, scene.camera = _value(self._first.size), _value(self._first.camera)
        return scene, [_encode(protocol.Static(watch=self.watch, nodes=_raws(page))) for page in pages[1:]]

    def next(self, now: Picture, told: Told) -> list[bytes]:
        """The frame that leads from the latest picture to ``now``, which is the latest from then on. One message, or
        several that belong together.

        Raises `ViewUnusable`; then nothing has changed."""
        frames = self._frames(self.last, now, told, base_tick=self.last.tick)
        self.last = now
        self._told = told if told.observation is not None else told._replace(observation=self._told.observation)
        return frames

    def whole(self) -> list[bytes]:
        """The latest frame again, for those who do not have its base."""
        return self._frames(self._first, self.last, self._told, base_tick=None)

    def _frames(self, base: Picture, now: Picture, told: Told, *, base_tick: int | None) -> list[bytes]:
        changed = [node for node in now.nodes if node not in base.nodes]
        gone = self._ids_of(node for node in base.nodes if node not in now.nodes)
        removed = gone - self._ids_of(changed)  # asked of all that are new: each must have an id
        pages = list(_pages(changed))
        events, events_left_out = _newest(told.events)
        inputs, inputs_left_out = _newest(told.inputs)
        frame = protocol.Frame(
            watch=self.watch,
            tick=now.tick,
            base_tick=base_tick,
            scene=protocol.Scene(
                nodes=_raws(pages[0]) if pages else [],
                removed=sorted(removed, key=str),
                size=_value(now.size) if now.size != base.size else None,
                camera=_value(now.camera) if now.camera != base.camera else None,
            ),
            players=now.players if base_tick is None or now.players != base.players else None,
            events=events,
            inputs=inputs,
            skipped=told.skipped + events_left_out + inputs_left_out,
            last_tick=self.last_tick if self.last_tick is not None and self.last_tick > now.tick else None,
            observation=told.observation,
            tick_ms=told.tick_ms,
        )
        return [_encode(frame), *(self._more(now.tick, page) for page in pages[1:])]

    def _more(self, tick: int, nodes: Sequence[bytes]) -> bytes:
        scene = protocol.Scene(nodes=_raws(nodes))
        return _encode(protocol.Frame(watch=self.watch, tick=tick, base_tick=tick, scene=scene, events=[], inputs=[]))

    def _ids_of(self, nodes: Iterable[bytes]) -> set[int | float | str]:
        try:
            return {_decode_id(node).id for node in nodes}
        except msgspec.ValidationError:
            raise ViewUnusable("a node of the game's view has no id, or one that is no number and no string") from None


def _pages(nodes: Iterable[bytes]) -> Iterable[list[bytes]]:
    """Cut a list of nodes where one message is full."""
    page: list[bytes] = []
    size_bytes = 0
    for node in nodes:
        if page and size_bytes + len(node) > PAGE_BYTES:
            yield page
            page, size_bytes = [], 0
        page.append(node)
        size_bytes += len(node)
    if page:
        yield page


def _newest(items: Sequence[Any]) -> tuple[list[Any], int]:
    """The newest of these that fit into a frame, in their order, and how many are left out."""
    kept: list[Any] = []
    size_bytes = 0
    for item in reversed(items[-TOLD_LIMIT:]):
        size_bytes += len(_encode(item))
        if size_bytes > TOLD_BYTES:
            break
        kept.append(item)
    kept.reverse()
    return kept, len(items) - len(kept)


def _raws(nodes: Iterable[bytes]) -> list[msgspec.Raw]:
    return [msgspec.Raw(node) for node in nodes]


def _value(packed: bytes) -> msgspec.Raw | None:
    return None if packed == b"\xc0" else msgspec.Raw(packed)
