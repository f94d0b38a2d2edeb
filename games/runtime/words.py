"""An observation in words, for games that have no ``describe`` of their own: the declared fields, one per line."""

from __future__ import annotations

from typing import Any

import msgspec

from games.fields import show
from games.manifest import Manifest


def plain_text(manifest: Manifest, data: bytes) -> str:
    """Return ``field: value`` for each declared field of an observation's data; all fields where none is declared."""
    seen: Any = msgspec.msgpack.decode(data)
    if not isinstance(seen, dict):
        return show(seen)
    names = manifest.observation or seen
    return "\n".join(f"{name}: {show(seen[name])}" for name in names if name in seen)
