"""``worldline log``: read the logs of worlds. Needs no server, and disturbs none that is running.

``ls`` lists worlds, ``show`` prints one's records, ``tail`` the last ones (``-f``: and those to come). A world is named
by its id or a unique beginning of it; ``show`` also takes ``WORLD@TICK``; without a name it is the newest world.

Not here: how logs are read and checked (``eventlog/``), how a record becomes a line (``log_lines.py``), options that
several sub-commands have (``log_options.py``), and the sub-commands ``grep``, ``stats`` and ``export``
(``log_search.py``), ``verify`` and ``repair`` (``log_verify.py``, ``log_repair.py``).
"""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from eventlog.intact import Intact
from eventlog.json_form import json_form
from eventlog.reader import follow_world, read_world
from eventlog.selection import Selection
from eventlog.summary import WorldInfo
from server.commands import world_rows
from server.commands.addresses import address
from server.commands.log_lines import RECORD_COLUMNS, WIDTHS, Narrator, Row, style
from server.commands.log_options import selection_options
from server.commands.log_repair import repair_logs
from server.commands.log_search import export_log, grep, stats
from server.commands.log_verify import verify_logs
from server.commands.output import data_option, json_option, print_json, print_row, print_table

LOOK_EVERY_S: Final = 0.25
TAIL_ROWS: Final = 20
WORLD_COLUMNS: Final = (
    world_rows.WORLD,
    world_rows.GAME,
    world_rows.STATUS,
    world_rows.TICK,
    world_rows.SIZE,
    world_rows.CREATED,
    world_rows.REASON,
)


@click.group("log")
def command() -> None:
    """Read the logs of worlds. Needs no server."""


command.add_command(grep)
command.add_command(stats)
command.add_command(export_log)
command.add_command(verify_logs)
command.add_command(repair_logs)


@command.command("ls")
@data_option
@json_option
def list_worlds(data: Path, as_json: bool) -> None:
    """List the worlds of a data folder, oldest first."""
    worlds = world_rows.infos(world_rows.existing(data))
    if as_json:
        for world in worlds:
            print_json(world)
        return
    print_table(WORLD_COLUMNS, map(_world_row, worlds))
    if not worlds:
        click.echo(f"no worlds in {data} yet", err=True)


@command.command("show")
@click.argument("world", required=False, metavar="[WORLD[@TICK]]")
@click.option("--all", "with_beats", is_flag=True, help="Also show beats: how far the world might be shown.")
@selection_options()
@data_option
@json_option
def show(world: str | None, with_beats: bool, selection: Selection, data: Path, as_json: bool) -> None:
    """Print the records of WORLD (default: the newest), or those from TICK on.

    Each input stands at the tick that applied it, with its outcome and its agent's note. Exit code 1 if the log is
    damaged: what comes before the damage is printed.
    """
    name, tick = address(world)
    if tick is not None and (selection.from_tick or selection.to_tick is not None):
        raise click.UsageError(f"@{tick} and --ticks both say from where on: leave one out")
    if tick is not None:
        selection = msgspec.structs.replace(selection, from_tick=tick)
    world_id = world_rows.one_world(data, name)
    stored = Intact(read_world(data, world_id, from_tick=selection.from_tick))
    forms = selection.of(json_form(stored))
    if as_json:
        for form in forms:
            print_json(form)
    else:
        print_table(RECORD_COLUMNS, _narrator(selection, with_beats).rows(forms), style)
    stored.report()


@command.command("tail")
@click.argument("world", required=False)
@click.option("-n", "--rows", default=TAIL_ROWS, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until the world ends or Ctrl-C.")
@click.option("--all", "with_beats", is_flag=True, help="Also show beats: how far the world might be shown.")
@selection_options(ticks=False)
@data_option
@json_option
def tail(
    world: str | None, rows: int, follow: bool, with_beats: bool, selection: Selection, data: Path, as_json: bool
) -> None:
    """Print the last records of WORLD (default: the newest)."""
    name, tick = address(world)
    if tick is not None:
        raise click.UsageError(f"tail shows the end of a log: leave out @{tick}, or use `worldline log show`")
    world_id = world_rows.one_world(data, name)
    printer = _TailPrinter(rows, _narrator(selection, with_beats), as_json=as_json)
    stored = Intact(follow_world(data, world_id, wait=printer.wait) if follow else read_world(data, world_id))
    try:
        for form in selection.of(json_form(stored)):
            printer.add(form)
    except KeyboardInterrupt:
        return  # the usual way to end `tail -f`
    printer.end_of_log()
    stored.report()


def _narrator(selection: Selection, with_beats: bool) -> Narrator:
    return Narrator(with_beats=with_beats or "beat" in selection.kinds)


class _TailPrinter:
    """Keeps the last rows until the end of the log is reached, prints them, and then what is added at once."""

    def __init__(self, rows: int, narrator: Narrator, *, as_json: bool) -> None:
        self._kept: deque[Row | dict[str, Any]] = deque(maxlen=rows)
        self._narrator = narrator
        self._as_json = as_json
        self._live = False

    def add(self, form: dict[str, Any]) -> None:
        """Take the next record."""
        for item in [form] if self._as_json else self._narrator.rows([form]):
            if self._live:
                self._print(item)
            else:
                self._kept.append(item)

    def wait(self) -> bool:
        """Called where the log ends for now: wait a moment, then look again."""
        self._live = True
        for item in self._kept:
            self._print(item)
        self._kept.clear()
        time.sleep(LOOK_EVERY_S)
        return True

    def end_of_log(self) -> None:
        """Nothing more will come."""
        if self._live or self._as_json:
            for item in self._kept:
                self._print(item)
        else:
            print_table(RECORD_COLUMNS, [item for item in self._kept if isinstance(item, tuple)], style)

    def _print(self, item: Row | dict[str, Any]) -> None:
        if isinstance(item, tuple):
            print_row(item, style, WIDTHS)
        else:
            print_json(item)


def _world_row(world: WorldInfo) -> Row:
    return (
        world.world,
        world.game,
        world.status,
        str(world.last_tick),
        world_rows.size(world),
        world_rows.when(world.created_ms),
        world.reason or "",
    )
