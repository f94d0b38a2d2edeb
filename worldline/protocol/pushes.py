"""What a server says unasked: messages without ``re``."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from worldline.protocol.base import Number, Reply, WorldStatus


class Started(Reply, tag="started", kw_only=True):
    """A world you sit in has enough players: it runs."""

    world: str
    tick: int


class Closed(Reply, tag="closed", kw_only=True):
    """A world you sit in has ended, or (with ``player``) your player in it has. ``status`` is that of a world that has
    ended: finished, closed, faulted or damaged."""

    world: str
    reason: str
    player: str | None = None
    status: WorldStatus | None = None
    result: Any = None


class Event(Reply, tag="event", kw_only=True):
    """Something has happened to a player of yours, of whom you have subscribed to the events. They come in the order of
    ``n``. The next observation holds it all the same."""

    world: str
    player: str
    n: int
    tick: int
    kind: str
    data: Any = None


class RulesChanged(Reply, tag="rules_changed", kw_only=True):
    """A world you sit in goes on with other code from after ``tick`` on, its state being what it was: its author has
    saved the game. ``rules`` tells how it is played now."""

    world: str
    game: str
    digest: str
    tick: int


class Notice(Reply, tag="notice", kw_only=True):
    """Something about the server that you may want to know. ``clock_slow``: the world runs at ``rate`` (0-1) of its
    speed because its machine is overloaded; ``world_recovering``: its shard has died, requests wait until it is back;
    ``world_paused``: it stands still and takes nothing, ``message`` says why; ``world_resumed``: it goes on;
    ``draining``: the server is about to stop; ``code_broken``, for developers: a game was saved that cannot be used, or
    its tick raised in ``world``, at ``line`` of ``file``; ``world_diverged``, for developers: ``world`` is not the same
    when it is computed again; ``events_skipped``: the events of ``player`` from number ``from`` to number ``to`` were
    not pushed, because you did not read fast enough (with ``retry_after_ms``: they can be had again, by `Subscribe`
    with ``since``), or because they are no longer kept; ``watch_ended``: the stream ``watch`` does not go on."""

    code: Literal[
        "draining",
        "clock_slow",
        "world_recovering",
        "world_paused",
        "world_resumed",
        "code_broken",
        "world_diverged",
        "events_skipped",
        "watch_ended",
    ]
    message: str
    world: str | None = None
    player: str | None = None
    first: int | None = msgspec.field(name="from", default=None)
    last: int | None = msgspec.field(name="to", default=None)
    file: str | None = None
    line: int | None = None
    rate: Number | None = None
    watch: str | None = None
    retry_after_ms: int | None = None
