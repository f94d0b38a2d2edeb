"""Plain HTTP on the WebSocket's port: how requests are read and answers are written, GET and HEAD only.

Nothing is read from disk, no request has a body, every answer closes its connection. Pure functions.

Not here: what there is to answer (``paths``), and who may ask (``entrance``).
"""

from __future__ import annotations

import asyncio
import email.utils
import hashlib
import http
from collections.abc import Collection, Sequence
from typing import Any, Final

from websockets.datastructures import Headers
from websockets.exceptions import NegotiationError
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from server.gateway import origin
from server.gateway.paths import MAX_BODY_BYTES, TEXT, Body
from worldline import protocol

WEBSOCKET_PATH: Final = "/ws"
METHODS: Final = ("GET", "HEAD")
NO_STORE: Final = "no-store"
_LONGEST_METHOD: Final = 16


def refusal(request: Request, hosts: Collection[str] | None) -> Response | None:
    """The answer to a request that is not for this server, whatever its path. ``hosts``: as in `origin.check`."""
    if request.method not in METHODS:
        return _method_not_allowed(request.method)
    try:
        origin.check(request.headers, hosts)
    except origin.Misdirected as error:
        return refused(request, error.status, str(error))
    return None


def answer(request: Request, body: Body) -> Response:
    """A body as an answer; without it for HEAD, and for who has it already (304). Raises ValueError: too large."""
    if len(body.content) > MAX_BODY_BYTES:
        raise ValueError(f"a body has {len(body.content)} bytes, more than {MAX_BODY_BYTES}")
    headers = [("Cache-Control", body.cache), *body.headers]
    if body.cache == NO_STORE or body.status is not http.HTTPStatus.OK:
        return _response(request, body.status, body.content, body.kind, headers)
    tag = f'"{hashlib.sha256(body.content).hexdigest()[:32]}"'
    headers.append(("ETag", tag))
    if _knows(request, tag):
        response = _response(request, http.HTTPStatus.NOT_MODIFIED, b"", body.kind, headers)
        del response.headers["Content-Length"]  # else it would have to be that of the body
        return response
    return _response(request, body.status, body.content, body.kind, headers)


def refused(request: Request, status: http.HTTPStatus, why: str, *headers: tuple[str, str]) -> Response:
    """No, and why."""
    return _response(request, status, why.encode(), TEXT, headers)


def come_again(request: Request, status: http.HTTPStatus, why: str, retry_after_s: int) -> Response:
    """Not now, but in ``retry_after_s`` seconds."""
    return refused(request, status, why + "\n", ("Retry-After", str(retry_after_s)))


def wants_websocket(request: Request) -> bool:
    """Whether a request is meant to become a WebSocket."""
    return "upgrade" in ",".join(request.headers.get_all("Connection")).lower()


def upgrade_required(request: Request) -> Response:
    """A plain request for the WebSocket's path."""
    return refused(
        request,
        http.HTTPStatus.UPGRADE_REQUIRED,
        f"{WEBSOCKET_PATH} is for WebSockets. Connect with a WebSocket client and the subprotocol "
        f"{' or '.join(protocol.SUBPROTOCOLS)}.\n",
        ("Upgrade", "websocket"),
    )


def nothing_there(request: Request, path: str, nearest: str | None) -> Response:
    """There is no such path."""
    advice = "" if nearest is None else f" Did you mean {nearest}?"
    return refused(
        request,
        http.HTTPStatus.NOT_FOUND,
        f"There is nothing at {path[:200]}.{advice} Agents connect to {WEBSOCKET_PATH} with a WebSocket; "
        "/llms.txt says how, and what else there is.\n",
    )


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


def _knows(request: Request, tag: str) -> bool:
    """Whether the asker has this version (If-None-Match; a proxy that compresses makes tags weak)."""
    known = ",".join(request.headers.get_all("If-None-Match")).split(",")
    return any(one.strip().removeprefix("W/") in (tag, "*") for one in known)


def _method_not_allowed(method: str) -> Response:
    text = f"{method} is not possible here: only {', '.join(METHODS)}.\n"
    headers = _headers(text.encode(), TEXT, [("Allow", ", ".join(METHODS))])
    return Response(405, http.HTTPStatus.METHOD_NOT_ALLOWED.phrase, headers, text.encode())


def _response(
    request: Request, status: http.HTTPStatus, content: bytes, kind: str, more: Sequence[tuple[str, str]]
) -> Response:
    headers = _headers(content, kind, more)
    return Response(status.value, status.phrase, headers, b"" if request.method == "HEAD" else content)


def _headers(content: bytes, kind: str, more: Sequence[tuple[str, str]]) -> Headers:
    return Headers(
        [
            ("Date", email.utils.formatdate(usegmt=True)),
            ("Connection", "close"),
            ("Content-Length", str(len(content))),
            ("Content-Type", kind),
            ("X-Content-Type-Options", "nosniff"),
            *more,
        ]
    )
