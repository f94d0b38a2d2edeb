"""``worldline log verify``: check every byte of the logs in a data folder. Needs no server, and disturbs none.

Not here: what is checked, and how (``eventlog/verify.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from eventlog.filecheck import Problem
from eventlog.snapshot_check import LOG_IS_ENOUGH
from eventlog.verify import Verification, verify
from server.commands.output import (
    Column,
    data_option,
    fail,
    human_bytes,
    json_option,
    print_json,
    print_line,
    print_table,
)
from server.commands.progress import progress
from server.commands.world_rows import one_or_all

COLUMNS: Final = (
    Column("WORLD"),
    Column("TICK", number=True),
    Column("FILE"),
    Column("BYTE", number=True),
    Column("REASON", wrap=True),
)


@click.command("verify")
@click.argument("world", required=False)
@data_option
@json_option
def verify_logs(world: str | None, data: Path, as_json: bool) -> int:
    """Check every byte of all logs, journals, snapshots and game code in a data folder, or of WORLD alone.

    Exit code 0 and a summary if all is as it was written; else 1 and a list of what is not: world, last good tick,
    file, byte, reason. Uses all cores. A server may be running on the folder.
    """
    world_id = one_or_all(data, world)
    with progress("checking") as on_progress:
        found = verify(data, world=world_id, on_progress=on_progress)
    if as_json:
        print_json(found)
    else:
        print_table(COLUMNS, map(_row, found.problems))
    if found.problems:
        worlds = {problem.world for problem in found.problems} - {None}
        return fail(
            f"{_count(len(found.problems), 'problem')} in {len(worlds)} of {_count(found.worlds, 'world')} in {data}",
            _remedy(found),
        )
    if not as_json:
        print_line(summary(found))
        for file in found.leftovers:
            print_line(f"{file} was left unfinished by a crash; it means nothing and may be removed.")
    return 0


def _remedy(found: Verification) -> str:
    if all(problem.reason.endswith(LOG_IS_ENOUGH) for problem in found.problems):
        return "all logs are intact: worlds come back from them without these snapshots, only more slowly"
    return "keep these files as they are and restore them from a copy; what is not listed is intact"


def summary(found: Verification) -> str:
    """One paragraph: what was checked, how fast, and that nothing is wrong."""
    rate = found.records / found.seconds
    return (
        f"{_count(found.worlds, 'world')} checked: {_count(found.records, 'record')}, {human_bytes(found.bytes)} in "
        f"{_count(found.files, 'file')}, {_count(found.journals, 'journal')}, "
        f"{_count(found.snapshots, 'snapshot')}, {_count(found.code_folders, 'folder')} of code; "
        f"{found.seconds:.2f} s with {_count(found.processes, 'process')}, {rate:,.0f} records/s. Nothing is damaged."
    )


def _count(number: int, noun: str) -> str:
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def _row(problem: Problem) -> tuple[str, ...]:
    tick = "" if problem.tick is None else str(problem.tick)
    return (problem.world or "", tick, problem.file, str(problem.offset), problem.reason)
