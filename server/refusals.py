"""How the server says no to a place in a world: what happened, where in the request, and what to send instead.

Pure functions from facts to `protocol.Error`, for the lobby, the shards and the gateways alike. In a hint, text between
backquotes is JSON that works: an object with ``type`` is a whole message to send instead (with an ``id`` that is free),
anything else is a value for the error's ``path``.

Not here: when to refuse (``server/lobby.py``), and what only a gateway or only a shard refuses.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from worldline import protocol

NAMES_LIMIT: Final = 20  # names that a refusal lists
LEADERBOARD_RETRY_MS: Final = 5000  # an index is made anew in seconds
WORLDS_RETRY_MS: Final = 5000  # worlds end on a scale of minutes
SHARD_RETRY_MS: Final = 1000  # a shard is restarted within about a second
PAUSED_RETRY_MS: Final = 2000  # what stops a whole world is looked after by people; looking often costs little
DRAINING_RETRY_MS: Final = 5000  # a server that is stopped on purpose is usually started again soon


def quoted(value: Any) -> str:
    """Return ``value`` as JSON between backquotes: something that works when it is sent back."""
    return f"`{msgspec.json.encode(value).decode()}`"


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Return at most 20 of ``names``, those most like ``name`` first, the others in order."""
    known = sorted(names)
    near = difflib.get_close_matches(name, known, n=NAMES_LIMIT, cutoff=0.5)
    return (near + [other for other in known if other not in near])[:NAMES_LIMIT]


def _try_later(message: str, retry_after_ms: int) -> protocol.Error:
    """What passes by itself."""
    return protocol.Error(
        code="overloaded",
        message=message,
        hint="send the same request again after retry_after_ms",
        retry_after_ms=retry_after_ms,
    )


def unknown_game(game: str, games: Iterable[str], *, path: str = "game") -> protocol.Error:
    """No game of this name is installed."""
    valid = nearest_names(game, games)
    return protocol.Error(
        code="unknown_game",
        message=f"there is no game {game!r} here",
        hint=f"did you mean {quoted(valid[0])}?" if valid else "this server has no games",
        path=path,
        valid=valid,
    )


def unknown_world(world: str, valid: list[str], re: int = 1) -> protocol.Error:
    """No world of this name is listed; ``valid`` are those that are, nearest first."""
    hint = f"did you mean {quoted(valid[0])}?" if valid else f"see which there are: {quoted(protocol.Worlds(id=re))}"
    return protocol.Error(
        code="unknown_world",
        message=f"there is no world {world!r} here",
        hint=f"{hint} (worlds that ended long ago are listed by: worldline log ls)",
        path="world",
        valid=valid[:NAMES_LIMIT],
    )


def world_ended(world: str, game: str, status: str, reason: str | None, re: int = 1) -> protocol.Error:
    """The world takes nothing more; ``reason`` says why, where it is known."""
    code = {"faulted": "world_faulted", "damaged": "world_damaged"}.get(status, "world_closed")
    why = reason or status
    return protocol.Error(
        code=code,
        message=f"world {world} has {'ended' if code == 'world_closed' else 'stopped'}: {why}",
        hint=f"play on in another: {quoted(protocol.Join(id=re, game=game))}",
        path="world",
        data={"reason": why},
    )


def world_full(world: str, game: str, max_players: int, seats: int = 1) -> protocol.Error:
    """Every seat is taken or reserved, or fewer are free than ``seats``."""
    return protocol.Error(
        code="world_full",
        message=f"all {max_players} seats of world {world} are taken"
        if seats == 1
        else f"of the {max_players} seats of world {world} fewer than {seats} are free",
        hint=f"join by game instead: {quoted(protocol.Join(id=1, game=game))}",
        path="world",
    )


def too_many_seats(game: str, seats: int, most: int) -> protocol.Error:
    """The join asks for more seats than one agent may have there."""
    return protocol.Error(
        code="invalid_args",
        message=f"an agent may have {most} {'seat' if most == 1 else 'seats'} in a world of {game}, not {seats}",
        hint=f"seats can be {quoted(most)}; in a private world of your own (create) you may have all",
        path="seats",
        data={"seats_per_agent": most},
    )


def already_joined(mine: list[str], world: str, game: str, most: int) -> protocol.Error:
    """The agent has as many seats in this world as one may have."""
    return protocol.Error(
        code="already_joined",
        message=f"you are {', '.join(mine)} in world {world}: an agent may have {most} seats in a world of {game}",
        hint=f"go on with what you have: {quoted(protocol.Join(id=1, world=world, player=mine[0]))}",
        data={"player": mine[0], "seats_per_agent": most},
    )


def driven_elsewhere(player: str, world: str) -> protocol.Error:
    """The agent's own player is driven by another of its sessions."""
    return protocol.Error(
        code="already_joined",
        message=f"{player} in world {world} is yours, but another session of yours drives it",
        hint=f"take it over: {quoted(protocol.Join(id=1, world=world, player=player, take=True))}",
        data={"player": player, "driven": True},
    )


def not_your_player(player: str, world: str, mine: list[str]) -> protocol.Error:
    """The agent has no such player in this world."""
    valid = nearest_names(player, mine)
    join = protocol.Join(id=1, world=world)
    return protocol.Error(
        code="unknown_player",
        message=f"you have no player {player!r} in world {world}",
        hint=f"did you mean {quoted(valid[0])}?" if valid else f"leave player out to get a seat: {quoted(join)}",
        path="player",
        valid=valid,
    )


