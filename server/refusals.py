"""How the lobby says no: each refusal names what happened, where in the request, and what to send instead.

Pure functions from facts to `protocol.Error`. A hint holds a value that works when it is sent back, where there is one.

Not here: when to refuse (``server/lobby.py``), and the refusals of gateways and shards.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from worldline import protocol

NAMES_LIMIT: Final = 20  # names that a refusal lists
WORLDS_RETRY_MS: Final = 5000  # worlds end on a scale of minutes
SHARD_RETRY_MS: Final = 1000  # a shard is restarted within about a second
DRAINING_RETRY_MS: Final = 5000  # a server that is stopped on purpose is usually started again soon


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Return at most 20 of ``names``, those most like ``name`` first, the others in order."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=NAMES_LIMIT, cutoff=0.5)
    return (near + [other for other in known if other not in near])[:NAMES_LIMIT]


def unknown_game(game: str, games: Iterable[str]) -> protocol.Error:
    """No game of this name is installed."""
    valid = nearest_names(game, games)
    return protocol.Error(
        code="unknown_game",
        message=f"there is no game {game!r} here",
        hint=f'did you mean "{valid[0]}"?' if valid else "this server has no games",
        path="game",
        valid=valid,
    )


def unknown_world(world: str, valid: list[str], games: Iterable[str]) -> protocol.Error:
    """No world of this name is listed; ``valid`` are those that are, nearest first."""
    if valid:
        hint = f'did you mean "{valid[0]}"?'
    else:
        game = min(games, default=None)
        hint = f'join by game instead, with "game":"{game}"' if game else "this server has no games"
    return protocol.Error(
        code="unknown_world",
        message=f"there is no world {world!r} here",
        hint=f"{hint} (worlds that ended long ago are listed by `worldline log ls`)",
        path="world",
        valid=valid,
    )


def world_ended(world: str, game: str, status: protocol.WorldStatus, reason: str | None) -> protocol.Error:
    """The world takes nobody any more."""
    why = reason or status
    return protocol.Error(
        code="world_faulted" if status == "faulted" else "world_closed",
        message=f"world {world} has ended ({why})",
        hint=f'join by game instead, with "game":"{game}": you get a world with a free seat',
        path="world",
        data={"status": status, "reason": why},
    )


def world_full(world: str, game: str, max_players: int) -> protocol.Error:
    """Every seat is taken or reserved."""
    return protocol.Error(
        code="world_full",
        message=f"all {max_players} seats of world {world} are taken",
        hint=f'join by game instead, with "game":"{game}": you get a world with a free seat',
        path="world",
    )


def too_many_worlds(max_worlds: int) -> protocol.Error:
    """A new world would be one too many."""
    return protocol.Error(
        code="too_many_worlds",
        message=f"{max_worlds} worlds are running, as many as this server takes, and none has a seat free for you",
        hint="send the same request again after retry_after_ms",
        data={"max_worlds": max_worlds},
        retry_after_ms=WORLDS_RETRY_MS,
    )


def no_shard() -> protocol.Error:
    """Every shard is down at the moment."""
    return protocol.Error(
        code="overloaded",
        message="no tick worker is ready right now: it is being restarted",
        hint="send the same request again after retry_after_ms",
        retry_after_ms=SHARD_RETRY_MS,
    )


def not_opened(game: str, reason: str, reference: str) -> protocol.Error:
    """The world made for this agent did not come to be. ``reference`` finds it in the server's log."""
    return protocol.Error(
        code="internal",
        message=f"a new world of {game} could not be made: {reason}",
        hint=f"send the same request again after retry_after_ms; if it stays so, tell the operator: {reference}",
        data={"reference": reference},
        retry_after_ms=SHARD_RETRY_MS,
    )


def draining() -> protocol.Error:
    """The server is about to stop."""
    return protocol.Error(
        code="draining",
        message="the server is stopping: it opens and fills no worlds any more",
        hint="connect again and join after retry_after_ms",
        retry_after_ms=DRAINING_RETRY_MS,
    )
