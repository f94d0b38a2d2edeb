"""Plays worlds of a game with random agents, and looks at everything on the way. Runs in a process of its own.

Beside each world runs its twin, restored from the world's own snapshot again and again: where the two come to differ,
the game keeps something outside of what is saved. All that was applied is kept, for another process to do it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random
from typing import Final, TypeVar

import msgspec

from games.checking.findings import Findings
from games.checking.inputs import Seen, right_args, wrong_args
from games.checking.report import Course, Figures, Mark, Played, Step, spread
from games.checking.source import function_place, write_place
from games.checking.twin import Twin
from games.code import Engine, GameCode
from games.errors import ArgumentProblem, GameError, ObservationFailed, StateNotSaveable, WorldFaulted
from games.runtime.effects import AnyEntry, Input, Join, Leave, Silence
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from games.tracebacks import read_error

T = TypeVar("T")

MAX_WORLDS: Final = 60
MAX_PLAYERS: Final = 8
"""More seats than this are not filled."""
PLAY_CPU_S: Final = 5.0
"""A game that needs more than this is played for fewer ticks: a check stays quick."""
WORLD_TICKS: Final = 4000
"""After so many ticks the next world begins, with another seed."""


class Progress:
    """A file that says what is being called now, for whoever watches whether it comes back."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY)
        self._calls = 0

    def say(self, text: str) -> None:
        """Note the next call."""
        self._calls += 1
        os.pwrite(self._file, f"{self._calls} {text}"[:250].encode(errors="replace").ljust(256), 0)


class Tally:
    """What is counted and measured over all worlds."""

    def __init__(self) -> None:
        self.worlds = self.finished = self.ticks = self.players = 0
        self.applied = self.rejected = self.refused = 0
        self.tick_ms: list[float] = []
        self.observation_ms: list[float] = []
        self.observation_bytes: list[float] = []
        self.snapshot_bytes = 0
        self.lua_kib = 0.0
        self.events: set[str] = set()
        self.inputs: set[str] = set()
        """Those of which one was applied."""

    def figures(self) -> Figures:
        """Return the counts, and the spread of what was measured."""
        return Figures(
            worlds=self.worlds,
            finished=self.finished,
            ticks=self.ticks,
            players=self.players,
            applied=self.applied,
            rejected=self.rejected,
            refused=self.refused,
            tick_ms=spread(self.tick_ms),
            observation_ms=spread(self.observation_ms),
            observation_bytes=spread(self.observation_bytes),
            snapshot_bytes=self.snapshot_bytes,
            lua_kib=self.lua_kib,
        )


def play(code: GameCode, engine: Engine, seed: int, ticks: int, progress: Progress) -> Played:
    """Play worlds until they have run ``ticks`` ticks together."""
    findings, tally, courses = Findings(code), Tally(), list[Course]()
    while tally.ticks < ticks and tally.worlds < MAX_WORLDS and time.process_time() < PLAY_CPU_S:
        course = Course(seed + tally.worlds)
        courses.append(course)
        tally.worlds += 1
        findings.when = f"world {tally.worlds}"
        try:
            world = World.load(code, world_id="w_check", seed=course.seed, engine=engine)
        except GameError as error:
            findings.add_load_error(error)
            break
        before = tally.ticks
        Playing(world, course, findings, tally, progress).run(min(ticks - tally.ticks, WORLD_TICKS))
        world.close()
        if tally.ticks == before:
            break  # It faults before its first tick, and would again.
    return Played(
        problems=findings.problems, notes=_notes(code, tally, ticks), figures=tally.figures(), courses=courses
    )


def _notes(code: GameCode, tally: Tally, ticks: int) -> list[str]:
    notes = []
    if tally.ticks < ticks and time.process_time() >= PLAY_CPU_S:
        notes.append(f"{tally.ticks} ticks of {ticks} were played: {PLAY_CPU_S:g} s of processor time were used up")
    silent = [name for name in code.manifest.events if name not in tally.events]
    if silent:
        notes.append("declared events that were never emitted: " + ", ".join(silent))
    unused = [name for name in code.manifest.inputs if name not in tally.inputs]
    if unused:
        notes.append("declared inputs of which none was applied: " + ", ".join(unused))
    if not code.manifest.observation:
        notes.append("game.toml declares no [observation.fields]: agents cannot know what they will see")
    return notes


