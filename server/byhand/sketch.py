"""A map of what a player knows: drawn from its observation alone, so that nobody sees more than their player may.

It knows no game. Everything in the data that has a place is a node: a map with numbers x and z, or dx and dz as seen
from the player. What it is, the name of the list that it stands in says (``relics`` are relics).
Not here: how nodes are drawn (``server/demo/map.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from server.demo.map import draw_map

DEEPEST: Final = 6
COLUMNS: Final = 78
ROWS: Final = 14
_NAMES: Final = {"home": "base"}
_YOU: Final = "you"


def sketch(data: Any, columns: int = COLUMNS, rows: int = ROWS) -> list[str]:
    """The map, north first; empty if nothing in ``data`` has a place."""
    if not isinstance(data, Mapping):
        return []
    origin = _place(data, "x", "z") or (0.0, 0.0)
    nodes = list(_nodes(data, origin, "thing", 0))
    if len(nodes) < 2:
        return []
    seats = {_YOU: 0}
    lines = [
        "".join(cell.character for cell in row).rstrip() for row in draw_map({"nodes": nodes}, columns, rows, seats)
    ]
    return [line.replace("0", "@") for line in lines]


def _nodes(value: Any, origin: tuple[float, float], kind: str, depth: int) -> Iterator[dict[str, Any]]:
    if depth > DEEPEST:
        return
    if isinstance(value, Mapping):
        place = _place(value, "x", "z")
        away = _place(value, "dx", "dz")
        if depth == 0 and place is not None:
            yield {"x": place[0], "z": place[1], "kind": "player", "name": _YOU}
        elif place is not None:
            yield {"x": place[0], "z": place[1], "kind": kind}
        elif away is not None:
            yield {"x": origin[0] + away[0], "z": origin[1] + away[1], "kind": kind}
        for key, inner in value.items():
            yield from _nodes(inner, origin, _NAMES.get(key, str(key).removesuffix("s")), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _nodes(inner, origin, kind, depth + 1)


def _place(value: Mapping[str, Any], across: str, down: str) -> tuple[float, float] | None:
    x, z = value.get(across), value.get(down)
    if isinstance(x, int | float) and isinstance(z, int | float) and not isinstance(x, bool):
        return float(x), float(z)
    return None
