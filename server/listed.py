"""A world as the lobby lists it: its game, where it runs, how it stands, who plays in it and who is promised a seat.

Plain data with what follows from it. Not here: which worlds there are (``server/directory.py``), and who may play where
(``server/lobby.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import msgspec

from server.messages import NO_SHARD
from server.reservations import Reservations
from worldline import protocol

ENDED: Final = frozenset({"finished", "closed", "faulted", "damaged"})


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


@dataclass(slots=True)
class ListedWorld:
    """One world. ``opening``: its shard has not said yet that it is there; ``bygone``: it had ended before this server
    began; ``tick``, ``waiting_for`` and what the
    players have are as of its last report; ``verified_tick`` and ``diverged_tick`` say what the check on the side has
    found."""

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
    bygone: bool = False

    @property
    def ended(self) -> bool:
        """Whether it goes on no more."""
        return self.status in ENDED

    @property
    def where(self) -> int:
        """The shard that has the world; one that is only restoring it does not."""
        return NO_SHARD if self.status == "recovering" else self.shard

    @property
    def seats_free(self) -> int:
        """Seats that nobody has and nobody is promised."""
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
        """As `worlds` lists it."""
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