class Playing:
    """One world and its agents."""

    def __init__(self, world: World, course: Course, findings: Findings, tally: Tally, progress: Progress) -> None:
        self.world = world
        self.code = world.code
        self.manifest = world.code.manifest
        self._course = course
        self._findings = findings
        self._tally = tally
        self._progress = progress
        self._chance = Random(course.seed)
        self._seen: dict[str, Seen] = {}
        self._cursors: dict[str, int] = {}
        self._busy: dict[str, tuple[str, int]] = {}  # player → the event it waits for, until which tick
        self._twin: Twin | None = None
        self._agrees = True  # The twins so far did as the world.
        self._waits = self.manifest.clock in ("lockstep", "turn")
        # Where a tick is a move, all are looked at; else about ten a second.
        self._look_every = 1 if self._waits else max(1, round(self.manifest.tick_hz / 10))
        self._mark_every = 10 if self._waits else 100
        self._name = f"world {tally.worlds}"

    def run(self, ticks: int) -> None:
        """Play up to so many ticks, less if the world ends."""
        self.world.compare_looks()
        try:
            self._findings.add_lines(self.world.setup_lines)
            for _ in range(self.manifest.min_players):
                self._apply([self._join()], step=False)
            self._mark()
            for _ in range(ticks):
                if self.world.finished is not None or time.process_time() > PLAY_CPU_S:
                    break
                self._apply(self._entries(), step=True)
                if self.world.tick % self._look_every == 0:
                    self._look()
                if self.world.tick % self._mark_every == 0:
                    self._mark()
            self._look()
            self._mark()
        except WorldFaulted as fault:
            self._findings.add_fault(fault)
        self._tally.finished += self.world.finished is not None
        if self.world.faulted is None:
            self._tally.lua_kib = max(self._tally.lua_kib, self.world.inspection.statistics().lua_kib)
        if self._twin is not None:
            self._twin.close()

    # --- acting ----------------------------------------------------------------------------------------

    def _join(self) -> Join:
        player, seat = self.world.next_player_id(), self.world.free_seat()
        assert seat is not None, "there is a free seat: there are fewer players than may sit"
        self._tally.players += 1
        return Join(player, seat, f"a_{player}", self._chance.choice(("ada", "Zoë ✨", "x", f"agent {player}")))

    def _entries(self) -> list[AnyEntry]:
        """What the next tick applies."""
        entries: list[AnyEntry] = []
        here = list(self.world.players)
        often = 0.05 if self._waits else min(0.05, 0.6 / self.manifest.tick_hz)
        if len(here) < min(self.manifest.max_players, MAX_PLAYERS) and self._chance.random() < often * 2:
            entries.append(self._join())
        elif len(here) > self.manifest.min_players and self._chance.random() < often / 5:
            here.remove(gone := self._chance.choice(here))
            entries.append(Leave(gone, self._chance.choice(("left", "timeout"))))
        if self._waits:
            return entries + self._moves([player for player in self._to_act() if player in here])
        often_enough = min(1.0, 2 / self.manifest.tick_hz)
        for player in here:
            if self.world.tick >= self._busy.get(player, ("", 0))[1] and self._chance.random() < often_enough:
                entries += self._input(player)
        return entries

    def _to_act(self) -> list[str]:
        self._call("game.to_act")
        return self.world.to_act()

    def _moves(self, players: list[str]) -> list[AnyEntry]:
        """What those do whom the tick waits for: mostly something, else the game's default input is applied."""
        entries: list[AnyEntry] = []
        for player in players:
            move = self._input(player) if self._chance.random() < 0.85 else []
            entries += move or [Silence(player, *self.manifest.default_input)]
        return entries

    def _input(self, player: str) -> list[AnyEntry]:
        if not self.manifest.inputs:
            return []
        seen = self._seen.get(player) or Seen()
        offered = self._chance.choice(seen.offered) if seen.offered and self._chance.random() < 0.7 else {}
        name = offered.get("name") or self._chance.choice(list(self.manifest.inputs))
        if self._chance.random() < 0.15:
            self._tally.refused += wrong_args(self._chance, self.manifest, name, seen) is not None
            return []
        args = offered.get("args") or right_args(self._chance, self.manifest.inputs[name].args, seen)
        try:
            checked = self.manifest.check_input(name, args)
        except ArgumentProblem as problem:
            raise AssertionError(f"{args} should fit {name}") from problem
        return [Input(player, self.world.players[player].next_seq, name, checked)]

    def _apply(self, entries: list[AnyEntry], *, step: bool) -> None:
        inputs = [f"{entry.name} by {entry.player}" for entry in entries if isinstance(entry, Input | Silence)]
        self._call("game.tick" if step and not inputs else ", ".join(inputs))
        self._course.steps.append(Step(entries, step))
        started = time.perf_counter()
        result = self.world.apply(entries, step=step)
        if step:
            self._tally.tick_ms.append((time.perf_counter() - started) * 1000)
            self._tally.ticks += 1
        self.world.check_memory()
        self._findings.add_lines(result.debug)
        names = {(entry.player, entry.seq): entry.name for entry in entries if isinstance(entry, Input)}
        for outcome in result.outcomes:
            if outcome.status == "applied":
                self._tally.applied += 1
                name = names[outcome.player, outcome.seq]
                self._tally.inputs.add(name)
                done_on = self.manifest.inputs[name].done_on
                if done_on is not None and self._chance.random() < 0.8:
                    self._busy[outcome.player] = done_on, self.world.tick + round(20 * self.manifest.tick_hz)
            else:
                self._tally.rejected += 1
        self._with_twin(lambda twin: twin.apply(entries, step=step))

    # --- looking ---------------------------------------------------------------------------------------

    def _look(self) -> None:
        for player in list(self.world.players):
            self._look_as(player)
        if self.world.tick % (5 * self._look_every) == 0:
            self._reading("view", self.world.view)

    def _look_as(self, player: str) -> None:
        looked = self._reading("observe", lambda: self.world.observe(player, "data"))
        data = looked.data if looked is not None else None
        if looked is None or data is None:
            return
        offered = msgspec.msgpack.decode(looked.actions) if looked.actions is not None else []
        self._seen[player] = Seen(msgspec.msgpack.decode(data), offered)
        self._tally.observation_bytes.append(len(data))
        self._reading("describe", lambda: self.world.observe(player, "text"))
        misfit = self.world.misfit(player) if self.manifest.observation else None
        if misfit is not None:
            self._findings.add("observation_misfit", function_place(self.code, "observe"), f"observation: {misfit}")
        events = self.world.events(player, self._cursors.get(player, 1))
        self._cursors[player] = events.cursor
        kinds = {event.kind for event in events.items}
        self._tally.events |= kinds
        if self._busy.get(player, ("", 0))[0] in kinds:
            del self._busy[player]
        self._with_twin(lambda twin: self._tally.observation_ms.append(twin.compare_seen(player, data)))

    def _reading(self, function: str, look: Callable[[], T]) -> T | None:
        """Ask the game something; None if it raised."""
        self._call(f"game.{function}")
        try:
            return look()
        except ObservationFailed as failure:
            told = failure.message.partition("\n")[0]
            # "game.observe or game.describe" is whichever was asked for; others are named.
            named = function if " or " in failure.function else failure.function.removeprefix("game.")
            self._findings.add_raised("looking_raises", read_error(named, failure.traceback or told))
        except WorldFaulted as fault:
            self._findings.add_fault(fault, function if " or game." in fault.message else None)
            raise
        return None

    # --- comparing -------------------------------------------------------------------------------------

    def _mark(self) -> None:
        """Compare the twin, save the world, and make its twin anew."""
        if self._course.marks and self._course.marks[-1].steps == len(self._course.steps):
            return
        self._call("saving the world")
        # First: it ends a record, and the twin must begin where the world goes on.
        fingerprint = self.world.fingerprint()
        try:
            snapshot = self.world.snapshot()
        except StateNotSaveable as refusal:
            where = write_place(self.code, refusal.path)
            self._findings.add("not_saveable", where, f"{refusal.path} {refusal.reason}")
            self._drop_twin()
            return
        mark = Mark(len(self._course.steps), self.world.tick, fingerprint, state_hash(snapshot))
        self._course.marks.append(mark)
        self._tally.snapshot_bytes = max(self._tally.snapshot_bytes, len(snapshot))
        self._with_twin(lambda twin: twin.compare(mark))
        self._drop_twin()
        if self.world.finished is None and self._agrees:
            self._twin = Twin(self.world, snapshot)

    def _with_twin(self, use: Callable[[Twin], None]) -> None:
        """Use the twin, if there is one; it is dropped once it has come to differ."""
        if self._twin is None:
            return
        use(self._twin)
        if self._twin.difference is not None:
            place, message = self._twin.difference
            self._findings.add("restored_differs", place, message)
            self._agrees = False
            self._drop_twin()

    def _drop_twin(self) -> None:
        if self._twin is not None:
            self._twin.close()
            self._twin = None

    def _call(self, what: str) -> None:
        self._findings.when = f"{self._name}, tick {self.world.tick}"
        self._progress.say(f"{self._findings.when}: {what}")
