"""At which tick does other code first give another state, and which input, or what else, makes the difference?

First the log is executed with the other code as if it had been played with it: the first record or checkpoint that
differs is an upper bound, the last checkpoint whose state was proven equal a lower one. From there both codes are
executed side by side, and their states compared by hash: every `STRIDE_TICKS` ticks, then tick by tick. Within the tick
its entries are applied one by one.

States that differ for less than a stride and are equal again, without anything that the log notes, are not seen.

Not here: what a whole game comes to with other code (``rerun.py``).
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Final, Literal

import msgspec

from eventlog import records
from games.code import Engine, GameCode
from games.errors import StateNotSaveable, WorldFaulted
from games.runtime.plain import plain_state
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from replays.differences import Difference, differences
from replays.errors import CannotReplay, Diverged, ReplayError
from replays.execution import starts_at
from replays.keyframes import Keyframe
from replays.outline import outline
from replays.replay import Replay, replay
from replays.rerun import check_whole
from replays.words import entry_text

STRIDE_TICKS: Final = 64
"""Taking and hashing the state of 2,000 nodes twice takes as long as 30 ticks."""
MAX_DIFFERENCES: Final = 1000


class Culprit(msgspec.Struct, frozen=True, kw_only=True):
    """What makes the difference: an ``entry`` of the log, the ``tick`` itself (game.tick, or a timer), or ``setup``."""

    kind: Literal["entry", "tick", "setup"]
    text: str
    note: str | None = None
    """What the agent said about its input."""


class Bisected(msgspec.Struct, frozen=True, kw_only=True):
    """``tick`` is the first at which the states differ; None: none does.

    ``noted_tick`` is that of the first record by which the log shows it: later, if what differs was without effect at
    first. ``compared`` counts the pairs of states that were compared, after those of checkpoints.
    """

    world: str
    last_tick: int
    tick: int | None
    noted_tick: int | None = None
    culprit: Culprit | None = None
    broke: str | None = None
    """How the other code breaks there, if it does."""
    differences: list[Difference] = []
    compared: int = 0


def bisect(data: Path, world: str, code: GameCode) -> Bisected:
    """Find where ``code``, with the engine of today, first gives another state on the inputs of ``world`` (a whole id).

    Raises `NotPossible` for a log whose beginning is missing, GameError and ArgumentProblem if the game does
    not load, and the errors of ``eventlog``.
    """
    check_whole(data, world)
    known = outline(data, world)
    search = _Search(data, world, code)
    equal_tick, noted_tick = search.bounds()
    last = known.end() if noted_tick is None else noted_tick
    frame = search.begin(equal_tick)
    if frame is None:
        setup = Culprit(kind="setup", text="setup, or the game's settings")
        return search.found(known.first_tick, known.last_tick, noted_tick, setup, None)
    for stride in (STRIDE_TICKS, 1):
        frame, differing = search.walk(frame, last, stride)
        if differing is None:
            return Bisected(
                world=world, last_tick=known.last_tick, tick=None, noted_tick=noted_tick, compared=search.compared
            )
        last = differing
    search.stand(frame)
    culprit = search.name_culprit(last)
    search.stand(frame)
    return search.found(last, known.last_tick, noted_tick, culprit, search.advance(last))


class _Search:
    """Two replays of a log, one with the code that it names, one with another."""

    def __init__(self, data: Path, world: str, code: GameCode) -> None:
        self.compared = 0
        self._world = world
        self._new_code = (code, Engine.current())
        self._data = data
        self._old = replay(data, world)
        self._new = replay(data, world, instead=self._new_code, strict=False)

    def bounds(self) -> tuple[int | None, int | None]:
        """The last tick whose state is proven equal, and the tick of the first record that differs, if one does."""
        trial = replay(self._data, self._world, instead=self._new_code)
        noted: int | None = None
        try:
            trial.run()
        except Diverged as error:
            noted = error.tick
        except CannotReplay:
            noted = trial.world.tick + 1
        trial.close()
        return trial.proven_tick, noted

    def begin(self, tick: int | None) -> Keyframe | None:
        """Stand in equal states at ``tick``, or at the beginning; None if they differ there already."""
        if tick is not None:
            self._old.go_near(tick)
            if self._old.world.tick != tick:
                self._old.advance(tick)
            frame = self._old.checkpoint()
            self._new.go_to(frame)
            return frame
        return self._old.checkpoint() if self._equal() else None

    def stand(self, frame: Keyframe) -> None:
        """Stand where both were equal."""
        self._old.go_to(frame)
        self._new.go_to(frame)

    def walk(self, frame: Keyframe, last: int, stride: int) -> tuple[Keyframe, int | None]:
        """From ``frame`` on to ``last``, comparing every ``stride`` ticks. Returns where both were equal last, and the
        first tick at which they are not, if there is one."""
        self.stand(frame)
        # First entries between ticks that may follow where it stands.
        for tick in (frame.tick, *range(frame.tick + stride, last, stride), last):
            if self.advance(tick) is not None or not self._equal():
                return frame, tick
            frame = self._old.checkpoint()
        return frame, None

    def advance(self, tick: int) -> str | None:
        """Go on to ``tick`` with both; returns what breaks with the new code, if something does."""
        self._old.advance(tick)
        try:
            self._new.advance(tick)
        except (ReplayError, WorldFaulted) as problem:
            return str(problem).partition(" → ")[0]
        return None

    def name_culprit(self, tick: int) -> Culprit:
        """Say what makes the difference at ``tick``; both stand equal after the tick before it."""
        while (stored := self._old.peek()) is not None:
            record = stored.record
            starts = starts_at(record)
            if starts is not None and starts > tick:
                break
            if isinstance(record, records.Tick) and record.tick + record.ticks - 1 > tick:
                break
            if isinstance(record, records.Tick) and record.tick == tick and record.entries:
                if not record.ran and not self._same_after_ticking(tick):
                    break
                culprit = self._of_entries(record)
                if culprit is not None:
                    return culprit
            self._old.step()
            try:
                self._new.step()
            except (ReplayError, WorldFaulted):
                break
        return Culprit(kind="tick", text="the tick itself: game.tick, or a timer")

    def found(self, tick: int, last_tick: int, noted_tick: int | None, culprit: Culprit, broke: str | None) -> Bisected:
        """The result, with what differs where both stand now."""
        different: list[Difference] = []
        if broke is None:
            both = plain_state(self._old.world), plain_state(self._new.world)
            different = list(islice(differences(*both), MAX_DIFFERENCES))
        return Bisected(
            world=self._world,
            last_tick=last_tick,
            tick=tick,
            noted_tick=noted_tick,
            culprit=culprit,
            broke=broke,
            differences=different,
            compared=self.compared,
        )

    def _same_after_ticking(self, tick: int) -> bool:
        """Run the tick in both, if it has not run; what follows are entries between ticks."""
        try:
            for each in (self._old, self._new):
                each.run_empty(tick)
        except WorldFaulted:
            return False
        return self._equal()

    def _of_entries(self, record: records.Tick) -> Culprit | None:
        """Apply the entries of a record one by one to copies of both worlds."""
        old, new = _copy(self._old), _copy(self._new)
        for logged in record.entries:
            if isinstance(logged, records.CodeEntry):
                continue
            entry = self._old.runnable(record.tick, logged)
            culprit = Culprit(kind="entry", text=entry_text(entry), note=getattr(logged, "note", None))
            old.apply([entry], step=False)
            try:
                new.apply([entry], step=False)
            except (WorldFaulted, ValueError):
                return culprit
            self.compared += 1
            if _hash(old) != _hash(new):
                return culprit
        return None

    def _equal(self) -> bool:
        self.compared += 1
        return _hash(self._old.world) == _hash(self._new.world)


def _copy(of: Replay) -> World:
    return World.restore(of.world.code, of.world.snapshot(), engine=of.world.engine)


def _hash(world: World) -> bytes | None:
    try:
        return state_hash(world.snapshot(), engine=world.engine)
    except (StateNotSaveable, WorldFaulted):
        return None  # what cannot be saved is equal to nothing that can
