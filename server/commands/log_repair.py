"""``worldline log repair --dry-run``: what could be salvaged of damaged logs. Needs no server, and changes nothing.

Not here: how that is found out (``eventlog/salvage.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from eventlog.salvage import Part, Salvage, salvage
from server.commands.output import (
    Column,
    data_option,
    fail,
    json_option,
    print_json,
    print_line,
    print_table,
)
from server.commands.progress import progress
from server.commands.world_rows import one_or_all

COLUMNS: Final = (
    Column("WORLD"),
    Column("KEPT TO TICK", number=True),
    Column("RECORDS", number=True),
    Column("INPUTS", number=True),
    Column("FILE"),
    Column("BYTE", number=True),
    Column("LOST RECORDS", number=True),
    Column("LOST INPUTS", number=True),
    Column("LOST TICKS"),
    Column("UNREADABLE", number=True),
    Column("SNAPSHOT", number=True),
    Column("REASON", wrap=True),
)


@click.command("repair")
@click.argument("world", required=False)
@click.option("--dry-run", is_flag=True, help="Only say what a repair would keep and lose. There is nothing else yet.")
@data_option
@json_option
def repair_logs(world: str | None, dry_run: bool, data: Path, as_json: bool) -> int:
    """Say what could be salvaged of all damaged logs in a data folder, or of WORLD's.

    One row for each damaged world: up to which tick, record, file and byte its log is intact, which is what a repair
    would keep; then what it would lose: records and inputs behind the damage that can still be read by themselves, and
    bytes that cannot; and the tick of the latest snapshot from behind the damage, if there is one. Exit code 0 if
    nothing is damaged, else 1. A server may be running on the folder.
    """
    if not dry_run:
        raise click.UsageError("repair cannot change logs, it only says what could be salvaged: add --dry-run")
    world_id = one_or_all(data, world)
    with progress("checking") as on_progress:
        found = salvage(data, world=world_id, on_progress=on_progress)
    if as_json:
        for each in found:
            print_json(each)
    else:
        print_table(COLUMNS, map(_row, found))
    if found:
        return fail(
            f"{len(found)} damaged {'log' if len(found) == 1 else 'logs'} in {data}",
            "restore these worlds from a copy; keep the damaged files as they are until then",
        )
    if not as_json:
        print_line("No log is damaged: there is nothing to salvage.")
    return 0


def _row(each: Salvage) -> tuple[str, ...]:
    return (
        each.world,
        str(each.tick),
        str(each.kept.records),
        str(each.kept.inputs),
        each.file,
        str(each.offset),
        str(each.readable.records),
        str(each.readable.inputs),
        _ticks(each.readable),
        str(each.unreadable_bytes),
        "" if each.snapshot is None else str(each.snapshot.tick),
        each.reason,
    )


def _ticks(part: Part) -> str:
    return "" if part.first_tick is None else f"{part.first_tick}-{part.last_tick}"
