"""The lobby: the directory of worlds, and where the next agent shall play.

Pure decisions: no I/O, no clock (times are passed in: seconds on one monotonic clock), no randomness (names of
worlds come from ``name_world``). The supervisor feeds it what shards report and asks it on behalf of gateways.

Invariant: in no unfinished world do players and reserved seats together exceed its seats, and no world is opened for
a game while one of its worlds has a seat free. A seat is taken in the same call that finds it, so a hundred agents that
ask at once are placed as if they had asked one after the other.

A placed agent holds a *reservation* until the shard reports it seated, or refuses it, or `RESERVATION_S` have passed.

Not here: which worlds there are and how they stand (``server/directory.py``), and what a shard thinks of a join (it has
the last word).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from server import refusals
from server.directory import Directory
from server.listed import ListedWorld, LobbyGame, Wanted
from worldline import protocol

RESERVATION_S: Final = 30.0  # a gateway that placed an agent tells the shard at once; longer means that it is gone
WORLDS_PER_AGENT: Final = 4  # unfinished ones that an agent has made for itself
ONE_SEAT: Final = Wanted()

Refusal = protocol.Error
"""Why an agent was not placed, as its client will read it."""


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


class Lobby(Directory):
    """The directory, with the rules of placement.

    ``games`` by name; ``max_worlds`` bounds the unfinished worlds; ``name_world`` gives names in ascending order.
    """

    def __init__(self, games: Mapping[str, LobbyGame], *, max_worlds: int, name_world: Callable[[], str]) -> None:
        super().__init__(games)
        self._max_worlds = max_worlds
        self._name_world = name_world
        self._expiries: deque[tuple[float, str, str]] = deque()  # (when, world, agent), soonest first

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
        self, game: LobbyGame, open_worlds: list[ListedWorld], agent: str, wanted: Wanted, now_s: float
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
        if isinstance(found, ListedWorld):
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
        too_many = self._too_many_of(agent)
        if too_many is not None:
            return too_many
        found = self._open(self._games[game])
        if isinstance(found, ListedWorld):
            found.owner, found.clock, found.ranked, found.private = agent, clock, ranked, private
            return OpenNew(world=found.world, game=game, digest=found.game.digest, shard=found.shard, owner=agent)
        return found

    def name_fork(self, agent: str, begun: Mapping[str, str]) -> str | Refusal:
        """Name a world that ``agent`` forks for itself, if it may have another. ``begun``: the forks that are being
        made, and whose they are."""
        too_many = self._too_many_of(agent, begun)
        if too_many is not None:
            return too_many
        if len(self._unfinished.keys() | begun.keys()) >= self._max_worlds:
            return refusals.too_many_worlds(self._max_worlds)
        return self._name_world()

    def _too_many_of(self, agent: str, begun: Mapping[str, str] | None = None) -> Refusal | None:
        """Why ``agent`` may not make another world for itself; None if it may."""
        owned = [entry.world for entry in self._unfinished.values() if entry.owner == agent]
        owned += [fork for fork, owner in (begun or {}).items() if owner == agent and fork not in owned]
        return refusals.too_many_of_yours(owned) if len(owned) >= WORLDS_PER_AGENT else None

    def _place_in(self, world: str, agent: str, invited: bool, wanted: Wanted, now_s: float) -> Place | Refusal:
        entry = self._worlds.get(world)
        if entry is None or entry.opening:
            return refusals.unknown_world(world, self.nearest_worlds(world))
        if entry.ended:
            return refusals.world_ended(entry.world, entry.game.name, entry.status, entry.reason)
        if entry.private and not (invited or agent == entry.owner or entry.seats_of(agent)):
            return refusals.private_world(world)
        return self._take(entry, agent, wanted, now_s)

    def _take(self, entry: ListedWorld, agent: str, wanted: Wanted, now_s: float) -> Place | Refusal:
        missing = entry.missing(agent, wanted)
        if missing > entry.seats_free:
            return refusals.world_full(entry.world, entry.game.name, entry.game.max_players, missing)
        if missing or agent in entry.reserved:
            self._reserve(entry, agent, missing + entry.reserved.seats_of(agent), now_s)
        waits = entry.opening or entry.status == "recovering"
        return Place(world=entry.world, game=entry.game.name, shard=entry.shard, opening=waits, private=entry.private)

    def _open(self, game: LobbyGame) -> ListedWorld | Refusal:
        if not self._shards:
            return refusals.no_shard()
        if len(self._unfinished) >= self._max_worlds:
            return refusals.too_many_worlds(self._max_worlds)
        shard = self._least_busy_shard()
        entry = ListedWorld(self._name_world(), game, shard)
        self._worlds[entry.world] = self._unfinished[entry.world] = entry
        self._shards[shard] += 1
        return entry

    def _reserve(self, entry: ListedWorld, agent: str, seats: int, now_s: float) -> None:
        expires_s = now_s + RESERVATION_S
        entry.reserved.promise(agent, seats, expires_s)
        self._expiries.append((expires_s, entry.world, agent))

    # --- reservations -------------------------------------------------------------------------------

    def opened(self, world: str, *, now_s: float) -> None:
        """The world can be joined; reservations made while it was opening begin now."""
        entry = self._unfinished.get(world)
        if entry is None or not entry.opening:
            return
        entry.opening = False
        for agent in entry.reserved.agents:
            self._reserve(entry, agent, entry.reserved.seats_of(agent), now_s)

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
