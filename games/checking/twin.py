"""A world's twin, restored from its snapshot and played on beside it: does it go on in the same way?"""

from __future__ import annotations

import time
from collections.abc import Sequence

from games.checking.report import Mark
from games.checking.source import Place, changing_variables
from games.errors import GameError, ObservationFailed, SnapshotUnreadable, WorldFaulted
from games.runtime.effects import AnyEntry
from games.runtime.findings import first_difference
from games.runtime.snapshots import state_hash
from games.runtime.world import World


class Twin:
    """The twin of a world. ``difference`` says where and how the two came to differ, None as long as they agree."""

    def __init__(self, world: World, snapshot: bytes) -> None:
        self.difference: tuple[Place, str] | None = None
        self._world = world
        self._since = world.tick
        try:
            self._twin: World | None = World.restore(world.code, snapshot, engine=world.engine)
        except (GameError, SnapshotUnreadable) as error:
            self._twin = None
            self._differ(str(error))

    def apply(self, entries: Sequence[AnyEntry], *, step: bool) -> None:
        """Do what was done to the world."""
        if self._twin is None:
            return
        try:
            self._twin.apply(entries, step=step)
        except (WorldFaulted, ValueError) as error:
            self._differ(f"it ends: {error}")

    def compare_seen(self, player: str, data: bytes) -> float:
        """Compare what a player sees; returns how many milliseconds it took to ask."""
        if self._twin is None:
            return 0.0
        started = time.perf_counter()
        try:
            seen = self._twin.observe(player, "data").data
        except (ObservationFailed, WorldFaulted, KeyError) as error:
            self._differ(f"it cannot be observed: {error}")
            return 0.0
        taken_ms = (time.perf_counter() - started) * 1000
        if seen != data:
            path = first_difference(data, seen or b"\x80")
            self._differ(self._state_path() or f"what {player} sees: {path}")
        return taken_ms

    def compare(self, mark: Mark) -> None:
        """Compare everything, with the world as it is at this mark."""
        if self._twin is None:
            return
        fingerprint = self._twin.fingerprint()
        path = self._state_path()
        if path is not None:
            self._differ(path)
        elif state_hash(self._twin.snapshot()) != mark.hash:
            self._differ("the scene, the random numbers, the scores or the results of inputs")
        elif fingerprint != mark.fingerprint:
            self._differ("what happened: events, scores or results of inputs")

    def close(self) -> None:
        """Let go of the twin."""
        if self._twin is not None:
            self._twin.close()

    def _state_path(self) -> str | None:
        assert self._twin is not None
        ours, theirs = self._world.inspection.packed_state(), self._twin.inspection.packed_state()
        return None if ours is None or theirs is None or ours == theirs else first_difference(ours, theirs)

    def _differ(self, what: str) -> None:
        if self.difference is not None:
            return
        suspects = changing_variables(self._world.code)
        message = f"a world that is restored goes on differently: {what}"
        if suspects:
            names = ", ".join(f"{name} ({place})" for place, name in suspects)
            message += f". Variables of files that functions write to are not saved: {names}; keep them in world.state"
        self.difference = suspects[0][0] if suspects else Place("main.lua", None), message
