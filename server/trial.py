"""Loads a game and says what is wrong with it: ``python -m server.trial``.

A game comes on standard input, a `Problem` or nil goes to standard output, both as MessagePack. Loading runs the game's
own code, which may never end: so it has a process, and that has limits.

Not here: which game, and when (``server/workshop.py``).
"""

from __future__ import annotations

import resource
import sys
from typing import Final

import msgspec

from games.code import GameCode, load_check
from games.errors import GameError

LOADING_CPU_S: Final = 5
LOADING_BYTES: Final = 2 << 30


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong with a game."""

    path: str
    line: int | None
    reason: str


def main() -> None:
    """Try the game on standard input."""
    resource.setrlimit(resource.RLIMIT_CPU, (LOADING_CPU_S, LOADING_CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_AS, (LOADING_BYTES, LOADING_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    name, files, origin = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=tuple[str, dict[str, bytes], str])
    problem: Problem | None = None
    try:
        load_check(GameCode.from_files(name, files, origin=origin))
    except GameError as error:
        problem = Problem(path=error.path, line=error.line, reason=error.reason)
    sys.stdout.buffer.write(msgspec.msgpack.encode(problem))


if __name__ == "__main__":
    main()
