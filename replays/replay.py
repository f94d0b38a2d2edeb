"""Re-execute a world from its log, and check that it is the same world.

A `Replay` starts from the genesis record with the code and the engine that the data folder keeps by digest, applies
the records one by one, and compares the fingerprint of each with what the world really did. The first difference is
`Diverged`, with the place in the log. Every checksum of the log is checked on the way (`eventlog.LogDamaged`).

The rule, per record with a fingerprint: first run empty ticks up to the record's tick (for a tick record that ran, and
for a fault: up to the tick before), then compare, then apply the record's entries. The tick of a fault is never run:
what it left behind in the middle cannot be reproduced, so a fault repeats the fingerprint of the record before it.

A code entry goes on with other code, by the same way as a snapshot is restored (`World.reload`). In a record between
ticks it may also undo the tick record right before it, which is then not run.

A checkpoint record says what the hash of the whole state was after its tick: that is compared, too.

A world that was forked from another begins with its origin, the state that stands behind its genesis.

A replay can begin with a snapshot on disk instead of the genesis, and go to any tick of its log (`Replay.seek`): by
snapshots, and by keyframes, which it takes on its way. What it has not executed it has not checked.

Not here: any clock: a replay runs as fast as it can.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

from eventlog import frame, records
from eventlog.errors import PositionUnknown
from eventlog.piece import LogEnd
from eventlog.reader import StoredRecord, read_world, read_world_from
from eventlog.snapshot_file import Snapshot
from eventlog.snapshots import Snapshots
from eventlog.store import Store
from games.code import Engine, GameCode
from games.errors import GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted
from games.runtime.effects import AnyEntry, Clock, Input, Join, Leave, Silence, Take
from games.runtime.snapshots import decode_snapshot, state_hash
from games.runtime.world import World
from replays import origins
from replays.claims import Claims
from replays.errors import CannotReplay, Diverged, ReplayError
from replays.keyframes import Keyframe, Keyframes
from replays.standing import Standing, decode_standing

__all__ = ["CannotReplay", "Diverged", "Replay", "ReplayError", "Start", "replay"]

Start = Literal["genesis", "latest", "earliest"]
"""What a replay begins with: the genesis, or the latest (earliest) snapshot that can be used, else the genesis."""

_log = logging.getLogger("worldline.snapshots")


def _starts_at(record: records.Record) -> int | None:
    """The tick that the world must have come to before a record is executed, or None for those that want none."""
    match record:
        case records.Tick() | records.Beat() | records.Close() | records.Checkpoint():
            return record.tick
        case records.Fault():
            return record.tick - 1
        case _:
            return None


class Replay:
    """A world on its way through its log; made by `replay`.

    ``world`` is the re-executed world, ``genesis`` the first record of its log, ``began_at_tick`` what it began with,
    ``records_done`` how many records were executed. ``position`` is where the next record stands, ``ended`` the fault
    or close that ends the log, ``until`` the tick up to which the world may have been shown, ``joined`` how each seated
    player came, ``outcomes`` those that the next record would note, ``fingerprint`` the last one that was compared.
    """

    def __init__(
        self,
        data: Path,
        world: str,
        *,
        start: Start = "genesis",
        not_run: int | None = None,
        instead: tuple[GameCode, Engine] | None = None,
    ) -> None:
        self._instead = instead
        self._data = data
        self._name = world
        self._store = Store.read_only(data)
        self._snapshots = Snapshots(data, world)
        self._not_run = not_run
        self._ahead: StoredRecord | None = None
        self.keyframes = Keyframes()
        """What `seek` goes back by; others than the default may be put here before."""
        if start == "genesis" or not self._begin_with_snapshot(start):
            self._begin()
        self.began_at_tick = self.world.tick

    def _peek(self) -> StoredRecord | None:
        """Return the record that `step` will execute, or None at the end."""
        if self._ahead is None:
            self._ahead = next(self._stored, None)
        return self._ahead

    @property
    def first_tick(self) -> int:
        """The first tick at which the world can be seen: 0, or where it was forked from another."""
        return origins.first_tick(self.genesis)

    @property
    def epoch(self) -> int:
        """That of the last open record."""
        return self.position.epoch

    # --- beginning -----------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Stand right after the genesis record."""
        self._look_ahead(read_world(self._data, self._name))
        self._stored = read_world(self._data, self._name)
        first = next(self._stored, None)
        if first is None or not isinstance(first.record, records.Genesis):
            raise CannotReplay(self._name, 0, "its log does not begin with a genesis record")
        self.genesis = first.record
        code, engine = self._load(self.genesis, self.genesis.digest, self.genesis.engine)
        self._ahead = None
        self.records_done = 1
        self.position = LogEnd(
            world=self._name, epoch=0, file=first.file, offset=first.offset + first.bytes, crc=first.crc, tick=0
        )
        self.ended: records.Fault | records.Close | None = None
        self.until = 0
        self.joined: dict[str, records.JoinEntry] = {}
        self.outcomes: list[records.OutcomeNote] = []
        self.fingerprint = b"\0" * records.FINGERPRINT_BYTES
        if self.genesis.forked_from is not None:
            self._begin_with_origin()
        else:
            self.world = World.load(
                code,
                world_id=self._name,
                seed=self.genesis.seed,
                settings=self.genesis.settings,
                engine=engine,
                clock=self.genesis.clock,
            )
        self._claims.begin(self.world, whole=True)

    def _begin_with_origin(self) -> None:
        """Stand where a fork begins: behind the parts of its origin."""
        parts: list[records.Origin] = []
        while (stored := self._peek()) is not None and isinstance(stored.record, records.Origin):
            parts.append(stored.record)
            self._ahead = None
            self.records_done += 1
            self.position = _behind(stored, self.position)
        state = origins.state_of(self.genesis, parts)
        self.until = parts[0].tick
        code, engine = self._load(self.genesis, parts[0].code, self.genesis.engine)
        try:
            self.world = World.restore(code, state, engine=engine)
            found = state_hash(self.world.snapshot(), engine=engine)
        except (SnapshotUnreadable, StateNotSaveable) as error:
            raise CannotReplay(self._name, self.until, f"the state that it begins with: {error}") from error
        if found != parts[0].hash:
            place = frame.file_name(self.position.file), self.position.offset
            raise Diverged(
                self._name, self.until, *place, expected=parts[0].hash, got=found, checkpoint="of its origin"
            )

    def _begin_with_snapshot(self, start: Literal["latest", "earliest"]) -> bool:
        """Stand where a snapshot was taken, if there is one that can be used."""
        found = self._snapshots.usable()
        self._claims = Claims(())
        if not self._go_to_first(found if start == "latest" else reversed(list(found))):
            return False
        self._look_ahead(read_world_from(self._data, self.position))
        self._claims.begin(self.world, whole=False)
        return True

    def _look_ahead(self, stored: Iterator[StoredRecord]) -> None:
        """See what the log says further on of ticks that are executed before: faults and checkpoints."""
        self._faulted_ticks = set() if self._not_run is None else {self._not_run}
        claimed: list[int] = []
        for each in stored:
            if isinstance(each.record, records.Fault):
                self._faulted_ticks.add(each.record.tick)
            elif isinstance(each.record, records.Checkpoint):
                claimed.append(each.record.tick)
        self._claims = Claims(claimed)

    def _load(self, genesis: records.Genesis, digest: str, engine: str) -> tuple[GameCode, Engine]:
        if self._instead is not None:
            return self._instead
        code = GameCode.from_files(genesis.game, self._store.get_code(digest))
        if digest != genesis.digest:
            first = GameCode.from_files(genesis.game, self._store.get_code(genesis.digest))
            code = code.going_on(first.manifest)
        return code, Engine.from_files(self._store.get_engine(engine))

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
            case records.Checkpoint() as record:
                self._check_state(stored, record)
            case records.Genesis() | records.Open() | records.Origin():
                pass  # Nothing happens in the world.
        self.records_done += 1
        self.position = _behind(stored, self.position)
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
            position=self.position,
            records_done=self.records_done,
            standing=Standing(
                snapshot=self.world.snapshot(),
                until=self.until,
                joined=list(self.joined.values()),
                outcomes=list(self.outcomes),
                fingerprint=self.fingerprint,
                ended=self.ended,
            ),
        )
        self.keyframes.add(frame)
        return frame

    def seek(self, tick: int) -> World:
        """Go to the world as it was after ``tick``, before the next one began; back or forward. Returns `world`.

        Going back makes `world` another object. Below `first_tick` stands that, beyond the end of the log its end;
        within a record of many ticks stands the end of that record. Raises what `step` raises: a replay that diverges
        does so here too.
        """
        tick = max(tick, self.first_tick)
        if not self._go_near(tick) and self.world.tick > tick:
            self.world.close()
            self._begin()
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

    def _go_near(self, tick: int) -> bool:
        """Go to the last place up to ``tick`` that is kept, in memory or on disk, if that is nearer than this one."""
        before = self.world
        frame = self.keyframes.at_or_before(tick)
        nearest = max(frame.tick if frame is not None else -1, before.tick if before.tick <= tick else -1)
        if any(nearest < kept <= tick for kept in self._snapshots.ticks()):
            self._go_to_first(each for each in self._snapshots.usable(at_or_before=tick) if each.tick > nearest)
        if self.world is before and frame is not None and not frame.tick <= before.tick <= tick:
            saved = decode_snapshot(frame.standing.snapshot)
            code, engine = self._load(self.genesis, saved.code, saved.engine)
            self._go_to(frame.standing, frame.position, frame.records_done, code, engine)
        if self.world is before:
            return False
        before.close()
        return True

    def _go_to_first(self, snapshots: Iterable[Snapshot]) -> bool:
        """Go to the first of these that can be used; else this stands where it stood."""
        for snapshot in snapshots:
            try:
                code, engine = self._load(snapshot.genesis, snapshot.code, snapshot.engine)
                self._go_to(decode_standing(snapshot.state), snapshot.position, 0, code, engine)
            except (PositionUnknown, SnapshotUnreadable) as error:
                _log.warning("the snapshot %s is skipped: %s", self._snapshots.path(snapshot.tick), error)
            else:
                self.genesis = snapshot.genesis
                return True
        return False

    def _go_to(self, standing: Standing, position: LogEnd, records_done: int, code: GameCode, engine: Engine) -> None:
        """Raises PositionUnknown, SnapshotUnreadable; then nothing has changed."""
        stored = read_world_from(self._data, position)
        self.world = World.restore(code, standing.snapshot, engine=engine)
        self._stored = stored
        self._ahead = None
        self.position, self.records_done = position, records_done
        self.ended, self.until, self.fingerprint = standing.ended, standing.until, standing.fingerprint
        self.joined = {entry.player: entry for entry in standing.joined}
        self.outcomes = list(standing.outcomes)
        self._claims.begin(self.world, whole=False)

    # --- executing -----------------------------------------------------------------------------------

    def _check(self, stored: StoredRecord, expected: bytes, tick: int) -> None:
        """Run the empty ticks before a record and compare what happened since the record before it."""
        self._run_to(tick)
        self._compare(stored, expected, tick)

    def _run_to(self, tick: int) -> None:
        try:
            self._run_empty(tick)
        except WorldFaulted as fault:
            raise CannotReplay(
                self.genesis.world, self.world.tick, f"it breaks now, but did not then: {fault}"
            ) from fault

    def _check_fault(self, stored: StoredRecord, record: records.Fault) -> None:
        """Run up to the tick that broke; the record claims nothing new."""
        with contextlib.suppress(WorldFaulted):  # entries between ticks may have been what broke it
            self._run_empty(record.tick - 1)
        if record.fingerprint != self.fingerprint:
            raise self._diverged(stored, record.tick - 1, record.fingerprint, self.fingerprint)

    def _run_empty(self, tick: int) -> None:
        # A world that ends sooner than it did stands still, and is found by its tick.
        while tick > self.world.tick and self.world.finished is None:
            self.world.run_empty(self._claims.next_stop(self.world.tick, tick) - self.world.tick)
            self._claims.passed(self.world)

    def _check_state(self, stored: StoredRecord, record: records.Checkpoint) -> None:
        """Compare the hash that a checkpoint claims with that of the state after its tick, if it was passed here."""
        self._run_to(record.tick)
        found = self._claims.found(record.tick)
        if found and record.hash not in found:
            place = frame.file_name(stored.file), stored.offset
            raise Diverged(
                self._name, record.tick, *place, expected=record.hash, got=found[-1], checkpoint=record.snapshot
            )

    def _compare(self, stored: StoredRecord, expected: bytes, tick: int) -> None:
        self.fingerprint = self.world.fingerprint()
        if self.world.tick != tick or self.fingerprint != expected:
            raise self._diverged(stored, tick, expected, self.fingerprint)

    def _diverged(self, stored: StoredRecord, tick: int, expected: bytes, got: bytes) -> Diverged:
        return Diverged(self.genesis.world, tick, frame.file_name(stored.file), stored.offset, expected, got)

    def _apply(self, record: records.Tick) -> None:
        if record.ran and (record.tick in self._faulted_ticks or self._is_undone(record)):
            return
        logged = record.entries
        if logged and isinstance(logged[0], records.CodeEntry):
            self._reload(record.tick, logged[0].digest)
            logged = logged[1:]
            if not record.ran:
                self.until = record.tick
            if not logged and not record.ran:
                return
        entries = [self._runnable(record.tick, entry) for entry in logged]
        try:
            if record.ticks > 1:
                self._run_empty(self.world.tick + record.ticks)
                self.outcomes = []
            else:
                outcomes = self.world.apply(entries, step=record.ran).outcomes
                self.outcomes = [
                    records.OutcomeNote(each.player, each.seq, each.status, each.code) for each in outcomes
                ]
                self._claims.passed(self.world)
        except WorldFaulted as fault:
            # Entries between ticks may be what broke the world; then the log says so in a fault of the next tick.
            if record.tick + 1 not in self._faulted_ticks:
                raise CannotReplay(
                    self.genesis.world, record.tick, f"it breaks now, but did not then: {fault}"
                ) from fault
        except ValueError as error:
            raise CannotReplay(self.genesis.world, record.tick, f"its entries no longer fit: {error}") from error

    def _is_undone(self, record: records.Tick) -> bool:
        """Whether the next record takes the world back to before this one."""
        following = self._peek()
        return following is not None and records.undoes(following.record, record)

    def _reload(self, tick: int, digest: str) -> None:
        """Go on with other code."""
        self.outcomes = []
        try:
            code, _ = self._load(self.genesis, digest, self.world.engine.digest)
            self.world.reload(code)
        except (GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted) as error:
            raise CannotReplay(
                self._name, tick, f"its code {digest} was reloaded then, but not now: {error}"
            ) from error
        self._claims.passed(self.world)

    def _runnable(self, tick: int, entry: records.Entry) -> AnyEntry:
        match entry:
            case records.JoinEntry():
                self.joined[entry.player] = entry
                if entry.player in self.world.players:  # of a fork: else the world refuses it
                    return Take(player=entry.player, agent=entry.agent, name=entry.name)
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
            return self.world.code.manifest.default_input
        except LookupError as error:
            raise CannotReplay(self.genesis.world, tick, f"a player was silent, but {error}") from error


def _behind(stored: StoredRecord, before: LogEnd) -> LogEnd:
    """The place behind a record."""
    return LogEnd(
        world=before.world,
        epoch=stored.record.epoch if isinstance(stored.record, records.Open) else before.epoch,
        file=stored.file,
        offset=stored.offset + stored.bytes,
        crc=stored.crc,
        tick=records.last_tick_of(stored.record, before.tick),
    )


def replay(
    data: Path,
    world: str,
    *,
    start: Start = "genesis",
    not_run: int | None = None,
    instead: tuple[GameCode, Engine] | None = None,
) -> Replay:
    """Open the log of ``world`` (a whole id) in the data folder ``data``, ready to be re-executed from ``start`` on.

    The log of a running world may be read: the replay ends with the last record that is there. Raises `CannotReplay`,
    and the errors of ``eventlog`` for a world or code that is not there. A snapshot that cannot be used is skipped with
    a warning.

    ``not_run``: a tick that is not executed though the log has no fault for it yet; nothing may follow it there.
    ``instead``: code and engine to execute with, whatever the log names. Where they play another game, it diverges.
    """
    return Replay(data, world, start=start, not_run=not_run, instead=instead)
