"""Re-execute a world from its log, and check that it is the same world.

A `Replay` starts from the genesis record with the code and the engine that the data folder keeps by digest, applies
the records one by one (``execution.py`` has the rule), and compares the fingerprint of each with what the world really
did. The first difference is `Diverged`, with the place in the log. Every checksum of the log is checked on the way
(`eventlog.LogDamaged`).

A replay can begin with a snapshot on disk instead of the genesis, and go to any tick of its log (`Replay.seek`): by
snapshots, and by keyframes, which it takes on its way. What it has not executed it has not checked.

Of a log that is damaged in the middle everything before the damage can be seen; who goes further meets `LogDamaged`.

Not here: any clock: a replay runs as fast as it can. What stands there to be seen: ``seeing.py``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.errors import LogDamaged, PositionUnknown
from eventlog.piece import LogEnd
from eventlog.reader import read_world, read_world_from
from eventlog.snapshot_file import Snapshot
from eventlog.snapshots import Snapshots
from eventlog.store import Store
from eventlog.worldbytes import WorldBytes
from games.code import Engine, GameCode
from games.errors import SnapshotUnreadable, StateNotSaveable
from games.runtime.snapshots import decode_snapshot
from games.runtime.world import World
from replays import origins
from replays.errors import CannotReplay, Diverged, ReplayError
from replays.execution import Execution, starts_at
from replays.keyframes import Keyframe, Keyframes
from replays.outline import Outline, earliest_kept
from replays.reading import Reading, behind, log_start
from replays.shelf import Shelf
from replays.standing import Standing, decode_standing

__all__ = ["CannotReplay", "Diverged", "Replay", "ReplayError", "Start", "replay", "start_of"]

Start = Literal["genesis", "latest", "earliest"] | int
"""What a replay begins with: the genesis, or the latest (earliest) snapshot that can be used, else the genesis. A tick:
the latest snapshot that is not after it, else where the log begins."""

_log = logging.getLogger("worldline.snapshots")


class Replay(Execution):
    """A world on its way through its log; made by `replay`.

    Beside what an `Execution` has: ``began_at_tick`` is what it began with, ``records_done`` how many records were
    executed, ``position`` where the next record stands.
    """

    def __init__(
        self,
        data: Path,
        world: str,
        *,
        start: Start = "genesis",
        not_run: int | None = None,
        instead: tuple[GameCode, Engine] | None = None,
        strict: bool = True,
        shelf: Shelf | None = None,
        known: Outline | None = None,
    ) -> None:
        super().__init__(world, shelf or Shelf(Store.read_only(data)), instead, strict=strict)
        self.data = data
        self._source = WorldBytes.look(data, world)
        self._known = known
        self._snapshots = Snapshots(data, world)
        # Snapshots on disk are of the world that was, not of one that goes its own way.
        self._jumps = strict and instead is None
        self._not_run = not_run
        self._first_tick: int | None = None
        self.keyframes = Keyframes()
        """What `seek` goes back by; others than the default may be put here before."""
        if start == "genesis" or not self._begin_with_snapshot(start):
            self._begin_at_first(start)
        self.began_at_tick = self.world.tick

    def peek(self) -> StoredRecord | None:
        """Return the record that `step` will execute, or None at the end."""
        return self._reading.peek()

    @property
    def first_tick(self) -> int:
        """The first tick at which the world can be seen: 0, or where it was forked from another, or that of the
        earliest snapshot of a log whose first files are gone."""
        if self._first_tick is None:
            kept = earliest_kept(self.data, self._name)
            self._first_tick = origins.first_tick(self.genesis) if kept is None else kept.tick
        return self._first_tick

    @property
    def epoch(self) -> int:
        """That of the last open record."""
        return self.position.epoch

    # --- beginning -----------------------------------------------------------------------------------

    def _begin_at_first(self, start: Start) -> None:
        """Stand where the log begins: right after the genesis record, if that is there or has to be."""
        is_near = isinstance(start, int)
        if not (is_near and start_of(self.data, self._name) == "earliest" and self._begin_with_snapshot("earliest")):
            self._begin()

    def _begin(self) -> None:
        """Stand right after the genesis record."""
        if not self._foreseen():
            self.look_ahead(read_world(self.data, self._name, source=self._source), self._not_run)
        self._reading = Reading(read_world(self.data, self._name, source=self._source))
        first = self._reading.take()
        if first is None or not isinstance(first.record, records.Genesis):
            raise CannotReplay(self._name, 0, "its log does not begin with a genesis record")
        self.genesis = first.record
        self.records_done = 1
        self.position = behind(first, log_start(self._name))
        self.begin(self._take_origin())
        self._claims.begin(self.world, whole=True)

    def _take_origin(self) -> list[records.Origin]:
        """Go past what stands behind the genesis of a fork."""
        parts: list[records.Origin] = []
        while (stored := self.peek()) is not None and isinstance(stored.record, records.Origin):
            parts.append(stored.record)
            self._reading.take()
            self.records_done += 1
            self.position = behind(stored, self.position)
        return parts

    def _begin_with_snapshot(self, start: Literal["latest", "earliest"] | int) -> bool:
        """Stand where a snapshot was taken, if there is one that can be used."""
        found = self._snapshots.usable(at_or_before=start if isinstance(start, int) else None)
        if not self._go_to_first(reversed(list(found)) if start == "earliest" else found):
            return False
        if not self._foreseen():
            self.look_ahead(read_world_from(self.data, self.position, source=self._source), self._not_run)
        self._claims.begin(self.world, whole=False)
        return True

    def _foreseen(self) -> bool:
        """Whether somebody has read the whole log before, so that nobody has to look ahead."""
        if self._known is None:
            return False
        self.foresee(self._known.faulted_ticks, self._known.claimed_ticks, self._not_run)
        return True

    def step(self) -> StoredRecord | None:
        """Execute and check the next record, and return it; None at the end of the log.

        Raises `Diverged` or `CannotReplay`, and `eventlog.errors.LogDamaged` where the log is damaged.
        """
        stored = self._reading.take()
        if stored is None:
            return None
        try:
            self.execute(stored, self._reading.peek_intact)
        except ReplayError:
            self._reading.put_back(stored)  # where somebody goes on who is less strict
            raise
        self.records_done += 1
        self.position = behind(stored, self.position)
        return stored

    def run(self) -> Replay:
        """Execute everything that is left; returns itself. Raises what `step` raises."""
        while self.step() is not None:
            pass
        return self

    def ticks_to_catch_up(self) -> range:
        """The ticks, from the next one on, that the world may have been shown at before its log broke off."""
        return range(self.world.tick + 1, min([self.until, *(tick - 1 for tick in self._faulted_ticks)]) + 1)

    def catch_up(self, tick: int | None = None) -> Replay:
        """Run on to the last of `ticks_to_catch_up`, or to ``tick`` of them; returns itself.

        Raises `WorldFaulted` if the game breaks on the way.
        """
        ticks = self.ticks_to_catch_up()
        if ticks:
            self.run_empty(ticks[-1] if tick is None else tick)
        return self

    def look_again(self) -> None:
        """Go on with what the log has more by now, if this has come to its end: that of a running world grows.

        Raises the errors of ``eventlog``."""
        if self.ended is None and self._reading.peek_intact() is None:
            self._source = WorldBytes.look(self.data, self._name)
            self.look_ahead(read_world_from(self.data, self.position, source=self._source), self._not_run)
            self._claims.begin(self.world, whole=False)
            self._reading = Reading(read_world_from(self.data, self.position, source=self._source))

    def close(self) -> None:
        """Let the world go."""
        self.world.close()

    # --- going to a tick -----------------------------------------------------------------------------

    def checkpoint(self) -> Keyframe:
        """Keep this place in `keyframes`, and return it. Raises `games.errors.StateNotSaveable`, `WorldFaulted`."""
        frame = Keyframe(
            tick=self.world.tick,
            position=self.position,
            records_done=self.records_done,
            standing=Standing(
                snapshot=self.world.snapshot(),
                until=self.until,
                joined=list(self.joined.values()),
                outcomes=list(self.outcomes),
                fingerprint=self.fingerprint,
                ended=self.ended,
                visitors=list(self.visitors),
            ),
            compared_tick=self.compared_tick,
            is_begun=self.is_begun,
        )
        self.keyframes.add(frame)
        return frame

    def seek(self, tick: int) -> World:
        """Go to the world as it was after ``tick``, before the next one began; back or forward. Returns `world`.

        Going back makes `world` another object. Below `first_tick` stands that, beyond the end of the log its
        end. Raises what `step` raises: a replay that diverges does so here too.
        """
        tick = max(tick, self.first_tick)
        if not self.go_near(tick) and self.world.tick > tick:
            self.world.close()
            self._begin()
        return self.advance(tick)

    def advance(self, tick: int) -> World:
        """As `seek`, but only forward, and never by a jump: for those who look at every tick on the way."""
        while (stored := self._peek_on_the_way(tick)) is not None:
            before, starts = self.world.tick, starts_at(stored.record)
            stop = min(tick, self.keyframes.next_due(before))
            if starts is not None and starts > stop:
                self.run_empty(stop)
            elif isinstance(stored.record, records.Tick) and stop < stored.record.tick + stored.record.ticks - 1:
                self.execute_part(stored, stop)
            else:
                self.step()
                self._keep_if_due()
                continue
            self._keep_if_due()
            if stop == tick or self.world.tick == before:  # it is there, or stands still
                break
        return self.world

    def _peek_on_the_way(self, tick: int) -> StoredRecord | None:
        """As `peek`; damage is none of those who want to go no further than this."""
        try:
            return self.peek()
        except LogDamaged:
            if self.world.tick < tick:
                raise
            return None

    def _keep_if_due(self) -> None:
        if self.keyframes.is_due(self.world.tick) and self.world.faulted is None:
            # A game whose state cannot be saved can be looked at all the same, only more slowly.
            with contextlib.suppress(StateNotSaveable):
                self.checkpoint()

    def go_near(self, tick: int) -> bool:
        """Go to the last place up to ``tick`` that is kept, in memory or on disk, if that is nearer than this one."""
        before = self.world
        frame = self.keyframes.at_or_before(tick)
        nearest = max(frame.tick if frame is not None else -1, before.tick if before.tick <= tick else -1)
        if self._jumps and any(nearest < kept <= tick for kept in self._snapshots.ticks()):
            self._go_to_first(each for each in self._snapshots.usable(at_or_before=tick) if each.tick > nearest)
        if self.world is before and frame is not None and not frame.tick <= before.tick <= tick:
            self._stand_at(frame)
        if self.world is before:
            return False
        before.close()
        return True

    def go_to(self, frame: Keyframe) -> None:
        """Stand where a keyframe was taken, also one of another replay of this log: its state goes on by this code."""
        before = self.world
        self._stand_at(frame)
        before.close()

    def skip(self) -> None:
        """Go on behind the next record without executing it: whoever calls has done something else instead."""
        stored = self._reading.take()
        assert stored is not None, self.position
        self.records_done += 1
        self.position = behind(stored, self.position)

    def _stand_at(self, frame: Keyframe) -> None:
        saved = decode_snapshot(frame.standing.snapshot)
        code, engine = self.load(self.genesis, saved.code, saved.engine)
        self._go_to(frame.standing, frame.position, frame.records_done, code, engine)
        self.compared_tick, self.is_begun = frame.compared_tick, frame.is_begun

    def _go_to_first(self, snapshots: Iterable[Snapshot]) -> bool:
        """Go to the first of these that can be used; else this stands where it stood."""
        for snapshot in snapshots:
            try:
                code, engine = self.load(snapshot.genesis, snapshot.code, snapshot.engine)
                self._go_to(decode_standing(snapshot.state), snapshot.position, 0, code, engine)
            except (PositionUnknown, SnapshotUnreadable) as error:
                path, about = self._snapshots.path(snapshot.tick), {"world": self._name}
                _log.warning("the snapshot %s is skipped: %s", path, error, extra=about)
            else:
                self.genesis = snapshot.genesis
                self.confirmed_tick = self.world.tick
                return True
        return False

    def _read_from(self, position: LogEnd) -> Iterator[StoredRecord]:
        """What the log has from a place on. It is looked at anew only for what it did not have when it was last."""
        try:
            return read_world_from(self.data, position, source=self._source)
        except PositionUnknown:
            self._source = WorldBytes.look(self.data, self._name)
            return read_world_from(self.data, position, source=self._source)

    def _go_to(self, standing: Standing, position: LogEnd, records_done: int, code: GameCode, engine: Engine) -> None:
        """Raises PositionUnknown, SnapshotUnreadable; then nothing has changed."""
        stored = self._read_from(position)
        self.world = World.restore(code, standing.snapshot, engine=engine)
        self._reading = Reading(stored)
        self.position, self.records_done = position, records_done
        self.ended, self.until, self.fingerprint = standing.ended, standing.until, standing.fingerprint
        self.joined = {entry.player: entry for entry in standing.joined}
        self.visitors = dict.fromkeys((*standing.visitors, *(entry.agent for entry in standing.joined)))
        self.outcomes = list(standing.outcomes)
        self.compared_tick, self.is_begun = position.tick, False
        self._claims.begin(self.world, whole=False)


def replay(
    data: Path,
    world: str,
    *,
    start: Start = "genesis",
    not_run: int | None = None,
    instead: tuple[GameCode, Engine] | None = None,
    strict: bool = True,
    shelf: Shelf | None = None,
    known: Outline | None = None,
) -> Replay:
    """Open the log of ``world`` (a whole id) in the data folder ``data``, ready to be re-executed from ``start`` on.

    The log of a running world may be read: the replay ends with the last record that is there. Raises `CannotReplay`,
    and the errors of ``eventlog`` for a world or code that is not there. A snapshot that cannot be used is skipped with
    a warning.

    ``not_run``: a tick that is not executed though the log has no fault for it yet; nothing may follow it there.
    ``instead``: code and engine to execute with, whatever the log names. Where they play another game, it diverges; if
    it is not ``strict``, it goes its own way on the inputs that still fit. ``shelf``: where code and engines are kept
    that several replays share. ``known``: the outline of the log, as far as anybody will go, so that it need not be
    read ahead.
    """
    return Replay(data, world, start=start, not_run=not_run, instead=instead, strict=strict, shelf=shelf, known=known)


def start_of(data: Path, world: str) -> Start:
    """What the whole of a log is executed from: its genesis, if its first file is still there."""
    return "genesis" if WorldBytes.look(data, world).size(1) else "earliest"
