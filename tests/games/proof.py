"""Records what was applied to worlds of a game, and computes the worlds again from that, elsewhere and otherwise.

    python -m tests.games.proof RECORDING … [--jit-off] [--collect] [--restore] [--allow-power]

prints a line for each checkpoint of each recording: tick, fingerprint, hash of the state, hash of what all see. Two
runs of the same recordings must print the same. ``--jit-off`` interprets all Lua, ``--collect`` collects all garbage
after each call, ``--restore`` goes on from each checkpoint's snapshot, ``--allow-power`` loads games in which ``^``
stands.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from games.checking.inputs import Seen, right_args
from games.code import Engine, GameCode
from games.parley.bot import decide as decide_in_parley
from games.runtime import sandbox
from games.runtime.effects import AnyEntry, Input, Join, Leave, Silence
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from games.snakes.bot import decide as decide_in_snakes
from games.tsunami.bot import decide as decide_in_tsunami

ROOT: Final = Path(__file__).resolve().parents[2]
WORLD_TICKS: Final = 2000
"""After so many ticks the next world begins, with another seed."""
MAX_PLAYERS: Final = 8

Move = tuple[str | None, dict[str, Any]]


def _snakes_move(data: Mapping[str, Any]) -> Move:
    return "move", {"direction": decide_in_snakes(data).direction}


def _parley_move(data: Mapping[str, Any]) -> Move:
    decision = decide_in_parley(data)
    return decision.name, decision.args


def _tsunami_move(data: Mapping[str, Any]) -> Move:
    decision = decide_in_tsunami(data)
    return decision.name, decision.args


BOTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Move]]] = {
    "parley": _parley_move,
    "snakes": _snakes_move,
    "tsunami": _tsunami_move,
}
"""Strategies of those who sit on odd seats; the others do anything that the game declares."""


class Step(msgspec.Struct, frozen=True):
    """One call of `World.apply`; ``mark``: a checkpoint comes after it."""

    entries: list[AnyEntry]
    step: bool
    mark: bool


class Course(msgspec.Struct, frozen=True):
    """What was applied to one world."""

    seed: int
    steps: list[Step]


class Recording(msgspec.Struct, frozen=True):
    """What was applied to worlds of one game, with the code and the engine that they run by."""

    name: str
    files: dict[str, bytes]
    engine: dict[str, bytes]
    courses: list[Course]

    @property
    def ticks(self) -> int:
        """How many ticks there are in all worlds together."""
        return sum(step.step for course in self.courses for step in course.steps)


class _Agents:
    """Those who play in one world."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._manifest = world.code.manifest
        self._chance = Random(seed)
        self._waits = self._manifest.clock in ("lockstep", "turn")

    def joining(self) -> list[AnyEntry]:
        """One more takes a seat."""
        player, seat = self._world.next_player_id(), self._world.free_seat()
        assert seat is not None
        return [Join(player, seat, f"a_{player}", f"name of {player}")]

    def entries(self) -> list[AnyEntry]:
        """What the next tick applies."""
        if self._waits:
            return [self._move(player) or self._silence(player) for player in self._world.to_act()]
        entries: list[AnyEntry] = []
        for player in list(self._world.players):
            if self._chance.random() < 0.01:
                move = self._move(player)
                entries += [move] if move else []
        if entries and self._chance.random() < 0.05:
            # Only who does nothing else in this tick may go.
            acting = {entry.player for entry in entries if isinstance(entry, Input)}
            gone = [player for player in self._world.players if player not in acting][:1]
            entries = [*entries, *(Leave(player, "left") for player in gone)]
        elif len(self._world.players) < min(self._manifest.max_players, MAX_PLAYERS):
            entries += self.joining()
        return entries

    def _silence(self, player: str) -> AnyEntry:
        return Silence(player, *self._manifest.default_input)

    def _move(self, player: str) -> AnyEntry | None:
        if self._chance.random() < 0.1:
            return None
        data = msgspec.msgpack.decode(self._world.observe(player, "data").data or b"\x80")
        bot = BOTS.get(self._world.code.name)
        state = self._world.players[player]
        if bot is not None and (state.seat % 2 or self._chance.random() < 0.8):
            name, args = bot(data)
        else:
            name = self._chance.choice(list(self._manifest.inputs))
            args = right_args(self._chance, self._manifest.inputs[name].args, Seen(data))
        if name is None:
            return None
        return Input(player, state.next_seq, name, self._manifest.check_input(name, args))


def record(code: GameCode, *, ticks: int, engine: Engine | None = None) -> Recording:
    """Play worlds of a game until they have run ``ticks`` ticks together, comparing the state around every look.

    Raises WorldFaulted, StateNotSaveable.
    """
    engine = engine or Engine.current()
    recording = Recording(code.name, code.files, engine.files, [])
    mark_every = 10 if code.manifest.clock in ("lockstep", "turn") else 50
    while recording.ticks < ticks:
        seed = 100 + len(recording.courses)
        world = World.load(code, world_id="w_proof", seed=seed, engine=engine)
        world.compare_looks()
        course, agents = Course(seed, []), _Agents(world, seed)
        recording.courses.append(course)
        for _ in range(min(code.manifest.max_players, MAX_PLAYERS)):
            _apply(world, Step(agents.joining(), False, False), course)
        for tick in range(1, min(WORLD_TICKS, ticks - recording.ticks) + 1):
            _apply(world, Step(agents.entries(), True, tick % mark_every == 0), course)
            if tick % mark_every == 0:
                world.snapshot()
            if world.finished is not None:
                break
        world.close()
    return recording


def _apply(world: World, step: Step, course: Course) -> None:
    course.steps.append(step)
    world.apply(step.entries, step=step.step)


def checkpoints(recording: Recording, *, collect: bool = False, restore: bool = False) -> list[str]:
    """Compute the worlds again and return a line for each checkpoint."""
    code = GameCode.from_files(recording.name, recording.files)
    engine = Engine.from_files(recording.engine)
    found = []
    for course in recording.courses:
        world = World.load(code, world_id="w_proof", seed=course.seed, engine=engine)
        for number, step in enumerate(course.steps, 1):
            world.apply(step.entries, step=step.step)
            if collect:
                world._host.memory(True)
            if not step.mark and number < len(course.steps):
                continue
            fingerprint, snapshot = world.fingerprint(), world.snapshot()
            seen = hashlib.blake2b(world.view(), digest_size=8)
            for player in world.players:
                seen.update(world.observe(player, "data").data or b"")
            marks = fingerprint.hex(), state_hash(snapshot, engine=engine).hex(), seen.hexdigest()
            found.append(f"{code.name} seed {course.seed} tick {world.tick}: {' '.join(marks)}")
            if restore:
                world.close()
                world = World.restore(code, snapshot, engine=engine)
        world.close()
    return found


def computed(files: Sequence[Path], *options: str, **environment: str) -> list[str]:
    """Return the lines that another process prints for these recordings, with options and variables as given."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.games.proof", *map(str, files), *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def main() -> None:
    """Print the checkpoints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="+", type=Path)
    for option in ("jit-off", "collect", "restore", "allow-power"):
        parser.add_argument(f"--{option}", action="store_true")
    options = parser.parse_args()
    if options.jit_off:
        sandbox.turn_jit_off()
    if options.allow_power:
        sandbox.find_refused = lambda source: None  # type: ignore[attr-defined]
    for path in options.recordings:
        recording = msgspec.msgpack.decode(path.read_bytes(), type=Recording)
        print(*checkpoints(recording, collect=options.collect, restore=options.restore), sep="\n")


if __name__ == "__main__":
    main()
