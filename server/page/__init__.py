"""The web page: what the gateway gives a browser. HTML, CSS and ES modules as they are, no build step.

`load` reads every file once, at the start of a gateway; nothing is read from disk afterwards. ``vendor/`` holds other
people's files, unchanged, with their versions, licences and checksums in ``vendor/VENDOR.json``.

Not here: what a browser may ask for otherwise, and how answers look on the wire (``server/gateway/http.py``).
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path
from typing import Final

import msgspec

FOLDER: Final = Path(__file__).parent
PREFIX: Final = "/page/"
MAX_ASSET_BYTES: Final = 262_144
"""Bodies that the WebSocket library sends are for small files: it writes them in one piece."""
KINDS: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {ancestors}"
)


class Asset(msgspec.Struct, frozen=True, kw_only=True):
    """One file of the page. ``body_gzip`` is the same compressed; ``policy`` is the Content-Security-Policy that goes
    with a document."""

    body: bytes
    body_gzip: bytes
    kind: str
    etag: str
    policy: str | None = None


def load(folder: Path = FOLDER) -> dict[str, Asset]:
    """Every file that a browser may get, by its exact path.

    ``/`` is the page, which no other page may hold in a frame; ``/embed`` is the same for frames: it only shows worlds.
    """
    assets = {
        PREFIX + path.relative_to(folder).as_posix(): _asset(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in KINDS and path.suffix != ".html"
    }
    assets["/"] = _asset(folder / "index.html", ancestors="'none'")
    assets["/embed"] = _asset(folder / "index.html", ancestors="*")
    return assets


def _asset(path: Path, ancestors: str | None = None) -> Asset:
    body = path.read_bytes()
    return Asset(
        body=body,
        body_gzip=gzip.compress(body, mtime=0),
        kind=KINDS[path.suffix],
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        policy=None if ancestors is None else _POLICY.format(ancestors=ancestors),
    )
