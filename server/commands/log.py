"""``worldline log``: read the logs of worlds. Needs no server, and disturbs none that is running.

``ls`` lists worlds, ``show`` prints one's records, ``tail`` the last ones (``-f``: and those to come). A world is named
by its id or a unique beginning of it; ``show`` also takes ``WORLD@TICK``; without a name it is the newest world.

Not here: how logs are read and checked (``eventlog/``), how a record becomes a line (``log_lines.py``), and the
sub-commands ``verify`` and ``repair`` (``log_verify.py``, ``log_repair.py``).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import click

from eventlog.errors import EventLogError
from eventlog.json_form import json_form
from eventlog.reader import StoredRecord, follow_world, read_world
from eventlog.summary import WorldInfo
from server.commands import world_rows
from server.commands.log_lines import RECORD_COLUMNS, Narrator, Row, one_line
from server.commands.log_repair import repair_logs
from server.commands.log_verify import verify_logs
from server.commands.output import (
    data_option,
    json_option,
    print_json,
    print_line,
    print_table,
)

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
@data_option
@json_option
def show(world: str | None, with_beats: bool, data: Path, as_json: bool) -> None:
    """Print the records of WORLD (default: the newest), or those from TICK on.

    Each input stands at the tick that applied it, with its outcome and its agent's note. Exit code 1 if the log is
    damaged: what comes before the damage is printed.
    """
    name, from_tick = _address(world)
    world_id = world_rows.one_world(data, name)
    stored = _Intact(read_world(data, world_id, from_tick=from_tick or 0))
    if as_json:
        for form in json_form(stored):
            print_json(form)
    else:
        print_table(RECORD_COLUMNS, Narrator(with_beats=with_beats).rows(json_form(stored)))
    stored.report()


@command.command("tail")
@click.argument("world", required=False)
@click.option("-n", "--rows", default=TAIL_ROWS, show_default=True, type=click.IntRange(min=1), help="How many.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written, until the world ends or Ctrl-C.")
@click.option("--all", "with_beats", is_flag=True, help="Also show beats: how far the world might be shown.")
@data_option
@json_option
def tail(world: str | None, rows: int, follow: bool, with_beats: bool, data: Path, as_json: bool) -> None:
    """Print the last records of WORLD (default: the newest)."""
    name, tick = _address(world)
    if tick is not None:
        raise click.UsageError(f"tail shows the end of a log: leave out @{tick}, or use `worldline log show`")
    world_id = world_rows.one_world(data, name)
    printer = _TailPrinter(rows, Narrator(with_beats=with_beats), as_json=as_json)
    stored = _Intact(follow_world(data, world_id, wait=printer.wait) if follow else read_world(data, world_id))
    try:
        for form in json_form(stored):
            printer.add(form)
    except KeyboardInterrupt:
        return  # the usual way to end `tail -f`
    printer.end_of_log()
    stored.report()


class _Intact:
    """The records before the first damage; `report` raises the damage after they have been printed."""

    def __init__(self, stored: Iterable[StoredRecord]) -> None:
        self._stored = stored
        self._problem: EventLogError | None = None

    def __iter__(self) -> Iterator[StoredRecord]:
        try:
            yield from self._stored
        except EventLogError as problem:
            self._problem = problem

    def report(self) -> None:
        if self._problem is not None:
            raise self._problem


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
            print_table(RECORD_COLUMNS, [item for item in self._kept if isinstance(item, tuple)])

    def _print(self, item: Row | dict[str, Any]) -> None:
        if isinstance(item, tuple):
            print_line(one_line(item))
        else:
            print_json(item)


def _address(world: str | None) -> tuple[str | None, int | None]:
    """Read ``WORLD``, ``WORLD@TICK`` or ``@TICK`` (of the newest world)."""
    if world is None:
        return None, None
    name, at, tick = world.partition("@")
    if at and not (tick.isascii() and tick.isdigit()):
        raise click.UsageError(f"{world!r} is no address: a world at a tick is written like w_0k3f@812")
    return name or None, int(tick) if at else None


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
