"""The lobby: which worlds there are, who plays where, and where the next agent shall play.

Pure decisions: no I/O, no clock (times are passed in: seconds on one monotonic clock), no randomness (names of
worlds come from ``name_world``). The supervisor feeds it what shards report and asks it on behalf of gateways.

Invariant: in no unfinished world do players and reserved seats together exceed its seats, and no world is opened for
a game while one of its worlds has a seat free. A seat is taken in the same call that finds it, so a hundred agents that
ask at once are placed as if they had asked one after the other.

A placed agent holds a *reservation* until the shard reports it seated, or refuses it, or `RESERVATION_S` have passed.
Ended worlds stay listed for a while (`ENDED_KEPT`); older ones are known to their logs only.

Not here: what a shard thinks of a join (it has the last word), and worlds of earlier runs of the server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from server import refusals
from server.messages import NO_SHARD, SessionPlayer, WorldPulse, WorldRestored
from server.reservations import Reservations
from server.sessions import LEFT, TAKEN_OVER, SessionBook
from worldline import protocol

RESERVATION_S: Final = 30.0  # a gateway that placed an agent tells the shard at once; longer means that it is gone
ENDED_KEPT: Final = 1000  # ended worlds that are still listed
WORLDS_PER_AGENT: Final = 4  # unfinished ones that an agent has made for itself
NEAREST_AMONG: Final = 256  # of how many worlds, newest first, the nearest are looked for
ENDED: Final = frozenset({"finished", "closed", "faulted", "damaged"})

Refusal = protocol.Error
"""Why an agent was not placed, as its client will read it."""


class LobbyGame(msgspec.Struct, frozen=True):
    """What the lobby knows of a game."""

    name: str
    max_players: int
    clock: str
    digest: str
    seats_per_agent: int = 1


class Wanted(msgspec.Struct, frozen=True):
    """What a join asks for: so many ``seats``, the ``seat`` of this number, or a ``player`` that its agent has."""

    seats: int = 1
    seat: int | None = None
    player: str | None = None


ONE_SEAT: Final = Wanted()


class Place(msgspec.Struct, frozen=True):
    """The agent has a player or a reserved seat in ``world``. ``opening``: tell it only once the world is open."""

    world: str
    game: str
    shard: int
    opening: bool = False
    private: bool = False


class OpenNew(msgspec.Struct, frozen=True):
    """Open ``world`` on ``shard``: made for an agent to play in, whose seat is reserved, or by its ``owner``."""

    world: str
    game: str
    digest: str
    shard: int
    owner: str | None = None


class LostWorlds(msgspec.Struct, frozen=True):
    """What went down with a shard: worlds that are to be restored, and worlds that nobody had been told of yet."""

    recovering: list[str]
    opening: list[str]


class Page(msgspec.Struct, frozen=True):
    """One page of worlds, and the ``after`` of the next page, if there is one."""

    worlds: list[protocol.WorldSummary]
    next: str | None


@dataclass(slots=True)
class _World:
    world: str
    game: LobbyGame
    shard: int
    opening: bool = True
    status: protocol.WorldStatus = "waiting"
    tick: int = 0
    reason: str | None = None
    clock: str | None = None
    owner: str | None = None
    ranked: bool = True
    private: bool = False
    waiting_for: list[str] = field(default_factory=list)
    players: dict[str, protocol.PlayerSummary] = field(default_factory=dict)
    reserved: Reservations = field(default_factory=Reservations)
    spectators: dict[int, int] = field(default_factory=dict)
    """By gateway."""
    verified_tick: int | None = None
    diverged_tick: int | None = None

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    @property
    def where(self) -> int:
        """The shard that has the world; one that is only restoring it does not."""
        return NO_SHARD if self.status == "recovering" else self.shard

    @property
    def seats_free(self) -> int:
        if self.ended:
            return 0
        return self.game.max_players - len(self.players) - self.reserved.seats

    def seats_of(self, agent: str) -> list[int]:
        """The seats on which ``agent`` plays here."""
        return [player.seat for player in self.players.values() if player.agent == agent]

    def missing(self, agent: str, wanted: Wanted) -> int:
        """How many seats ``agent`` needs beyond those that it has here, or is promised."""
        if wanted.player is not None:
            return 0
        mine = self.seats_of(agent)
        if wanted.seat is not None:
            return 0 if wanted.seat in mine else 1 - min(1, self.reserved.seats_of(agent))
        return max(0, wanted.seats - len(mine) - self.reserved.seats_of(agent))

    def summary(self) -> protocol.WorldSummary:
        return protocol.WorldSummary(
            world=self.world,
            game=self.game.name,
            status=self.status,
            tick=self.tick,
            clock=self.clock or self.game.clock,
            players=[msgspec.structs.replace(player) for player in self.players.values()],
            seats_free=self.seats_free,
            digest=self.game.digest,
            owner=self.owner,
            ranked=self.ranked,
            private=self.private,
            waiting_for=[] if self.ended else self.waiting_for,
            spectators=sum(self.spectators.values()),
            verified_tick=self.verified_tick,
            diverged_tick=self.diverged_tick,
        )


class Lobby:
    """The directory of worlds and the rules of placement.

    ``games`` by name; ``max_worlds`` bounds the unfinished ones; ``name_world`` gives names in ascending order.
    """

    def __init__(self, games: Mapping[str, LobbyGame], *, max_worlds: int, name_world: Callable[[], str]) -> None:
        self._games = dict(games)
        self._max_worlds = max_worlds
        self._name_world = name_world
        self._worlds: dict[str, _World] = {}  # in order of name, which is the order of insertion
        self._unfinished: dict[str, _World] = {}  # likewise
        self._ended: deque[str] = deque()  # in order of end
        self._shards: dict[int, int] = {}  # unfinished worlds by shard
        self._expiries: deque[tuple[float, str, str]] = deque()  # (when, world, agent), soonest first
        self._sessions = SessionBook()

    # --- placement -----------------------------------------------------------------------------------

    def place(
        self,
        agent: str,
        *,
        game: str | None = None,
        world: str | None = None,
        invited: bool = False,
        wanted: Wanted = ONE_SEAT,
        now_s: float,
    ) -> Place | OpenNew | Refusal:
        """Say where ``agent`` plays, in ``world`` or else in any world of ``game``, and reserve its seats there.

        By game: the unfinished world in which it plays or is about to, else the oldest with room, else a new
        one on the shard with the fewest. Asking again is harmless. Worlds that are not ranked are
        joined by name only, private ones by those who are ``invited``.
        """
        self.expire(now_s)
        if world is not None:
            return self._place_in(world, agent, invited, wanted, now_s)
        if game not in self._games:
            return refusals.unknown_game(game or "", self._games)
        open_worlds = [entry for entry in self._unfinished.values() if entry.game.name == game]
        for entry in open_worlds:
            if entry.seats_of(agent):
                return self._take(entry, agent, wanted, now_s)
        for entry in open_worlds:
            if agent in entry.reserved:
                return self._take(entry, agent, wanted, now_s)
        return self._place_anew(self._games[game], open_worlds, agent, wanted, now_s)

    def _place_anew(
        self, game: LobbyGame, open_worlds: list[_World], agent: str, wanted: Wanted, now_s: float
    ) -> Place | OpenNew | Refusal:
        """A place for an agent that plays in no world of this game."""
        # Whoever makes a world tick may have all of its seats.
        most = game.max_players if game.clock == "manual" else game.seats_per_agent
        if wanted.seats > most:
            return refusals.too_many_seats(game.name, wanted.seats, most)
        for entry in open_worlds:
            if entry.seats_free >= wanted.seats <= game.seats_per_agent and entry.ranked:
                return self._take(entry, agent, wanted, now_s)
        found = self._open(game)
        if isinstance(found, _World):
            self._reserve(found, agent, wanted.seats, now_s)
            if found.game.clock == "manual":  # somebody must make it tick: the first who plays there
                found.owner = agent
            return OpenNew(world=found.world, game=game.name, digest=game.digest, shard=found.shard, owner=found.owner)
        return found

    def create(
        self, agent: str, game: str, *, clock: str | None = None, ranked: bool = True, private: bool = False
    ) -> OpenNew | Refusal:
        """Say where the new world is opened that ``agent`` makes for itself; nobody has a seat in it yet."""
        if game not in self._games:
            return refusals.unknown_game(game, self._games)
        owned = [entry.world for entry in self._unfinished.values() if entry.owner == agent]
        if len(owned) >= WORLDS_PER_AGENT:
            return refusals.too_many_of_yours(owned)
        found = self._open(self._games[game])
        if isinstance(found, _World):
            found.owner, found.clock, found.ranked, found.private = agent, clock, ranked, private
            return OpenNew(world=found.world, game=game, digest=found.game.digest, shard=found.shard, owner=agent)
        return found

    def game(self, name: str) -> LobbyGame | None:
        """What is known of a game."""
        return self._games.get(name)

    def name_fork(self, agent: str) -> str | Refusal:
        """Name a world that ``agent`` forks for itself, if it may have another."""
        owned = [entry.world for entry in self._unfinished.values() if entry.owner == agent]
        if len(owned) >= WORLDS_PER_AGENT:
            return refusals.too_many_of_yours(owned)
        if len(self._unfinished) >= self._max_worlds:
            return refusals.too_many_worlds(self._max_worlds)
        return self._name_world()

    def _place_in(self, world: str, agent: str, invited: bool, wanted: Wanted, now_s: float) -> Place | Refusal:
        entry = self._worlds.get(world)
        if entry is None or entry.opening:
            return refusals.unknown_world(world, self.nearest_worlds(world))
        if entry.ended:
            return refusals.world_ended(entry.world, entry.game.name, entry.status, entry.reason)
        if entry.private and not (invited or agent == entry.owner or entry.seats_of(agent)):
            return refusals.private_world(world)
        return self._take(entry, agent, wanted, now_s)

    def _take(self, entry: _World, agent: str, wanted: Wanted, now_s: float) -> Place | Refusal:
        missing = entry.missing(agent, wanted)
        if missing > entry.seats_free:
            return refusals.world_full(entry.world, entry.game.name, entry.game.max_players, missing)
        if missing or agent in entry.reserved:
            self._reserve(entry, agent, missing + entry.reserved.seats_of(agent), now_s)
        waits = entry.opening or entry.status == "recovering"
        return Place(world=entry.world, game=entry.game.name, shard=entry.shard, opening=waits, private=entry.private)

    def _open(self, game: LobbyGame) -> _World | Refusal:
        if not self._shards:
            return refusals.no_shard()
        if len(self._unfinished) >= self._max_worlds:
            return refusals.too_many_worlds(self._max_worlds)
        shard = min(self._shards, key=lambda number: (self._shards[number], number))
        entry = _World(self._name_world(), game, shard)
        self._worlds[entry.world] = self._unfinished[entry.world] = entry
        self._shards[shard] += 1
        return entry

    def _reserve(self, entry: _World, agent: str, seats: int, now_s: float) -> None:
        expires_s = now_s + RESERVATION_S
        entry.reserved.promise(agent, seats, expires_s)
        self._expiries.append((expires_s, entry.world, agent))

    def expire(self, now_s: float) -> None:
        """Give back the seats of reservations that have run out."""
        while self._expiries and self._expiries[0][0] <= now_s:
            expires_s, world, agent = self._expiries.popleft()
            entry = self._unfinished.get(world)
            # Those in a world that is still opening begin anew when it is open.
            if entry is None or entry.opening:
                continue
            # One that was renewed since has a later entry in the queue.
            entry.reserved.expire(agent, expires_s)

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
        entry.shard = min(self._shards, key=lambda number: (self._shards[number], number))
        self._shards[entry.shard] += 1
        return entry.shard

    def opened(self, world: str, *, now_s: float) -> None:
        """The world can be joined; reservations made while it was opening begin now."""
        entry = self._unfinished.get(world)
        if entry is None or not entry.opening:
            return
        entry.opening = False
        for agent in entry.reserved.agents:
            self._reserve(entry, agent, entry.reserved.seats_of(agent), now_s)

    def broke_off(self, world: str, game: LobbyGame) -> None:
        """An earlier server left this world unfinished; it is to be restored."""
        entry = _World(world, game, NO_SHARD, opening=False, status="recovering")
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
        while len(self._ended) > ENDED_KEPT:
            del self._worlds[self._ended.popleft()]

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

    def _unlist(self, entry: _World) -> None:
        del self._unfinished[entry.world]
        if entry.shard in self._shards:
            self._shards[entry.shard] -= 1

    def _forget(self, entry: _World) -> None:
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
        found: list[_World] = []
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
