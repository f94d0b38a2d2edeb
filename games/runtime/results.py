"""What a world answers: results of calls, what is seen, what it holds. Plain data."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from games.runtime.players import InputOutcome


class Ended(msgspec.Struct, frozen=True):
    """A player is out: ``terminated`` by the rules, ``truncated`` by leaving or by max_ticks."""

    player: str
    how: Literal["terminated", "truncated"]
    result: Any


class Kicked(msgspec.Struct, frozen=True):
    """A player whom the game has sent away: it is gone, as if it had left with the reason ``kicked``."""

    player: str
    message: str
    """Why, for the agent to read; may be empty."""


class DebugLine(msgspec.Struct, frozen=True):
    """A line for developers: world.debug, print, or the traceback of an error in the game."""

    tick: int
    text: str


class TickResult(msgspec.Struct):
    """What a call of `World.apply` or `World.run_empty` did. ``tick`` is the world's tick after it."""

    tick: int
    outcomes: list[InputOutcome] = []
    ended: list[Ended] = []
    kicked: list[Kicked] = []
    """In the order in which they went."""
    finished: Any = None
    """What the game ended the world with (never None then); None while it goes on."""
    debug: list[DebugLine] = []
    had_effects: bool = False
    failed: bool = False
    """game.tick, or a timer, raised; ``debug`` says where."""


class Seen(msgspec.Struct, frozen=True):
    """What a player may know: ``data`` is one MessagePack value, ``text`` for an LLM. None = not asked for.

    ``actions``: inputs that would be accepted now, as one MessagePack value [{name, args?, why?}]; None if the game
    does not say.
    """

    data: bytes | None
    text: str | None
    actions: bytes | None = None


class WorldCounters(msgspec.Struct, frozen=True):
    """What a world holds and has done since it was loaded or restored."""

    nodes: int
    node_writes: int
    spatial_queries: int
    lua_kib: float
