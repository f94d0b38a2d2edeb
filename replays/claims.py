"""What checkpoints claim: that the state after a tick had a certain hash. Hashes are taken on the way past these ticks.

A checkpoint record may stand anywhere after its tick, when the replay is further on already. So the ticks are known
before, a replay stops at each, and what the hash was there is kept until the record comes.

Between two ticks entries may be applied, and the checkpoint may be of before or after: each of these states is hashed,
and the claim has to be true of one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from games.errors import StateNotSaveable
from games.runtime.snapshots import state_hash
from games.runtime.world import World


class Claims:
    """The ``ticks`` of which a log has checkpoints, and what was found there."""

    def __init__(self, ticks: Iterable[int]) -> None:
        self._ticks = sorted(set(ticks))
        self._known = frozenset(self._ticks)
        self._after = -1
        self._found: dict[int, list[bytes]] = {}
        self._states: dict[int, bytes] = {}

    def begin(self, world: World, *, whole: bool) -> None:
        """The walk begins here. ``whole``: at the first state of the world, else maybe behind one of the same tick."""
        self._found.clear()
        self._states.clear()
        self._after = -1 if whole else world.tick
        self.passed(world)

    def next_stop(self, tick: int, target: int) -> int:
        """The next tick after ``tick``, up to ``target``, where `passed` has to be called."""
        place = bisect_right(self._ticks, tick)
        return min(self._ticks[place], target) if place < len(self._ticks) else target

    def passed(self, world: World) -> None:
        """The world has come to another state: take its hash if a checkpoint claims one of this tick."""
        if world.tick in self._known and world.tick > self._after and world.faulted is None:
            try:
                state = world.snapshot()
                found = state_hash(state, engine=world.engine)
            except StateNotSaveable:
                return  # one of the states of this tick; the one that was saved could be
            self._found.setdefault(world.tick, []).append(found)
            self._states[world.tick] = state

    def found(self, tick: int) -> list[bytes]:
        """The hashes of the states after ``tick``, oldest first; none if this walk did not come by there."""
        return self._found.get(tick, [])

    def state(self, tick: int) -> bytes | None:
        """The snapshot of the last state after ``tick``, until its claim was found to be true."""
        return self._states.get(tick)

    def came_true(self, tick: int) -> None:
        """The claim about ``tick`` has been compared: its state need not be kept."""
        self._states.pop(tick, None)
