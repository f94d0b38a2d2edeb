"""The web page: what the gateway gives a browser. HTML, CSS and ES modules as they are, no build step.

`bodies` reads every file once, at the start of a gateway. ``vendor/`` holds other people's files, unchanged, with their
versions, licences and checksums in ``vendor/VENDOR.json``. Invariant: the browser runs nothing but these files, and
other people's text reaches the page as text.

Not here: how answers look on the wire (``server/gateway/http.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from server.gateway.paths import Body

FOLDER: Final = Path(__file__).parent
PREFIX: Final = "/page/"
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors "
)
_PRIVATE: Final = ("Referrer-Policy", "no-referrer")


def bodies(folder: Path = FOLDER) -> dict[str, Body]:
    """Every file that a browser may get, by its exact path.

    ``/`` is the page, which no other page may hold in a frame; ``/embed`` is the same for frames: it only shows worlds.
    """
    found = {
        PREFIX + path.relative_to(folder).as_posix(): Body(content=path.read_bytes(), kind=KINDS[path.suffix])
        for path in sorted(folder.rglob("*"))
        if path.suffix in KINDS
    }
    return found | {"/": _document(folder, "'none'"), "/embed": _document(folder, "*")}


def _document(folder: Path, ancestors: str) -> Body:
    return Body(
        content=(folder / "index.html").read_bytes(),
        kind="text/html; charset=utf-8",
        headers=(("Content-Security-Policy", _POLICY + ancestors), _PRIVATE),
    )
