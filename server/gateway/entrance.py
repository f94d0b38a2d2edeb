"""The way in: what becomes of a request before there is a WebSocket, and how many connections there are.

Every TCP connection is counted from its first to its last moment, whatever it speaks. A WebSocket that may not be is
refused with HTTP before the upgrade, with when to come again; so is who may not see a path.

Not here: which paths there are (``paths``), how answers look (``http``), where a request may come from (``origin``),
what an address may have (``visitors``), and who somebody is (``identity``).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import resource
import secrets
from collections.abc import Awaitable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import msgspec
from websockets.http11 import Request, Response

from server import messages
from server.gateway import http
from server.gateway.identity import Door, Unauthorized, Visitor
from server.gateway.limits import GatewayLimits
from server.gateway.paths import JSON, Asked, Body, Entry, Paths
from server.gateway.permissions import may
from server.gateway.visitors import CONNECTIONS_RETRY_S, Visitors, address_of

if TYPE_CHECKING:
    from server.gateway.connection import GatewayConnection

FILES_BESIDE: Final = 256  # links, logs and the like need some of the files that a process may have open
TURNED_AWAY: Final = 256  # connections beside the limit: those that are being told to come again, and plain HTTP
LATE_RETRY_S: Final = 5  # when to ask again for what took too long to make
HEALTH_PATHS: Final = ("/healthz", "/readyz")
"""Answered to whoever comes, however many there are: who looks after a server needs them most when it is full."""

_log = logging.getLogger("worldline.gateway")


class Health(msgspec.Struct, kw_only=True):
    """What /healthz and /readyz say. ``status``: ok; starting while a shard cannot be asked yet (/readyz only); or
    draining when the server is about to stop."""

    status: str
    durability: str
    server: str


def affordable_connections(most: int) -> int:
    """``most`` connections, or as many as this process may have open beside those that it turns away."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(most, files - FILES_BESIDE - TURNED_AWAY))


