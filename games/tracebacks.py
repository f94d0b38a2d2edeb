"""Reads what the engine tells developers about code of a game that raised: which function, in which file and line.

The texts are those of ``prelude/calls.lua`` (``game.tick raised: main.lua:6: …``). Not here: errors of files that do
not load (`games.runtime.sandbox.locate`).
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

_RAISED: Final = re.compile(r"game\.(?P<function>[\w.]+) raised: (?P<error>.*)", re.DOTALL)
_PLACE: Final = re.compile(r"(?P<file>[\w./-]+\.lua):(?P<line>\d+): ")
_FRAME: Final = re.compile(r"\t(?P<file>[\w./-]+\.lua):(?P<line>\d+): ")


class Raised(msgspec.Struct, frozen=True):
    """``function`` of a game raised ``message`` at ``file``:``line``; None where the error does not say."""

    function: str
    message: str
    file: str | None
    line: int | None
    text: str
    """All that the engine said, with the traceback."""


def read_line(text: str) -> Raised | None:
    """Return what a debug line says about a function that raised; None for other lines."""
    found = _RAISED.match(text)
    return None if found is None else read_error(found["function"], found["error"])


def read_error(function: str, error: str) -> Raised:
    """Return what an error of a game's function says: its first place, else the first frame of its traceback."""
    message, _, stack = error.partition("\nstack traceback:")
    place = _PLACE.match(message)
    at = place or _FRAME.search(stack)
    return Raised(
        function,
        message[place.end() :] if place else message,
        at["file"] if at else None,
        int(at["line"]) if at else None,
        error,
    )
