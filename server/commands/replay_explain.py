"""``worldline replay explain``: opens a report of a divergence, of a verification or of a server's own check.

Not here: what is in one, and how it is made (``replays/report.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from server.commands.output import Column, CommandError, json_option, print_json, print_line, print_table
from server.commands.replay_look import print_differences

if TYPE_CHECKING:
    from replays.report import Report

INPUTS: Final = (
    Column("TICK", number=True),
    Column("PLAYER"),
    Column("SEQ", number=True),
    Column("INPUT", wrap=True),
    Column("RECORDED"),
    Column("NOW"),
    Column("NOTE", wrap=True),
)


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@json_option
def explain(file: Path, as_json: bool) -> int:
    """Print what a report of a divergence says: which record differs, its inputs, and both states."""
    from replays.report import read_report

    try:
        report = read_report(file)
    except OSError as error:
        raise CommandError(
            f"cannot read {file}: {error.strerror or error}", "name a file from `worldline replay verify --reports DIR`"
        ) from error
    if as_json:
        print_json(report)
        return 0
    _print_heading(report)
    if report.inputs:
        print_line(f"inputs of the ticks {report.since_tick} to {report.tick}:")
        print_table(INPUTS, _input_rows(report))
    else:
        print_line(f"there was no input from tick {report.since_tick} to {report.tick}")
    _print_states(report)
    return 0


def _print_heading(report: Report) -> None:
    what = f"checkpoint {report.checkpoint}" if report.checkpoint else f"{report.record} record"
    print_line(f"{report.world}@{report.tick} ({report.game}) is not the same when it is computed again")
    print_line(f"the first that differs is the {what} in {report.file} at byte {report.offset}")
    print_line(
        f"the log says {report.expected}, computed was {report.got}; up to tick {report.since_tick} all was equal"
    )
    print_line(f"code {report.code}, engine {report.engine}")
    for name, here in report.versions_here.items():
        then = report.versions_recorded.get(name)
        print_line(f"{name}: {here}" + ("" if then in (None, here) else f", recorded with {then}"))


def _input_rows(report: Report) -> list[tuple[str, ...]]:
    other = {(each.player, each.seq): each.recomputed or "not noted" for each in report.outcomes}
    return [
        (
            str(each.tick),
            each.player,
            str(each.seq),
            f"{each.name} {msgspec.json.encode(each.args).decode()}",
            (each.status or "not known") + (f" ({each.code})" if each.code else ""),
            other.get((each.player, each.seq), "the same"),
            each.note or "",
        )
        for each in report.inputs
    ]


def _print_states(report: Report) -> None:
    if report.recorded is None:
        print_line(f"the recorded state is not known: there is no snapshot of tick {report.tick} or later")
    elif report.recomputed is None:
        print_line(f"the recorded state is that of tick {report.states_tick}; computed again, it breaks before")
    elif not report.differences:
        print_line(f"at tick {report.states_tick} both states are the same again")
    else:
        places = "1 place" if len(report.differences) == 1 else f"{len(report.differences)} places"
        print_line(f"at tick {report.states_tick} the states differ at {places}:")
        print_differences(report.differences, ("RECORDED", "NOW"))
