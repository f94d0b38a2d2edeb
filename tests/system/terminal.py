"""A `worldline` command as a person sees it: on a terminal of its own, with keys to press and a screen to read."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

COLUMNS, ROWS = 120, 40
SHOWN_WITHIN_S: Final = 60.0


class Terminal:
    """A command in a pseudo terminal."""

    def __init__(self, cwd: Path, environment: Mapping[str, str], *arguments: str) -> None:
        self._side, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.text = ""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.commands", *arguments],
            cwd=cwd,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
            # It is the terminal of the session: Ctrl-C in it reaches the whole group.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inner)

    @property
    def ways(self) -> list[object]:
        """How the terminal treats what is typed: echo, lines …"""
        return list(termios.tcgetattr(self._side))

    def press(self, key: str) -> None:
        """Type something."""
        os.write(self._side, key.encode())

    def read_until(self, pattern: str) -> re.Match[str]:
        """Read what is drawn until ``pattern`` is in it."""
        deadline_s = time.monotonic() + SHOWN_WITHIN_S
        while time.monotonic() < deadline_s:
            match = re.search(pattern, self.text)
            if match is not None:
                return match
            if not self._read_some(deadline_s - time.monotonic()):
                break
        raise AssertionError(f"{pattern!r} was not shown:\n{self.text[-3000:]}")

    def read_to_the_end(self) -> int:
        """Read until the command has ended; its exit code."""
        while self._read_some(SHOWN_WITHIN_S):
            pass
        return self.process.wait(SHOWN_WITHIN_S)

    def close(self) -> None:
        """End the command, if it still runs, and the terminal."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._side)

    def _read_some(self, within_s: float) -> bool:
        readable, _, _ = select.select([self._side], [], [], max(0.0, within_s))
        try:
            data = os.read(self._side, 65_536) if readable else b""
        except OSError:
            return False  # how Linux says that the other side of a terminal is closed
        # Colours and cursor movements are left out: what remains is what a person reads.
        self.text += re.sub(r"\x1b(\[[0-9;?]*[a-zA-Z]|[()][A-B])", "", data.decode(errors="replace"))
        return bool(data)
