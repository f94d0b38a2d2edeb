"""Writes a new game: small, complete, playable, one for each clock. The texts are those of ``games/templates``.

Invariant: what is written passes `games check` and is played by its own bot. Not here: the command's options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from games.code import BOT, MAIN, MANIFEST, SKILL, GameCode, check_name, find_games
from games.errors import GameError
from games.skill import update_skill

TEMPLATES: Final = Path(__file__).resolve().parent / "templates"
CLOCKS: Final = ("realtime", "lockstep", "turn")
FILES: Final = (MANIFEST, MAIN, SKILL, BOT)

_TITLE: Final = "Untitled"


def write_game(name: str, clock: str, parent: Path) -> Path:
    """Write a new game into a folder of its name in ``parent``, which is made if need be; returns the folder.

    Raises GameError if the name is none for a game, is that of a packaged game, or the folder is there already; OSError
    if it cannot be written.
    """
    folder = parent / name
    check_name(name, str(folder))
    if name in find_games():
        raise GameError(str(folder), None, f"{name} is the name of a packaged game: choose another one")
    if folder.exists():
        raise GameError(str(folder), None, "this is there already: choose another name, or another place with --to")
    title = name.replace("_", " ").capitalize()
    folder.mkdir(parents=True)
    for file in FILES:
        text = (TEMPLATES / clock / file).read_text(encoding="utf-8")
        (folder / file).write_text(text.replace(_TITLE, title), encoding="utf-8")
    skill = folder / SKILL
    skill.write_text(update_skill(skill.read_text(encoding="utf-8"), GameCode.load(folder).manifest), encoding="utf-8")
    return folder
