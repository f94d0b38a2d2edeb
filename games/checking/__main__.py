"""One process of a check: reads a task from standard input, writes what it found to standard output.

``python -m games.checking PROGRESS_FILE``. The process ends with code 0, or is ended by whoever watches the file.
"""

from __future__ import annotations

import sys

import msgspec

from games.checking.again import compute_again
from games.checking.play import Progress, play
from games.checking.report import Played, Task
from games.code import Engine, GameCode, load_check
from games.errors import GameError
from games.runtime.sandbox import turn_jit_off


def main() -> None:
    """Do what the task says."""
    task = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Task)
    progress = Progress(sys.argv[1])
    code = GameCode.from_files(task.name, task.files, origin=task.origin)
    engine = Engine.from_files(task.engine)
    answer: Played | list[str]
    if task.courses is None:
        answer = play(_talkative(code), engine, task.seed, task.ticks, progress)
    else:
        turn_jit_off()
        answer = compute_again(code, engine, task.courses, progress)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))


def _talkative(code: GameCode) -> GameCode:
    """The game, showing agents all that `game.actions` says, with args: so they get further. Worlds stay the same."""
    shown = msgspec.structs.replace(code, manifest=msgspec.structs.replace(code.manifest, actions="full"))
    try:
        load_check(shown)
    except GameError:
        return code  # It has no game.actions.
    return shown


if __name__ == "__main__":
    main()
