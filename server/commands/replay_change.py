"""``worldline replay run``, ``bisect``, ``why`` and ``what-if``: what made a game go as it did, and how else it could.

Needs no server, and disturbs none that is running. Not here: how it is found out (``replays/rerun.py``, ``bisect.py``,
``why.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click
import msgspec

from server.commands.addresses import spot
from server.commands.output import (
    Column,
    CommandError,
    data_option,
    fail,
    json_option,
    print_json,
    print_line,
    print_table,
)
from server.commands.progress import busy
from server.commands.replay_look import print_differences, score_text, steps_of, value_text
from server.commands.watched import timeout_option, watched

if TYPE_CHECKING:
    from games.code import GameCode
    from replays.bisect import Bisected
    from replays.rerun import Rerun, WhatIf

SCORES: Final = (
    Column("PLAYER"),
    Column("NAME"),
    Column("WAS", number=True),
    Column("NOW", number=True),
)
CHANGES: Final = (
    Column("TICK", number=True),
    Column("BEFORE", wrap=True),
    Column("AFTER", wrap=True),
    Column("BY", wrap=True),
    Column("NOTE", wrap=True),
)
SHOWN: Final = 20

Found = TypeVar("Found")


def code_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--code DIR`` (argument ``folder``, a Path) to a command."""
    return click.option(
        "--code",
        "folder",
        required=True,
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="The folder of a game.",
    )(function)


@click.command("run")
@click.argument("world", metavar="WORLD|FILE")
@code_option
@timeout_option
@data_option
@json_option
def run(world: str, folder: Path, timeout_ms: int, data: Path, as_json: bool) -> int:
    """Play the recorded inputs of WORLD again with the code in a folder, and compare how both ended.

    Inputs that do not fit any more (of a player who is gone by then, or that the game does not know) are left out and
    named. Exit code 1 if the game breaks.
    """
    from replays.rerun import rerun

    code = _load(folder, timeout_ms)
    with spot(data, world) as place:
        _no_tick(place.tick)
        found = _with(
            folder,
            lambda: watched(
                lambda: rerun(place.data, place.world, code), f"the game in {folder}", "playing it again", timeout_ms
            ),
        )
    print_json(found) if as_json else _print_rerun(found, f"with {folder}")
    return _broken(found, f"the game in {folder}")


@click.command("bisect")
@click.argument("world", metavar="WORLD|FILE")
@code_option
@timeout_option
@data_option
@json_option
def bisect(world: str, folder: Path, timeout_ms: int, data: Path, as_json: bool) -> int:
    """Find the first tick at which the code in a folder gives another state, and what in it makes the difference.

    Exit code 1 if there is one, 0 if all states are the same.
    """
    from replays.bisect import bisect as find

    code = _load(folder, timeout_ms)
    with spot(data, world) as place:
        _no_tick(place.tick)
        doing = "looking for the first difference"
        found = _with(
            folder,
            lambda: watched(lambda: find(place.data, place.world, code), f"the game in {folder}", doing, timeout_ms),
        )
    if as_json:
        print_json(found)
        return 1 if found.tick is not None or found.noted_tick is not None else 0
    return _print_bisected(found, folder)


@click.command("why")
@click.argument("world", metavar="WORLD[@TICK]|FILE[@TICK]")
@click.argument("path", metavar="PATH")
@click.option("-n", "--last", default=5, show_default=True, type=click.IntRange(min=1), help="How many changes.")
@click.option("--entries", is_flag=True, help="Only what inputs, joins and the like have changed, not ticks.")
@data_option
@json_option
def why(world: str, path: str, last: int, entries: bool, data: Path, as_json: bool) -> int:
    """Print the last changes of what stands at PATH up to TICK (default: the end of the log), the latest first.

    PATH is written as in `replay state`: state.players.p_1.coins. Each change has what made it: an input or another
    entry of the log, or the tick itself.
    """
    from replays.why import why as changes_of

    steps = steps_of(path, "PATH")
    with spot(data, world) as place, busy("looking for changes"):
        found = changes_of(place.data, place.world, place.tick, steps, last=last, entries_only=entries)
        if not found:
            at = "" if place.tick is None else f" up to tick {place.tick}"
            raise CommandError(
                f"nothing ever stood at {path} in {place.world}{at}",
                f"see what there is with `worldline replay state {world}`",
            )
    if as_json:
        for change in found:
            print_json(change)
        return 0
    print_table(
        CHANGES,
        (
            (str(each.tick), value_text(each.before), value_text(each.after), each.text, each.note or "")
            for each in found
        ),
    )
    return 0


