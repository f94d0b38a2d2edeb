"""Who speaks for the players of one world: which gateway, since when nobody does, and what each agent has heard.

A player without a connection is kept for the game's grace; how long it has been alone is known here, what happens then
is not. Of players that have gone the latest are remembered, so that a session that comes back late is told why.

Times are seconds on the monotonic clock. Not here: the players themselves (the runtime has them), and their answers.
"""

from __future__ import annotations

import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass
from typing import Any, Final

from server.link import Link
from server.shard.heard import Heard

DEPARTED_KEPT: Final = 64  # players that have left of whom the world can still say why


@dataclass(slots=True)
class Subscription:
    """The events of a player are pushed, from number ``next_event`` on."""

    next_event: int
    told_the_end: bool = False


@dataclass(slots=True)
class _Driver:
    link: Link[Any] | None
    session: str
    detached_at_s: float | None
    subscription: Subscription | None = None


class Drivers:
    """The players of one world, by player id, and who drives them."""

    def __init__(self) -> None:
        self._drivers: dict[str, _Driver] = {}
        self._agents: dict[str, str] = {}
        self._heard: defaultdict[str, Heard] = defaultdict(Heard)
        self._departed: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._empty_since_s: float | None = time.monotonic()

    def players_of(self, agent: str) -> list[str]:
        """The players that this agent has here, in the order in which they came."""
        return [player for player, seated in self._agents.items() if seated == agent]

    def session_of(self, player: str) -> str:
        """The session that has a player."""
        return self._drivers[player].session

    def is_driven(self, player: str) -> bool:
        """Whether somebody drives a player."""
        return self._drivers[player].detached_at_s is None

    def driven_elsewhere(self, player: str, session: str) -> bool:
        """Whether another session than this one drives a player."""
        return self.is_driven(player) and self.session_of(player) != session

    def heard(self, player: str) -> Heard:
        """What this player's agent has certainly heard."""
        return self._heard[player]

    def seated(self, player: str, agent: str, session: str) -> None:
        """An agent sits as ``player``, which one of its sessions has. Nobody drives it yet."""
        self._agents[player] = agent
        self._empty_since_s = None
        self._drivers[player] = _Driver(None, session, time.monotonic())

    def drive(self, player: str, link: Link[Any], session: str) -> None:
        """``link`` speaks for this player now, for this session. A link that is lost already will not be reported lost
        again."""
        before = self._drivers[player]
        goes_on = before.link is link and before.session == session and before.detached_at_s is None
        subscription = before.subscription if goes_on else None
        self._drivers[player] = _Driver(link, session, time.monotonic() if link.lost else None, subscription)

    def gone(self, player: str, reason: str, tick: int) -> None:
        """The player has left."""
        self._drivers.pop(player, None)
        self._heard.pop(player, None)
        self._agents.pop(player, None)
        self._departed[player] = reason, tick
        if len(self._departed) > DEPARTED_KEPT:
            self._departed.popitem(last=False)
        if not self._drivers:
            self._empty_since_s = time.monotonic()

    def why_gone(self, player: str) -> tuple[str, int]:
        """Why a player is not here, and when it went: reason and tick."""
        return self._departed.get(player, ("left", 0))

    def detached(self, link: Link[Any], player: str, session: str) -> bool:
        """The gateway that spoke for this player has no connection of its session any more: its grace begins. False if
        it was not driven from there."""
        driver = self._drivers.get(player)
        if driver is None or driver.link is not link or driver.session != session:
            return False
        if driver.detached_at_s is None:
            driver.detached_at_s = time.monotonic()
        driver.subscription = None
        return True

    def link_of(self, player: str) -> Link[Any] | None:
        """The gateway that speaks for a player."""
        return self._drivers[player].link

    def subscribe(self, player: str, subscription: Subscription | None) -> None:
        """Who drives this player has subscribed to its events, or (None) no longer wants them."""
        self._drivers[player].subscription = subscription

    def subscriptions(self) -> list[tuple[str, Subscription]]:
        """Every player whose events are pushed."""
        drivers = self._drivers.items()
        return [(player, driver.subscription) for player, driver in drivers if driver.subscription is not None]

    def link_lost(self, link: Link[Any]) -> None:
        """A gateway is gone, and with it the connections of its players."""
        for player, driver in self._drivers.items():
            self.detached(link, player, driver.session)

    def connected(self) -> dict[str, bool]:
        """Every player, and whether somebody drives it."""
        return {player: driver.detached_at_s is None for player, driver in self._drivers.items()}

    def alone_for(self, grace_s: float, now_s: float) -> list[str]:
        """The players that nobody has driven for ``grace_s``."""
        return [
            player
            for player, driver in self._drivers.items()
            if driver.detached_at_s is not None and now_s - driver.detached_at_s >= grace_s
        ]

    def empty_for(self, idle_s: float, now_s: float) -> bool:
        """Whether nobody has sat here for ``idle_s``."""
        return self._empty_since_s is not None and now_s - self._empty_since_s >= idle_s
