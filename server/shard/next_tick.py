"""One tick of one world, from what waits for it to what came of it.

It has three steps, which the ticker calls for all worlds that are due:

1. `NextTick.write_ahead`: the waiting joins, leaves and inputs become entries of a tick record, which goes to the
   journal.
2. `NextTick.run`: the entries are applied to the Lua world and its tick runs.
3. ``Course.answer``: outcomes, observations and pushes are made, each to leave when the record's group is durable.

Invariant: what runs is what was written ahead, no more and no less.

Not here: when it runs (pace, scheduler), and what follows from it (course).
"""

from __future__ import annotations

from eventlog.piece import Piece
from games.errors import StateNotSaveable, WorldFaulted
from games.runtime.world import Entry, TickResult, World
from server.shard.history import History
from server.shard.inbox import Inbox, Pending, PendingInput, PendingSilence
from server.shard.pace import Pace
from server.shard.sight import Sight


class NextTick:
    """The next tick of one world, and the one that has just run until it is taken."""

    def __init__(
        self,
        world: World,
        history: History,
        inbox: Inbox,
        pace: Pace,
        sight: Sight,
        *,
        eager: bool,
        take_back: bool,
    ) -> None:
        """``eager``: compute every player's observation in every tick. ``take_back``: a tick that raises is undone."""
        self._world = world
        self._history = history
        self._inbox = inbox
        self._pace = pace
        self._sight = sight
        self._eager = eager
        self._take_back = take_back
        self._drained: list[Pending] = []
        self._entries: list[Entry] = []
        self._result: TickResult | None = None
        self.silent: tuple[str, ...] = ()
        """The players for whom the tick, where it waits for players, does not wait any longer."""
        self.number = world.tick + 1
        """The tick that runs, or is the next to run."""
        self.raised: TickResult | None = None
        """What came of a tick that was taken back: the world stands before it."""

    def write_ahead(self, time_ms: int) -> list[Piece]:
        """Take what waits; return the records of the tick that is about to run, none if it needs none."""
        pieces: list[Piece] = []
        beat = self._history.beat_if_due()
        if beat is not None:
            pieces.append(beat)
        if len(self._inbox) or not self._pace.realtime:
            self._drained = self._in_order(self._inbox.drain())
            record, self._entries = self._history.tick(self._drained, ran=True, time_ms=time_ms)
            pieces.append(record)
        return pieces

    def _in_order(self, drained: list[Pending]) -> list[Pending]:
        """The entries of the tick: in order of arrival; where each player acts once, in seat order, the silent ones
        included."""
        if not self._pace.one_each:
            return drained
        acts = {pending.player: pending for pending in drained if isinstance(pending, PendingInput)}
        silent = {player: PendingSilence(player) for player in self.silent}
        seats = self._world.players
        return [(acts | silent)[player] for player in sorted(acts.keys() | silent.keys(), key=lambda p: seats[p].seat)]

    def run(self) -> None:
        """Apply what was written ahead and run the tick. A world that is broken by it is noted in `Sight.fault`."""
        self.number = self._world.tick + 1
        try:
            before = self._saved() if self._take_back else None
            result = self._world.apply(self._entries, step=True)
            if result.failed and before is not None:
                self._world.go_back(before)
                self.raised = result
                return
            self._world.check_memory()
            self._result = result
            if self._eager:
                for player in self._world.players:
                    self._sight.observation(player, 1, "both")
        except WorldFaulted as fault:
            self._sight.fault = fault
        else:
            self.number += 1

    def _saved(self) -> bytes | None:
        """The world as it is now; None if the game keeps what cannot be saved, which its next checkpoint tells."""
        try:
            return self._world.snapshot()
        except StateNotSaveable:
            return None

    def take(self) -> tuple[list[Pending], TickResult | None]:
        """What was applied, and what came of it; None if the tick does not count as run."""
        drained, result = self._drained, self._result
        self._drained, self._entries, self._result = [], [], None
        return drained, result
