"""``worldline bot``: a game's sample bots against a running server. The work is in ``server/botrunner.py``."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from server.commands.output import CommandError
from server.process import BOTS_TOKEN_VARIABLE

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def _think(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[float, float]:
    from server.botrunner import parse_think

    try:
        return parse_think(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def think_option(function: Decorated) -> Decorated:
    """Add ``--think`` (argument ``think_s``: least and most seconds) to a command."""
    return click.option(
        "--think",
        "think_s",
        default="2-5",
        show_default=True,
        callback=_think,
        help="Seconds between an agent's decisions: 2-5, or 3, or 0.",
    )(function)


def games_option(function: Decorated) -> Decorated:
    """Add ``--games DIR`` (argument ``game_folders``, repeatable) to a command."""
    return click.option(
        "--games",
        "game_folders",
        multiple=True,
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="A folder of further games, or one game; may be given several times.",
    )(function)


@click.command("bot")
@click.argument("game")
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many bots.")
@think_option
@click.option("--url", envvar="WORLDLINE_URL", help="The server's address.  [default: ws://127.0.0.1:8765/ws]")
@click.option(
    "--token", envvar="WORLDLINE_TOKEN", show_envvar=True, help="Play as the agent of this token; for one bot only."
)
@click.option("--world", help="Play in this world, not in any one of the game.")
@click.option("--join-code", help="With --world: opens a private one.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Stop after this time.")
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Append every outcome that a bot is told, as a line of JSON.",
)
@games_option
@click.option("--parent", type=int, hidden=True, help="End when this process, which started this one, ends.")
def command(
    game: str,
    count: int,
    think_s: tuple[float, float],
    url: str | None,
    token: str | None,
    world: str | None,
    join_code: str | None,
    seconds: float | None,
    record: Path | None,
    game_folders: tuple[Path, ...],
    parent: int | None,
) -> int:
    """Run the sample bots of GAME against a server, all in this process.

    They play until they end, the time is over, or Ctrl-C. A bot that fails is reported in one line; the others go on.
    """
    from server.botrunner import BotError, BotRun, run_until_signal

    if parent is not None:
        from server.process import die_with_parent

        die_with_parent(parent)
    if join_code is not None and world is None:
        raise click.UsageError("--join-code opens a world: name it with --world")
    house_token = os.environ.get(BOTS_TOKEN_VARIABLE)  # the server that has started this process knows its bots by it
    if token and count > 1:
        raise click.UsageError(f"a token is one agent, and --count says {count} bots")
    run = BotRun(
        game=game,
        count=count,
        think_s=think_s,
        url=url,
        token=house_token or token,
        world=world,
        join_code=join_code,
        seconds=seconds,
        game_folders=game_folders,
        record=record,
    )
    try:
        failed = run_until_signal(run, lambda line: click.echo(line, err=True))
    except BotError as error:
        raise CommandError(error.what, error.remedy) from error
    return 1 if failed else 0
