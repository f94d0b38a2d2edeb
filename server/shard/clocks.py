"""When a tick runs that waits for players: pure decisions, without any clock of their own.

A tick in lockstep waits for all whom the game names, in a turn world for the one whose turn it is; at the deadline it
runs all the same, and the silent get the game's default. A world where nobody sits waits for ever. One with players of
whom none is to act (all are out, say) ticks once in every deadline, so that its game can go on.

All times are seconds on one monotonic clock. Not here: who is to act (the game says), and what runs (host).
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple


class Awaited(NamedTuple):
    """Whom the next tick waits for, in seat order, and until when. ``until_s`` None: for ever."""

    players: tuple[str, ...]
    until_s: float | None


class Run(NamedTuple):
    """The tick is to run now; these players were silent."""

    silent: tuple[str, ...]


class Wait(NamedTuple):
    """The tick is to run later: at ``until_s``, unless the players act before; None: only then."""

    until_s: float | None


NOBODY = Awaited((), None)


def await_players(
    before: Awaited, to_act: Sequence[str], *, seated: int, deadline_s: float, now_s: float, anew: bool
) -> Awaited:
    """Say whom the next tick waits for, after a tick (``anew``) or after somebody came or went.

    Who came or went leaves the deadline of the others as it is. A new wait begins with a tick, with the first player,
    and when none of those is awaited any more who were: the one whose turn it was has left.
    """
    if not seated:
        return NOBODY
    goes_on = bool(set(before.players) & set(to_act)) or (not before.players and not to_act)
    if anew or before.until_s is None or not goes_on:
        return Awaited(tuple(to_act), now_s + deadline_s)
    return Awaited(tuple(to_act), before.until_s)


def decide(awaited: Awaited, acted: Container[str], now_s: float) -> Run | Wait:
    """Say whether the tick runs now, when those in ``acted`` have acted."""
    silent = tuple(player for player in awaited.players if player not in acted)
    if awaited.players and not silent:
        return Run(())
    if awaited.until_s is not None and now_s >= awaited.until_s:
        return Run(silent)
    return Wait(awaited.until_s)
