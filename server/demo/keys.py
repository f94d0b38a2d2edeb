"""Single keys from the terminal, without Return, while a demo is shown.

The terminal is switched so that keys arrive one by one and are not printed; Ctrl-C still is a signal. `close` switches
it back, and so must everybody on every way out. Where there is no terminal to read from, or this process does not have
it (it was started with ``&``), there are no keys: to change the terminal's ways then would stop the process.

Not here: what a key does (``run.py``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import tty
from collections.abc import Callable
from typing import Any


class Keys:
    """Calls ``on_key`` with each key that is pressed, until `close`."""

    def __init__(self, on_key: Callable[[str], None]) -> None:
        self._on_key = on_key
        # The event loop makes what it reads from non-blocking, and standard output is the same open file as standard
        # input: a picture that the terminal does not take at once would be an error. So the terminal is opened again.
        self._descriptor = os.open(os.ttyname(sys.stdin.fileno()), os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        self._before: list[Any] | None = None
        try:
            self._before = termios.tcgetattr(self._descriptor)
            self._switch()
        except BaseException:
            os.close(self._descriptor)
            raise
        loop = asyncio.get_running_loop()
        loop.add_reader(self._descriptor, self._read)
        # After Ctrl-Z the shell has set the terminal as it likes it.
        loop.add_signal_handler(signal.SIGCONT, self._switch)

    @classmethod
    def listen(cls, on_key: Callable[[str], None]) -> Keys | None:
        """Listen for keys; None where there are none. Needs a running loop."""
        try:
            descriptor = sys.stdin.fileno()
            if not os.isatty(descriptor) or os.tcgetpgrp(descriptor) != os.getpgrp():
                return None
            return cls(on_key)
        except (OSError, ValueError, AttributeError, termios.error):
            return None  # no standard input, a closed one, or somebody else's terminal

    def close(self) -> None:
        """Give the terminal back as it was. Safe to repeat."""
        if self._before is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._descriptor)
        loop.remove_signal_handler(signal.SIGCONT)
        before, self._before = self._before, None
        try:
            termios.tcsetattr(self._descriptor, termios.TCSADRAIN, before)
        finally:
            os.close(self._descriptor)

    def _switch(self) -> None:
        if os.tcgetpgrp(self._descriptor) == os.getpgrp():  # `bg` continues it without the terminal
            tty.setcbreak(self._descriptor, termios.TCSADRAIN)

    def _read(self) -> None:
        pressed = os.read(self._descriptor, 64)
        if not pressed:  # the terminal is gone
            asyncio.get_running_loop().remove_reader(self._descriptor)
        for key in pressed.decode(errors="replace"):
            self._on_key(key)
