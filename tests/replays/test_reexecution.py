"""Promise: a log re-executes exactly, in another process too, with the code it was played with; and where something
differs, the place is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog.chain import StoredRecord
from eventlog.reader import read_world
from eventlog.records import Beat, Close, Fault, Tick
from games.code import Engine, GameCode, find_games
from games.errors import GameError
from games.runtime.world import World
from games.tsunami.bot import decide
from replays.replay import Diverged, replay
from tests.replays.recording import WORLD, Recording

BROKEN_MANIFEST = b"""
title = "Broken"
summary = "Its tick raises from tick 50 on."
max_players = 2
clock = "realtime"
tick_hz = 60
[inputs.poke]
help = "Do nothing."
"""
BROKEN_MAIN = b"""
local game = { inputs = {} }
function game.setup(world) world.state.count = 0 end
function game.inputs.poke(world, player, args) end
function game.tick(world, dt)
  world.state.count = world.state.count + world.random(10)
  if world.tick >= 50 then error("broken") end
end
function game.observe(world, player) return { count = world.state.count } end
return game
"""

IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from replays.replay import replay
done = replay(Path(sys.argv[1]), sys.argv[2]).run()
print(done.world.tick, done.records_done, done.world.fingerprint().hex())
for player in done.world.players:
    print(done.world.observe(player).data.hex())
"""


def tsunami() -> GameCode:
    return find_games()["tsunami"]


def broken() -> GameCode:
    return GameCode.from_files("broken", {"game.toml": BROKEN_MANIFEST, "main.lua": BROKEN_MAIN})


def play(recording: Recording, *, seconds: int, players: int) -> None:
    """Let the sample bot decide for everybody, in turn, once a second each."""
    names = [recording.join() for _ in range(players)]
    for second in range(seconds):
        for player in names:
            seen = recording.world.observe(player, "data").data
            assert seen is not None
            decision = decide(msgspec.msgpack.decode(seen))
            if decision.name is not None:
                recording.input(player, decision.name, decision.args)
            recording.run(60 // players)
        if second == seconds // 2:
            recording.leave(names.pop())
            names.append(recording.join())


def what_is_seen(world: World) -> list[str]:
    """Everything that the players see, as hex."""
    found = [world.observe(player).data for player in world.players]
    return [data.hex() for data in found if data is not None]


async def record(data: Path, *, seconds: int = 20, players: int = 3, seed: int = 7) -> Recording:
    recording = Recording(data, tsunami(), seed=seed, settings={"wave_interval_s": 26})
    play(recording, seconds=seconds, players=players)
    await recording.close()
    return recording


def stored(data: Path) -> list[StoredRecord]:
    return list(read_world(data, WORLD))


async def test_another_process_comes_to_the_same_world(tmp_path: Path) -> None:
    recording = await record(tmp_path / "data", seconds=40)
    world = recording.world
    expected = [f"{world.tick} {len(stored(tmp_path / 'data'))} {world.fingerprint().hex()}", *what_is_seen(world)]
    for hash_seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / "data"), WORLD],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONHASHSEED": hash_seed},
            cwd=Path(__file__).parents[2],
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == expected


async def test_the_log_held_something_to_reproduce(tmp_path: Path) -> None:
    """The test above would prove little about a world in which nothing happened."""
    recording = await record(tmp_path / "data", seconds=40)
    found = [each.record for each in stored(tmp_path / "data")]
    assert sum(isinstance(each, Tick) for each in found) > 30
    assert sum(isinstance(each, Beat) for each in found) > 30
    assert isinstance(found[-1], Close)
    fingerprints = [each.fingerprint for each in found if isinstance(each, Tick | Beat | Close)]
    assert len(set(fingerprints)) == len(fingerprints), "fingerprints are chained: no two are equal"
    assert any(player.score for player in recording.world.players.values()), "somebody has brought a relic home"


async def test_it_can_be_stepped_record_by_record(tmp_path: Path) -> None:
    await record(tmp_path, seconds=3)
    walk = replay(tmp_path, WORLD)
    assert walk.genesis.seed == 7
    ticks = []
    while (step := walk.step()) is not None:
        ticks.append(walk.world.tick)
        if isinstance(step.record, Tick) and step.record.ran:
            assert walk.world.tick == step.record.tick
    assert ticks == sorted(ticks)
    assert walk.records_done == len(stored(tmp_path))
    assert walk.step() is None


async def test_changed_code_diverges_and_the_place_is_named(tmp_path: Path) -> None:
    recording = await record(tmp_path, seconds=40)
    files = dict(recording.world.code.files)
    assert files["rules.lua"].count(b"WAVE_SPEED = 35") == 1
    files["rules.lua"] = files["rules.lua"].replace(b"WAVE_SPEED = 35", b"WAVE_SPEED = 36")
    changed = GameCode.from_files("tsunami", files)
    with pytest.raises(Diverged) as caught:
        replay(tmp_path, WORLD, instead=(changed, Engine.current())).run()
    problem = caught.value
    assert problem.world == WORLD
    assert 0 < problem.tick <= recording.world.tick
    assert problem.expected != problem.got
    places = {(f"{each.file:04d}.wlog", each.offset): each.record for each in stored(tmp_path)}
    blamed = places[problem.file, problem.offset]
    assert isinstance(blamed, Tick | Beat | Close)
    assert blamed.fingerprint == problem.expected
    assert f"{WORLD}@{problem.tick}" in str(problem)


@pytest.mark.parametrize("lie", [{"to": "home"}, {"x": 100.0, "z": 1.0}])
async def test_a_log_that_lies_about_an_input_diverges_at_the_next_record(tmp_path: Path, lie: dict[str, Any]) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    player = recording.join()
    recording.run(30)
    recording.lie = lie
    recording.input(player, "move", {"x": 100.0, "z": 0.0})
    recording.run(100)
    await recording.close()
    found = stored(tmp_path)
    liar = next(i for i, each in enumerate(found) if isinstance(each.record, Tick) and each.record.ran)
    with pytest.raises(Diverged) as caught:
        replay(tmp_path, WORLD).run()
    assert caught.value.offset == found[liar + 1].offset


async def test_a_world_that_its_game_broke_ends_before_the_tick_that_broke_it(tmp_path: Path) -> None:
    recording = Recording(tmp_path, broken(), seed=1, settings={})
    recording.input(recording.join(), "poke", {})
    fault = recording.run_until_it_breaks()
    await recording.close(reason=None)
    assert fault.tick > 100
    last = stored(tmp_path)[-1].record
    assert isinstance(last, Fault)
    done = replay(tmp_path, WORLD).run()
    assert done.world.faulted is None
    assert done.world.tick == last.tick - 1


async def test_what_broke_by_a_change_is_not_called_a_divergence(tmp_path: Path) -> None:
    recording = Recording(tmp_path, broken(), seed=1, settings={})
    recording.join()
    recording.run(40)
    await recording.close()
    files = dict(recording.world.code.files)
    files["main.lua"] = BROKEN_MAIN.replace(b"function game.setup(world)", b"function game.setup(world) error('no')")
    changed = GameCode.from_files(recording.world.code.name, files)
    with pytest.raises(GameError, match="no"):
        replay(tmp_path, WORLD, instead=(changed, Engine.current()))
