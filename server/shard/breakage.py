"""What is wrong with a game's code, as its author reads it: where, and what it says. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from games.code import MAIN
from games.errors import GameError
from games.runtime.results import DebugLine
from games.runtime.sandbox import place_of
from server import messages


class Breakage(msgspec.Struct, frozen=True):
    """A tick that raised. ``what`` says so for everybody, ``message`` for the author."""

    what: str
    message: str
    file: str
    line: int | None

    @property
    def place(self) -> str:
        """File and line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    def told(self, game: str, world: str) -> messages.CodeBroken:
        """As it is told to developers."""
        return messages.CodeBroken(game=game, world=world, message=self.message, file=self.file, line=self.line)


def breakage(game: str, lines: Sequence[DebugLine]) -> Breakage:
    """What these lines of a tick that raised say: the last of them is the traceback, and begins with where it was."""
    traceback = lines[-1].text if lines else "the game's tick raised"
    first = traceback.partition("\n")[0]
    found = place_of(traceback)
    file, line = (MAIN, None) if found is None else found
    return Breakage(what=first.partition(" raised")[0] + " raised", message=first, file=f"{game}/{file}", line=line)


def not_reloaded(game: str, world: str, error: Exception) -> messages.CodeBroken:
    """What developers are told when a world cannot go on with the code that was saved."""
    file, line = (error.path, error.line) if isinstance(error, GameError) else (f"{game}/{MAIN}", None)
    reason = error.reason if isinstance(error, GameError) else str(error)
    message = f"world {world} goes on with the code it has: {reason}"
    return messages.CodeBroken(game=game, world=world, message=message, file=file, line=line)
