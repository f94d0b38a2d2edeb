"""One client's conversation over one connection: who it is, which players it drives, which of its requests are open.

A client that comes back on another connection goes on as the same session (`Session.id`), in a new object: open
requests and cursors end with a connection, players do not.

Not here: the socket (``server/gateway/connection.py``), and how a session goes on (``server/gateway/greeting.py``).
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

import msgspec

from server.gateway import refusals
from server.gateway.admission import Admission
from server.gateway.hints import Examples
from server.gateway.limits import FloodWindow, GatewayLimits
from server.messages import PlayerDetached, SessionPlayer
from worldline import protocol

if TYPE_CHECKING:
    from server.gateway.connection import GatewayConnection

REMEMBERED_PRIVATE: Final = 64  # private worlds of this client, the latest
REMEMBERED_ENDS: Final = 64  # worlds of this client whose end it may ask about; the lobby remembers more


class Seat(msgspec.Struct):
    """A player that this session drives.

    ``cursor`` is the n of the first event that its next observation shall hold. ``events``: its events are pushed, and
    ``next_event`` is the n of the next one; those that were left out are ``skipped``, from first to last. ``observing``
    pushes observations, ``observe_hz`` a second.
    """

    world: str
    game: str
    player: str
    shard: int
    cursor: int = 1
    events: bool = False
    next_event: int = 1
    skipped: tuple[int, int] | None = None
    observe_hz: protocol.Number | None = None
    observing: asyncio.Task[None] | None = None


class WorldEnd(msgspec.Struct, frozen=True):
    """How a world ended in which this session had a seat."""

    game: str
    status: protocol.WorldStatus
    reason: str


class Returning(msgspec.Struct, eq=False):
    """A session whose players are being looked for: what its welcome will say, which players' shards have not answered
    yet, and the pushes that wait for the welcome. ``resumed``: it is an earlier one that goes on; ``found``: the lobby
    has told what it has."""

    resumed: bool
    found: bool = False
    players: list[protocol.ResumedPlayer] = []
    lost: list[protocol.LostPlayer] = []
    awaited: dict[tuple[str, str], SessionPlayer] = {}
    pushes: list[protocol.Reply] = []


class Session:
    """The state of one conversation.

    ``agent`` is None until hello; ``role`` is what it may be; ``guest``: no token proves it; ``arrived``: it is counted
    among its agent's connections. ``returning``: its players are being looked for, and its welcome has not been sent;
    ``gone``: its connection has ended or was taken over; ``dismissed``: it is being closed by us, and nothing more is
    read from it.
    """

    def __init__(self, connection: GatewayConnection, limits: GatewayLimits) -> None:
        self.connection = connection
        self.admission = Admission(limits)
        self.observe_hz = min(limits.rate_hz if limits.rate_limited else math.inf, protocol.MAX_OBSERVE_HZ)
        """So many observations a second may be pushed for a player."""
        self.flood = FloodWindow(limits.flood_refusals, limits.flood_s) if limits.rate_limited else None
        self.agent: str | None = None
        self.id: str | None = None
        self.name = ""
        self.role: protocol.Role = "spectator"
        self.guest = True
        self.arrived = False
        self.returning: Returning | None = None
        self.gone = False
        self.dismissed = False
        self.open_ids: set[int] = set()
        self._seats: dict[str, dict[str, Seat]] = {}
        self._ends: OrderedDict[str, WorldEnd] = OrderedDict()
        self._private: OrderedDict[str, None] = OrderedDict()

    # limits

    def note_private(self, world: str) -> None:
        """The world is private, and this client may be in it."""
        self._private[world] = None
        if len(self._private) > REMEMBERED_PRIVATE:
            self._private.popitem(last=False)

    def is_limited(self, request: protocol.Request) -> bool:
        """Whether a request counts against rates. A developer's to a private world does not, so that training needs no
        server of its own kind: it takes time from nobody but those whom it has invited."""
        return not (self.role == "developer" and getattr(request, "world", None) in self._private)

    # seats

    def take_seat(self, world: str, game: str, player: str, shard: int, *, cursor: int = 1) -> Seat:
        """Note that this session drives a player. Repeating it keeps the cursor."""
        players = self._seats.setdefault(world, {})
        seat = players.get(player)
        if seat is None:
            seat = players[player] = Seat(world, game, player, shard, cursor)
        self._ends.pop(world, None)
        return seat

    def seat(self, world: str, player: str) -> Seat | None:
        """The seat of ``player`` in ``world``, if this session drives it."""
        return self._seats.get(world, {}).get(player)

    def seats_in(self, world: str) -> list[Seat]:
        """What this session drives in ``world``."""
        return list(self._seats.get(world, {}).values())

    def seats(self) -> list[Seat]:
        """Everything this session drives."""
        return [seat for players in self._seats.values() for seat in players.values()]

    def drop_seat(self, world: str, player: str) -> None:
        """The player has left."""
        players = self._seats.get(world, {})
        players.pop(player, None)
        if not players:
            self._seats.pop(world, None)

    def end_world(self, world: str, reason: str, status: protocol.WorldStatus) -> None:
        """The world has ended, and with it the seats in it."""
        players = self._seats.pop(world, None)
        if players:
            self._ends[world] = WorldEnd(next(iter(players.values())).game, status, reason)
            if len(self._ends) > REMEMBERED_ENDS:
                self._ends.popitem(last=False)

    def end_of(self, world: str) -> WorldEnd | None:
        """How ``world`` ended, if this session was in it then."""
        return self._ends.get(world)

    def saw(self, observation: protocol.Observation | None) -> None:
        """Move the cursor behind the events that this observation holds."""
        if observation is not None:
            seat = self.seat(observation.world, observation.player)
            if seat is not None:
                seat.cursor = max(seat.cursor, observation.cursor)

    def pick(self, world: str, player: str | None, re: int, *, path: str = "player") -> Seat | None:
        """The seat that a request means; None if this session has none in ``world``.

        Raises `Refused`: `unknown_player`, or `invalid_args` if the request must say which of several it means.
        """
        seats = self._seats.get(world)
        if not seats:
            return None
        if player is not None:
            seat = seats.get(player)
            if seat is None:
                raise refusals.unknown_player(player, world, list(seats), re, path)
            return seat
        if len(seats) > 1:
            mine = list(seats)
            raise refusals.invalid(
                "player", f"you drive {len(mine)} players in world {world}: say which", mine[0], re=re, valid=mine
            )
        return next(iter(seats.values()))

    # hints

    def free_id(self) -> int:
        """An id that none of the open requests has."""
        number = max(self.open_ids, default=0) + 1
        return number if number <= protocol.MAX_INTEGER else next(n for n in range(1, 100) if n not in self.open_ids)

    def examples(self, game: str, inputs_of: dict[str, dict[str, dict[str, Any]]]) -> Examples:
        """What works for this client now. ``inputs_of``: by game, each input with args that fit."""
        seat = next(iter(self.seats()), None)
        if seat is not None:
            game = seat.game
        return Examples(
            game=game,
            inputs=inputs_of.get(game, {}),
            world=seat.world if seat is not None else None,
            player=seat.player if seat is not None else None,
            players={each.world: each.player for each in self.seats()},
            free_id=self.free_id(),
        )


def detached(session: Session, world: str, player: str) -> PlayerDetached:
    """What the shard of a player is told when its session's connection has gone."""
    return PlayerDetached(world=world, player=player, session=session.id or "")
