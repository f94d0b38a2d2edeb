"""At which limits a world breaks, and which fault an error of its Lua is.

Not here: what becomes of a world that breaks (``world.py``).

Invariant: nothing here changes how a world goes on, only whether it does.
"""

from __future__ import annotations

from typing import Final

from games.errors import FaultKind
from games.runtime.sandbox import Host

MAX_FAILED_TICKS: Final = 100
"""So many raising ticks in a row end a world; the same number stands in ``prelude/host.lua``."""
MAX_MEMORY_MIB: Final = 64
"""Of Lua memory in use: so a thousand small worlds fit on one machine, and one greedy one does no harm."""
NEXT_LOOK_KIB: Final = 2048
"""A world near its limit would otherwise have all its memory collected after each tick, which takes 0.1 s."""

# Where memory ends, not even the engine's own handler of errors may find the room to say so.
_OF_RESOURCES: Final = ("resource:", "not enough memory", "error in error handling")


class KeepsFailing(Exception):
    """game.tick has raised so often in a row that the world is at its end; ``last`` is what it said at last."""

    def __init__(self, in_a_row: int, last: str) -> None:
        super().__init__(f"game.tick raised {in_a_row} times in a row: {last}")


class MemoryLimit:
    """Watches what one world's Lua holds."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._look_at_kib = MAX_MEMORY_MIB * 1024

    def is_exceeded(self) -> bool:
        """Whether the world holds more than its game may, after what it no longer needs has been collected."""
        if self._host.memory(False) <= self._look_at_kib:
            return False
        held_kib = self._host.memory(True)
        self._look_at_kib = max(MAX_MEMORY_MIB * 1024, held_kib + NEXT_LOOK_KIB)
        return bool(held_kib > MAX_MEMORY_MIB * 1024)


def kind_of(error: Exception) -> FaultKind:
    """Return what kind of fault it is when an error of Lua comes through the engine."""
    message = text_of(error)
    return "resource" if any(words in message for words in _OF_RESOURCES) else "engine"


def text_of(error: Exception) -> str:
    """Return the message of a Lua error, which lupa gives as bytes or as the text of bytes."""
    message = error.args[0] if error.args else str(error)
    return message.decode(errors="replace") if isinstance(message, bytes) else str(message)
