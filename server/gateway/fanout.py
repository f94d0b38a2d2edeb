"""Who drives which player: the way of a push from a world to its clients."""

from __future__ import annotations

from server.gateway.session import Session


class Fanout:
    """Sessions by world and player. A player has one driver."""

    def __init__(self) -> None:
        self._drivers: dict[str, dict[str, Session]] = {}

    def add(self, world: str, player: str, session: Session) -> None:
        """``session`` drives ``player`` from now on."""
        self._drivers.setdefault(world, {})[player] = session

    def remove(self, world: str, player: str) -> None:
        """Nobody drives ``player`` any more."""
        drivers = self._drivers.get(world)
        if drivers is not None:
            drivers.pop(player, None)
            if not drivers:
                del self._drivers[world]

    def remove_world(self, world: str) -> list[Session]:
        """The world has ended; returns who drove players in it, each once."""
        return list(dict.fromkeys(self._drivers.pop(world, {}).values()))

    def driver(self, world: str, player: str) -> Session | None:
        """Who drives ``player``."""
        return self._drivers.get(world, {}).get(player)

    def sessions_in(self, world: str) -> list[Session]:
        """Who drives players in ``world``, each once."""
        return list(dict.fromkeys(self._drivers.get(world, {}).values()))
