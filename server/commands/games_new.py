"""``worldline games new`` and ``games ls``: a new game's folder, and which games there are."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import msgspec

from server.commands.output import Column, CommandError, json_option, print_json, print_line, print_table

COLUMNS = (
    Column("game"),
    Column("clock"),
    Column("players", number=True),
    Column("title"),
    Column("summary", wrap=True),
    Column("folder"),
)


class GameRow(msgspec.Struct, frozen=True):
    """One game, as ``games ls --json`` prints it."""

    game: str
    clock: str
    min_players: int
    max_players: int
    title: str
    summary: str
    folder: str
    code: str
    """The digest of its code, as logs name it."""


@click.command("new")
@click.argument("name")
@click.option(
    "--clock",
    type=click.Choice(["realtime", "lockstep", "turn"]),
    default="realtime",
    show_default=True,
    help="Ticks come with time, when all have moved, or when the one whose turn it is has moved.",
)
@click.option(
    "--to",
    "parent",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("games"),
    show_default=True,
    metavar="DIR",
    help="The folder of games in which it is made.",
)
def new(name: str, clock: str, parent: Path) -> int:
    """Write a small game that can be played at once, to make your own of it.

    NAME is a-z first, then a-z, 0-9 and _.
    """
    from games.errors import GameError
    from games.scaffold import write_game

    try:
        folder = write_game(name, clock, parent)
    except GameError as error:
        raise CommandError(f"{error.path}: {error.reason}", "nothing was written") from error
    except OSError as error:
        raise CommandError(f"cannot write {error.filename}: {error.strerror}", "choose another --to DIR") from error
    place = shlex.quote(str(parent))
    print_line(f"{folder}/ has game.toml, main.lua, SKILL.md and bot.py")
    print_line(f"check it:  worldline games check {shlex.quote(str(folder))}")
    print_line(f"serve it:  worldline serve --games {place}")
    print_line(f"play it:   worldline bot {name} --count 2 --think 0.5-1 --games {place}")
    return 0


@click.command("ls")
@click.option(
    "--games",
    "folders",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    metavar="DIR",
    help="A game, or a folder of games, beside the packaged ones; may be repeated.",
)
@json_option
def ls(folders: tuple[Path, ...], as_json: bool) -> int:
    """List the games that there are."""
    from games.code import find_games
    from games.errors import GameError

    try:
        found = find_games(folders)
    except GameError as error:
        raise CommandError(str(error), "mend the game's file, then run it again") from error
    rows = [
        GameRow(
            code.name,
            code.manifest.clock,
            code.manifest.min_players,
            code.manifest.max_players,
            code.manifest.title,
            code.manifest.summary,
            code.origin,
            code.digest,
        )
        for code in found.values()
    ]
    if as_json:
        for row in rows:
            print_json(row)
        return 0
    print_table(
        COLUMNS,
        (
            (row.game, row.clock, f"{row.min_players}-{row.max_players}", row.title, row.summary, row.folder)
            for row in rows
        ),
    )
    return 0
