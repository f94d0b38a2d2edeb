"""Promise: a world that went on with other code is the same world again, wherever its re-execution begins."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from eventlog.json_form import json_form
from eventlog.reader import read_world
from eventlog.records import Tick
from games.code import GameCode
from games.errors import GameError
from games.runtime.snapshots import state_hash
from replays.replay import replay
from replays.verify import verify_world
from tests.eventlog.second_decoder import WorldReader
from tests.games.small import code
from tests.replays.recording import WORLD, Recording

MAIN = """
local game = {{ inputs = {{}} }}
local loaded = 0
function game.setup(world) world.state.total, world.state.ticks = 0, 0 end
function game.tick(world, dt)
  world.state.total = world.state.total + {step} * world.random(9)
  world.state.ticks = world.state.ticks + 1
  {extra}
end
function game.observe(world, player) return {{ total = world.state.total, ticks = world.state.ticks }} end
function game.inputs.add(world, player, args) world.state.total = world.state.total + {step} end
return game
"""
TOML = '[inputs.add]\nhelp = "Add."\n'


def version(step: int, extra: str = "", toml: str = TOML) -> GameCode:
    """One version of the game; its numbers say which."""
    return code(MAIN.format(step=step, extra=extra), toml)


async def recorded(data: Path) -> dict[int, bytes]:
    """A world with two reloads, a tick that was undone between them, and snapshots; its state hash by tick."""
    recording = Recording(data, version(1), seed=5, settings={})
    hashes: dict[int, bytes] = {}

    def run(ticks: int) -> None:
        for _ in range(ticks):
            recording.run(1)
            hashes[recording.world.tick] = state_hash(recording.world.snapshot())

    player = recording.join()
    run(30)
    recording.checkpoint()
    recording.input(player, "add", {})
    recording.reload(version(100))
    assert recording.world.tick == 31
    run(40)
    recording.undo(player, "add", {}, version(10_000))
    assert recording.world.tick == 71
    run(10)
    recording.checkpoint()
    run(10)
    recording.input(player, "add", {})
    run(5)
    await recording.close()
    return hashes


@pytest.mark.parametrize("start", ["genesis", "earliest", "latest"])
async def test_reexecution_goes_on_with_the_code_of_each_moment(tmp_path: Path, start: str) -> None:
    hashes = await recorded(tmp_path)
    walk = replay(tmp_path, WORLD, start=start).run()  # type: ignore[arg-type]
    assert walk.world.tick == 97
    assert state_hash(walk.world.snapshot()) == hashes[97]
    assert walk.world.code.digest == version(10_000).digest


async def test_verify_passes_checkpoints_between_reloads(tmp_path: Path) -> None:
    await recorded(tmp_path)
    verdict = verify_world(tmp_path, WORLD)
    assert verdict.status == "verified", verdict.problem


async def test_seek_crosses_reloads_both_ways(tmp_path: Path) -> None:
    hashes = await recorded(tmp_path)
    walk = replay(tmp_path, WORLD)
    walk.keyframes.spacing_ticks = 7
    for tick in (90, 20, 71, 72, 60, 97, 33, 31, 96, 71):
        world = walk.seek(tick)
        assert world.tick == tick
        if tick in hashes:
            assert state_hash(world.snapshot()) == hashes[tick], tick


async def test_a_tick_that_was_undone_leaves_nothing(tmp_path: Path) -> None:
    """Its input is in the log, and no replay applies it: the total would tell, and so would the player's seq."""
    await recorded(tmp_path)
    walk = replay(tmp_path, WORLD).run()
    assert walk.world.players["p_1"].next_seq == 3
    ticks = [stored.record.tick for stored in read_world(tmp_path, WORLD) if isinstance(stored.record, Tick)]
    assert ticks == [0, 31, 31, 72, 71, 71, 92]
    forms = [form for form in json_form(read_world(tmp_path, WORLD)) if form["record"] == "tick"]
    assert [entry.get("status") for form in forms for entry in form["entries"]] == [
        None, "applied", None, "undone", None, None, "applied",
    ]  # fmt: skip


async def test_the_second_decoder_reads_code_entries(tmp_path: Path) -> None:
    await recorded(tmp_path)
    read = WorldReader(WORLD)
    read.read_file((tmp_path / "worlds" / WORLD / "0001.wlog").read_bytes())
    kinds = [entry["kind"] for record in read.records for entry in record.fields.get("entries", [])]
    assert kinds.count("code") == 3


async def test_a_world_keeps_what_it_began_with(tmp_path: Path) -> None:
    """The clock's rate and the seats are for new worlds; inputs come with the code that handles them."""
    recording = Recording(tmp_path, version(1), seed=5, settings={})
    recording.run(3)
    other = version(2, toml="tick_hz = 10\n" + TOML.replace("Add.", "Add more."))
    recording.reload(other)
    recording.run(3)
    assert recording.world.code.manifest.tick_hz == 60
    assert recording.world.code.manifest.inputs["add"].help == "Add more."
    recording.checkpoint()
    await recording.close()
    for start in ("genesis", "latest"):
        walk = replay(tmp_path, WORLD, start=start).run()
        assert walk.world.code.manifest.tick_hz == 60
    assert verify_world(tmp_path, WORLD).status == "verified"


async def test_a_module_level_variable_begins_anew(tmp_path: Path) -> None:
    """What is not in world.state is in no snapshot, and a reload is a restore."""
    counting = "loaded = loaded + 1 world.state.loaded = loaded"
    recording = Recording(tmp_path, version(1, counting), seed=5, settings={})
    recording.run(5)
    recording.reload(version(2, counting + " world.state.total = world.state.loaded"))
    recording.run(1)
    player = recording.join()
    assert msgspec.msgpack.decode(recording.world.observe(player, "data").data or b"")["total"] == 1
    await recording.close()


async def test_code_that_does_not_load_leaves_the_world_as_it_was(tmp_path: Path) -> None:
    recording = Recording(tmp_path, version(1), seed=5, settings={})
    recording.run(5)
    before = state_hash(recording.world.snapshot())
    with pytest.raises(GameError, match=r"main\.lua:2.*"):
        recording.world.reload(code("local game = {}\nerror('no')\nreturn game", TOML))
    assert recording.world.code == version(1)
    assert state_hash(recording.world.snapshot()) == before
    await recording.close()
