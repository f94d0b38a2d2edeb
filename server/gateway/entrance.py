"""The way in: what becomes of a request before there is a WebSocket, and how many connections there are.

Every TCP connection is counted from its first to its last moment, whatever it speaks. A WebSocket that may not be is
refused with HTTP before the upgrade, with when to come again.

Not here: which paths there are (``http``), where a request may come from (``origin``), what an address may have
(``visitors``), and who somebody is (``identity``).
"""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING, Final

from websockets.http11 import Request, Response

from server import messages
from server.gateway import http
from server.gateway.limits import GatewayLimits
from server.gateway.visitors import Visitors, address_of

if TYPE_CHECKING:
    from server.gateway.connection import GatewayConnection

FILES_BESIDE: Final = 256  # links, logs and the like need some of the files that a process may have open
TURNED_AWAY: Final = 256  # connections beside the limit: those that are being told to come again, and plain HTTP


def affordable_connections(most: int) -> int:
    """``most`` connections, or as many as this process may have open beside those that it turns away."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(most, files - FILES_BESIDE - TURNED_AWAY))


class Entrance:
    """Decides about requests; ``visitors`` counts by address. Set ``draining`` when the server is about to stop."""

    def __init__(self, config: messages.ConfigureGateway, limits: GatewayLimits, version: str) -> None:
        self._config = config
        self._limits = limits
        self._version = version
        self.visitors = Visitors(limits)
        self.connections = 0
        self.draining = False

    def opened(self, connection: GatewayConnection) -> None:
        """A TCP connection was made. If even those that are turned away are too many, it is dropped."""
        self.connections += 1
        if self.connections > self._limits.max_connections + TURNED_AWAY:
            connection.transport.abort()

    def closed(self, connection: GatewayConnection) -> None:
        """A TCP connection has ended."""
        self.connections -= 1
        if connection.admitted:
            self.visitors.went(connection.address)

    def request(self, connection: GatewayConnection, request: Request) -> Response | None:
        """Answer plain HTTP, or refuse a WebSocket; None lets the handshake go on."""
        health = http.Health(
            status="draining" if self.draining else "ok",
            durability=self._config.durability,
            server=self._version,
        )
        response = http.respond(request, health, self._limits.restart_after_ms, self._config.hosts)
        if response is not None:
            return response
        peer = connection.remote_address
        forwarded_for = request.headers.get_all("X-Forwarded-For")
        address = address_of(peer[0] if isinstance(peer, tuple) else None, ",".join(forwarded_for))
        turned = self.visitors.turned_away(address, self.connections, connection.loop.time())
        if turned is not None:
            return http.come_again(turned.status, turned.why, turned.retry_after_s)
        connection.address, connection.admitted = address, True
        self.visitors.came(address)
        return None
