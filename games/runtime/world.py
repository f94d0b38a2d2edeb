"""A world: one game being played, as a pure function of its code, engine, seed, settings and entries.

`World` runs the game's Lua; what Python keeps beside it, the players and what became of them, is its roster
(``roster.py``). It knows no clock, no socket and no log: whoever owns it says when a tick runs and what is applied.

Not here: how the game is asked what players and spectators see (``looking.py``), what a snapshot holds
(``snapshots.py``), and at which limits a world breaks (``faults.py``).

Invariants: one call of `apply` is one crossing into Lua; nothing but `apply` and `run_empty` changes a world (`reload`
changes its code, `go_back` takes a change back); the fingerprint depends on what happened, not on how many calls it
took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lupa import luajit21

from games.code import Engine, GameCode, load_into
from games.errors import FaultKind, GameError, ObservationFailed, SnapshotUnreadable, StateNotSaveable, WorldFaulted
from games.runtime import effects, snapshots
from games.runtime.chain import Chain
from games.runtime.effects import AnyEntry, Clock, Input, Take
from games.runtime.entries import check_entries
from games.runtime.faults import MAX_MEMORY_MIB, KeepsFailing, MemoryLimit, kind_of, text_of
from games.runtime.inspection import Inspection
from games.runtime.looking import Format, Looks, StateChanged
from games.runtime.players import Events, InputOutcome, PlayerState, input_digest
from games.runtime.results import DebugLine, Ended, Seen, TickResult
from games.runtime.roster import Roster
from games.runtime.sandbox import Host, compile_engine, locate

__all__ = ["DebugLine", "Ended", "Entry", "Format", "Seen", "TickResult", "World"]

Entry = AnyEntry


class World:
    """One world. Make it with `World.load` or `World.restore`; use it from one thread at a time."""

    def __init__(
        self, code: GameCode, engine: Engine, *, world_id: str, seed: int, settings: Mapping[str, Any]
    ) -> None:
        """For `load` and `restore`: load the game, up to before its setup. Raises GameError."""
        self.code = code
        self.engine = engine
        self.id = world_id
        self.seed = seed
        self.tick = 0
        """The last tick that ran. 0: the state after setup."""
        self.clock: str = code.manifest.clock
        """Who says when it ticks: kept here for whoever does."""
        self.faulted: WorldFaulted | None = None
        self.setup_lines: list[DebugLine] = []
        self._roster = Roster()
        self._chain = Chain()
        self._host = Host(compile_engine(engine.digest, engine.files))
        try:
            load_into(self._host, code, settings=settings, seed=seed)
        except luajit21.LuaError as error:
            raise GameError(code.origin, None, text_of(error)) from None
        self._memory = MemoryLimit(self._host)
        self._looks = Looks(self._host, code, world_id)
        self.inspection = Inspection(self._host)
        """What its Lua holds and has done, for checks, people and tools."""

    @staticmethod
    def load(
        code: GameCode,
        *,
        world_id: str,
        seed: int,
        settings: Mapping[str, Any] | None = None,
        engine: Engine | None = None,
        clock: str | None = None,
    ) -> World:
        """Make a world and run its setup.

        ``seed`` is 0 … 2^53-1; ``settings`` overrides the game's defaults, ``clock`` its clock. Raises GameError if the
        game does not load or its setup raises, ArgumentProblem for a setting that is not valid.
        """
        checked = code.manifest.check_settings(settings or {})
        world = World(code, engine or Engine.current(), world_id=world_id, seed=seed, settings=checked)
        world.clock = clock or world.clock
        try:
            problem, *blobs = world._host.setup()
        except luajit21.LuaError as error:
            raise GameError(code.origin, None, text_of(error)) from None
        if problem:
            raise locate(problem.decode(errors="replace"), code.origin)
        result = world._take(tuple(blobs), [])
        world.setup_lines = result.debug
        return world

    # --- who plays -----------------------------------------------------------------------------------

    @property
    def players(self) -> dict[str, PlayerState]:
        """Those who are seated, by id, in the order they joined."""
        return self._roster.players

    @property
    def finished(self) -> Any:
        """What the world ended with; None while it goes on."""
        return self._roster.finished

    def next_player_id(self, *, after: int = 0) -> str:
        """Return the id that the next `Join` must name: p_1, p_2 … in this world, never twice.

        ``after``: how many joins are applied before that one.
        """
        return f"p_{self._roster.joins + after + 1}"

    def free_seat(self) -> int | None:
        """Return the lowest free seat, or None if the world is full."""
        return self._roster.free_seat(self.code.manifest.max_players)

    def vacant_players(self) -> list[PlayerState]:
        """Return the players whom nobody plays, in seat order: whoever joins takes the first of them (`Take`)."""
        return self._roster.vacant_players()

    # --- running -------------------------------------------------------------------------------------

    def apply(self, entries: Sequence[Entry], *, step: bool) -> TickResult:
        """Apply entries in order and, with ``step``, run one tick.

        Entries of a step see the tick that runs; without ``step`` they see the tick that last ran. Raises
        WorldFaulted (the world is at its end), ValueError if the entries do not fit the world.
        """
        self._check_alive()
        digests = self._digests(entries) if entries else []
        self._looks.forget()
        try:
            if entries:
                blob = self._host.apply(effects.encode_entries(list(entries)), step)
            elif step:
                blob = self._host.tick()
            else:
                blob = None
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None
        if step:
            self.tick += 1
        for entry in entries:
            if isinstance(entry, Clock):
                self.clock = entry.clock
            elif isinstance(entry, Take):
                self._roster.hand_over(entry)
        return self._finish_call(blob, entries, digests)

    def run_empty(self, ticks: int) -> TickResult:
        """Run up to ``ticks`` ticks without entries, fewer if the world ends. The same as one by one, but cheaper.

        Raises WorldFaulted.
        """
        self._check_alive()
        self._looks.forget()
        limit = self.code.manifest.max_ticks
        if limit:
            ticks = min(ticks, limit - self.tick)
        try:
            done = self._host.run(ticks)
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None
        ran, blobs = (done[0], done[1:]) if isinstance(done, tuple) else (done, None)
        self.tick += int(ran)
        return self._finish_call(blobs, (), [])

    def check_memory(self) -> None:
        """Raise WorldFaulted if the world holds more than its game may. To be called between calls of a live world.

        How much a world takes depends on the machine a little, so a replay does not ask: the log says where it ended.
        """
        if self._memory.is_exceeded():
            raise self._fault("memory", f"the game holds more than {MAX_MEMORY_MIB} MiB")

    def check(self, entries: Sequence[Entry]) -> None:
        """Raise ValueError unless the entries fit the world, as `apply` does, but apply nothing."""
        check_entries(entries, self._roster.players, self._roster.joins, self.code.manifest)

    def fingerprint(self) -> bytes:
        """Return 8 bytes that chain everything that happened up to now: all effects, random streams and id counters.

        A call marks the end of a record: two worlds agree if they are asked at the same ticks.
        """
        self._chain.add(self.tick.to_bytes(8, "little"))
        self._chain.add(self._roster.joins.to_bytes(8, "little"))
        self._chain.add(self._host.marks())
        return self._chain.end_record()

    # --- saving --------------------------------------------------------------------------------------

    @property
    def can_save(self) -> bool:
        """Whether the engine is of a version that can save worlds."""
        return self._host.save is not None

    def snapshot(self) -> bytes:
        """Return the whole world between two ticks as bytes: `World.restore` makes an equal world of them.

        May be taken anywhere in a record, and leaves no trace in the fingerprint. Raises StateNotSaveable if the game
        keeps something that cannot be saved (the world goes on), WorldFaulted if the world has faulted.
        """
        if self.faulted is not None:
            raise self.faulted
        if not self.can_save:
            raise StateNotSaveable(self.id, self.tick, "the engine", "is of a version that cannot save worlds")
        try:
            scene, *rest = self._host.save()
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None
        if scene is None:
            path, reason = (part.decode(errors="replace") for part in rest)
            raise StateNotSaveable(self.id, self.tick, path, reason)
        return snapshots.encode_snapshot(
            snapshots.Snapshot(
                world=self.id,
                tick=self.tick,
                code=self.code.digest,
                engine=self.engine.digest,
                seed=self.seed,
                chain=self._chain.digest,
                pending=bytes(self._chain.pending),
                core=snapshots.encode_core(self._roster.joins, self.finished, self.players),
                scene=scene,
                values=rest[0],
                clock=self.clock,
            )
        )

    @staticmethod
    def restore(code: GameCode, snapshot: bytes, *, engine: Engine | None = None) -> World:
        """Make the world again of which a snapshot was taken. The game's modules run again, its setup does not.

        ``code`` and ``engine`` (None: the current one) should be those that the snapshot was taken with: with others
        the world goes on by their rules. Raises SnapshotUnreadable, and GameError if the game does not load.
        """
        saved = snapshots.decode_snapshot(snapshot)
        core = snapshots.decode_core(saved)
        world = World(code, engine or Engine.current(), world_id=saved.world, seed=saved.seed, settings={})
        if world._host.restore is None:
            raise SnapshotUnreadable("the engine is of a version that cannot restore worlds")
        try:
            world._host.restore(saved.scene, saved.values)
        except luajit21.LuaError as error:
            raise SnapshotUnreadable(text_of(error)) from None
        world.tick, world.clock = saved.tick, saved.clock or world.clock
        world._roster = Roster({player.id: player for player in core.players}, core.joins, core.finished)
        world._chain = Chain(saved.chain, saved.pending)
        return world

    def reload(self, code: GameCode) -> None:
        """Go on with other code of the same game, between two ticks: state kept, by the same way as `restore`.

        What the world began with of game.toml stays (`games.code.KEPT`). Raises GameError if the code does not load,
        SnapshotUnreadable, StateNotSaveable, WorldFaulted; then nothing has changed.
        """
        self._become(World.restore(code.going_on(self.code.manifest), self.snapshot(), engine=self.engine))

    def go_back(self, snapshot: bytes) -> None:
        """Be again as one of this world's own snapshots was, with the code of now. Raises SnapshotUnreadable."""
        self._become(World.restore(self.code, snapshot, engine=self.engine))

    def _become(self, other: World) -> None:
        """Take over everything of another object: whoever holds this world holds that one's state from now on."""
        always_compare = self._looks.always_compare
        self.__dict__.update(other.__dict__)
        self._looks.always_compare = always_compare

    def close(self) -> None:
        """Let go of the Lua state. Nothing but what Python keeps (players, finished) can be used after that."""
        del self._host, self._looks, self._memory, self.inspection

    # --- acting --------------------------------------------------------------------------------------

    def to_act(self) -> list[str]:
        """Return the players that the next tick waits for, in seat order: those whom ``game.to_act`` names; in a game
        without that function all who are not out.

        Raises WorldFaulted if the game's code raises, or changes the world.
        """
        playing = self._roster.playing()
        try:
            named = self._looks.to_act(self.tick)
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None
        except ObservationFailed as failure:
            message = f"game.to_act raised: {failure.message}\n{failure.traceback}"
            raise self._fault("to_act_failed", message) from None
        except StateChanged as changed:
            raise self._fault("observe_writes", str(changed)) from None
        return playing if named is None else [player for player in playing if player in named]

    # --- looking -------------------------------------------------------------------------------------

    def observe(self, player: str, format: Format = "both") -> Seen:
        """Return what a seated player may know now. Each part is computed once per state of the world.

        Raises ObservationFailed if the game's code raises, WorldFaulted if looking has changed the world, KeyError
        if the player is not seated.
        """
        seat = self.players[player]
        try:
            return self._looks.seen(seat.id, format, self.tick)
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None
        except StateChanged as change:
            raise self._fault("observe_writes", str(change)) from None

    def view(self) -> bytes:
        """Return what spectators see, {nodes, camera?, size?}, as one MessagePack value.

        Raises ObservationFailed if the game's code raises, WorldFaulted if looking has changed the world.
        """
        try:
            return self._looks.view(self.tick)
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None
        except StateChanged as change:
            raise self._fault("observe_writes", str(change)) from None

    def compare_looks(self) -> None:
        """From now on compare the state before and after every look, instead of a sample of them: for checks."""
        self._looks.always_compare = True

    @property
    def observations_computed(self) -> int:
        """How often `observe` had to ask the game, and did not know the answer already."""
        return self._looks.computed

    def misfit(self, player: str) -> str | None:
        """Return what in a player's observation does not fit the declared fields, or None: for checks.

        Raises KeyError if the player is not seated. What raises in the game counts as None: `observe` says so.
        """
        seat = self.players[player]
        try:
            return self._looks.misfit(seat.id)
        except luajit21.LuaError as error:
            raise self._fault_of(error) from None

    def events(self, player: str, since: int) -> Events:
        """Return the kept events of a seated player with n ≥ ``since``. Raises KeyError if it is not seated."""
        return self.players[player].events_since(since)

    def first_outcome(self, player: str, seq: int) -> InputOutcome | None:
        """Return the outcome that this seq got, or None if it got none or it is no longer kept."""
        state = self.players.get(player)
        return state.outcomes.get(seq) if state else None

    # --- inside --------------------------------------------------------------------------------------

    def _check_alive(self) -> None:
        if self.faulted is not None:
            raise self.faulted
        if self._roster.finished is not None:
            raise ValueError(f"{self.id}@{self.tick}: the world has finished: nothing can be run in it")

    def _digests(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the digests of the inputs among entries, in order. Raises ValueError unless all entries fit."""
        try:
            self.check(entries)
        except ValueError as error:
            raise ValueError(f"{self.id}@{self.tick}: {error}") from None
        return [input_digest(entry.name, entry.args) for entry in entries if isinstance(entry, Input)]

    def _finish_call(self, blobs: Any, entries: Sequence[Entry], digests: list[bytes]) -> TickResult:
        if blobs is None and not self.code.manifest.max_ticks:
            return TickResult(self.tick)
        result = self._take(blobs if isinstance(blobs, tuple) else (blobs, None), digests, entries)
        limit = self.code.manifest.max_ticks
        if limit and self.tick >= limit and self._roster.finished is None:
            self._roster.end(result, "truncated", {"reason": "max_ticks"})
        return result

    def _take(self, blobs: Sequence[Any], digests: list[bytes], entries: Sequence[Entry] = ()) -> TickResult:
        """Take over what Lua reports: (effects, debug lines), each a blob or None."""
        blob = blobs[0] if blobs else None
        lines = blobs[1] if len(blobs) > 1 else None
        result = TickResult(self.tick)
        if lines is not None:
            result.debug = [DebugLine(tick, text) for tick, text in effects.decode_lines(lines)]
        if blob is not None:
            result.had_effects = True
            self._chain.add(memoryview(blob)[effects.EFFECTS_HEAD_BYTES :])
            try:
                self._roster.take(effects.decode_effects(blob), entries, digests, result)
            except KeepsFailing as failing:
                raise self._fault("tick_failed", str(failing)) from None
        return result

    def _fault_of(self, error: luajit21.LuaError) -> WorldFaulted:
        return self._fault(kind_of(error), text_of(error))

    def _fault(self, kind: FaultKind, message: str) -> WorldFaulted:
        self.faulted = WorldFaulted(self.id, self.tick, kind, message)
        return self.faulted
