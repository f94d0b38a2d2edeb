"""Who drives which player: the way of a push from a world to its clients."""

from __future__ import annotations

from collections.abc import Iterable

from server.gateway.decoding import Encoding
from server.gateway.replies import encode
from server.gateway.session import Session
from worldline import protocol


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


def spread(sessions: Iterable[Session], message: protocol.Reply) -> None:
    """Send one push to many, encoded once for each encoding. Who is behind gets only the end of a world; who is not
    welcomed yet gets it after the welcome."""
    encoded: dict[Encoding, bytes] = {}
    for session in sessions:
        if session.returning is not None:
            session.returning.pushes.append(message)
            continue
        connection = session.connection
        if session.gone or (connection.full and not isinstance(message, protocol.Closed)):
            continue
        data = encoded.get(connection.encoding)
        if data is None:
            data = encoded[connection.encoding] = encode(message, connection.encoding)
        connection.send_now(data)
