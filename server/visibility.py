"""Who may see what of a world: one pure decision, so that a player cannot cheat by watching, reading the log, forking
or opening a second connection.

While a world runs, its players learn of it by their own observations only. Who has no seat may watch as the game's
``[spectate]`` allows; what the log holds (records, state, forks, the seed) is for developers without a seat. When it
has ended it is open, unless its game says that nobody may watch. Where fair play is off, nothing of this is kept back.
A world that is not ranked is open to its owner.

Whoever shows anything of a world that is not its viewer's own asks here. Not here: what a role may ask for at all
(``server/gateway/permissions.py``), and how a delayed view is made.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from worldline import protocol

Part = Literal["own", "watch", "records"]
"""``own``: a player's observation, outcomes and events; ``watch``: scene, events, inputs and notes of all; ``records``:
log, state, forks, and the seed."""

Spectate = Literal["live", "delayed", "after", "off"]
"""When a game lets others watch."""

Verdict = Literal["now", "delayed", "live_world", "forbidden"]
"""``now``; ``delayed`` by what the game says; ``live_world``: not before it has ended; ``forbidden``: never."""


_WATCH: Final[dict[Spectate, Verdict]] = {
    "live": "now",
    "delayed": "delayed",
    "after": "live_world",
    "off": "forbidden",
}


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who wants to see. ``had_seat``: has a seat in the world, or has left it; ``own_player``: asks for a player of its
    own agent; ``owner``: has made the world."""

    role: protocol.Role
    had_seat: bool = False
    own_player: bool = False
    owner: bool = False


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The world that is to be seen."""

    ended: bool
    spectate: Spectate = "live"
    ranked: bool = True


def visibility(part: Part, viewer: Viewer, world: Seen, *, fair_play: bool) -> Verdict:
    """Whether ``viewer`` may see this part of ``world``, and when (PROTOCOL: Who may see what)."""
    if viewer.owner and not world.ranked:
        return "now"
    if part == "own":
        return "now" if viewer.own_player else "forbidden"
    if not fair_play:
        return "now"
    developer = viewer.role == "developer"
    if world.ended:
        return "now" if developer or world.spectate != "off" else "forbidden"
    if viewer.had_seat:
        return "live_world"
    if developer:
        return "now"
    if part == "records":
        return "live_world" if world.spectate != "off" else "forbidden"
    return _WATCH[world.spectate]
