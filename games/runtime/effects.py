"""What crosses between Python and a world's Lua: entries in, effects out.

Both are MessagePack arrays whose first element says what they are. The numbers and the order of fields are those of
``prelude/host.lua`` (entries) and ``prelude/effects.lua`` (effects): change them together. Effects hold nothing that
two runs of the same entries could disagree on, because their bytes are chained into the world's fingerprint.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec


class Entry(msgspec.Struct, array_like=True, frozen=True, tag_field="kind"):
    """Something to apply to a world."""


class Join(Entry, frozen=True, tag=1):
    """An agent takes a seat. ``player`` is `World.next_player_id`, ``seat`` a free one."""

    player: str
    seat: int
    agent: str
    name: str


class Leave(Entry, frozen=True, tag=2):
    """A player's seat becomes free. ``reason``: left, timeout, kicked, …"""

    player: str
    reason: str


class Input(Entry, frozen=True, tag=3):
    """A player's input. ``seq`` is the player's ``next_seq``, ``args`` fit the manifest."""

    player: str
    seq: int
    name: str
    args: dict[str, Any]


class Silence(Entry, frozen=True, tag=4):
    """A player did not act in time: the game's default input, ``name`` with ``args``, is applied for it."""

    player: str
    name: str
    args: dict[str, Any]


class Clock(Entry, frozen=True, tag=5):
    """From here on the world runs by this clock. Lua knows nothing of clocks."""

    clock: str


class Take(Entry, frozen=True, tag=6):
    """An agent takes the seat of a player whom nobody plays. Lua knows nothing of agents."""

    player: str
    agent: str
    name: str


AnyEntry = Join | Leave | Input | Silence | Clock | Take


class Effect(msgspec.Struct, array_like=True, frozen=True):
    """Something a call did, at ``tick``."""


class Joined(Effect, frozen=True, tag=1):
    """The player sits."""

    tick: int
    player: str


class Left(Effect, frozen=True, tag=2):
    """The player is gone. ``message``: what the game says to one whom it sent away; None for others."""

    tick: int
    player: str
    reason: str
    message: str | None = None


class Outcome(Effect, frozen=True, tag=3):
    """What became of an input."""

    tick: int
    player: str
    seq: int
    status: Literal["applied", "rejected"]
    code: str | None
    message: str | None
    hint: str | None
    result: msgspec.Raw


class Emitted(Effect, frozen=True, tag=4):
    """An event for players; ``to`` None = all that sit."""

    tick: int
    to: list[str] | None
    event: str
    data: msgspec.Raw


class Scored(Effect, frozen=True, tag=5):
    """A player's score is this now."""

    tick: int
    player: str
    score: float


class Rewarded(Effect, frozen=True, tag=6):
    """A player's total reward grows by this."""

    tick: int
    player: str
    amount: float


class Finished(Effect, frozen=True, tag=7):
    """The game has ended the world."""

    tick: int
    result: msgspec.Raw


class TickFailed(Effect, frozen=True, tag=8):
    """game.tick raised, for the ``in_a_row``-th time in a row."""

    tick: int
    in_a_row: int


class Out(Effect, frozen=True, tag=9):
    """The game is over for this player."""

    tick: int
    player: str
    result: msgspec.Raw


AnyEffect = Joined | Left | Outcome | Emitted | Scored | Rewarded | Finished | TickFailed | Out

EFFECTS_HEAD_BYTES: Final = 5
"""A blob of effects opens with an array head of this size; the fingerprint leaves it out, because how many effects came
in one call depends on how many ticks the call ran."""

_entries = msgspec.msgpack.Encoder()
_effects: msgspec.msgpack.Decoder[list[AnyEffect]] = msgspec.msgpack.Decoder(list[AnyEffect])
_lines: msgspec.msgpack.Decoder[list[tuple[int, str]]] = msgspec.msgpack.Decoder(list[tuple[int, str]])


def encode_entries(entries: list[AnyEntry]) -> bytes:
    """Return entries as the blob that ``host.apply`` takes."""
    return _entries.encode(entries)


def decode_effects(blob: bytes) -> list[AnyEffect]:
    """Return the effects in a blob that Lua handed out."""
    return _effects.decode(blob)


def decode_lines(blob: bytes) -> list[tuple[int, str]]:
    """Return debug lines as (tick, text)."""
    return _lines.decode(blob)
