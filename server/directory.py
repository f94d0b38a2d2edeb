"""The directory: which worlds there are, where each runs, and how it stands, as shards report it.

Ended worlds stay listed for a while (`ENDED_KEPT`), also those of earlier servers; older ones are known to their logs
only.

Pure bookkeeping: no I/O, no clock. Not here: who may play where (``server/lobby.py``), one world
(``server/listed.py``), and where what is known of earlier servers' worlds comes from (``server/bygone.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from eventlog.index import WorldListing
from server import refusals
from server.bygone import players_of
from server.listed import ListedWorld, LobbyGame
from server.messages import NO_SHARD, SessionPlayer, WorldPulse, WorldRestored
from server.sessions import LEFT, TAKEN_OVER, SessionBook
from worldline import protocol

ENDED_KEPT: Final = 1000  # ended worlds that are still listed
NEAREST_AMONG: Final = 256  # of how many worlds, newest first, the nearest are looked for


class LostWorlds(msgspec.Struct, frozen=True):
    """What went down with a shard: worlds that are to be restored, and worlds that nobody had been told of yet."""

    recovering: list[str]
    opening: list[str]


class Page(msgspec.Struct, frozen=True):
    """One page of worlds, and the ``after`` of the next page, if there is one."""

    worlds: list[protocol.WorldSummary]
    next: str | None


class Directory:
    """The worlds of a server. ``games`` by name."""

    def __init__(self, games: Mapping[str, LobbyGame]) -> None:
        self._games = dict(games)
        self._worlds: dict[str, ListedWorld] = {}  # in order of name, which is the order of insertion
        self._unfinished: dict[str, ListedWorld] = {}  # likewise
        self._ended: deque[str] = deque()  # in order of end
        self._shards: dict[int, int] = {}  # unfinished worlds by shard
        self._sessions = SessionBook()

    # --- what shards report --------------------------------------------------------------------------

    def shard_up(self, shard: int) -> None:
        """``shard`` takes worlds from now on."""
        self._shards[shard] = 0

    def lose_shard(self, shard: int) -> LostWorlds:
        """``shard`` is gone: its worlds are recovering. Who is placed in one waits until it is back."""
        self._shards.pop(shard, None)
        lost = [entry for entry in self._unfinished.values() if entry.shard == shard]
        for entry in lost:
            if entry.opening:
                self._forget(entry)
            else:
                entry.status, entry.shard = "recovering", NO_SHARD
        return LostWorlds(
            recovering=[entry.world for entry in lost if not entry.opening],
            opening=[entry.world for entry in lost if entry.opening],
        )

    def assign(self, world: str) -> int:
        """Choose the shard that restores a recovering world: the one with the fewest."""
        entry = self._unfinished[world]
        entry.shard = self._least_busy_shard()
        self._shards[entry.shard] += 1
        return entry.shard

    def broke_off(self, world: str, game: LobbyGame) -> None:
        """An earlier server left this world unfinished; it is to be restored."""
        entry = ListedWorld(world, game, NO_SHARD, opening=False, status="recovering")
        self._worlds[world] = self._unfinished[world] = entry

    def restored(self, report: WorldRestored, shard: int) -> None:
        """A recovering world goes on, with the code it was begun with, whatever is installed now."""
        entry = self._unfinished[report.world]
        entry.game = LobbyGame(
            name=report.game,
            max_players=report.max_players,
            clock=report.clock,
            digest=report.digest,
            seats_per_agent=report.seats_per_agent,
        )
        entry.shard, entry.status, entry.tick = shard, report.status, report.tick
        entry.owner, entry.ranked, entry.private = report.owner, report.ranked, report.private
        entry.clock = None
        for left in entry.players.keys() - {player.player for player in report.players}:
            self._sessions.unseated(report.world, left, LEFT, report.tick)
        entry.players.clear()
        for player in report.players:
            self._sessions.seated(player.session, report.world, player.player)
            entry.players[player.player] = protocol.PlayerSummary(
                player=player.player,
                agent=player.agent,
                name=player.name,
                seat=player.seat,
                score=player.score,
                connected=False,
            )

    def not_restored(self, world: str, status: protocol.WorldStatus, reason: str) -> None:
        """A recovering world does not come back."""
        entry = self._unfinished.get(world)
        if entry is not None:
            self.changed(world, status, entry.tick, reason)

    def not_opened(self, world: str) -> None:
        """The world could not be made: it never was."""
        entry = self._unfinished.get(world)
        if entry is not None and entry.opening:
            self._forget(entry)

    def player_joined(self, world: str, player: str, agent: str, session: str, name: str, seat: int) -> None:
        """The shard has seated an agent. Its reservation, if it still has one, is used up."""
        entry = self._unfinished.get(world)
        if entry is None:
            return
        self._sessions.seated(session, world, player)
        entry.reserved.keep(agent)
        entry.players[player] = protocol.PlayerSummary(
            player=player, agent=agent, name=name, seat=seat, score=0, connected=True
        )
        # The shard has the last word: one that it seated after its reservation ran out takes the youngest reservation's
        # seat, and that agent will be refused by the shard as it would be by us.
        while entry.seats_free < 0 and entry.reserved:
            entry.reserved.drop_youngest()

    def player_taken(self, world: str, player: str, session: str) -> None:
        """Another session of the same agent drives the player from now on."""
        entry = self._unfinished.get(world)
        if entry is not None and player in entry.players:
            self._sessions.unseated(world, player, TAKEN_OVER, entry.tick)
            self._sessions.seated(session, world, player)

    def join_refused(self, world: str, agent: str) -> None:
        """The shard has not seated an agent: its reservation is void."""
        entry = self._unfinished.get(world)
        if entry is not None:
            entry.reserved.drop(agent)

    def player_left(self, world: str, player: str, reason: str, tick: int) -> None:
        """A seat is free again."""
        self._sessions.unseated(world, player, reason, tick)
        entry = self._unfinished.get(world)
        if entry is not None:
            entry.players.pop(player, None)

    def saved(self, game: LobbyGame) -> None:
        """A game has been saved anew: its next worlds are like this."""
        self._games[game.name] = game

    def reloaded(self, world: str, digest: str) -> None:
        """A world goes on with other code."""
        entry = self._unfinished.get(world)
        if entry is not None:
            entry.game = msgspec.structs.replace(entry.game, digest=digest)

    def changed(self, world: str, status: protocol.WorldStatus, tick: int, reason: str | None) -> None:
        """A world has another status. An ended one never comes back; its players stay listed as they were."""
        entry = self._unfinished.get(world)
        if entry is None:
            return
        entry.status, entry.tick, entry.reason = status, tick, reason
        if not entry.ended:
            return
        self._sessions.world_ended(world, reason or status, tick)
        self._unlist(entry)
        entry.reserved.clear()
        self._ended.append(world)
        self._bound()

    def ended_before(self, entries: Iterable[ListedWorld]) -> None:
        """List these worlds, in the order in which they ended, before all that have ended since."""
        new = {entry.world: entry for entry in entries if entry.world not in self._worlds}
        self._worlds = dict(sorted((self._worlds | new).items()))
        self._ended.extendleft(reversed(new))
        self._bound()

    def read_again(self, listing: WorldListing) -> None:
        """The log of a world at rest has been read, or the index knows what is in it."""
        entry = self._worlds.get(listing.info.world)
        if entry is None or not entry.ended:
            return
        if listing.info.status == "damaged":
            entry.status, entry.reason = "damaged", listing.info.reason
        if entry.bygone:
            entry.players = players_of(listing)

    def removed(self, world: str) -> None:
        """An ended world's files are gone: there is nothing to list."""
        entry = self._worlds.get(world)
        if entry is not None and entry.ended:
            del self._worlds[world]
            self._ended.remove(world)

    def pulse(self, pulse: WorldPulse) -> None:
        """How a world is doing: its tick, and its players' scores and connections."""
        entry = self._unfinished.get(pulse.world)
        if entry is None:
            return
        entry.tick, entry.clock, entry.waiting_for = pulse.tick, pulse.clock, pulse.waiting_for
        for standing in pulse.players:
            player = entry.players.get(standing.player)
            if player is not None:
                player.score = standing.score
                player.connected = standing.connected

    def checked(self, world: str, tick: int, *, same: bool) -> None:
        """A world was computed again up to this tick: it came out the ``same``, or not from here on."""
        entry = self._worlds.get(world)
        if entry is not None and same:
            entry.verified_tick = tick
        elif entry is not None:
            entry.diverged_tick = tick

    def watched(self, world: str, gateway: int, viewers: int) -> None:
        """So many clients of a gateway watch a world."""
        entry = self._worlds.get(world)
        if entry is not None and viewers:
            entry.spectators[gateway] = viewers
        elif entry is not None:
            entry.spectators.pop(gateway, None)

    def lose_gateway(self, gateway: int) -> None:
        """A gateway is gone, and with it its clients."""
        for entry in self._worlds.values():
            entry.spectators.pop(gateway, None)

    def _least_busy_shard(self) -> int:
        return min(self._shards, key=lambda number: (self._shards[number], number))

    def _unlist(self, entry: ListedWorld) -> None:
        del self._unfinished[entry.world]
        if entry.shard in self._shards:
            self._shards[entry.shard] -= 1

    def _bound(self) -> None:
        while len(self._ended) > ENDED_KEPT:
            del self._worlds[self._ended.popleft()]

    def _forget(self, entry: ListedWorld) -> None:
        self._unlist(entry)
        del self._worlds[entry.world]

    # --- questions -----------------------------------------------------------------------------------

    def page(
        self,
        *,
        limit: int,
        game: str | None = None,
        status: protocol.WorldStatus | None = None,
        agent: str | None = None,
        after: str | None = None,
        world: str | None = None,
    ) -> Page:
        """Return at most ``limit`` worlds, newest first, that are older than ``after``; ``world``: only this one."""
        found: list[ListedWorld] = []
        named = [self._worlds[world]] if world in self._worlds else []
        for entry in reversed(self._worlds.values()) if world is None else named:
            if entry.opening or (after is not None and entry.world >= after):
                continue
            if (game is not None and entry.game.name != game) or (status is not None and entry.status != status):
                continue
            if agent is not None and not entry.seats_of(agent):
                continue
            if len(found) == limit:
                return Page(worlds=[entry.summary() for entry in found], next=found[-1].world)
            found.append(entry)
        return Page(worlds=[entry.summary() for entry in found], next=None)

    def summaries(self) -> list[protocol.WorldSummary]:
        """Return every listed world, newest first."""
        return [entry.summary() for entry in reversed(self._worlds.values()) if not entry.opening]

    def game(self, name: str) -> LobbyGame | None:
        """What is known of a game."""
        return self._games.get(name)

    def find(self, world: str) -> tuple[protocol.WorldSummary, str | None] | None:
        """Return a world's summary and why it ended; None if it is not listed."""
        entry = self._worlds.get(world)
        return None if entry is None or entry.opening else (entry.summary(), entry.reason)

    def shard_of(self, world: str) -> int | None:
        """Return the shard on which an unfinished world runs: `NO_SHARD` while it is recovering."""
        entry = self._unfinished.get(world)
        return None if entry is None or entry.opening else entry.where

    def session_players(self, session: str, agent: str) -> list[SessionPlayer]:
        """Return the players that a session has, and then those that other sessions of its agent have. One in a
        recovering world is on no shard until the world is back."""
        mine = self._sessions.players(session)
        others = [
            (entry.world, player.player)
            for entry in self._unfinished.values()
            for player in entry.players.values()
            if player.agent == agent and (entry.world, player.player) not in mine
        ]
        return [
            SessionPlayer(
                world=world,
                player=player,
                shard=entry.where,
                tick=entry.tick,
                yours=number < len(mine),
                private=entry.private,
            )
            for number, (world, player) in enumerate(mine + others)
            if (entry := self._unfinished.get(world)) is not None
        ]

    def session_lost(self, session: str) -> list[protocol.LostPlayer]:
        """Return the players that a session lost otherwise than by leaving, oldest first."""
        return self._sessions.lost(session)

    def nearest_worlds(self, world: str) -> list[str]:
        """Return at most 20 listed worlds, those most like ``world`` first, unfinished before ended."""
        names: list[str] = [name for name in reversed(self._unfinished) if not self._unfinished[name].opening]
        for name in reversed(self._ended):
            if len(names) >= NEAREST_AMONG:
                break
            names.append(name)
        return sorted(names[:NEAREST_AMONG], key=lambda name: -_likeness(world, name))[: refusals.NAMES_LIMIT]

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Return players and unfinished worlds, each by game; every game is named."""
        players = dict.fromkeys(self._games, 0)
        worlds = dict.fromkeys(self._games, 0)
        for entry in self._unfinished.values():
            if entry.game.name in players:
                players[entry.game.name] += len(entry.players)
                worlds[entry.game.name] += not entry.opening
        return players, worlds


def _likeness(one: str, other: str) -> int:
    return sum(mine == theirs for mine, theirs in zip(one, other, strict=False))
