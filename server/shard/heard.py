"""What a player's agent has certainly heard, so that a cut connection loses no event.

An observation that was sent may never have arrived. Only the agent's own words prove that it did: ``since`` of an
observe names the first event it wants, ``seen_tick`` of an input an observation that it has seen. The first observation
of a new connection goes on from there; the same event may come twice, none is left out.

Not here: the events themselves (the runtime keeps them), and where a living connection goes on (its gateway knows).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

SHOWN_KEPT: Final = 64  # observations whose end is remembered; an agent decides on one of its latest


class Heard:
    """What one player's agent has heard. ``since`` is the n of the first event of which that is not certain."""

    def __init__(self) -> None:
        self.since = 1
        self._shown: OrderedDict[int, int] = OrderedDict()  # cursor by tick

    def shown(self, tick: int, cursor: int) -> None:
        """An observation of ``tick`` is being sent; it ends before event ``cursor``."""
        # Of two observations of one tick, the agent may have seen the one with fewer events.
        self._shown.setdefault(tick, cursor)
        if len(self._shown) > SHOWN_KEPT:
            self._shown.popitem(last=False)

    def named(self, since: int) -> None:
        """The agent asked for the events from ``since`` on."""
        self.since = max(1, since)

    def saw(self, tick: int) -> None:
        """The agent has seen the observation of ``tick``; what it says of other ticks proves nothing."""
        self.since = max(self.since, self._shown.get(tick, 0))
