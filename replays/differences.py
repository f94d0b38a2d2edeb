"""What differs between two states in plain form (``games/runtime/plain.py``): where, and what stands there in each.

Pure. Maps are compared key by key, lists place by place. Not here: where the states come from.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from games.runtime.plain import Path, path_text


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What stands at ``path`` in either; left out where nothing does."""

    path: str
    a: Any = msgspec.UNSET
    b: Any = msgspec.UNSET


def differences(a: Any, b: Any, path: Path = ()) -> Iterator[Difference]:
    """Every place at which two values differ, in order. ``path`` is where they stand themselves."""
    # A Lua table that is empty goes as a list, whatever it will hold.
    a, b = {} if a == [] and isinstance(b, dict) else a, {} if b == [] and isinstance(a, dict) else b
    if isinstance(a, dict) and isinstance(b, dict):
        for key in sorted(a.keys() | b.keys(), key=_order):
            yield from differences(a.get(key, msgspec.UNSET), b.get(key, msgspec.UNSET), (*path, key))
    elif isinstance(a, list) and isinstance(b, list):
        for place in range(max(len(a), len(b))):
            left = a[place] if place < len(a) else msgspec.UNSET
            right = b[place] if place < len(b) else msgspec.UNSET
            yield from differences(left, right, (*path, str(place + 1)))
    elif a != b or isinstance(a, bool) != isinstance(b, bool):
        yield Difference(path=path_text(path), a=a, b=b)


def _order(key: str) -> tuple[int, int, str]:
    """Numbers by what they say, then texts."""
    return (0, int(key), "") if key.isascii() and key.isdecimal() else (1, 0, key)
