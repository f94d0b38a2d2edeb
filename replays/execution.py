"""Executing the records of a log in a world, each checked against what the world really did.

The rule, per record with a fingerprint: first run empty ticks up to the record's tick (for a tick record that ran, and
for a fault: up to the tick before), then compare, then apply the record's entries. The tick of a fault is never run:
what it left behind in the middle cannot be reproduced, so a fault repeats the fingerprint of the record before it.

A code entry goes on with other code, by the same way as a snapshot is restored (`World.reload`). In a record between
ticks it may also undo the tick record right before it, which is then not run.

A world that was forked from another begins with its origin, the state that stands behind its genesis. A join of a
player who is there already takes a seat that is vacant in such a world.

A checkpoint record says what the hash of the whole state was after its tick: that is compared, too.

Not here: where records come from, and where in the log this is (``replay.py``); what still fits a world that goes its
own way (``fitting.py``).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from eventlog import frame, records
from eventlog.chain import StoredRecord
from eventlog.errors import LogDamaged
from games.code import Engine, GameCode
from games.errors import GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted
from games.runtime.effects import AnyEntry, Clock, Input, Join, Leave, Silence, Take
from games.runtime.results import TickResult
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from replays import calls, origins
from replays.claims import Claims
from replays.errors import CannotReplay, Diverged
from replays.fitting import Fitting
from replays.shelf import Shelf
from replays.words import handler_text

Listener = Callable[[records.Tick, TickResult], object]
"""Told of each tick record that has been applied, and what came of it. ``World.tick`` is its last tick then."""


class LastScore(NamedTuple):
    """What a player had come to."""

    name: str
    score: float


def starts_at(record: records.Record) -> int | None:
    """The tick that the world must have come to before a record is executed, or None for those that want none."""
    match record:
        case records.Tick() | records.Beat() | records.Close() | records.Checkpoint():
            return record.tick
        case records.Fault():
            return record.tick - 1
        case _:
            return None


class Execution:
    """A world, and how records are executed in it.

    ``world`` is the re-executed world, ``genesis`` the first record of its log. ``ended`` is the fault or close that
    ends the log, ``until`` the tick up to which the world may have been shown, ``joined`` how each seated player came,
    ``visitors`` the agents that have a seat or had one, ``outcomes`` those that the next record would note,
    ``fingerprint`` the last one that was compared, at the tick ``compared_tick``; ``confirmed_tick`` is that of the
    last state that is known to be the recorded one.
    """

    world: World
    genesis: records.Genesis

    def __init__(
        self, world: str, shelf: Shelf, instead: tuple[GameCode, Engine] | None = None, *, strict: bool = True
    ) -> None:
        """``instead``: code and engine to execute with, whatever the log names.

        Not ``strict``: nothing is compared, and entries that do not fit the world any more are left out: it goes its
        own way on the same inputs.
        """
        self.strict = strict
        self.fitting = Fitting()
        """What of the log fitted, if it was not strict."""
        self.parted_tick: int | None = None
        """That of the first record that differed, if it was not strict."""
        self.left: dict[str, LastScore] = {}
        """Those who have left as it executed them, with what they had come to."""
        self.proven_tick: int | None = None
        """That of the last checkpoint whose hash was found to be that of the state."""
        self._name = world
        self._shelf = shelf
        self._instead = instead
        self._claims = Claims(())
        self._faulted_ticks: set[int] = set()
        self.listener: Listener | None = None

    def begin(self, origin: Sequence[records.Origin] = ()) -> None:
        """Make the world that the genesis says: nothing has happened yet. ``origin``: of a fork, what it begins with.

        Raises `CannotReplay`, and `Diverged` if the state is not what the origin says.
        """
        self.ended: records.Fault | records.Close | None = None
        self.until = 0
        self.joined: dict[str, records.JoinEntry] = {}
        self.visitors: dict[str, None] = {}
        self.outcomes: list[records.OutcomeNote] = []
        self.fingerprint = b"\0" * records.FINGERPRINT_BYTES
        self.compared_tick = 0
        self.confirmed_tick = origins.first_tick(self.genesis)
        self.is_begun = False
        """Whether a record of many ticks has been compared, and some of its ticks have run."""
        if self.genesis.forked_from is not None:
            self._begin_with(origin)
            return
        code, engine = self.load(self.genesis, self.genesis.digest, self.genesis.engine)
        try:
            with calls.during(0, 0, "game.setup"):
                self.world = World.load(
                    code,
                    world_id=self._name,
                    seed=self.genesis.seed,
                    settings=self.genesis.settings,
                    engine=engine,
                    clock=self.genesis.clock,
                )
        except GameError as error:
            if self._instead is not None:
                raise  # it is the caller's code that does not load
            raise CannotReplay(self._name, 0, f"its code {code.digest} does not load any more: {error}") from error

    def _begin_with(self, origin: Sequence[records.Origin]) -> None:
        """Make the world whose state stands behind its genesis."""
        state = origins.state_of(self.genesis, origin)
        first = origin[0]
        self.until = self.compared_tick = first.tick
        code, engine = self.load(self.genesis, first.code, self.genesis.engine)
        try:
            self.world = World.restore(code, state, engine=engine)
            found = state_hash(self.world.snapshot(), engine=engine)
        except (SnapshotUnreadable, StateNotSaveable) as error:
            raise CannotReplay(self._name, first.tick, f"the state that it begins with: {error}") from error
        if found != first.hash:
            raise Diverged(self._name, first.tick, frame.file_name(1), 0, first.hash, found, checkpoint="of its origin")

    def load(self, genesis: records.Genesis, digest: str, engine: str) -> tuple[GameCode, Engine]:
        """The code and the engine of these digests. Raises `UnknownDigest`, `CodeChanged`, `GameError`."""
        if self._instead is not None:
            return self._instead
        code = self._shelf.code(genesis.game, digest)
        if digest != genesis.digest:
            code = code.going_on(self._shelf.code(genesis.game, genesis.digest).manifest)
        return code, self._shelf.engine(engine)

    def look_ahead(self, stored: Iterable[StoredRecord], not_run: int | None) -> None:
        """See what the log says further on of ticks that are executed before: faults and checkpoints.

        As far as it is intact: whoever comes to the damage meets it."""
        faulted: list[int] = []
        claimed: list[int] = []
        with contextlib.suppress(LogDamaged):
            for each in stored:
                if isinstance(each.record, records.Fault):
                    faulted.append(each.record.tick)
                elif isinstance(each.record, records.Checkpoint):
                    claimed.append(each.record.tick)
        self.foresee(faulted, claimed, not_run)

    def foresee(self, faulted: Iterable[int], claimed: Iterable[int], not_run: int | None) -> None:
        """Know which ticks have a fault further on, and which a checkpoint."""
        self._faulted_ticks = {*faulted, *(() if not_run is None else (not_run,))}
        self._claims = Claims(claimed)

    def execute(self, stored: StoredRecord, following: Callable[[], StoredRecord | None]) -> None:
        """Execute and check a record; ``following`` gives the one after it. Raises `Diverged`, `CannotReplay`."""
        match stored.record:
            case records.Tick() as record:
                if not self.is_begun:
                    self._check(stored, record.fingerprint, record.tick - 1 if record.ran else record.tick)
                self.is_begun = False
                self._apply(record, following)
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

    def execute_part(self, stored: StoredRecord, tick: int) -> None:
        """Execute a record of many ticks up to ``tick``, which is one of them; `execute` goes on with it."""
        assert isinstance(stored.record, records.Tick), stored
        if not self.is_begun:
            self._check(stored, stored.record.fingerprint, stored.record.tick - 1)
            self.is_begun = True
        self.run_empty(tick)

    def run_empty(self, tick: int) -> None:
        """Run ticks without entries up to ``tick``. Raises `WorldFaulted`."""
        # A world that ends sooner than it did stands still, and is found by its tick.
        while tick > self.world.tick and self.world.finished is None:
            before = self.world.tick
            stop = calls.stop(before, self._claims.next_stop(before, tick))
            with calls.during(before + 1, stop, calls.TICK):
                self.world.run_empty(stop - before)
            self._check_memory()
            self._claims.passed(self.world)

    def _check(self, stored: StoredRecord, expected: bytes, tick: int) -> None:
        """Run the empty ticks before a record and compare what happened since the record before it."""
        self._run_to(tick)
        self._compare(stored, expected, tick)

    def _run_to(self, tick: int) -> None:
        try:
            self.run_empty(tick)
        except WorldFaulted as fault:
            raise CannotReplay(
                self.genesis.world, self.world.tick, f"it breaks now, but did not then: {fault}"
            ) from fault

    def _check_fault(self, stored: StoredRecord, record: records.Fault) -> None:
        """Run up to the tick that broke; the record claims nothing new."""
        with contextlib.suppress(WorldFaulted):  # entries between ticks may have been what broke it
            self.run_empty(record.tick - 1)
        if self.strict and record.fingerprint != self.fingerprint:
            raise self._diverged(stored, record.tick - 1, record.fingerprint, self.fingerprint)

    def _check_state(self, stored: StoredRecord, record: records.Checkpoint) -> None:
        """Compare the hash that a checkpoint claims with that of the state after its tick, if it was passed here."""
        self._run_to(record.tick)
        found = self._claims.found(record.tick)
        if not found:
            return
        if record.hash in found:
            self.proven_tick = record.tick
        elif not self.strict:
            self._part(record.tick)
        else:
            place = frame.file_name(stored.file), stored.offset
            raise Diverged(
                self._name, record.tick, *place, expected=record.hash, got=found[-1], checkpoint=record.snapshot
            )
        self._claims.came_true(record.tick)
        if found:
            self.confirmed_tick = record.tick

    def found_hash(self, tick: int) -> bytes | None:
        """The hash of the last state after ``tick``, which a checkpoint speaks of; None if it was not passed."""
        found = self._claims.found(tick)
        return found[-1] if found else None

    def claimed_state(self, tick: int) -> bytes | None:
        """The snapshot of the state after ``tick``, of which a checkpoint has not been found to be true."""
        return self._claims.state(tick)

    def _compare(self, stored: StoredRecord, expected: bytes, tick: int) -> None:
        self.fingerprint = self.world.fingerprint()
        if self.world.tick == tick and self.fingerprint == expected:
            self.compared_tick = tick
        elif self.strict:
            raise self._diverged(stored, tick, expected, self.fingerprint)
        else:
            self._part(tick)

    def _part(self, tick: int) -> None:
        self.parted_tick = tick if self.parted_tick is None else self.parted_tick

    def _diverged(self, stored: StoredRecord, tick: int, expected: bytes, got: bytes) -> Diverged:
        return Diverged(self.genesis.world, tick, frame.file_name(stored.file), stored.offset, expected, got)

    def _apply(self, record: records.Tick, following: Callable[[], StoredRecord | None]) -> None:
        if record.ran and (record.tick in self._faulted_ticks or _is_undone(record, following())):
            return
        logged = record.entries
        if logged and isinstance(logged[0], records.CodeEntry):
            self._reload(record.tick, logged[0].digest)
            logged = logged[1:]
            if not record.ran:
                self.until = record.tick
            if not logged and not record.ran:
                return
        entries = [self.runnable(record.tick, entry) for entry in logged]
        if not self.strict:
            fitting = self.fitting.fit(self.world, record.tick, entries)
            if len(fitting) < len(entries):
                self._part(record.tick)
            entries = fitting
            if self.world.finished is not None:
                return
        self._note_scores(entries)
        try:
            if record.ticks > 1:
                self.run_empty(record.tick + record.ticks - 1)
                self.outcomes = []
            else:
                result = self._call(entries, record)
                self._check_memory()
                self.outcomes = [
                    records.OutcomeNote(each.player, each.seq, each.status, each.code) for each in result.outcomes
                ]
                self._claims.passed(self.world)
                if self.listener is not None:
                    self.listener(record, result)
        except WorldFaulted as fault:
            # Entries between ticks may be what broke the world; then the log says so in a fault of the next tick.
            if record.tick + 1 not in self._faulted_ticks:
                raise CannotReplay(
                    self.genesis.world, record.tick, f"it breaks now, but did not then: {fault}"
                ) from fault
        except ValueError as error:
            raise CannotReplay(self.genesis.world, record.tick, f"its entries no longer fit: {error}") from error

    def _call(self, entries: list[AnyEntry], record: records.Tick) -> TickResult:
        """Apply the entries of a record, which are one call into the game."""
        if calls.is_close(record.tick):
            self._look_closely(entries, record)
        with calls.during(record.tick, record.tick, lambda: ", ".join(map(handler_text, entries)) or calls.TICK):
            return self.world.apply(entries, step=record.ran)

    def _look_closely(self, entries: list[AnyEntry], record: records.Tick) -> None:
        """Apply them one by one to a copy: which of them is it, or is it the tick?"""
        with contextlib.suppress(WorldFaulted, StateNotSaveable, ValueError):
            copy = World.restore(self.world.code, self.world.snapshot(), engine=self.world.engine)
            for entry in entries:
                with calls.during(record.tick, record.tick, handler_text(entry)):
                    copy.apply([entry], step=False)
            if record.ran:
                with calls.during(record.tick, record.tick, calls.TICK):
                    copy.run_empty(1)

    def _check_memory(self) -> None:
        """Other code than was recorded may hold as much as in a live world. Raises `WorldFaulted`."""
        if self._instead is not None:
            self.world.check_memory()

    def _note_scores(self, entries: list[AnyEntry]) -> None:
        for entry in entries:
            if isinstance(entry, Leave) and entry.player in self.world.players:
                seat = self.world.players[entry.player]
                self.left[entry.player] = LastScore(seat.name, seat.score)

    def _reload(self, tick: int, digest: str) -> None:
        """Go on with other code."""
        self.outcomes = []
        try:
            code, _ = self.load(self.genesis, digest, self.world.engine.digest)
            self.world.reload(code)
        except (GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted) as error:
            raise CannotReplay(
                self._name, tick, f"its code {digest} was reloaded then, but not now: {error}"
            ) from error
        self._claims.passed(self.world)

    def runnable(self, tick: int, entry: records.Entry) -> AnyEntry:
        """A logged entry as a world takes it. Raises `CannotReplay`."""
        match entry:
            case records.JoinEntry():
                self.joined[entry.player] = entry
                self.visitors[entry.agent] = None
                if entry.player in self.world.players:  # vacant, in a fork; else the world refuses it
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


def _is_undone(record: records.Tick, following: StoredRecord | None) -> bool:
    """Whether the next record takes the world back to before this one."""
    return following is not None and records.undoes(following.record, record)
