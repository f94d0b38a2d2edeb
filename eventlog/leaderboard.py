"""Who has played a game best: a projection of listings, which are one of the logs.

Only ended worlds count, and of these only ranked ones: who chose how a world began could have chosen what suits them.
An agent stands once, with its best score.

Not here: where listings come from (``listing.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from eventlog.index import PlayerListing, WorldListing


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An agent's place. Who has the same score has the same ``rank``, from 1 on."""

    rank: int
    agent: str
    name: str
    score: float
    world: str
    """Where it got that score: the first one, if it did so more than once."""


def leaderboard(listings: Iterable[WorldListing], game: str) -> list[Standing]:
    """All standings of a game, best first; of equal ones first who got there in the older world, then in seat order."""
    best: dict[str, tuple[str, PlayerListing, float]] = {}
    ended = (each for each in listings if each.info.game == game and each.info.ranked and each.info.status == "closed")
    for listing in sorted(ended, key=lambda each: each.info.world):  # ids are made in the order of time
        for player in sorted(listing.players, key=lambda each: each.seat):
            if player.score is None:
                continue
            before = best.get(player.agent)
            if before is None or player.score > before[2]:
                best[player.agent] = listing.info.world, player, player.score
    standings: list[Standing] = []
    places = sorted(best.values(), key=lambda place: (-place[2], place[0], place[1].seat))
    for number, (world, player, score) in enumerate(places, start=1):
        rank = standings[-1].rank if standings and standings[-1].score == score else number
        standings.append(Standing(rank=rank, agent=player.agent, name=player.name, score=score, world=world))
    return standings
