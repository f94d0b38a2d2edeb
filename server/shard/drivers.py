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
class _Driver:
    link: Link[Any] | None
    detached_at_s: float | None


class Drivers:
    """The players of one world, by player id, and who drives them."""

    def __init__(self) -> None:
        self._drivers: dict[str, _Driver] = {}
        self._player_of: dict[str, str] = {}
        self._heard: defaultdict[str, Heard] = defaultdict(Heard)
        self._departed: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._empty_since_s: float | None = time.monotonic()

    def player_of(self, agent: str) -> str | None:
        """The player that this agent has here."""
        return self._player_of.get(agent)

    def heard(self, player: str) -> Heard:
        """What this player's agent has certainly heard."""
        return self._heard[player]

    def seated(self, player: str, agent: str, link: Link[Any] | None) -> None:
        """An agent sits as ``player``; without ``link`` nobody drives it yet."""
        self._player_of[agent] = player
        self._empty_since_s = None
        self.drive(player, link)

    def drive(self, player: str, link: Link[Any] | None) -> None:
        """``link`` speaks for this player now. A link that is lost already will not be reported lost again."""
        alone = link is None or link.lost
        self._drivers[player] = _Driver(link, time.monotonic() if alone else None)

    def gone(self, player: str, reason: str, tick: int) -> None:
        """The player has left."""
        self._drivers.pop(player, None)
        self._heard.pop(player, None)
        self._player_of = {agent: driven for agent, driven in self._player_of.items() if driven != player}
        self._departed[player] = reason, tick
        if len(self._departed) > DEPARTED_KEPT:
            self._departed.popitem(last=False)
        if not self._drivers:
            self._empty_since_s = time.monotonic()

    def why_gone(self, player: str) -> tuple[str, int]:
        """Why a player is not here, and when it went: reason and tick."""
        return self._departed.get(player, ("left", 0))

    def detached(self, link: Link[Any], player: str) -> None:
        """The gateway that spoke for this player has no connection for it any more: its grace begins."""
        driver = self._drivers.get(player)
        if driver is not None and driver.link is link and driver.detached_at_s is None:
            driver.detached_at_s = time.monotonic()

    def link_lost(self, link: Link[Any]) -> None:
        """A gateway is gone, and with it the connections of its players."""
        for player in self._drivers:
            self.detached(link, player)

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
