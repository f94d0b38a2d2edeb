"""Re-execute a world from its log, and check that it is the same world.

A `Replay` starts from the genesis record with the code and the engine that the data folder keeps by digest, applies
the records one by one, and compares the fingerprint of each with what the world really did. The first difference is
`Diverged`, with the place in the log. Every checksum of the log is checked on the way (`eventlog.LogDamaged`).

The rule, per record with a fingerprint: first run empty ticks up to the record's tick (for a tick record that ran, and
for a fault: up to the tick before), then compare, then apply the record's entries. The tick of a fault is never run:
what it left behind in the middle cannot be reproduced, so a fault repeats the fingerprint of the record before it.

A replay can go to any tick of its log (`Replay.seek`): back by keyframes, which it takes on its way.

Not here: starting from a snapshot on disk, and any clock: a replay runs as fast as it can.
"""

from __future__ import annotations

import contextlib
from itertools import islice
from pathlib import Path
from typing import Any

from eventlog import frame, records
from eventlog.reader import StoredRecord, read_world
from eventlog.store import Store
from games.code import Engine, GameCode
from games.errors import StateNotSaveable, WorldFaulted
from games.runtime.effects import AnyEntry, Clock, Input, Join, Leave, Silence
from games.runtime.players import InputOutcome
from games.runtime.world import World
from replays.keyframes import Keyframe, Keyframes


class ReplayError(Exception):
    """The base of what goes wrong with a replay; damage to the log itself is `eventlog.errors.LogDamaged`."""


class Diverged(ReplayError):
    """The re-executed world did something else than the recorded one.

    ``tick`` is the tick of the first record that differs, ``file`` and ``offset`` (in bytes) its place in the log;
    what differs happened after the record before it. ``expected`` is the recorded fingerprint, ``got`` the new one.
    """

    def __init__(self, world: str, tick: int, file: str, offset: int, expected: bytes, got: bytes) -> None:
        super().__init__(
            f"{world}@{tick} diverged: the log says {expected.hex()}, re-execution {got.hex()} ({file}, byte {offset}) "
            f"→ look between this record and the one before it with `worldline log show {world}`"
        )
        self.world = world
        self.tick = tick
        self.file = file
        self.offset = offset
        self.expected = expected
        self.got = got


class CannotReplay(ReplayError):
    """The log holds something that this version cannot re-execute, or a world that breaks where it did not before."""

    def __init__(self, world: str, tick: int, reason: str) -> None:
        super().__init__(f"{world}@{tick} cannot be re-executed: {reason} → use the version of Worldline that wrote it")
        self.world = world
        self.tick = tick


def _starts_at(record: records.Record) -> int | None:
    """The tick that the world must have come to before a record is executed, or None for those that want none."""
    match record:
        case records.Tick() | records.Beat() | records.Close():
            return record.tick
        case records.Fault():
            return record.tick - 1
        case _:
            return None


