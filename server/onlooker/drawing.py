"""Draws a watched world for a terminal: where one is, map, players, what a player saw, what happened, keys. Pure.

Names, notes and what games say are other people's text: they are shown as plain text, never as markup.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from server.byhand import telling
from server.demo.model import Line
from server.demo.view import MAP_COLUMNS_PER_ROW, MAP_ROWS_LEAST, MAP_ROWS_MOST, line_text, map_text, standing
from server.onlooker.strokes import HELP
from worldline import protocol

LINES_LEAST: Final = 3
SEEN_ROWS_MOST: Final = 6
KEYS: Final = "Space stands still · ← → one tick · ↑ ↓ ten · - + speed · l live · a eyes · ? keys · q ends"


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """All that is on the screen at one moment. ``trouble`` is what the last key has led to, if that was nothing good;
    ``ended`` why the world does not go on."""

    watching: protocol.Watching
    tick: int
    last_tick: int
    playing: bool
    nodes: Sequence[Any]
    size: Any
    camera: Any
    players: Sequence[protocol.WatchedPlayer]
    lines: Sequence[Line]
    view_as: str | None = None
    observation: protocol.Observation | None = None
    connected: bool = True
    ended: str | None = None
    trouble: str = ""
    help: bool = False


def draw(look: Look, columns: int, rows: int) -> RenderableType:
    """The whole display, for a terminal of ``columns`` × ``rows`` characters."""
    parts: list[RenderableType] = [_header(look), _timeline(look, columns)]
    free = rows - 1 - len(parts) - 1  # the cursor's row, and the footer
    if look.help:
        parts.append(_help())
        return Group(*parts, *[Text()] * (free - len(HELP)), _footer(look))
    seen = _seen(look, columns)[: max(0, min(SEEN_ROWS_MOST, free - 2 - MAP_ROWS_LEAST - LINES_LEAST))]
    free -= len(seen) + 2  # the line of the players, and the rule
    map_rows = max(MAP_ROWS_LEAST, min(MAP_ROWS_MOST, columns // MAP_COLUMNS_PER_ROW, free - LINES_LEAST))
    view = {"nodes": list(look.nodes), "size": look.size, "camera": look.camera}
    parts += [map_text(view, look.players, columns, map_rows), standing(look.players), *seen]
    parts.append(Rule(Text("what happened", style="bold"), align="left", style="bright_black"))
    free = max(0, free - map_rows)
    lines = list(look.lines)[len(look.lines) - min(free, len(look.lines)) :]
    parts += [line_text(line) for line in lines]
    return Group(*parts, *[Text()] * (free - len(lines)), _footer(look))


def state(look: Look) -> str:
    """What the screen does: ``live``, ``paused`` …"""
    if not look.connected:
        return "no connection, trying again"
    if look.ended is not None:
        return f"ended: {look.ended}"
    if look.watching.live:
        return "live"
    if not look.playing:
        return "paused"
    return "the end" if look.tick >= look.last_tick and _has_ended(look.watching) else "replay"


def _header(look: Look) -> Text:
    watching = look.watching
    text = Text(f"{watching.world}@{look.tick}", style="bold", no_wrap=True, overflow="ellipsis")
    text.append(f" · {watching.game} · ", style="not bold")
    text.append(state(look), style="bold green" if watching.live and look.ended is None else "bold yellow")
    speed = "" if watching.live or watching.speed == 1 else f" · {watching.speed:g} × as fast"
    seconds = look.tick / watching.tick_hz if watching.tick_hz else 0.0
    eyes = "" if look.view_as is None else f" · with the eyes of {look.view_as}"
    return text.append(
        f"{speed} · {int(seconds // 60)}:{int(seconds % 60):02} of the game{eyes}", style="not bold bright_black"
    )


def _timeline(look: Look, columns: int) -> Text:
    """Where in the world one is, and what is worth a look."""
    first, last = look.watching.first_tick, max(look.last_tick, look.tick)
    ends = f" {last}"
    wide = max(1, columns - len(ends))
    cells = [("─", "bright_black")] * wide

    def column(tick: int) -> int:
        return min(wide - 1, max(0, (tick - first) * (wide - 1) // max(1, last - first)))

    for mark in look.watching.marks:
        cells[column(mark.tick)] = ("╹" if mark.kind == "joined" else "╻", "cyan")
    here = column(look.tick)
    for place in range(here):
        character, colour = cells[place]
        cells[place] = ("━", "green") if character == "─" else (character, colour)
    cells[here] = ("●", "bold white")
    text = Text(no_wrap=True, overflow="crop")
    for character, colour in cells:
        text.append(character, style=colour)
    return text.append(ends, style="bright_black")


def _seen(look: Look, columns: int) -> list[Text]:
    """What the player whose eyes these are was last sent."""
    if look.view_as is None:
        return []
    if look.observation is None:
        return [Text(f"{look.view_as} had not been sent an observation yet", style="magenta")]
    lines = telling.observation(look.observation)
    pieces = [piece for line in lines for piece in textwrap.wrap(line, columns)]
    return [Text(piece, style="magenta", no_wrap=True, overflow="crop") for piece in pieces]


def _help() -> Table:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 3, 0, 0))
    table.add_column(no_wrap=True, style="bold")
    table.add_column(no_wrap=True, overflow="ellipsis")
    for key in HELP:
        table.add_row(key.shown, key.meaning)
    return table


def _footer(look: Look) -> Text:
    text = Text(KEYS, style="bright_black") if not look.trouble else Text(look.trouble, style="bold red")
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def _has_ended(watching: protocol.Watching) -> bool:
    return any(mark.kind == "ended" for mark in watching.marks)
