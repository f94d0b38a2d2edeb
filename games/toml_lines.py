"""On which line of a TOML file does a key stand? For error messages: tomllib does not say.

It follows ``[table]`` headers and ``key =`` lines, and dotted keys; a key inside an inline table is on its parent's
line. Lines inside of multi-line texts can fool it, which costs a wrong line number in a message, nothing more.
"""

from __future__ import annotations

import re
from typing import Final

_HEADER: Final = re.compile(r"\s*\[\[?([^\]]+)\]")
_KEY: Final = re.compile(r"""\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=""")


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def line_of(text: str, keys: tuple[str, ...]) -> int | None:
    """Return the line, from 1, of the deepest key on the way ``keys`` that is written down; None if none is."""
    best_length, best_line = 0, None
    header: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        found = _HEADER.match(line)
        if found:
            header = way = _parts(found.group(1))
        else:
            found = _KEY.match(line)
            if not found:
                continue
            way = header + _parts(found.group(1))
        common = _common(way, keys)
        # A header or key that leads away from ours says nothing; one that is a part of our way comes near.
        if common == min(len(way), len(keys)) and common > best_length:
            best_length, best_line = common, number
    return best_line


def _common(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    count = 0
    for left, right in zip(a, b, strict=False):
        if left != right:
            break
        count += 1
    return count
