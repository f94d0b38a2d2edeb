"""What spectators see of a world: where a stream begins, and its frames.

A stream is named by ``watch``; all who watch the same world in the same way share it. Its scene is a set of nodes by
id, as the game's ``view`` shows them. `Watching`, and `Static` after it, bring the static nodes: the scene with which
the stream begins. Each `Frame` says what is different from its base: the scene as it was last shown, at ``base_tick``,
or, in a frame that has none, the static nodes, whatever was shown meanwhile. A frame whose base a viewer does not have
does not come: after frames that were left out for a slow reader comes one without base.

Not here: who may watch what (the server decides by the game's ``[spectate]``).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from worldline.protocol.base import Number, Reply
from worldline.protocol.replies import Observation


class Scene(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Nodes of the game's view, in the order in which the game lists them: new ones, and those that have changed, each
    whole and in the place of the one with its ``id``. ``removed`` are the ids of nodes that are gone. ``size`` and
    ``camera`` are what the view says beside its nodes, where that has changed."""

    nodes: list[Any] = []
    removed: list[Any] = []
    size: Any = None
    camera: Any = None


class WatchedPlayer(msgspec.Struct, kw_only=True):
    """A player as spectators see it."""

    player: str
    agent: str
    name: str
    seat: int
    score: Number


class WatchedEvent(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something that the game told these ``players`` at ``tick``."""

    tick: int
    kind: str
    players: list[str]
    data: Any = None


class WatchedInput(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An input and what became of it at ``tick``. ``note`` is what its agent wrote about it: other people's text.
    ``observed_tick`` is that of the observation that its agent had last been sent."""

    tick: int
    player: str
    seq: int
    name: str
    args: dict[str, Any]
    status: Literal["applied", "rejected"]
    code: str | None = None
    note: str | None = None
    observed_tick: int | None = None


class Mark(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A moment that is worth a look: ``joined``, ``left``, and what else a newer server marks."""

    tick: int
    kind: str
    text: str
    player: str | None = None


class Watching(Reply, tag="watching", kw_only=True):
    """You watch. ``watch`` names the stream; what comes of any other is out of date. ``static`` are the nodes of its
    scene with which it begins, more of them come as `Static`, then comes a frame. ``hz``: so many frames a second at
    most. The world can be watched from ``first_tick`` to ``last_tick``, ``tick`` is where this begins; while it is
    ``live``, ``last_tick`` goes on with the frames.

    As a push it says that a stream goes on under another name: ``instead_of`` is the old one."""

    watch: str
    world: str
    game: str
    live: bool
    playing: bool
    speed: Number
    tick: int
    first_tick: int
    last_tick: int
    tick_hz: Number
    hz: Number
    players: list[WatchedPlayer]
    marks: list[Mark]
    static: Scene
    instead_of: str | None = None


class LogReply(Reply, tag="log", kw_only=True):
    """A page of a world's log: records as ``worldline log show --json`` writes them. ``next`` is the ``from_tick`` of
    the page after it; absent at the end."""

    records: list[Any]
    next: int | None = None


class StateReply(Reply, tag="state", kw_only=True):
    """How the world stood after ``tick``: ``state`` is all of it, or what stands at the path. ``hash`` is that of the
    whole; null where the world cannot be saved."""

    world: str
    tick: int
    state: Any
    hash: str | None


class Static(Reply, tag="static", kw_only=True):
    """More static nodes of a stream: they were too many for one message. They come before its first frame."""

    watch: str
    nodes: list[Any]


class Frame(Reply, tag="frame", kw_only=True):
    """The scene at ``tick``, as what is different from the scene at ``base_tick``; without it, from the static nodes.
    What is too much for one message comes as several frames of the same tick, each with the one before it as base.

    ``players`` are there where they have changed. ``events`` and ``inputs`` are those since the frame before;
    ``skipped`` counts what was left out of them because there was too much. ``observation``, where one watches as a
    player: what it had last been sent by then, where that has changed. ``last_tick``: up to where the world can be
    watched now, if that is further than this. ``tick_ms``, where one watches live: the longest that a tick took to run
    since the frame before."""

    watch: str
    tick: int
    scene: Scene
    events: list[WatchedEvent]
    inputs: list[WatchedInput]
    base_tick: int | None = None
    last_tick: int | None = None
    players: list[WatchedPlayer] | None = None
    skipped: int = 0
    observation: Observation | None = None
    tick_ms: Number | None = None
