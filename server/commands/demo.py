"""``worldline demo``: a server with sample bots, shown in the terminal. The work is in ``server/demo/``."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from server.commands.bot import games_option
from server.commands.output import CommandError, data_option
from server.config import DEFAULT_PORT, MAX_SHARDS


@click.command("demo")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Stop after this time.  [default: Ctrl-C stops]")
@click.option("--agents", default=8, show_default=True, type=click.IntRange(1, 1000), help="How many sample bots play.")
@click.option("--game", default="tsunami", show_default=True, help="What they play.")
@click.option(
    "--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0 picks a free one."
)
@data_option
@click.option("--shards", type=click.IntRange(1, MAX_SHARDS), help="How many tick workers.  [default: one per core]")
@click.option(
    "--kill-after",
    "kill_after_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Kill a tick worker after this time, as the key k does, and say what that has cost.",
)
@games_option
def command(
    seconds: float | None,
    agents: int,
    game: str,
    port: int,
    data: Path,
    shards: int | None,
    kill_after_s: float | None,
    game_folders: tuple[Path, ...],
) -> int:
    """Run a server with sample bots and watch them play.

    Shows the address to connect to, all worlds with their tick times, a map of one of them and what its log says; plain
    lines without a terminal. Ctrl-C stops everything; the key k kills a tick worker with kill -9 and shows how soon its
    worlds tick again, and that no acknowledged input is lost or doubled. The logs are kept in the data folder.
    """
    from server.botrunner import find_bot
    from server.config import default_shards
    from server.demo.next_steps import program_as_started
    from server.demo.run import DemoOptions, run_demo
    from server.startup import StartError

    if find_bot(game, game_folders) is None:
        raise CommandError(f"there is no bot for a game {game!r}", "check the name, or name its folder with --games")
    options = DemoOptions(
        seconds=seconds,
        agents=agents,
        game=game,
        port=port,
        data=data,
        shards=shards or default_shards(),
        game_folders=game_folders,
        kill_after_s=kill_after_s,
        program=program_as_started(sys.argv[0], Path.cwd()),
    )
    try:
        run_demo(options)
    except StartError as error:
        raise CommandError(error.message, error.remedy) from error
    return 0