@click.command("what-if")
@click.argument("world", metavar="WORLD@TICK|FILE@TICK")
@click.argument("player", metavar="PLAYER")
@click.argument("name", metavar="INPUT")
@click.argument("args", nargs=-1, metavar="[ARG=VALUE]...")
@click.option("--ticks", default=1800, show_default=True, type=click.IntRange(min=1), help="How many ticks both run.")
@timeout_option
@data_option
@json_option
def what_if(
    world: str,
    player: str,
    name: str,
    args: tuple[str, ...],
    ticks: int,
    timeout_ms: int,
    data: Path,
    as_json: bool,
) -> int:
    """Fork WORLD at TICK in memory, let PLAYER send this INPUT in the next tick instead of what it sent there, and
    compare how both go on.

    All other inputs stay as they were recorded. Nothing is written.
    """
    from games.errors import ArgumentProblem
    from replays.rerun import what_if as try_it

    values = dict(_argument(text) for text in args)
    with spot(data, world) as place:
        if place.tick is None:
            raise click.UsageError(f"{world!r} names no tick: write one like {world}@812")
        try:
            data, world_id, tick = place.data, place.world, place.tick
            found = watched(
                lambda: try_it(data, world_id, tick, player, name, values, ticks=ticks),
                f"the game of {world_id}",
                "trying it",
                timeout_ms,
            )
        except ArgumentProblem as problem:
            raise CommandError(str(problem), "`worldline replay run` and the game's SKILL.md show inputs") from problem
    print_json(found) if as_json else _print_what_if(found)
    return _broken(found.rerun, "the game")


def _argument(text: str) -> tuple[str, Any]:
    """Read ``x=12``, ``to=home``: JSON where it is that, else a text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{text!r} is no argument of an input: one is written like x=12 or to=home")
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def _load(folder: Path, timeout_ms: int) -> GameCode:
    from games.code import GameCode, load_check
    from replays import calls

    def load() -> GameCode:
        code = GameCode.load(folder)
        watched(check, f"the game in {folder}", "loading it", timeout_ms)
        return code

    def check() -> None:
        with calls.during(0, 0, "what its files do when they are loaded"):
            load_check(GameCode.load(folder))

    if not folder.is_dir():
        raise CommandError(f"there is no folder {folder}", "name the folder of a game with --code")
    return _with(folder, load)


def _with(folder: Path, do: Callable[[], Found]) -> Found:
    """What ``do`` returns. A game that does not load is the caller's: raises `CommandError`."""
    from games.errors import ArgumentProblem, GameError

    try:
        return do()
    except ArgumentProblem as problem:
        raise CommandError(
            f"{folder} does not take the world's settings: {problem}", "declare them in its game.toml"
        ) from problem
    except GameError as problem:
        raise CommandError(
            f"the game in {folder} does not load: {problem}", f"mend it; `worldline games check {folder}` says more"
        ) from problem


def _no_tick(tick: int | None) -> None:
    if tick is not None:
        raise click.UsageError(f"the whole game is played again: leave out @{tick}")


def _print_rerun(found: Rerun, how: str) -> None:
    print_table(SCORES, ((each.player, each.name, score_text(each.was), score_text(each.now)) for each in found.scores))
    print_line(f"as it was recorded: tick {found.tick_was}{_result(found.result_was)}")
    print_line(f"{how}: tick {found.tick_now}{_result(found.result_now)}")
    if found.broke is not None:
        print_line(f"it breaks: {found.broke}")
    if found.parted_tick is None:
        print_line("the same happened in both")
    else:
        print_line(f"the log shows at tick {found.parted_tick} that it goes another way")
    for each in found.left_out[:SHOWN]:
        print_line(f"left out at tick {each.tick}: {each.entry}: {each.why}")
    if len(found.left_out) > SHOWN:
        print_line(f"and {len(found.left_out) - SHOWN} more were left out: see all with --json")


def _broken(found: Rerun, of: str) -> int:
    """The exit code: 1, with an error, if the game broke."""
    if found.broke is None:
        return 0
    return fail(f"{of} breaks: {found.broke}", "mend it; what it has come to until then is shown above")


def _print_what_if(found: WhatIf) -> None:
    came = found.status or "unknown"
    told = ": ".join(filter(None, (found.code, found.message)))
    instead = f", instead of {', '.join(found.instead)}" if found.instead else ""
    print_line(f"tick {found.tick}: {found.input}{instead}: {came}{f' ({told})' if told else ''}")
    _print_rerun(found.rerun, "with this input")


def _print_bisected(found: Bisected, folder: Path) -> int:
    if found.tick is None and found.noted_tick is None:
        print_line(f"{found.world}: all states up to tick {found.last_tick} are the same with {folder}")
        return 0
    if found.tick is None:
        print_line(f"{found.world}: all states are the same, but by tick {found.noted_tick} other events were told")
    else:
        culprit = found.culprit
        by = "" if culprit is None else f", by {culprit.text}"
        print_line(f"{found.world}@{found.tick}: the first state that is another with {folder}{by}")
        if culprit is not None and culprit.note:
            print_line(f"its agent said: {culprit.note}")
        if found.broke is not None:
            print_line(f"it breaks: {found.broke}")
        print_differences(found.differences, ("RECORDED", "NOW"))
    at = found.tick if found.tick is not None else found.noted_tick
    return fail(
        f"{folder} gives another world from tick {at} on",
        f"look at it with `worldline replay run {found.world} --code {folder}`",
    )


def _result(result: Any) -> str:
    return "" if result is None else f", finished: {msgspec.json.encode(result).decode()}"
