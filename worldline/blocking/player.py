"""`worldline.Player` without `await`.

Not here: what its methods do (`worldline.Player`), and how they come to be without `await` (``front.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import worldline.player
from worldline import protocol
from worldline.blocking.front import Background, Front, called, streamed

if TYPE_CHECKING:
    from worldline.blocking.client import Client


class Player(Front[worldline.player.Player]):
    """Your part in one world; made by `Client.join`. See `worldline.Player`."""

    def __init__(self, client: Client, player: worldline.player.Player, background: Background) -> None:
        super().__init__(player, background)
        self.client = client

    def __repr__(self) -> str:
        return repr(self._awaited)

    # --- what is known -------------------------------------------------------------------------------

    @property
    def world(self) -> str:
        """The world's id."""
        return self._awaited.world

    @property
    def game(self) -> str:
        """The world's game."""
        return self._awaited.game

    @property
    def player(self) -> str:
        """Which player of the world you are."""
        return self._awaited.player

    @property
    def seat(self) -> int:
        """Your seat: 1, 2, 3 …"""
        return self._awaited.seat

    @property
    def clock(self) -> str:
        """The clock that the world ticks by."""
        return self._awaited.clock

    @property
    def tick_hz(self) -> protocol.Number:
        """Ticks a second of a realtime world."""
        return self._awaited.tick_hz

    @property
    def digest(self) -> str:
        """The game's code."""
        return self._awaited.digest

    @property
    def tick(self) -> int:
        """The highest tick you have heard of."""
        return self._awaited.tick

    @property
    def observation(self) -> protocol.Observation | None:
        """The last observation you got."""
        return self._awaited.observation

    @property
    def closed(self) -> str | None:
        """None while you play, else why it ended."""
        return self._awaited.closed

    @property
    def result(self) -> Any:
        """The game's result, when it has ended."""
        return self._awaited.result

    # --- playing -------------------------------------------------------------------------------------

    input = called(worldline.player.Player.input)
    """Do something; returns when the tick that applied it is durable. See `worldline.Player.input`."""

    observe = called(worldline.player.Player.observe)
    """What you may know now, or when there is something to know. See `worldline.Player.observe`."""

    events = streamed(worldline.player.Player.events)
    """Your events as they come. See `worldline.Player.events`."""

    observations = streamed(worldline.player.Player.observations)
    """What you see, so many times a second. See `worldline.Player.observations`."""

    leave = called(worldline.player.Player.leave)
    """Give the seat back."""

    think = called(worldline.player.Player.think)
    """Sleep for a random time within the client's ``think_s``, as a slow agent would; at once if that is None."""
