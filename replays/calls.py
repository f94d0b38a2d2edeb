"""Which call into a game this process is making right now, for another process that watches it.

Lua cannot be interrupted from inside: whoever runs code that nobody has tried does so in a process of its own, and ends
it from outside. So that it can be said then where the game was, each call is noted in a small file that both have
mapped. Many ticks are one call mostly; within the range of `look_closely` each tick is a call, and each entry.

A process that has not begun with `note_in` notes nothing. Not here: who watches (``server/commands/watched.py``).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import msgspec

TICK: Final = "game.tick, or a timer"
_NUMBER: Final = struct.Struct("<Q")
# First and last tick, and the length of the text. The number stands before and is written last; 0: no call.
_BODY: Final = struct.Struct("<QQH")
_TEXT_BYTES: Final = 400
PAGE_BYTES: Final = _NUMBER.size + _BODY.size + _TEXT_BYTES


class Call(msgspec.Struct, frozen=True):
    """A call that runs the ticks ``first`` to ``last``; ``what`` says what in the game is called."""

    number: int
    first: int
    last: int
    what: str

    def __str__(self) -> str:
        ticks = f"tick {self.first}" if self.first == self.last else f"ticks {self.first} to {self.last}"
        return f"{ticks}, {self.what}"


class _Notes:
    """What this process notes."""

    def __init__(self) -> None:
        self.page: mmap.mmap | None = None
        self.close: range = range(0)
        self._number = 0

    def during(self, first: int, last: int, what: str | Callable[[], str]) -> _Notes:
        """Note the call that follows; the ``with`` block's end clears the note. Calls do not nest. ``what`` is asked
        for only if somebody wants to know."""
        if self.page is not None:
            text = (what if isinstance(what, str) else what()).encode()[:_TEXT_BYTES]
            self._number += 1
            _BODY.pack_into(self.page, _NUMBER.size, first, last, len(text))
            start = _NUMBER.size + _BODY.size
            self.page[start : start + len(text)] = text
            _NUMBER.pack_into(self.page, 0, self._number)
        return self

    def __enter__(self) -> None:
        """Nothing: `during` has written the note."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the note."""
        if self.page is not None:
            _NUMBER.pack_into(self.page, 0, 0)


_notes: Final = _Notes()
during: Final = _notes.during


def note_in(path: Path) -> None:
    """Note calls in this file, which `make` has made, from now on: for as long as this process lives."""
    with path.open("r+b") as file:
        _notes.page = mmap.mmap(file.fileno(), PAGE_BYTES)


def look_closely(ticks: range) -> None:
    """Make each of these ticks a call of its own, and each entry in them."""
    _notes.close = ticks


def is_close(tick: int) -> bool:
    """Whether this tick is to be looked at closely."""
    return tick in _notes.close


def stop(tick: int, target: int) -> int:
    """Up to which tick one call may run that begins behind ``tick`` and is to come to ``target``."""
    if is_close(tick + 1):
        return tick + 1
    close = _notes.close
    return min(target, close.start - 1) if tick + 1 < close.start else target


def make(path: Path) -> None:
    """Make an empty page. Raises OSError."""
    path.write_bytes(bytes(PAGE_BYTES))


def read(path: Path) -> Call | None:
    """The call that is under way in the process that notes in this file; None if there is none, or it changes now."""
    page = path.read_bytes()
    (number,) = _NUMBER.unpack_from(page, 0)
    first, last, length = _BODY.unpack_from(page, _NUMBER.size)
    start = _NUMBER.size + _BODY.size
    again = path.read_bytes()[: _NUMBER.size]
    if number == 0 or again != page[: _NUMBER.size]:
        return None
    return Call(number, first, last, page[start : start + length].decode(errors="replace"))
