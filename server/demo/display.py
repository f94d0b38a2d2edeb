"""Where a demo is shown: a live picture on a terminal, or plain lines elsewhere.

On a terminal, standard error is caught while the picture is up: a warning of a server process becomes a log line of
the display instead of a scratch across it.
"""

from __future__ import annotations

import asyncio
import functools
import os
import sys
from collections.abc import Callable
from typing import Final, Protocol

from rich.console import Console, RenderableType
from rich.live import Live

from server.demo.killing import Kill
from server.demo.model import Picture
from server.demo.plain import event_line, kill_line, status_line
from server.demo.view import draw

FRAMES_PER_S: Final = 8
STATUS_EVERY_S: Final = 2.0
PLAIN_EVERY_S: Final = 0.5
PLAIN_LINES_MOST: Final = 6  # notable lines between two pictures; more would drown the status
_STANDARD_ERROR: Final = 2
_READ_BYTES: Final = 65_536


class Display(Protocol):
    """What shows pictures, every ``every_s`` seconds."""

    every_s: float

    def show(self, picture: Picture) -> None:
        """Show what is now."""

    def close(self) -> None:
        """Leave the terminal as it was."""


class OwnScreen:
    """A screen of its own on the terminal: what was there before comes back at the end."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False, redirect_stderr=False)
        self._live.start()

    def draw(self, drawn: Callable[[int, int], RenderableType]) -> None:
        """Show what ``drawn`` makes of the terminal's columns and rows."""
        self._live.update(drawn(*self._console.size), refresh=True)

    def close(self) -> None:
        """Give the terminal back."""
        self._live.stop()


class TerminalDisplay:
    """A live view on a terminal."""

    every_s = 1 / FRAMES_PER_S

    def __init__(self) -> None:
        self._screen = OwnScreen()

    def show(self, picture: Picture) -> None:
        """Draw ``picture``."""
        self._screen.draw(functools.partial(draw, picture))

    def close(self) -> None:
        """Give the terminal back."""
        self._screen.close()


class PlainDisplay:
    """Lines on standard output: how the worlds are doing, every two seconds, and what is worth telling in between."""

    every_s = PLAIN_EVERY_S

    def __init__(self) -> None:
        self._status_at_s = 0.0
        self._told = 0
        self._kill: Kill | None = None

    def show(self, picture: Picture) -> None:
        """Print what has happened since the last picture, and the status when its time has come."""
        fresh = picture.lines[max(0, len(picture.lines) - (picture.lines_ever - self._told)) :]
        self._told = picture.lines_ever
        for line in [line for line in fresh if line.notable][-PLAIN_LINES_MOST:]:
            print(event_line(line), flush=True)
        if picture.kill is not None and picture.kill.done and picture.kill != self._kill:
            self._kill = picture.kill
            print(kill_line(picture.kill), flush=True)
        if picture.up_s >= self._status_at_s:
            self._status_at_s = picture.up_s + STATUS_EVERY_S
            print(status_line(picture), flush=True)

    def close(self) -> None:
        """Nothing to give back."""


class StandardErrorCatcher:
    """Turns what this process and its children write to standard error into calls of ``on_line``, until `close`."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._rest = b""
        sys.stderr.flush()
        self._saved = os.dup(_STANDARD_ERROR)
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        os.dup2(write, _STANDARD_ERROR)
        os.close(write)
        asyncio.get_running_loop().add_reader(self._read, self._drain)

    def close(self) -> None:
        """Give standard error back. Lines that were still on their way are handed over first. Safe to repeat."""
        if self._read < 0:
            return
        sys.stderr.flush()
        self._drain()
        asyncio.get_running_loop().remove_reader(self._read)
        os.dup2(self._saved, _STANDARD_ERROR)
        os.close(self._saved)
        os.close(self._read)
        self._read = -1

    def _drain(self) -> None:
        try:
            while data := os.read(self._read, _READ_BYTES):
                *lines, self._rest = (self._rest + data).split(b"\n")
                for line in lines:
                    self._on_line(line.decode(errors="replace"))
        except BlockingIOError:
            return  # all that was there has been read
