"""How often somebody may do something: when a refused one may come again, and how many inputs a player may send.

Not here: the buckets of connections and agents (``server/gateway/admission.py``).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

INPUT_RATE_HZ: Final = 10.0
"""Inputs a second of one player in the long run: as many as one connection may send."""
INPUT_BURST: Final = 40
"""Inputs at once after a pause: twice what one connection may send, so that what one gateway lets through in time and
the machine hands on in a bunch is never refused behind it."""
_PRUNED_FROM: Final = 64
_WHOLE: Final = 1.0 - 1e-6  # sums of tenths of a second are not exact


def retry_after_ms(free: float, refused: int, rate_hz: float) -> int:
    """When a refused request may come again: ceil(1000 × (1 - free + refused) / rate) + 1, and not before the next
    millisecond.

    ``free`` is the bucket's free capacity in requests, ``refused`` how many were refused before this one since the last
    acceptance: each of them was told its own time, so this one comes after them (PROTOCOL: Limits).
    """
    return max(1, math.ceil(1000.0 * (1.0 - free + refused) / rate_hz) + 1)


class InputRate:
    """The inputs of each player of one world, through whatever gateway they come. ``clock`` gives seconds.

    Looking at what a player may do and taking it are two steps, for there may be other reasons to refuse.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        rate_hz: float = INPUT_RATE_HZ,
        burst: int = INPUT_BURST,
    ) -> None:
        self._clock = clock
        self._rate_hz = rate_hz
        self._burst = burst
        self._full_at_s: dict[str, float] = {}
        """When a player who sends nothing more may send a whole burst again; absent: now."""
        self._refused: dict[str, int] = {}
        """Inputs since the last one that was taken."""

    def free(self, player: str) -> float:
        """How many inputs the player may send now."""
        missing = (self._full_at_s.get(player, 0.0) - self._clock()) * self._rate_hz
        return self._burst - max(0.0, missing)

    def refusal_ms(self, player: str) -> int | None:
        """None: the player may send one. Else it is refused: when it may come again."""
        free = self.free(player)
        if free >= _WHOLE:
            return None
        refused = self._refused.get(player, 0)
        self._refused[player] = refused + 1
        return retry_after_ms(free, refused, self._rate_hz)

    def take(self, player: str) -> None:
        """The player has sent an input."""
        now_s = self._clock()
        self._refused.pop(player, None)
        self._full_at_s[player] = max(now_s, self._full_at_s.get(player, 0.0)) + 1.0 / self._rate_hz
        if len(self._full_at_s) > _PRUNED_FROM:  # players come and go
            self._full_at_s = {one: full_s for one, full_s in self._full_at_s.items() if full_s > now_s}
            self._refused = {one: count for one, count in self._refused.items() if one in self._full_at_s}

    @property
    def remembered(self) -> int:
        """How many players are remembered."""
        return len(self._full_at_s)
