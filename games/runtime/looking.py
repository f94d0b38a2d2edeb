"""What a world shows: observations, offered actions, what spectators see; once per state of the world and viewer.

Invariant: looking changes nothing. The engine refuses every mutator meanwhile; what it cannot refuse (a write to a
plain table of the state) is found by comparing the state before and after: of the first looks of each version of a game
in this process, then of one in a hundred, and of all where `always_compare` is set. The counters are the process's, not
the world's: nothing in a world depends on who looked at it.

Not here: what becomes of a world that looking has changed (``world.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec

from games.code import GameCode
from games.errors import ObservationFailed
from games.fields import lua_fields
from games.runtime.findings import first_difference
from games.runtime.results import Seen
from games.runtime.sandbox import Host
from games.runtime.words import plain_text

Format = Literal["data", "text", "both"]

COMPARED_FIRST: Final = 20
"""So many looks at the worlds of each version of a game are compared at first."""
COMPARED_EVERY: Final = 100
"""After that one in so many: comparing costs as much as encoding the whole state twice."""
MAX_TEXT: Final = 1200
"""Characters of an observation's text."""

# Game digest → how many looks there were, in this process.
_looks: Counter[str] = Counter()


class StateChanged(Exception):
    """The game's ``function`` wrote to the world at ``path`` while it could only read."""

    def __init__(self, function: str, path: str) -> None:
        self.function = function
        self.path = path
        super().__init__(f"{function} changed {path}: it may only read")


class Looks:
    """The looks at one world."""

    def __init__(self, host: Host, code: GameCode, world: str) -> None:
        self.always_compare = False
        self.computed = 0
        """How often the game was asked, and the answer was not known already."""
        self._host = host
        self._code = code
        self._world = world
        self._describes = bool(host.describes())
        # Engines of old logs know no actions.
        self._offers = host.offers is not None and bool(host.offers())
        self._says_who_acts = host.to_act is not None
        self._seen: dict[str, Seen] = {}

    def forget(self) -> None:
        """The world is about to change."""
        self._seen.clear()

    def seen(self, player: str, format: Format, tick: int) -> Seen:
        """Return what a seated player may know. Raises ObservationFailed, StateChanged."""
        seen = self._seen.get(player) or Seen(None, None)
        wants_text = format != "data" and seen.text is None
        # A game without game.describe gets a text made of the data.
        wants_data = (format != "text" or not self._describes) and seen.data is None
        if wants_text or wants_data:
            data, words = self._observe(player, tick, wants_data, wants_text and self._describes)
            data = seen.data if data is None else data
            if not self._describes and data is not None:
                words = plain_text(self._code.manifest, data)
            actions = seen.actions
            if self._offers and actions is None:
                actions = self._actions(player, tick)
            seen = self._seen[player] = Seen(data, _shortened(words) if wants_text else seen.text, actions)
        return Seen(None if format == "text" else seen.data, None if format == "data" else seen.text, seen.actions)

    def view(self, tick: int) -> bytes:
        """Return what spectators see. Raises ObservationFailed, StateChanged."""
        (view,) = self._taken(self._host.view(self._compares()), 1, "game.view", tick)
        return bytes(view)

    def to_act(self, tick: int) -> set[str] | None:
        """Return the players whom the game waits for, None if it leaves that to the engine.

        Raises ObservationFailed, StateChanged.
        """
        if not self._says_who_acts:
            return None
        (blob,) = self._taken(self._host.to_act(self._compares()), 1, "game.to_act", tick)
        if blob is None:
            self._says_who_acts = False
            return None
        return set(msgspec.msgpack.decode(blob, type=list[str]))

    def misfit(self, player: str) -> str | None:
        """Return what in a seated player's observation does not fit the declared fields, or None."""
        fields = msgspec.msgpack.encode(lua_fields(self._code.manifest.observation))
        problem = self._host.misfit(player.encode(), fields)
        return None if problem is None else problem.decode(errors="replace")

    def _observe(self, player: str, tick: int, wants_data: bool, wants_text: bool) -> tuple[bytes | None, str]:
        if not wants_data and not wants_text:
            return None, ""
        self.computed += 1
        answer = self._host.observe(player.encode(), wants_data, wants_text, self._compares())
        data, words = self._taken(answer, 2, "game.observe or game.describe", tick)
        return data, "" if words is None else words.decode(errors="replace")

    def _actions(self, player: str, tick: int) -> bytes:
        (actions,) = self._taken(self._host.actions(player.encode(), self._compares()), 1, "game.actions", tick)
        return bytes(actions)

    def _compares(self) -> bool:
        looks = _looks[self._code.digest]
        _looks[self._code.digest] += 1
        return self.always_compare or looks < COMPARED_FIRST or looks % COMPARED_EVERY == 0

    def _taken(self, answer: Any, values: int, function: str, tick: int) -> Sequence[Any]:
        """Take an answer of ``reading.lua`` apart: (true, values…, before?, after?) or (false, message, traceback)."""
        ok: bool = answer[0]
        rest: Sequence[Any] = answer[1:]
        if not ok:
            message, traceback = (part.decode(errors="replace") for part in rest)
            raise ObservationFailed(self._world, tick, message, traceback, function)
        if len(rest) > values:
            raise StateChanged(function, first_difference(rest[values], rest[values + 1]))
        return rest


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
