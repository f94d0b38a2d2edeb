"""Draws a world as a small map of characters: the ground in braille dots, what matters as letters on top.

A pure function of a view (what a game's ``view`` returns: nodes with x, z, size, colour) and a size in characters. It
knows no game: what has no place in the tables below is a faint dot in its own colour, or an area if it is wide.
North (-z) is up, east (+x) is right, as in the texts that agents read.

Not here: the rest of the display (``view.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

DOTS_WIDE, DOTS_HIGH = 2, 4  # braille dots in one character
_BRAILLE: Final = 0x2800
_DOT_BITS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
assert len(_DOT_BITS) == DOTS_HIGH

GLYPHS: Final = {"base": "⌂", "relic": "◆", "player": "●"}
"""Kinds that are drawn as one character, later ones over earlier ones; a player whose seat is known is its number."""
FRONTS: Final = {"wave": "▓"}
"""Kinds that reach from north to south as one line when the view gives them no size."""
FAINT: Final = 0.5  # how much of its colour the ground keeps: what matters stands out
FILLED_UNITS: Final = 8.0  # things at least this wide and deep are areas
DEFAULT_COLOUR: Final = "#8a8f98"
LARGEST_UNITS: Final = 1e9  # what lies farther away is a mistake of the game
_COLOUR: Final = re.compile("#[0-9a-fA-F]{6}")
DETAIL: Final = "detail"
"""The tag of nodes that small pictures leave out."""
MARGIN: Final = 0.01  # of the extent, so that nothing stands on the edge


class MapNode(msgspec.Struct, frozen=True):
    """What a map needs to know of one node of a view. Everything else in the node is ignored."""

    x: float = 0.0
    z: float = 0.0
    kind: str = ""
    sx: float = 0.0
    sz: float = 0.0
    colour: str = DEFAULT_COLOUR
    name: str = ""


class Cell(msgspec.Struct, frozen=True):
    """One character of the map and its colour (``#rrggbb``); ``bold`` for what matters."""

    character: str = " "
    colour: str = DEFAULT_COLOUR
    bold: bool = False


class Extent(msgspec.Struct, frozen=True):
    """The part of the ground that is drawn, in units of the world."""

    west: float
    east: float
    north: float
    south: float


Row = list[Cell]


def read_nodes(view: Any) -> list[MapNode]:
    """The nodes of a view, as the game returned it. What is missing or odd in it gets a default: a map never fails."""
    nodes = view.get("nodes") if isinstance(view, Mapping) else None
    if not isinstance(nodes, list):
        return []
    return [
        MapNode(
            x=_number(node, "x"),
            z=_number(node, "z"),
            kind=str(node.get("kind")),
            sx=abs(_number(node, "sx")),
            sz=abs(_number(node, "sz")),
            colour=_colour(node.get("colour")),
            name=str(node.get("name")),
        )
        for node in nodes
        if isinstance(node, Mapping) and not _is_detail(node)
    ]


def _is_detail(node: Mapping[str, Any]) -> bool:
    tags = node.get("tags")
    return isinstance(tags, list) and DETAIL in tags


def extent_of(view: Any, nodes: Sequence[MapNode]) -> Extent:
    """The ground to draw: the view's ``size`` {x, z} if it names one, around its ``camera`` {x, z} or the origin; else
    what the nodes cover."""
    size = view.get("size") if isinstance(view, Mapping) else None
    if isinstance(size, Mapping):
        wide, deep = _number(size, "x"), _number(size, "z")
        camera = view.get("camera")
        x, z = (_number(camera, "x"), _number(camera, "z")) if isinstance(camera, Mapping) else (0.0, 0.0)
        if wide > 0 and deep > 0:
            return Extent(x - wide / 2, x + wide / 2, z - deep / 2, z + deep / 2)
    if not nodes:
        return Extent(-1.0, 1.0, -1.0, 1.0)
    west, east = min(n.x - n.sx / 2 for n in nodes), max(n.x + n.sx / 2 for n in nodes)
    north, south = min(n.z - n.sz / 2 for n in nodes), max(n.z + n.sz / 2 for n in nodes)
    pad_x, pad_z = max(1.0, (east - west) * MARGIN), max(1.0, (south - north) * MARGIN)
    return Extent(west - pad_x, east + pad_x, north - pad_z, south + pad_z)


def draw_map(view: Any, columns: int, rows: int, seats: Mapping[str, int] | None = None) -> list[Row]:
    """Draw ``view`` with ``columns`` × ``rows`` characters: a list of rows, north first.

    ``seats``: the seat of each player by the name that its node has.
    """
    nodes = read_nodes(view)
    canvas = _Canvas(extent_of(view, nodes), columns, rows)
    for node in nodes:
        if node.kind in GLYPHS or node.kind in FRONTS:
            continue
        if node.sx >= FILLED_UNITS and node.sz >= FILLED_UNITS:
            canvas.fill(node, "▒")
        else:
            canvas.dot(node)
    for kind, character in GLYPHS.items():
        for node in nodes:
            if node.kind == kind != "player":
                canvas.write(node, character)
    for node in nodes:
        if node.kind in FRONTS:
            canvas.fill(node, FRONTS[node.kind])
    for node in nodes:
        if node.kind == "player":
            seat = (seats or {}).get(node.name)
            canvas.write(node, GLYPHS["player"] if seat is None else str(seat)[-1])
    return canvas.cells


def faint(colour: str, share: float) -> str:
    """``colour`` (``#rrggbb``) with only a ``share`` (0-1) of its light."""
    return "#" + "".join(f"{int(int(colour[i : i + 2], 16) * share):02x}" for i in (1, 3, 5))


class _Canvas:
    """Characters under construction."""

    def __init__(self, extent: Extent, columns: int, rows: int) -> None:
        self._extent = extent
        self._columns, self._rows = max(1, columns), max(1, rows)
        self._bits = [[0] * self._columns for _ in range(self._rows)]
        self.cells: list[Row] = [[Cell() for _ in range(self._columns)] for _ in range(self._rows)]

    def dot(self, node: MapNode) -> None:
        """A faint dot; of several in one character, the last one's colour shows."""
        x, y = self._place(node.x, node.z, self._columns * DOTS_WIDE, self._rows * DOTS_HIGH)
        column, row = x // DOTS_WIDE, y // DOTS_HIGH
        self._bits[row][column] |= _DOT_BITS[y % DOTS_HIGH][x % DOTS_WIDE]
        self.cells[row][column] = Cell(chr(_BRAILLE | self._bits[row][column]), faint(node.colour, FAINT))

    def fill(self, node: MapNode, character: str) -> None:
        """All characters of an area, at least one; one without a size is a line from north to south."""
        west, north, east, south = (
            node.x - node.sx / 2,
            node.z - node.sz / 2,
            node.x + node.sx / 2,
            node.z + node.sz / 2,
        )
        if not node.sz:
            north, south = self._extent.north, self._extent.south
        left, top = self._place(west, north, self._columns, self._rows)
        right, bottom = self._place(east, south, self._columns, self._rows)
        for row in range(top, bottom + 1):
            for column in range(left, right + 1):
                self.cells[row][column] = Cell(character, node.colour)

    def write(self, node: MapNode, character: str) -> None:
        """One character that nothing on the ground hides."""
        column, row = self._place(node.x, node.z, self._columns, self._rows)
        self.cells[row][column] = Cell(character, node.colour, bold=True)

    def _place(self, x: float, z: float, wide: int, high: int) -> tuple[int, int]:
        extent = self._extent
        across = (x - extent.west) / (extent.east - extent.west)
        down = (z - extent.north) / (extent.south - extent.north)
        return min(wide - 1, max(0, int(across * wide))), min(high - 1, max(0, int(down * high)))


def _number(node: Mapping[str, Any], key: str) -> float:
    value = node.get(key)
    return float(value) if isinstance(value, int | float) and abs(value) < LARGEST_UNITS else 0.0


def _colour(value: Any) -> str:
    return value if isinstance(value, str) and _COLOUR.fullmatch(value) else DEFAULT_COLOUR
