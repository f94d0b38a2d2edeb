"""Where do two encoded states differ? For messages about code that writes where it may only read."""

from __future__ import annotations

from typing import Any

import msgspec


def first_difference(before: bytes, after: bytes) -> str:
    """Return the path of the first difference between two MessagePack values, like ``state.players.p_1.coins``."""
    return _walk(msgspec.msgpack.decode(before), msgspec.msgpack.decode(after), "") or "something"


def _walk(a: Any, b: Any, path: str) -> str | None:
    # A Lua table that is empty goes as a list, whatever it will hold.
    a, b = {} if a == [] and isinstance(b, dict) else a, {} if b == [] and isinstance(a, dict) else b
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(key for key in b if key not in a)]:
            if key not in a or key not in b:
                return f"{path}.{key}".lstrip(".")
            found = _walk(a[key], b[key], f"{path}.{key}")
            if found:
                return found
        return None
    if isinstance(a, list) and isinstance(b, list):
        for i, (left, right) in enumerate(zip(a, b, strict=False), start=1):
            found = _walk(left, right, f"{path}[{i}]")
            if found:
                return found
        return None if len(a) == len(b) else f"{path}[{min(len(a), len(b)) + 1}]".lstrip(".")
    return None if a == b else path.lstrip(".")