def seat_taken(seat: int, world: str, free: list[int]) -> protocol.Error:
    """Somebody else has this seat, or there is none of this number."""
    return protocol.Error(
        code="invalid_args",
        message=f"seat {seat} of world {world} is not free",
        hint=f"take {quoted(free[0])}" if free else "every seat is taken: join another world",
        path="seat",
        valid=[str(number) for number in free[:NAMES_LIMIT]],
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


def too_many_of_yours(owned: list[str]) -> protocol.Error:
    """The agent has made as many worlds as one agent may."""
    return protocol.Error(
        code="too_many_worlds",
        message=f"{len(owned)} worlds of yours have not ended, as many as one agent may have: {', '.join(owned)}",
        hint="send the same request again when one of them has ended; an empty one closes by itself",
        data={"max_worlds": len(owned)},
        retry_after_ms=WORLDS_RETRY_MS,
    )


def no_leaderboard(game: str) -> protocol.Error:
    """Logs that would have to be read for it cannot be."""
    return _try_later(
        f"the leaderboard of {game} cannot be made right now; the server's log says why", LEADERBOARD_RETRY_MS
    )


def no_bot(game: str) -> protocol.Error:
    """The game has no sample bot."""
    return protocol.Error(
        code="invalid_args",
        message=f"the game {game} has no bot.py, so no bots can play in its worlds",
        hint=f"choose a game that has one, or leave bots out: {quoted(None)}",
        path="bots",
    )


def bots_beyond_seats(game: str, bots: int, max_players: int) -> protocol.Error:
    """More bots than a world has seats."""
    return protocol.Error(
        code="invalid_args",
        message=f"bots must be from 1 to {max_players}, the seats of a world of {game}, got {bots}",
        hint=f"at most {quoted(max_players)} find a seat",
        path="bots",
    )


def no_bots_for_you() -> protocol.Error:
    """Bots are for developers, if the operator has not said otherwise."""
    return protocol.Error(
        code="forbidden",
        message="only developers may have bots play in their worlds here",
        hint=f"say hello with a developer's token, or leave bots out: {quoted(None)}",
        path="bots",
        data={"needs_role": "developer"},
    )


def no_bots_with_tls() -> protocol.Error:
    """The server's bots do not check certificates of their own server, so they do not connect."""
    return protocol.Error(
        code="invalid_args",
        message="a server that speaks TLS itself runs no bots",
        hint=f"leave bots out: {quoted(None)}; its operator may run it behind a proxy that speaks TLS",
        path="bots",
    )


def too_many_bots(playing: int, limit: int) -> protocol.Error:
    """As many bots play as may."""
    return protocol.Error(
        code="overloaded",
        message=f"{playing} of the server's bots play already; {limit} may in all",
        hint="send the same request again after retry_after_ms, or with fewer bots",
        path="bots",
        data={"bots": playing, "limit": limit},
        retry_after_ms=WORLDS_RETRY_MS,
    )


def private_world(world: str) -> protocol.Error:
    """The world is its owner's, and the join code was not shown, or is wrong."""
    return protocol.Error(
        code="forbidden",
        message=f"world {world} is private: it is joined with its join code",
        hint="ask the agent that made it for the join_code of its created",
        path="join_code",
    )


def no_shard() -> protocol.Error:
    """Every shard is down at the moment."""
    return _try_later("no tick worker is ready right now: it is being restarted", SHARD_RETRY_MS)


def not_now(game: str, reason: str) -> protocol.Error:
    """No world can be made at the moment, for a reason that passes."""
    return _try_later(f"no new world of {game} can be made now: {reason}", PAUSED_RETRY_MS)


def world_paused(world: str, reason: str) -> protocol.Error:
    """The world stands still. What is asked of it changes nothing, and is not kept."""
    return protocol.Error(
        code="world_paused",
        message=f"world {world} stands still: {reason}",
        hint="send the same request again after retry_after_ms, or once the notice world_resumed has come; "
        "observe works meanwhile",
        path="world",
        retry_after_ms=PAUSED_RETRY_MS,
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


def live_world(world: str, *, had_seat: bool) -> protocol.Error:
    """The world still runs, and could be told of to its players."""
    return protocol.Error(
        code="live_world",
        message=f"world {world} still runs"
        + (", and you have a seat in it or had one" if had_seat else ", and its game is not shown before the end"),
        hint=f"wait for its end; meanwhile see which have ended: {quoted(protocol.Worlds(id=1, status='finished'))}",
        path="world",
    )


def not_shown(world: str, game: str) -> protocol.Error:
    """The game wants no spectators."""
    return protocol.Error(
        code="forbidden",
        message=f"world {world}: nobody may watch worlds of {game}, its rules say",
        hint="only a developer without a seat in it may",
        path="world",
        data={"needs_role": "developer"},
    )


def not_as_player(world: str) -> protocol.Error:
    """What a player has been sent is its own, as long as the world runs."""
    return protocol.Error(
        code="live_world",
        message=f"world {world} still runs, and what its players were sent is theirs until it has ended",
        hint=f"wait for its end, or leave it out: {quoted(None)}",
        path="as",
    )


def view_failed(problem: str, reference: str) -> protocol.Error:
    """The game's own view raised, or is not what a view should be."""
    return protocol.Error(
        code="internal",
        message=f"this world cannot be shown: {problem}",
        hint=f"watch it again a little later; if it stays so, tell the operator the reference {reference}",
        data={"reference": reference},
        retry_after_ms=1000,
    )


def fork_interrupted() -> protocol.Error:
    """The process that was making the fork has died."""
    return _try_later("the process that was to make the fork has died", SHARD_RETRY_MS)


def draining() -> protocol.Error:
    """The server is about to stop."""
    return protocol.Error(
        code="draining",
        message="the server is stopping: it opens and fills no worlds any more",
        hint="connect again and join after retry_after_ms",
        retry_after_ms=DRAINING_RETRY_MS,
    )
