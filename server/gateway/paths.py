"""The fixed table of what plain HTTP answers: exact paths, made when the gateway starts.

A path has a body that was made once, or a producer that makes it when it is asked for. Nothing is read from disk for a
request, and no body is larger than `MAX_BODY_BYTES`: the library writes it at one go.

Not here: how an answer looks on the wire (``http``), who may come in at all (``entrance``), and what the server says
of itself at which path (whoever adds it).
"""

from __future__ import annotations

import difflib
import http
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from worldline import protocol

MAX_BODY_BYTES: Final = 262_144
"""So much may wait for a slow reader of one connection."""

JSON: Final = "application/json"
MARKDOWN: Final = "text/markdown; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered. ``cache`` is its Cache-Control: no-cache keeps a copy and asks whether it is still good;
    with no-store nothing is kept, and there is no ETag. ``headers`` come on top of what every answer has."""

    content: bytes
    kind: str = TEXT
    status: http.HTTPStatus = http.HTTPStatus.OK
    cache: str = "no-cache"
    headers: tuple[tuple[str, str], ...] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for what. ``query``: what follows the path's question mark, as it came. ``agent`` is who a token
    proves, None for guests; ``role`` what one may be: None, where no guests are let in and there is no token."""

    path: str
    query: str
    agent: str | None
    role: protocol.Role | None


Producer = Callable[[Asked], Body | Awaitable[Body]]
"""Makes a body when it is asked for. If it takes too long or raises, the asker is told, and the log says why."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is at one path. ``needs``: the least role that may see it (guests have one, too); None: whoever comes."""

    body: Body | Producer
    needs: protocol.Role | None = None


class Paths:
    """The table. Everything is added before the gateway starts to listen."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

    def add(self, path: str, body: Body | Producer, *, needs: protocol.Role | None = None) -> None:
        """Answer ``path`` with ``body``. Raises ValueError if that is no path, has a body already, or is too large."""
        if not path.startswith("/") or "?" in path or "#" in path:
            raise ValueError(f"{path!r} is no path: it begins with / and has no query")
        if path in self._entries:
            raise ValueError(f"there is something at {path} already")
        if isinstance(body, Body) and len(body.content) > MAX_BODY_BYTES:
            raise ValueError(f"{path} has {len(body.content)} bytes, more than {MAX_BODY_BYTES}: make two of it")
        self._entries[path] = Entry(body=body, needs=needs)

    def find(self, path: str) -> Entry | None:
        """What is at exactly this path."""
        return self._entries.get(path)

    def nearest(self, path: str) -> str | None:
        """The path that ``path`` was probably meant to be."""
        matches = difflib.get_close_matches(path, self._entries, n=1, cutoff=0.6)
        return matches[0] if matches else None
