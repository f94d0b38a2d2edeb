"""The fixed table of what plain HTTP answers: exact paths, and families in which one part is a name, made when the
gateway starts.

A path has a body that was made once, or a producer that makes it when it is asked for. Nothing is read from disk for a
request, and no body is larger than `MAX_BODY_BYTES`: the library writes it at one go.

Not here: how an answer looks on the wire (``http``), who may come in at all (``entrance``), and what the server says
of itself at which path (whoever adds it).
"""

from __future__ import annotations

import difflib
import http
import re
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from worldline import protocol

MAX_BODY_BYTES: Final = 262_144
"""So much may wait for a slow reader of one connection."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")

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
    """Who asks for what. ``name``: the part of the path that varies in its family. ``query``: what follows the question
    mark, as it came. ``agent`` is who a token
    proves, None for guests; ``role`` what one may be: None, where no guests are let in and there is no token."""

    path: str
    name: str = ""
    query: str
    agent: str | None
    role: protocol.Role | None


Producer = Callable[[Asked], Body | Awaitable[Body]]
"""Makes a body when it is asked for. If it takes too long or raises, the asker is told, and the log says why."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is at one path. ``needs``: the least role that may see it (guests have one, too); None: whoever comes."""

    body: Body | Producer
    needs: protocol.Role | None = None
    prefix: str = ""
    suffix: str = ""
    """Of a family, both: what is before and after the name."""

    def name_in(self, path: str) -> str:
        """The name that ``path`` has, if this is its family and it has one of characters that need no quoting."""
        if not (self.suffix and path.startswith(self.prefix) and path.endswith(self.suffix)):
            return ""
        name = path[len(self.prefix) : -len(self.suffix)]
        return name if _NAME.fullmatch(name) else ""


class Paths:
    """The table. Everything is added before the gateway starts to listen."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._families: list[Entry] = []

    def add(self, path: str, body: Body | Producer, *, needs: protocol.Role | None = None) -> None:
        """Answer ``path`` with ``body``. Raises ValueError if that is no path, has a body already, or is too large."""
        if not path.startswith("/") or "?" in path or "#" in path:
            raise ValueError(f"{path!r} is no path: it begins with / and has no query")
        if path in self._entries:
            raise ValueError(f"there is something at {path} already")
        if isinstance(body, Body) and len(body.content) > MAX_BODY_BYTES:
            raise ValueError(f"{path} has {len(body.content)} bytes, more than {MAX_BODY_BYTES}: make two of it")
        self._entries[path] = Entry(body=body, needs=needs)

    def add_family(self, prefix: str, suffix: str, body: Producer, *, needs: protocol.Role | None = None) -> None:
        """Answer every path of these two with a name between them."""
        self._families.append(Entry(body=body, needs=needs, prefix=prefix, suffix=suffix))

    def find(self, path: str) -> Entry | None:
        """What is at exactly this path."""
        return self._entries.get(path) or next((one for one in self._families if one.name_in(path)), None)

    def nearest(self, path: str) -> str | None:
        """The path that ``path`` was probably meant to be."""
        matches = difflib.get_close_matches(path, self._entries, n=1, cutoff=0.6)
        return matches[0] if matches else None
