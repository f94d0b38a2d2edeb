"""``worldline games``: tools for people who write games.

``new`` writes a small game to begin with, ``ls`` lists games (``games_new.py``). ``check`` plays a game with random
agents and says what is wrong (``games_check.py``). ``skill`` writes the tables of a game's SKILL.md from its manifest
(``games/skill.py`` makes them).
"""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from server.commands.games_check import check
from server.commands.games_new import ls, new
from server.commands.output import CommandError, print_line


@click.group("games")
def command() -> None:
    """Tools for people who write games."""


command.add_command(new)
command.add_command(ls)
command.add_command(check)


@command.command("skill")
@click.argument("game", metavar="NAME|PATH")
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if the file is not up to date.")
def skill(game: str, check: bool) -> int:
    """Write the tables of a game's SKILL.md from its game.toml.

    NAME is a packaged game, PATH a game's folder. A table stands between the lines <!-- generated:NAME --> and
    <!-- end -->; the rest of the file is left alone.
    """
    from games.code import GameCode
    from games.errors import GameError
    from games.skill import SkillError, update_skill

    folder = game_folder(game)
    path = folder / "SKILL.md"
    try:
        before = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", "a game's folder needs a SKILL.md") from error
    try:
        after = update_skill(before, GameCode.load(folder).manifest)
    except SkillError as error:
        raise CommandError(f"{path}:{error.line}: {error.reason}", "mend the marks, then run it again") from error
    except GameError as error:
        raise CommandError(str(error), "mend the game's file, then run it again") from error
    if before == after:
        print_line(f"{path} is up to date")
        return 0
    if check:
        line = _first_difference(before, after)
        raise CommandError(f"{path}:{line} is not up to date", f"run `worldline games skill {game}`")
    try:
        path.write_text(after, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}", "change its permissions") from error
    print_line(f"{path} written")
    return 0


def game_folder(game: str) -> Path:
    """The folder of a packaged game, or of the game at a path. Raises `CommandError` if there is none."""
    from games.code import find_games

    packaged = find_games()
    if game in packaged:
        return Path(packaged[game].origin)
    path = Path(game)
    if (path / "game.toml").is_file():
        return path
    near = difflib.get_close_matches(game, packaged, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    raise CommandError(
        f"{game} is neither a game nor a folder with a game.toml", f"{guess}packaged games are {', '.join(packaged)}"
    )


def _first_difference(before: str, after: str) -> int:
    """The line, from 1 on, where two texts begin to differ."""
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    return next((number for number, (old, new) in enumerate(pairs, 1) if old != new), 1 + before.count("\n"))
