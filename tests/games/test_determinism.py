"""Promise: equal code, engine, seed and entries give an equal world in every process, however its ticks are called."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from games.runtime.effects import Input, Join, Leave
from games.runtime.world import Entry, World
from tests.games.small import body, code, load

ROOT = Path(__file__).resolve().parents[2]
TICKS = 400

# Everything whose order or value Lua, or two processes, could disagree on.
EVERYTHING = body(
    extra="""
local function shown(value)
  if type(value) ~= "table" or tostring(value) ~= "table" and tostring(value) ~= "a list of the engine" then
    return tostring(value)
  end
  local parts = {}
  for key, inner in pairs(value) do parts[#parts + 1] = tostring(key) .. "=" .. shown(inner) end
  return table.concat(parts, ",")
end
local function note(world, what, value) world.emit("all", "noted", {what = what, value = shown(value)}) end
local function walk(world)
  local order = {}
  for key in pairs(world.state.bag) do order[#order + 1] = tostring(key) end
  note(world, "order", order)
  note(world, "first", next(world.state.bag))
end
local function sort(world)
  local list = {}
  for i = 1, 60 do list[i] = {world.random(5), i} end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  note(world, "sorted", list)
end
local function scene(world)
  local s = world.scene
  for _ = 1, 5 do
    s:spawn("tree", {x = world.random() * 100, z = world.stream("z")() * 100, tags = {"t" .. world.random(3)}})
  end
  for i, node in ipairs(s:tagged("t2")) do
    if i % 3 == 0 then node:destroy() else node.x = node.x + 1.7 end
  end
  note(world, "near", s:within(50, 50, 30))
  note(world, "box", s:in_box(10, 10, 60, 60, "t1"))
end
local function texts(world)
  note(world, "text", {tostring({}), tostring(print), string.format("%s %s %5.3f", {}, print, world.random()),
    tostring(world.players[1]), tostring(0.1 + 0.2), tostring(0 / 0), select(2, pcall(error, {})),
    select(2, pcall(function() local t = nil return t.x end)), tostring(coroutine.create(print))})
end
""",
    setup="world.state.bag = {[3] = true, [1] = true, [true] = 1} world.state.n = 0",
    tick="""
    local bag, n = world.state.bag, world.tick
    bag["key" .. n * 7919 % 1000] = n
    bag["key" .. n * 104729 % 1000] = nil
    bag[n % 17 - 3] = n
    if n % 50 == 0 then walk(world) sort(world) texts(world) end
    if n % 7 == 0 then scene(world) end
    for _, player in ipairs(world.players) do world.score(player, world.random(100)) end
    if n % 90 == 0 then error({"raised", n}) end
    """,
    observe="return {bag = world.state.bag, near = world.scene:within(0, 0, 80), me = player}",
    inputs="""
function game.inputs.put(world, player, args)
  world.state.bag[args.key] = args.value
  if args.value > 8 then return world.reject("too_much", "No more than 8.", {hint = "8", most = 8}) end
  if args.value > 7 then error("seven is enough") end
  world.reward(player, args.value)
  return {size = world.random(args.value + 1), key = args.key}
end
""",
)
TOML = """
[inputs.put]
help = "Put."
args.key = { type = "string" }
args.value = { type = "integer" }
[events.noted]
help = "Noted."
args.what = { type = "string" }
args.value = { type = "string", max_length = 1000000, optional = true }
"""


def entries_of(world: World, chance: random.Random) -> list[Entry]:
    """What happens in the next tick, by the same random numbers in every process."""
    entries: list[Entry] = []
    if chance.random() < 0.1 and world.free_seat():
        entries.append(Join(world.next_player_id(), world.free_seat() or 0, "a_1", f"n{chance.random()}"))
    for player in world.players.values():
        if chance.random() < 0.3:
            args = {"key": f"k{chance.randrange(30)}", "value": chance.randrange(11)}
            entries.append(Input(player.id, player.next_seq, "put", args))
        elif chance.random() < 0.02:
            entries.append(Leave(player.id, "left"))
    return entries


def play(seed: int) -> list[str]:
    """Play a world and return its fingerprints and, at the end, what its players and spectators see."""
    world = load(EVERYTHING, TOML, seed=seed)
    chance = random.Random(seed)
    found = []
    for tick in range(1, TICKS + 1):
        world.apply(entries_of(world, chance), step=True)
        if tick % 20 == 0:
            found.append(world.fingerprint().hex())
    found += [(world.observe(player).data or b"").hex() for player in world.players]
    return [*found, world.view().hex(), *(repr(player.total_reward) for player in world.players.values())]


def test_two_processes_get_the_same() -> None:
    program = "from tests.games.test_determinism import play; print(*play(5), sep='\\n')"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].splitlines() == play(5)


def test_the_game_above_really_does_things() -> None:
    world = load(EVERYTHING, TOML, seed=5)
    chance = random.Random(5)
    statuses, codes = set(), set()
    for _ in range(TICKS):
        result = world.apply(entries_of(world, chance), step=True)
        statuses |= {outcome.status for outcome in result.outcomes}
        codes |= {outcome.code for outcome in result.outcomes}
    assert statuses == {"applied", "rejected"}
    assert codes == {None, "too_much", "game_error"}
    assert world.players
    assert world.inspection.statistics().nodes > 50


def test_another_seed_gives_another_world() -> None:
    assert play(5)[0] != play(6)[0]


@pytest.mark.parametrize("sizes", [[TICKS], [1] * TICKS, [7, 50, 1, 150, 192], [399, 1]])
def test_ticks_may_run_one_by_one_or_many_at_once(sizes: list[int]) -> None:
    """The fingerprint depends on what happened, not on how many calls it took."""
    single, many = load(EVERYTHING, TOML), load(EVERYTHING, TOML)
    start: list[Entry] = [Join("p_1", 1, "a_1", "ada"), Input("p_1", 1, "put", {"key": "k", "value": 3})]
    for world in (single, many):
        world.apply(start, step=True)
    for _ in range(TICKS):
        single.apply([], step=True)
    for size in sizes:
        many.run_empty(size)
    assert many.tick == single.tick == TICKS + 1
    assert many.fingerprint() == single.fingerprint()
    assert many.players == single.players
    assert many.observe("p_1") == single.observe("p_1")


CHANGES = {
    "seed": "local unused = world.random()",
    "stream": "world.stream('s')",
    "event": "world.emit(player, 'noted', {what = 'x'})",
    "event data": "world.emit(player, 'noted', {what = 'y'})",
    "score": "world.score(player, 1)",
    "reward": "world.reward(player, 1)",
    "node": "world.scene:spawn('x'):destroy()",
    "result": "return 1",
    "rejection": "return world.reject('no', 'No.')",
    "error": "error('no')",
    "finish": "world.finish()",
}


def test_everything_that_happens_shows_in_the_fingerprint() -> None:
    found = {}
    for name, lua in {"nothing": "", **CHANGES}.items():
        game = body(inputs=f"function game.inputs.put(world, player) {lua} end")
        world = World.load(code(game, TOML), world_id="w", seed=1)
        world.apply([Join("p_1", 1, "a_1", "ada"), Input("p_1", 1, "put", {})], step=True)
        found[name] = world.fingerprint()
    assert len(set(found.values())) == len(found), found


def test_fingerprints_chain() -> None:
    """Two worlds that differed once never agree again, even where the same happens in both."""
    worlds = [load(EVERYTHING, TOML), load(EVERYTHING, TOML)]
    for world, key in zip(worlds, ("a", "b"), strict=True):
        world.apply([Join("p_1", 1, "a_1", "ada"), Input("p_1", 1, "put", {"key": key, "value": 0})], step=True)
        world.fingerprint()
    for world in worlds:
        world.apply([Input("p_1", 2, "put", {"key": "c", "value": 0})], step=True)
    assert worlds[0].fingerprint() != worlds[1].fingerprint()


def test_looking_and_debug_lines_leave_no_trace() -> None:
    looked_at, alone = (
        load(EVERYTHING, TOML),
        load(EVERYTHING.replace("bag[n % 17", "world.debug('x') bag[n % 17"), TOML),
    )
    for world in (looked_at, alone):
        world.apply([Join("p_1", 1, "a_1", "ada")], step=True)
    for _ in range(50):
        for world in (looked_at, alone):
            world.apply([], step=True)
        looked_at.observe("p_1")
        looked_at.view()
        looked_at.inspection.statistics()
    assert looked_at.fingerprint() == alone.fingerprint()
