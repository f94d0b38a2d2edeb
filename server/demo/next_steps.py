"""The last lines of a demo: what to do next, with commands that can be copied as they stand.

Only commands that exist are named, spelled the way this one was started, and with the data folder and a world that are
really there.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from server.commands.output import DEFAULT_DATA
from server.config import DEFAULT_PORT

PROGRAM: Final = "worldline"


def program_as_started(argv0: str, folder: Path) -> str:
    """How a person in ``folder`` starts this program again: ``worldline`` if that finds it, else its path."""
    started = Path(argv0)
    if started.name != PROGRAM or not started.exists():
        return f"{_from(folder, Path(sys.executable))} -m server.commands"
    found = shutil.which(PROGRAM)
    if found is not None and Path(found).resolve() == started.resolve():
        return PROGRAM
    return _from(folder, started)


def shown_folder(folder: Path) -> str:
    """A folder as a person writes it: relative ones begin with ``./``."""
    return str(folder) if folder.is_absolute() or str(folder).startswith(".") else f"./{folder}"


def next_steps(program: str, *, data: Path, port: int, game: str, world: str | None) -> list[str]:
    """The lines to print when the demo has ended. ``world``: one that was played, None if there was none."""
    kept = [] if data == Path(DEFAULT_DATA) else ["--data", shown_folder(data)]
    at = [] if port == DEFAULT_PORT else ["--port", str(port)]
    url = [] if port == DEFAULT_PORT else ["--url", f"ws://127.0.0.1:{port}/ws"]
    steps: list[tuple[Sequence[str], str]] = []
    if world is not None:
        steps += [
            (["log", "show", world, *kept], "every input of a world, with its tick and outcome"),
            (["log", "tail", world, *kept], "its last records"),
        ]
    steps += [
        (["log", "ls", *kept], "all worlds so far"),
        (["serve", *at, *kept], "the same server without the view"),
        (["bot", game, "--count", "8", *url], "sample agents for it, from another terminal"),
        (["bench"], "how fast it is on this machine"),
    ]
    commands = [f"{program} {shlex.join(words)}" for words, _ in steps]
    wide = max(map(len, commands))
    return ["next:", *(f"  {command:<{wide}}   {why}" for command, (_, why) in zip(commands, steps, strict=True))]


def _from(folder: Path, path: Path) -> str:
    """``path`` as one writes it in ``folder``: relative if it lies inside. Links stay links: a venv is made of them."""
    absolute = Path(os.path.normpath(folder / path))
    return shlex.quote(str(absolute.relative_to(folder) if absolute.is_relative_to(folder) else absolute))
