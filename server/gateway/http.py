"""Plain HTTP on the WebSocket's port: a fixed table of paths, GET and HEAD only.

Nothing is read from disk, no request has a body, every answer closes its connection.
"""

from __future__ import annotations

import asyncio
import email.utils
import http
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec
from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from server.gateway import origin
from worldline import protocol

WEBSOCKET_PATH: Final = "/ws"
METHODS: Final = ("GET", "HEAD")
_LONGEST_METHOD: Final = 16


class Health(msgspec.Struct, kw_only=True):
    """What /healthz says. ``status``: ok, or draining when the server is about to stop."""

    status: str
    durability: str
    server: str


def respond(
    request: Request, health: Health, retry_after_ms: int, hosts: Collection[str] | None = None
) -> Response | None:
    """The answer to a request; None lets the WebSocket handshake go on. ``hosts``: as in `origin.check`."""
    draining = health.status != "ok"
    if request.method not in METHODS:
        return _method_not_allowed(request.method)
    try:
        origin.check(request.headers, hosts)
    except origin.Misdirected as error:
        return _text(error.status, str(error), head=request.method == "HEAD")
    path = request.path.partition("?")[0]
    if path == "/healthz":
        status = http.HTTPStatus.SERVICE_UNAVAILABLE if draining else http.HTTPStatus.OK
        body = msgspec.json.encode(health) + b"\n"
        return _response(status, body, "application/json", head=request.method == "HEAD")
    if path != WEBSOCKET_PATH:
        return _text(
            http.HTTPStatus.NOT_FOUND,
            f"There is nothing at {path[:200]}. Agents connect to {WEBSOCKET_PATH} with a WebSocket; "
            "/healthz says how the server is.\n",
            head=request.method == "HEAD",
        )
    if draining:
        why = "The server is about to stop. Come back soon."
        return come_again(http.HTTPStatus.SERVICE_UNAVAILABLE, why, max(1, round(retry_after_ms / 1000)))
    if "upgrade" not in ",".join(request.headers.get_all("Connection")).lower():
        response = _text(
            http.HTTPStatus.UPGRADE_REQUIRED,
            f"{WEBSOCKET_PATH} is for WebSockets. Connect with a WebSocket client and the subprotocol "
            f"{' or '.join(protocol.SUBPROTOCOLS)}.\n",
            head=request.method == "HEAD",
        )
        response.headers["Upgrade"] = "websocket"
        return response
    return None


def come_again(status: http.HTTPStatus, why: str, retry_after_s: int) -> Response:
    """Not now, but in ``retry_after_s`` seconds."""
    response = _text(status, why + "\n")
    response.headers["Retry-After"] = str(retry_after_s)
    return response


def refuse_method(transport: asyncio.Transport, first_bytes: bytes) -> bool:
    """Answer 405 at once if a connection's first bytes are another method: the library reads no bodies, and drops
    such requests without an answer. Returns whether it did."""
    method, space, _ = first_bytes[:_LONGEST_METHOD].partition(b" ")
    if not space or not method.isalpha() or method.decode("ascii") in METHODS:
        return False
    response = _method_not_allowed(method.decode("ascii"))
    transport.write(response.serialize())
    transport.close()
    return True


def choose_subprotocol(_: Any, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The first offered one that we know; none offered means JSON, without a header that nobody asked for.

    Raises NegotiationError (HTTP 400) if only unknown ones are offered.
    """
    if not offered:
        return None
    for name in offered:
        if name in protocol.SUBPROTOCOLS:
            return name
    raise NegotiationError(f"unknown subprotocol; known are {', '.join(protocol.SUBPROTOCOLS)}")


def _method_not_allowed(method: str) -> Response:
    response = _text(http.HTTPStatus.METHOD_NOT_ALLOWED, f"{method} is not possible here: only {', '.join(METHODS)}.\n")
    response.headers["Allow"] = ", ".join(METHODS)
    return response


def _text(status: http.HTTPStatus, text: str, *, head: bool = False) -> Response:
    return _response(status, text.encode(), "text/plain; charset=utf-8", head=head)


def _response(status: http.HTTPStatus, body: bytes, kind: str, *, head: bool) -> Response:
    headers = Headers(
        [
            ("Date", email.utils.formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(body))),
            ("Content-Type", kind),
            ("X-Content-Type-Options", "nosniff"),
        ]
    )
    return Response(status.value, status.phrase, headers, b"" if head else body)