class Entrance:
    """Decides about requests; ``visitors`` counts by address, ``paths`` is what plain HTTP answers. Set ``draining``
    when the server is about to stop."""

    def __init__(
        self, config: messages.ConfigureGateway, limits: GatewayLimits, version: str, paths: Paths, door: Door
    ) -> None:
        self._config = config
        self._limits = limits
        self._version = version
        self._door = door
        self.paths = paths
        self.visitors = Visitors(limits)
        self.connections = 0
        self.answers = 0
        self.draining = False

    def opened(self, connection: GatewayConnection) -> None:
        """A TCP connection was made. If even those that are turned away are too many, it is dropped."""
        self.connections += 1
        if self.connections > self._limits.max_connections + TURNED_AWAY:
            connection.transport.abort()

    def closed(self, connection: GatewayConnection) -> None:
        """A TCP connection has ended."""
        self.connections -= 1
        self.answers -= connection.answered
        if connection.admitted:
            self.visitors.went(connection.address)

    def health(self, *, ready: bool = True) -> Body:
        """How the server is: 503 when it stops, or is not ``ready`` yet."""
        status = "draining" if self.draining else "ok" if ready else "starting"
        says = Health(status=status, durability=self._config.durability, server=self._version)
        return Body(
            content=msgspec.json.encode(says) + b"\n",
            kind=JSON,
            status=HTTPStatus.OK if status == "ok" else HTTPStatus.SERVICE_UNAVAILABLE,
            cache=http.NO_STORE,
        )

    def request(self, connection: GatewayConnection, request: Request) -> Response | Awaitable[Response] | None:
        """Answer plain HTTP, or refuse a WebSocket; None lets the handshake go on."""
        refusal = http.refusal(request, self._config.hosts)
        if refusal is not None:
            return refusal
        path, _, query = request.path.partition("?")
        if path == http.WEBSOCKET_PATH:
            return self._websocket(connection, request)
        entry = self.paths.find(path)
        if entry is None:
            return http.nothing_there(request, path, self.paths.nearest(path))
        return self._plain(connection, request, entry, path, query)

    def _websocket(self, connection: GatewayConnection, request: Request) -> Response | None:
        if self.draining:
            why = "The server is about to stop. Come back soon."
            retry_after_s = max(1, round(self._limits.restart_after_ms / 1000))
            return http.come_again(request, HTTPStatus.SERVICE_UNAVAILABLE, why, retry_after_s)
        if not http.wants_websocket(request):
            return http.upgrade_required(request)
        return self._admit(connection, request, self.connections)

    def _admit(self, connection: GatewayConnection, request: Request, connections: int) -> Response | None:
        """Count the visitor by its address; the answer is why it may not come in."""
        peer = connection.remote_address
        forwarded_for = request.headers.get_all("X-Forwarded-For")
        address = address_of(peer[0] if isinstance(peer, tuple) else None, ",".join(forwarded_for))
        turned = self.visitors.turned_away(address, connections, connection.loop.time())
        if turned is not None:
            return http.come_again(request, turned.status, turned.why, turned.retry_after_s)
        connection.address, connection.admitted = address, True
        self.visitors.came(address)
        return None

    # --- plain HTTP ----------------------------------------------------------------------------------

    def _plain(
        self, connection: GatewayConnection, request: Request, entry: Entry, path: str, query: str
    ) -> Response | Awaitable[Response]:
        if path not in HEALTH_PATHS:
            refusal = self._admit(connection, request, 0) or self._count(connection, request)
            if refusal is not None:
                return refusal
        visitor = Visitor(agent=None, role=None)
        if entry.needs is not None:
            try:
                visitor = self._door.visitor(request.headers.get("Authorization"))
            except Unauthorized as error:
                self.visitors.failed(connection.address, connection.loop.time())
                return _unauthorized(request, f"No entrance: {error}.\n")
            if visitor.role is None or not may(visitor.role, entry.needs):
                return _not_for(request, visitor, entry.needs)
        # The library drops who has not read everything by then; what it allows for a close frame is too short.
        connection.close_timeout = self._limits.answer_timeout_s
        if isinstance(entry.body, Body):
            return http.answer(request, entry.body)
        asked = Asked(path=path, name=entry.name_in(path), query=query, agent=visitor.agent, role=visitor.role)
        try:
            made = entry.body(asked)
            if inspect.isawaitable(made):
                return self._when_made(connection, request, made)
            return http.answer(request, made)
        except Exception:
            return _broken(connection, request)

    def _count(self, connection: GatewayConnection, request: Request) -> Response | None:
        if self.answers >= self._limits.max_answers:
            why = "Too many answers are under way."
            return http.come_again(request, HTTPStatus.SERVICE_UNAVAILABLE, why, CONNECTIONS_RETRY_S)
        connection.answered = True
        self.answers += 1
        return None

    async def _when_made(self, connection: GatewayConnection, request: Request, made: Awaitable[Body]) -> Response:
        try:
            async with asyncio.timeout(self._limits.produce_timeout_s):
                return http.answer(request, await made)
        except TimeoutError:
            within_s, about = self._limits.produce_timeout_s, connection.about
            _log.warning("what is at %s was not made within %g s", _path(request), within_s, extra=about)
            why = "This took too long to make."
            return http.come_again(request, HTTPStatus.SERVICE_UNAVAILABLE, why, LATE_RETRY_S)
        except Exception:
            return _broken(connection, request)


def _path(request: Request) -> str:
    """The path for the log, without what somebody may have put behind it."""
    return request.path.partition("?")[0]


def _unauthorized(request: Request, why: str) -> Response:
    return http.refused(request, HTTPStatus.UNAUTHORIZED, why, ("WWW-Authenticate", 'Bearer realm="worldline"'))


def _not_for(request: Request, visitor: Visitor, needed: str) -> Response:
    """Who comes may not see this: a guest may with a token, somebody with a token with another one only."""
    if visitor.agent is None:
        return _unauthorized(request, f"Show a token of the role {needed}, as Authorization: Bearer and the token.\n")
    why = f"Your role is {visitor.role}; this is for the role {needed}. Ask the operator for such a token.\n"
    return http.refused(request, HTTPStatus.FORBIDDEN, why)


def _broken(connection: GatewayConnection, request: Request) -> Response:
    """Log what has just been caught, under a reference that the asker gets."""
    reference = secrets.token_hex(4)
    _log.exception("internal error at %s, reference %s", _path(request), reference, extra=connection.about)
    why = f"The server failed; its log has more under the reference {reference}.\n"
    return http.refused(request, HTTPStatus.INTERNAL_SERVER_ERROR, why)
