"""Draws one `model.Picture` for a terminal: header, worlds, map, latest lines. A pure function of picture and size.

Names, notes and codes are other people's text: they are put into the display as plain text, never as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from server.demo.map import draw_map
from server.demo.model import Line, Picture, Scene, Seated, WorldRow, best_players
from server.demo.plain import kill_line

WORLDS_SHOWN: Final = 6
LEADERS_SHOWN: Final = 3
MAP_ROWS_MOST: Final = 14
MAP_ROWS_LEAST: Final = 4
MAP_COLUMNS_PER_ROW: Final = 9  # keeps a wide world from being drawn squashed
LINES_LEAST: Final = 3
KEYS: Final = "k kills a tick worker · Ctrl-C stops"

LINE_STYLES: Final = {
    "applied": "green",
    "rejected": "yellow",
    "waiting": "white",
    "join": "cyan",
    "leave": "magenta",
    "world": "cyan",
    "server": "red",
}


def draw(picture: Picture, columns: int, rows: int) -> RenderableType:
    """The whole display, for a terminal of ``columns`` × ``rows`` characters."""
    table_rows = 2 + min(len(picture.worlds), WORLDS_SHOWN) + (len(picture.worlds) > WORLDS_SHOWN)
    footer = _footer(picture)
    free = rows - 1 - table_rows - 2 - len(footer)  # header, table, two rules, footer
    map_rows = max(MAP_ROWS_LEAST, min(MAP_ROWS_MOST, columns // MAP_COLUMNS_PER_ROW, free - 1 - LINES_LEAST))
    parts: list[RenderableType] = [_header(picture), _worlds(picture.worlds)]
    if picture.scene is not None:
        parts += [
            _scene_title(picture.scene),
            map_text(picture.scene.view, picture.scene.players, columns, map_rows),
            standing(picture.scene.players),
        ]
        free -= map_rows + 1
    parts.append(Rule(Text("log", style="bold"), align="left", style="bright_black"))
    lines = picture.lines[-max(LINES_LEAST, free) :]
    parts += [line_text(line) for line in lines]
    if footer:
        parts += [Text()] * (free - len(lines)) + footer
    return Group(*parts)


def _header(picture: Picture) -> Text:
    minutes, seconds = divmod(int(picture.up_s), 60)
    text = Text(picture.title, style="bold", no_wrap=True, overflow="ellipsis")
    return text.append(f" · up {minutes}:{seconds:02} · Ctrl-C stops", style="not bold bright_black")


def _footer(picture: Picture) -> list[Text]:
    """The last lines: what a kill has cost, and the keys."""
    parts = []
    if picture.kill is not None:
        account = picture.kill.account
        good = account is None or not (account.lost or account.doubled)
        parts.append(Text(kill_line(picture.kill), style="bold cyan" if good else "bold red"))
    if picture.keys:
        parts.append(Text(KEYS, style="bright_black"))
    for part in parts:
        part.no_wrap, part.overflow = True, "ellipsis"
    return parts


def _worlds(worlds: Sequence[WorldRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bright_black", padding=(0, 2, 0, 0))
    for heading in ("world", "game"):
        table.add_column(heading, no_wrap=True)
    for heading in ("tick", "Hz", "tick p50 ms", "p99", "late p99 ms", "players"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("leading", no_wrap=True, overflow="ellipsis")
    for row in worlds[:WORLDS_SHOWN]:
        leaders = ", ".join(f"{player.name} {player.score:g}" for player in best_players(row, LEADERS_SHOWN))
        table.add_row(
            *(Text(cell) for cell in (row.world, row.game, str(row.tick), _number(row.hz, ".1f"))),
            *(Text(_number(value, ".2f")) for value in (row.tick_p50_ms, row.tick_p99_ms, row.late_p99_ms)),
            Text(str(len(row.players))),
            Text(leaders),
        )
    if len(worlds) > WORLDS_SHOWN:
        table.add_row(Text(f"and {len(worlds) - WORLDS_SHOWN} more", style="bright_black"))
    return table


def _scene_title(scene: Scene) -> Rule:
    return Rule(Text(f"{scene.world} at tick {scene.tick}", style="bold"), align="left", style="bright_black")


def map_text(view: Any, players: Sequence[Seated], columns: int, rows: int) -> Text:
    """The map of what a game's ``view`` shows, in ``columns`` × ``rows`` characters; players are their seats."""
    seats = {player.name: player.seat for player in players}
    text = Text(no_wrap=True)
    for number, row in enumerate(draw_map(view, columns, rows, seats)):
        if number:
            text.append("\n")
        for cell in row:
            text.append(cell.character, style=f"bold {cell.colour}" if cell.bold else cell.colour)
    return text


def standing(players: Sequence[Seated]) -> Text:
    """One line: who is which number on the map, and how they stand."""
    text = Text(no_wrap=True, overflow="ellipsis")
    for player in sorted(players, key=lambda player: player.seat):
        text.append(f"{player.seat} ", style="bold").append(player.name)
        text.append(f" {player.score:g}   ", style="bright_black")
    return text


def line_text(line: Line) -> Text:
    """One thing that happened, on one line."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if line.tick is not None:
        text.append(f"{line.tick:>7} ", style="bright_black")
    if line.player:
        text.append(f"{line.player:<9} ", style="bold")
    text.append(line.text, style=LINE_STYLES.get(line.kind, "white"))
    if line.note:
        text.append(f"  {line.note}", style="italic bright_black")
    return text


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
