"""``worldline games check``: plays games with random agents and says what is wrong (``games/checking`` does it).

Golden replays (``replays/golden.py``) are played again, too; with ``--accept`` those that go another way are recorded
anew (``replays/rerecord.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from server.commands.output import CommandError, clean, fail, human_bytes, json_option, print_json, print_line
from server.commands.replay_look import score_text, value_text

if TYPE_CHECKING:
    from games.checking.report import Problem, Report, Spread

SHOWN: Final = 5
"""Places that differ, and inputs that were left out, of each golden replay that is recorded anew."""


@click.command("check")
@click.argument("names", metavar="[NAME|PATH]...", nargs=-1)
@click.option("--seed", default=1, show_default=True, help="Play other games with another one.")
@click.option("--ticks", default=5000, show_default=True, type=click.IntRange(1, 1_000_000), help="How much is played.")
@click.option("--accept", is_flag=True, help="Record golden replays anew that go another way now, and say how.")
@json_option
def check(names: tuple[str, ...], seed: int, ticks: int, accept: bool, as_json: bool) -> int:
    """Play games with random agents, and say what is wrong with them.

    NAME is a packaged game, PATH the folder of a game; without either all packaged games are checked. Exit code 1 if
    something must be mended.
    """
    from games.checking.check import check_game
    from games.code import find_games
    from server.commands.games import game_folder

    folders = [game_folder(name) for name in names] or [Path(code.origin) for code in find_games().values()]
    reports = []
    for folder in folders:
        report = _with_replays(check_game(folder, seed=seed, ticks=ticks), folder, accept=accept)
        reports.append(report)
        if as_json:
            print_json(report)
        else:
            _print_report(report)
    failed = [report for report in reports if report.problems]
    if not failed:
        return 0
    what = ", ".join(f"{report.game} ({_first(report)})" for report in failed)
    return fail(f"something is wrong with {what}", "mend what is listed, then check again")


def _with_replays(report: Report, folder: Path, *, accept: bool) -> Report:
    """The report, and what has become of the game's golden replays. ``accept``: those that differ are recorded anew."""
    from games.checking.report import Problem
    from replays.golden import check_folder

    if any(problem.kind in ("does_not_load", "stuck") for problem in report.problems):
        return report  # there is nothing to play them with
    found = check_folder(folder)
    if accept and any(golden.status == "differs" for golden in found):
        for golden in found:
            if golden.status == "differs":
                _accept(Path(golden.path), folder)
        found = check_folder(folder)
    problems = [
        Problem(
            kind="replay_differs" if golden.status == "differs" else "replay_unusable",
            file=str(Path(golden.path).relative_to(folder)),
            line=None,
            message=golden.problem.removeprefix(golden.path).removeprefix(": ").strip(),
        )
        for golden in found
        if golden.problem is not None
    ]
    return msgspec.structs.replace(report, problems=[*report.problems, *problems], replays=len(found) - len(problems))


def _accept(path: Path, folder: Path) -> None:
    """Record one golden replay anew, and say on standard error what is different in it."""
    from games.code import GameCode
    from replays.rerecord import rerecord
    from server.commands.watched import watched

    try:
        code = GameCode.load(folder)
        done = watched(lambda: rerecord(path, code), f"the game in {folder}", f"recording {path.name} anew")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}", "mend that, then run it again") from error
    first, ends = done.first, done.ends
    by = f" at tick {first.tick}, by {first.culprit.text}" if first.tick is not None and first.culprit else ""
    said = [f"{path}: recorded anew; it goes another way{by or ', in what is told to players'}"]
    said += [
        f"  {each.path}: was {value_text(each.a)}, now {value_text(each.b)}"
        for each in sorted(first.differences, key=lambda each: not each.path.startswith("state."))[:SHOWN]
    ]
    if len(first.differences) > SHOWN:
        said.append(f"  and {len(first.differences) - SHOWN} more places")
    said.append(f"  it ended at tick {ends.tick_was}, now at {ends.tick_now}")
    said += [f"  {each.player} {each.name}: {score_text(each.was)}, now {score_text(each.now)}" for each in ends.scores]
    said += [f"  left out at tick {each.tick}: {each.entry}: {each.why}" for each in ends.left_out[:SHOWN]]
    if len(ends.left_out) > SHOWN:
        said.append(f"  and {len(ends.left_out) - SHOWN} more were left out")
    click.echo("\n".join(map(clean, said)), err=True)


def _first(report: Report) -> str:
    problem = report.problems[0]
    more = len(report.problems) - 1
    return _place(report, problem) + (f" and {more} more" if more else "")


def _place(report: Report, problem: Problem) -> str:
    origin = Path(report.origin)
    shown = origin.relative_to(Path.cwd()) if origin.is_relative_to(Path.cwd()) else origin
    return str(shown / problem.file) + (f":{problem.line}" if problem.line is not None else "")


def _print_report(report: Report) -> None:
    figures = report.figures
    print_line(f"{report.game}: " + ("not good" if report.problems else "good") + f" ({report.seconds:.1f} s)")
    if figures is not None:
        ended = f" ({figures.finished} to the end)" if figures.finished else ""
        print_line(
            f"  played      {figures.worlds} worlds{ended}, {figures.ticks:,} ticks, {figures.players} players; "
            f"inputs: {figures.applied} applied, {figures.rejected} rejected, {figures.refused} refused as undeclared"
        )
        print_line(f"  tick        {_times(figures.tick_ms)}")
        print_line(f"  observation {_times(figures.observation_ms)}; {_sizes(figures.observation_bytes)}")
        print_line(f"  snapshot    {human_bytes(figures.snapshot_bytes)}; Lua memory {figures.lua_kib / 1024:.1f} MiB")
    if report.replays:
        print_line(f"  replays     {report.replays} went the same way again")
    for note in report.notes:
        print_line(f"  note: {note}")
    for problem in report.problems:
        times = f", {problem.times} times" if problem.times > 1 else ""
        first = f" (first in {problem.first}{times})" if problem.first else ""
        print_line(f"  {_place(report, problem)}: {problem.kind}: {clean(problem.message)}{first}")


def _times(times_ms: Spread) -> str:
    return f"p50 {times_ms.p50:.3f} ms, p99 {times_ms.p99:.3f} ms, most {times_ms.most:.3f} ms"


def _sizes(sizes: Spread) -> str:
    return f"{human_bytes(int(sizes.p50))}, at most {human_bytes(int(sizes.most))}"
