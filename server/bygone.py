"""Worlds that had ended before this server began, as the lobby lists them: made of what logs and index tell.

How they stand comes from the ends of their logs, which every start reads; who played in them from the index of the data
folder. What the index does not know yet is told once housekeeping has read the log.

Not here: which worlds are listed (``server/directory.py``).
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Iterable
from pathlib import Path

from eventlog.index import Index, IndexBroken, PlayerListing, WorldListing
from eventlog.summary import WorldInfo
from server.listed import ListedWorld, LobbyGame
from server.messages import NO_SHARD
from worldline import protocol

_log = logging.getLogger("worldline.supervisor")


def bygones(infos: Iterable[WorldInfo], most: int) -> list[ListedWorld]:
    """Those ``most`` of the worlds that ended last, in the order in which they ended, without their players."""
    ended = [info for info in infos if info.status != "open"]
    return [_listed(info) for info in heapq.nlargest(most, ended, key=_when)][::-1]


def read_listings(data: Path, entries: Iterable[ListedWorld]) -> list[WorldListing]:
    """What the index knows of these worlds, if it knows them as they are. Blocks."""
    wanted = {entry.world: (entry.status, entry.tick) for entry in entries}
    try:
        with Index.open(data) as index:
            found = [] if index is None else [world.listing for world in index.worlds(wanted).values()]
            return [each for each in found if wanted[each.info.world] == (status_of(each.info), each.info.last_tick)]
    except IndexBroken as broken:
        _log.warning("who played in worlds that have ended is read from their logs: the index is broken: %s", broken)
        return []  # housekeeping makes it anew


def players_of(listing: WorldListing) -> dict[str, protocol.PlayerSummary]:
    """Who was there when the world ended, with the scores that the log has: a world that broke noted none."""
    has_scores = listing.info.status == "closed"  # whom its game had kicked has none there
    return {
        each.player: _summary(each)
        for each in listing.players
        if each.left_tick is None and (each.score is not None or not has_scores)
    }


def _summary(player: PlayerListing) -> protocol.PlayerSummary:
    score = player.score or 0.0
    return protocol.PlayerSummary(
        player=player.player,
        agent=player.agent,
        name=player.name,
        seat=player.seat,
        score=int(score) if score.is_integer() else score,
        connected=False,
    )


def _when(info: WorldInfo) -> tuple[int, str]:
    return info.created_ms if info.ended_ms is None else info.ended_ms, info.world


def _listed(info: WorldInfo) -> ListedWorld:
    return ListedWorld(
        info.world,
        LobbyGame(name=info.game, max_players=0, clock=info.clock, digest=info.digest),
        NO_SHARD,
        opening=False,
        status=status_of(info),
        tick=info.last_tick,
        reason=info.reason,
        owner=info.owner,
        ranked=info.ranked,
        private=info.private,
        bygone=True,
    )


def status_of(info: WorldInfo) -> protocol.WorldStatus:
    """How an ended world's log says that it stands."""
    if info.status == "closed":
        return "finished" if info.reason == "finished" else "closed"
    return "faulted" if info.status == "faulted" else "damaged"
