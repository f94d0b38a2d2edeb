"""``worldline replay``: compute recorded worlds again. Needs no server, and disturbs none that is running.

``verify`` re-executes logs with the code and engine they were played with and compares every fingerprint.

Not here: re-execution itself (``replays/``), and ``export`` and ``import`` (``replay_files.py``).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eventlog.errors import EventLogError
from eventlog.store import Store
from server.commands import world_rows
from server.commands.addresses import is_file_name
from server.commands.output import Column, CommandError, data_option, json_option, print_json, print_table
from server.commands.replay_change import bisect, run, what_if, why
from server.commands.replay_explain import explain
from server.commands.replay_files import export, import_
from server.commands.replay_look import diff, state

if TYPE_CHECKING:
    from replays.verify import Verdict

COLUMNS: Final = (
    Column("WORLD"),
    Column("VERDICT"),
    Column("TICK", number=True),
    Column("RECORDS", number=True),
    Column("SECONDS", number=True),
    Column("PROBLEM", wrap=True),
)


@click.group("replay")
def command() -> None:
    """Compute recorded worlds again. Needs no server."""


command.add_command(state)
command.add_command(diff)
command.add_command(explain)
command.add_command(run)
command.add_command(bisect)
command.add_command(why)
command.add_command(what_if)
command.add_command(export)
command.add_command(import_)


@command.command("verify")
@click.argument("worlds", nargs=-1, metavar="[WORLD|FILE]...")
@click.option("--all", "every", is_flag=True, help="All worlds of the data folder, as when none is named.")
@click.option(
    "--reports",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write a report of each divergence here, for `replay explain`.",
)
@data_option
@json_option
def verify(worlds: tuple[str, ...], every: bool, reports: Path | None, data: Path, as_json: bool) -> int:
    """Re-execute WORLDs (default: all), or those in replay FILEs, and compare every fingerprint with the log.

    Exit code 1 if one is not the same world any more: its line names the first record that differs, and what is
    different.
    """
    from replays.verify import verify_worlds

    if every and worlds:
        raise click.UsageError("--all are all worlds: leave out the names, or --all")
    names = _worlds(data, worlds)
    verdicts: list[Verdict] = []
    try:
        with _progress(len(names)) as advance:
            for verdict in verify_worlds(data, names, reports=reports):
                verdicts.append(verdict)
                advance()
    except OSError as error:
        raise CommandError(
            f"cannot write to {reports}: {error.strerror or error}", "name another folder with --reports"
        ) from error
    verdicts.sort(key=lambda verdict: names.index(Path(verdict.bundle) if verdict.bundle else verdict.world))
    if as_json:
        for verdict in verdicts:
            print_json(verdict)
    else:
        print_table(COLUMNS, map(_row, verdicts))
    bad = sum(verdict.status != "verified" for verdict in verdicts)
    ticks = sum(verdict.tick for verdict in verdicts)
    click.echo(f"{len(verdicts) - bad} of {len(verdicts)} worlds verified, {ticks} ticks", err=True)
    return 1 if bad else 0


def _worlds(data: Path, named: tuple[str, ...]) -> list[str | Path]:
    """What is to be verified: ids of worlds, and replay files. Raises `CommandError`."""
    if not named or not all(map(is_file_name, named)):
        world_rows.existing(data)
    try:
        store = Store.read_only(data)
        found: list[str | Path] = [
            Path(name) if is_file_name(name) else store.resolve_world(name) for name in dict.fromkeys(named)
        ]
        return list(dict.fromkeys(found)) or list(store.world_ids())
    except EventLogError as error:
        what, _, remedy = str(error).partition(" → ")
        raise CommandError(what, remedy or "see `worldline log ls`") from error


def _row(verdict: Verdict) -> tuple[str, ...]:
    return (
        verdict.bundle or verdict.world,
        verdict.status,
        str(verdict.tick),
        str(verdict.records),
        f"{verdict.seconds:.2f}",
        _problem(verdict) or _left_out(verdict),
    )


def _problem(verdict: Verdict) -> str:
    said = [verdict.problem or "", *(f"differs: {each}" for each in verdict.differs)]
    if verdict.report is not None:
        said.append(f"see `worldline replay explain {verdict.report}`")
    return "; ".join(filter(None, said))


def _left_out(verdict: Verdict) -> str:
    return f"from tick {verdict.from_tick} on: the log before it is missing" if verdict.from_tick else ""


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """A progress bar on standard error, if somebody sits there; gives the function that advances it."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("re-executing worlds", total=total)
        yield lambda: progress.advance(task)
