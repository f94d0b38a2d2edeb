"""What a world holds and has done, for those who look at it from outside: checks, people and their tools.

Not here: what agents and spectators see, which is the game's to say (``looking.py``), and what Python holds
(``plain.py`` knows both).

Invariant: inspecting changes nothing, asks no code of the game, and leaves no trace in the fingerprint.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from games.runtime.results import WorldCounters
from games.runtime.sandbox import Host


class Inspection:
    """What one world's Lua holds."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def packed_state(self) -> bytes | None:
        """Return {state, nodes}, what the game keeps, as one value; None if it cannot be encoded."""
        packed = self._host.state() if self._host.state is not None else None
        return None if packed is None else bytes(packed)

    def look_up(self, path: Sequence[str]) -> bytes | None:
        """Return what stands at a path of what Lua holds, as one MessagePack value; None where nothing does."""
        found = self._host.plain(msgspec.msgpack.encode(list(path)))
        return None if found is None else bytes(found)

    def statistics(self) -> WorldCounters:
        """Return how much the world holds and how much it has done."""
        return WorldCounters(*self._host.statistics())