class Replay:
    """A world on its way through its log; made by `replay`.

    ``world`` is the re-executed world, ``genesis`` its first record, ``records_done`` how many records were executed.
    ``last`` is the record executed last with its place, ``epoch`` that of the last open, ``ended`` the fault or close
    that ends the log, ``until`` the tick up to which the world may have been shown, ``joined`` how each seated player
    came, ``outcomes`` those that the next record would note, ``fingerprint`` the last one that was compared.
    """

    def __init__(self, data: Path, world: str, *, not_run: int | None = None) -> None:
        store = Store.read_only(data)
        self._faulted_ticks = {
            stored.record.tick for stored in read_world(data, world) if isinstance(stored.record, records.Fault)
        }
        if not_run is not None:
            self._faulted_ticks.add(not_run)
        self._stored = read_world(data, world)
        first = next(self._stored, None)
        if first is None or not isinstance(first.record, records.Genesis):
            raise CannotReplay(world, 0, "its log does not begin with a genesis record")
        self.genesis = first.record
        self._data = data
        self._ahead: StoredRecord | None = None
        self._code = GameCode.from_files(self.genesis.game, store.get_code(self.genesis.digest))
        self._engine = Engine.from_files(store.get_engine(self.genesis.engine))
        self.keyframes = Keyframes()
        """What `seek` goes back by; others than the default may be put here before."""
        self._begin(first)

    def _peek(self) -> StoredRecord | None:
        """Return the record that `step` will execute, or None at the end."""
        if self._ahead is None:
            self._ahead = next(self._stored, None)
        return self._ahead

    def _begin(self, first: StoredRecord) -> None:
        """Stand right after the genesis record."""
        self._ahead = None
        self.records_done = 1
        self.last = first
        self.epoch = 0
        self.ended: records.Fault | records.Close | None = None
        self.until = 0
        self.joined: dict[str, records.JoinEntry] = {}
        self.outcomes: list[InputOutcome] = []
        self.fingerprint = b"\0" * records.FINGERPRINT_BYTES
        self.world = World.load(
            self._code,
            world_id=self.genesis.world,
            seed=self.genesis.seed,
            settings=self.genesis.settings,
            engine=self._engine,
            clock=self.genesis.clock,
        )

    def step(self) -> StoredRecord | None:
        """Execute and check the next record, and return it; None at the end of the log.

        Raises `Diverged` or `CannotReplay`, and `eventlog.errors.LogDamaged` where the log is damaged.
        """
        stored = self._peek()
        if stored is None:
            return None
        self._ahead = None
        match stored.record:
            case records.Tick() as record:
                self._check(stored, record.fingerprint, record.tick - 1 if record.ran else record.tick)
                self._apply(record)
            case records.Beat() as record:
                self._check(stored, record.fingerprint, record.tick)
                self.until = max(self.until, record.until)
                self.outcomes = []
            case records.Close() as record:
                self._check(stored, record.fingerprint, record.tick)
                self.ended = record
            case records.Fault() as record:
                self._check_fault(stored, record)
                self.ended = record
            case records.Open() as record:
                self.epoch = record.epoch
            case records.Genesis() | records.Checkpoint():
                pass  # Nothing happens in the world.
        self.records_done += 1
        self.last = stored
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
            self._run_empty(ticks[-1] if tick is None else tick)
        return self

    def close(self) -> None:
        """Let the world go."""
        self.world.close()

    # --- going to a tick -----------------------------------------------------------------------------

    def checkpoint(self) -> Keyframe:
        """Keep this place in `keyframes`, and return it. Raises `games.errors.StateNotSaveable`, `WorldFaulted`."""
        frame = Keyframe(
            tick=self.world.tick,
            snapshot=self.world.snapshot(),
            records_done=self.records_done,
            last=self.last,
            epoch=self.epoch,
            ended=self.ended,
            until=self.until,
            joined=dict(self.joined),
            outcomes=list(self.outcomes),
            fingerprint=self.fingerprint,
        )
        self.keyframes.add(frame)
        return frame

    def seek(self, tick: int) -> World:
        """Go to the world as it was after ``tick``, before the next one began; back or forward. Returns `world`.

        Going back makes `world` another object. Below 0 stands 0, beyond the end of the log its end; within a record of
        many ticks stands the end of that record. Raises what `step` raises: a replay that diverges does so here too.
        """
        tick = max(tick, 0)
        frame = self.keyframes.at_or_before(tick)
        if frame is not None and not frame.tick <= self.world.tick <= tick:
            self._go_to(frame)
        elif self.world.tick > tick:
            self.world.close()
            self._stored = read_world(self._data, self.genesis.world)
            self._begin(next(self._stored))
        while (stored := self._peek()) is not None:
            starts = _starts_at(stored.record)
            if starts is not None and starts > tick:
                self._run_empty(tick)
                break
            self.step()
            if self.keyframes.is_due(self.world.tick) and self.world.faulted is None:
                # A game whose state cannot be saved can be looked at all the same, only more slowly.
                with contextlib.suppress(StateNotSaveable):
                    self.checkpoint()
        return self.world

    def _go_to(self, frame: Keyframe) -> None:
        world = World.restore(self._code, frame.snapshot, engine=self._engine)
        self.world.close()
        self.world = world
        self._stored = islice(read_world(self._data, self.genesis.world), frame.records_done, None)
        self._ahead = None
        self.records_done, self.last, self.epoch = frame.records_done, frame.last, frame.epoch
        self.ended, self.until, self.fingerprint = frame.ended, frame.until, frame.fingerprint
        self.joined, self.outcomes = dict(frame.joined), list(frame.outcomes)

    # --- executing -----------------------------------------------------------------------------------

    def _check(self, stored: StoredRecord, expected: bytes, tick: int) -> None:
        """Run the empty ticks before a record and compare what happened since the record before it."""
        try:
            self._run_empty(tick)
        except WorldFaulted as fault:
            raise CannotReplay(
                self.genesis.world, self.world.tick, f"it breaks now, but did not then: {fault}"
            ) from fault
        self._compare(stored, expected, tick)

    def _check_fault(self, stored: StoredRecord, record: records.Fault) -> None:
        """Run up to the tick that broke; the record claims nothing new."""
        with contextlib.suppress(WorldFaulted):  # entries between ticks may have been what broke it
            self._run_empty(record.tick - 1)
        if record.fingerprint != self.fingerprint:
            raise self._diverged(stored, record.tick - 1, record.fingerprint, self.fingerprint)

    def _run_empty(self, tick: int) -> None:
        # A world that ends sooner than it did stands still, and is found by its tick.
        if tick > self.world.tick and self.world.finished is None:
            self.world.run_empty(tick - self.world.tick)

    def _compare(self, stored: StoredRecord, expected: bytes, tick: int) -> None:
        self.fingerprint = self.world.fingerprint()
        if self.world.tick != tick or self.fingerprint != expected:
            raise self._diverged(stored, tick, expected, self.fingerprint)

    def _diverged(self, stored: StoredRecord, tick: int, expected: bytes, got: bytes) -> Diverged:
        return Diverged(self.genesis.world, tick, frame.file_name(stored.file), stored.offset, expected, got)

    def _apply(self, record: records.Tick) -> None:
        if record.ran and record.tick in self._faulted_ticks:
            return
        entries = [self._runnable(record.tick, entry) for entry in record.entries]
        try:
            if record.ticks > 1:
                self.outcomes = self.world.run_empty(record.ticks).outcomes
            else:
                self.outcomes = self.world.apply(entries, step=record.ran).outcomes
        except WorldFaulted as fault:
            # Entries between ticks may be what broke the world; then the log says so in a fault of the next tick.
            if record.tick + 1 not in self._faulted_ticks:
                raise CannotReplay(
                    self.genesis.world, record.tick, f"it breaks now, but did not then: {fault}"
                ) from fault
        except ValueError as error:
            raise CannotReplay(self.genesis.world, record.tick, f"its entries no longer fit: {error}") from error

    def _runnable(self, tick: int, entry: records.Entry) -> AnyEntry:
        match entry:
            case records.JoinEntry():
                self.joined[entry.player] = entry
                return Join(player=entry.player, seat=entry.seat, agent=entry.agent, name=entry.name)
            case records.LeaveEntry():
                self.joined.pop(entry.player, None)
                return Leave(player=entry.player, reason=entry.reason)
            case records.InputEntry():
                return Input(player=entry.player, seq=entry.seq, name=entry.name, args=entry.args)
            case records.TimeoutEntry():
                name, args = self._default_input(tick)
                return Silence(player=entry.player, name=name, args=args)
            case records.ClockEntry():
                return Clock(clock=entry.clock)
            case other:
                raise CannotReplay(self.genesis.world, tick, f"it has a {type(other).__name__}")

    def _default_input(self, tick: int) -> tuple[str, dict[str, Any]]:
        try:
            return self._code.manifest.default_input
        except LookupError as error:
            raise CannotReplay(self.genesis.world, tick, f"a player was silent, but {error}") from error


def replay(data: Path, world: str, *, not_run: int | None = None) -> Replay:
    """Open the log of ``world`` (a whole id) in the data folder ``data``, ready to be re-executed from its genesis.

    The log of a running world may be read: the replay ends with the last record that is there. Raises `CannotReplay`,
    and the errors of ``eventlog`` for a world or code that is not there.

    ``not_run``: a tick that is not executed though the log has no fault for it yet; nothing may follow it there.
    """
    return Replay(data, world, not_run=not_run)
