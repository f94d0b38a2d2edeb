"""`worldline.Screen` without `await`.

Not here: what its methods do (`worldline.Screen`), and how they come to be without `await` (``front.py``).
"""

from __future__ import annotations

from typing import Any

import worldline.screen
from worldline import protocol
from worldline.blocking.front import Front, called, streamed


class Screen(Front[worldline.screen.Screen]):
    """A world that you watch; made by `Client.watch`. See `worldline.Screen`."""

    @property
    def world(self) -> str:
        """Which world."""
        return self._awaited.world

    @property
    def watching(self) -> protocol.Watching:
        """The server's latest answer."""
        return self._awaited.watching

    @property
    def nodes(self) -> dict[Any, dict[str, Any]]:
        """The nodes of the scene at ``tick``, by id."""
        return self._awaited.nodes

    @property
    def players(self) -> list[protocol.WatchedPlayer]:
        """Who plays."""
        return self._awaited.players

    @property
    def observation(self) -> protocol.Observation | None:
        """What the player whom you watch as had been sent."""
        return self._awaited.observation

    @property
    def tick(self) -> int:
        """Where this is."""
        return self._awaited.tick

    @property
    def last_tick(self) -> int:
        """Up to where it could be."""
        return self._awaited.last_tick

    @property
    def live(self) -> bool:
        """Whether it shows the world as it runs."""
        return self._awaited.live

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        return self._awaited.playing

    @property
    def ended(self) -> str | None:
        """None while it goes on, else why it does not."""
        return self._awaited.ended

    @property
    def lost(self) -> bool:
        """Whether it has ended because the server cannot show it any further."""
        return self._awaited.lost

    frames = streamed(worldline.screen.Screen.frames)
    """The frames as they come. See `worldline.Screen.frames`."""

    play = called(worldline.screen.Screen.play)
    """Go on."""

    pause = called(worldline.screen.Screen.pause)
    """Stand still; the world itself is not stopped."""

    seek = called(worldline.screen.Screen.seek)
    """Go to ``tick``, and stand there."""

    speed = called(worldline.screen.Screen.speed)
    """Go so many times as fast from here on: 0.25 to 64."""

    go_live = called(worldline.screen.Screen.go_live)
    """Show the world as it runs; of one that has ended, its end."""

    view = called(worldline.screen.Screen.view)
    """With the observations that this player was sent; None: of nobody."""

    stop = called(worldline.screen.Screen.stop)
    """Watch no more."""
