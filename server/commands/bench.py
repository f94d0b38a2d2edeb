"""``worldline bench``: the load test. The work is in ``server/bench/``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from server.commands.bot import games_option, think_option
from server.commands.output import CommandError, print_line

if TYPE_CHECKING:
    from server.bench.report import BenchReport

LEAST_COLUMNS = 130  # what the widest table needs


@click.command("bench")
@click.option("--agents", default=100, show_default=True, type=click.IntRange(1, 10_000), help="How many agents play.")
@click.option("--game", default="tsunami", show_default=True, help="What they play.")
@click.option(
    "--seconds",
    default=30.0,
    show_default=True,
    type=click.FloatRange(min=1),
    help="How long is measured.",
)
@think_option
@click.option("--shards", type=click.IntRange(1, 256), help="How many tick workers.  [default: one per core]")
@click.option(
    "--durability", default="durable", show_default=True, type=click.Choice(["durable", "written"]), help="As in serve."
)
@click.option(
    "--policy",
    default="bot",
    show_default=True,
    type=click.Choice(["bot", "random"]),
    help="Agents decide by the game's bot.py, or at random among all declared inputs.",
)
@click.option("--eager", is_flag=True, help="Compute every player's observation in every tick: the control.")
@click.option("--compare", is_flag=True, help="Run twice, without and with --eager, and print both side by side.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False, writable=True), help="Write everything as JSON.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the logs here.",
)
@games_option
def command(
    agents: int,
    game: str,
    seconds: float,
    think_s: tuple[float, float],
    shards: int | None,
    durability: Literal["durable", "written"],
    policy: Literal["bot", "random"],
    eager: bool,
    compare: bool,
    out: Path | None,
    data: Path | None,
    game_folders: tuple[Path, ...],
) -> int:
    """Measure a server under load, on this machine.

    Starts a server and, in processes of their own, agents that decide every few seconds (--think 0: at once). Prints
    tick times, latencies as the agents feel them, processor and memory; then looks for every acknowledged outcome in
    the logs. Exit code 1 if one is missing.
    """
    from server.bench.crews import BenchError
    from server.bench.main import bench
    from server.bench.options import BenchOptions
    from server.startup import StartError

    options = BenchOptions(
        agents=agents,
        game=game,
        seconds=seconds,
        think_s=think_s,
        policy=policy,
        shards=shards or 0,
        durability=durability,
        data=None if data is None else str(data),
        game_folders=tuple(str(folder) for folder in game_folders),
    )
    controls = (False, True) if compare else (eager,)
    try:
        report = bench(options, controls, command=_spelled())
    except StartError as error:
        raise CommandError(error.message, error.remedy) from error
    except BenchError as error:
        raise CommandError(error.what, error.remedy) from error
    _print(report)
    if out is not None:
        _write(report, out)
    return 0 if report.good else 1


def _spelled() -> str:
    return " ".join(["worldline", *sys.argv[1:]])


def _print(report: BenchReport) -> None:
    from server.bench.report import closing_lines, sections

    for title, headings, rows in sections(report):
        _print_section(title, headings, rows)
    for line in closing_lines(report):
        print_line(line)


def _print_section(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table; its first column is text, the others are numbers."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), show_header=any(headings))
    for number, heading in enumerate(headings):
        wide = len(headings) == 2  # a name and a text
        table.add_column(heading, justify="left" if number == 0 or wide else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # A figure that is cut off is worth nothing: rather let a narrow terminal wrap the lines.
    console = Console(highlight=False)
    console.width = max(console.width, LEAST_COLUMNS)
    console.print(table)
    console.print()


def _write(report: BenchReport, out: Path) -> None:
    import msgspec

    try:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    except OSError as error:
        raise CommandError(f"cannot write {out}: {error.strerror}", "use another --out") from error
