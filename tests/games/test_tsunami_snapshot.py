"""Promise: a Tsunami world that was saved and restored anywhere goes on as the one that never was: in another process,
with the JIT off, and from every snapshot of a game."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from games.runtime import sandbox
from games.runtime.effects import Input
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from tests.games.tsunami_driver import Table, at_random, sensibly

ROOT = Path(__file__).resolve().parents[2]
TICKS = 2000
EVERY = 100
DECIDES_EVERY = 60
"""Ticks between two decisions of a player, on average."""

Point = tuple[int, bytes, bytes]
"""Tick, snapshot, state hash."""


class Recorder:
    """Plays a game of eight; keeps the inputs, the fingerprint after every so many ticks, and a snapshot before."""

    def __init__(self, seed: int) -> None:
        self.table = Table(8, seed=seed)
        self.entries: dict[int, list[Input]] = {}
        """Tick after which they were applied → inputs."""
        self.points: list[Point] = []
        self.fingerprints: dict[int, bytes] = {}
        self._choosers = {f"p_{n}": sensibly if n % 2 else at_random(n) for n in range(1, 9)}
        self._chance = random.Random(seed)
        while self.table.now < TICKS:
            if self.table.now % EVERY == 0:
                snapshot = self.table.world.snapshot()
                self.points.append((self.table.now, snapshot, state_hash(snapshot)))
            self._decide()
            self.table.step()
            if self.table.now % EVERY == 0:
                self.fingerprints[self.table.now] = self.table.world.fingerprint()

    def _decide(self) -> None:
        for player, choose in self._choosers.items():
            if self._chance.random() < 1 / DECIDES_EVERY:
                decision = choose(self.table.observe(player))
                if decision.name is not None:
                    entry = self.table.entry(player, decision.name, decision.args)
                    self.entries.setdefault(self.table.now, []).append(entry)
                    self.table.world.apply([entry], step=False)

    def go_on(self, world: World) -> list[tuple[bytes, bytes]]:
        """Apply to a restored world what was applied from its tick on. Returns fingerprints and state hashes."""
        found = []
        while world.tick < TICKS:
            for entry in self.entries.get(world.tick, []):
                world.apply([entry], step=False)
            world.run_empty(1)
            if world.tick in self.fingerprints:
                found.append((world.fingerprint(), state_hash(world.snapshot())))
        return found

    def expected(self, tick: int) -> list[tuple[bytes, bytes]]:
        """What `go_on` must return for a world that was saved at this tick."""
        hashes = {at: digest for at, _, digest in self.points} | {TICKS: state_hash(self.table.world.snapshot())}
        return [(self.fingerprints[at], hashes[at]) for at in sorted(self.fingerprints) if at > tick]


@pytest.fixture(scope="module")
def game() -> Recorder:
    return Recorder(seed=77)


def test_the_game_is_worth_saving(game: Recorder) -> None:
    assert game.table.world.inspection.statistics().nodes >= 2000
    assert sum(map(len, game.entries.values())) > 150
    assert any(player.score for player in game.table.world.players.values())
    hashes = [digest for _, _, digest in game.points]
    assert len(hashes) == len(set(hashes)) == TICKS // EVERY
    assert all(before < after for before, after in pairwise(tick for tick, _, _ in game.points))


def test_from_every_snapshot_the_game_goes_on_the_same(game: Recorder) -> None:
    for tick, snapshot, _ in game.points:
        world = World.restore(game.table.world.code, snapshot)
        assert world.tick == tick
        assert game.go_on(world) == game.expected(tick), f"restored at tick {tick}"
        for player in world.players:
            assert world.observe(player) == game.table.world.observe(player)
        assert world.view() == game.table.world.view()
        assert world.players == game.table.world.players


def test_from_the_first_snapshot_to_the_end_restored_again_and_again(game: Recorder) -> None:
    """A chain of restored worlds: what one lost, the next could not have."""
    world = World.restore(game.table.world.code, game.points[0][1])
    while world.tick < TICKS:
        for entry in game.entries.get(world.tick, []):
            world.apply([entry], step=False)
        world.run_empty(1)
        if world.tick % 50 == 0:
            world = World.restore(world.code, world.snapshot())
        if world.tick in game.fingerprints:
            assert world.fingerprint() == game.fingerprints[world.tick]
    assert world.tick == TICKS


def test_saved_or_not_makes_no_difference(game: Recorder) -> None:
    alone = Table(8, seed=77).world
    assert game.go_on(alone) == game.expected(0)


def hashes_of_a_game() -> list[str]:
    """All fingerprints and state hashes of a game: what other processes print."""
    recorder = Recorder(seed=5)
    return [fingerprint.hex() + digest.hex() for fingerprint, digest in recorder.expected(-1)]


@pytest.mark.parametrize("jit", ["on", "off"])
def test_processes_with_the_jit_on_and_off_agree(jit: str) -> None:
    turn = "from games.runtime import sandbox; sandbox.turn_jit_off(); " if jit == "off" else ""
    program = f"{turn}from tests.games.test_tsunami_snapshot import hashes_of_a_game; print(*hashes_of_a_game())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": "4242"},
    )
    assert done.stdout.split() == hashes_of_a_game()


def test_the_switch_really_turns_the_jit_off() -> None:
    program = """
from games.runtime import sandbox
sandbox.turn_jit_off()
from tests.games.small import load, body
print(load(body())._host._state.eval(b"jit.status()")[0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"
    assert sandbox.new_state().eval(b"jit.status()")[0] is True
