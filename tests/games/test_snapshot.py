"""Promise: a restored world is the world that was saved. Everything that can be seen of it is equal, and everything it
does afterwards; and saving leaves no trace."""

from __future__ import annotations

import math
import random
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games.code import Engine
from games.errors import SnapshotUnreadable, StateNotSaveable, WorldFaulted
from games.runtime.effects import Input, Join, Leave
from games.runtime.snapshots import decode_snapshot, encode_snapshot, state_hash
from games.runtime.world import World
from tests.games.small import act, body, code, join, load
from tests.games.test_determinism import EVERYTHING, TOML, entries_of

PUT = '[inputs.put]\nhelp = "Put."\n[events.e]\nhelp = "E."\nargs.v = { type = "integer" }'

# Texts like "node 3" and "player 2" in what is put stand for handles, {"numbered": [[key, value], …]} for a map of
# numbers. Nodes 2 and 4 are destroyed, player 2 has left.
KEEPER = body(
    extra="""
local function handles(world, value)
  if type(value) == "table" and value.numbered then
    local map = {}
    for _, pair in ipairs(value.numbered) do map[pair[1]] = handles(world, pair[2]) end
    return map
  elseif type(value) == "table" then
    for key, below in pairs(value) do value[key] = handles(world, below) end
    return value
  end
  local kind, number = string.match(tostring(value), "^(%a+) (%d)$")
  if kind == "node" then return world.state.nodes[tonumber(number)] end
  if kind == "player" then return world.state.players[tonumber(number)] end
  return value
end
""",
    setup="""
    world.state.nodes, world.state.players = {}, {}
    for i = 1, 4 do world.state.nodes[i] = world.scene:spawn("thing", {x = i}) end
    world.state.nodes[2]:destroy() world.state.nodes[4]:destroy()
    """,
    inputs="function game.inputs.put(world, player, v) world.state.value = handles(world, v.value) end",
    observe="return {value = world.state.value, nodes = world.state.nodes, map = world.state}",
).replace(
    "function game.tick",
    "function game.join(world, player) table.insert(world.state.players, player) end\nfunction game.tick",
)

LEAVES = st.one_of(
    st.booleans(),
    st.integers(-(2**53), 2**53),
    st.floats(width=64),
    st.text(max_size=5),
    st.sampled_from(["node 1", "node 2", "node 3", "node 4", "player 1", "player 2"]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.text(max_size=4), inner, max_size=5),
        st.dictionaries(st.integers(-50, 50).filter(lambda key: key != 1), inner, max_size=5).map(
            lambda pairs: {"numbered": [list(pair) for pair in pairs.items()]}
        ),
    ),
    max_leaves=25,
)


def keeper() -> World:
    """A world with player p_1, and p_2 who has left, in which values can be put."""
    world = load(KEEPER, PUT)
    join(world)
    world.apply([Leave(join(world), "left")], step=False)
    return world


def put(world: World, value: Any) -> World:
    result = act(world, "p_1", "put", value=value)
    assert result.outcomes[0].status == "applied", result.debug
    return world


def again(world: World) -> World:
    """The same world, saved and restored."""
    return World.restore(world.code, world.snapshot())


def seen(world: World) -> list[Any]:
    """Everything that can be seen of a world from outside."""
    return [
        world.tick,
        world.finished,
        world.players,
        world.view(),
        [world.observe(player) for player in world.players],
        world.next_player_id(),
        world.free_seat(),
        world.inspection.statistics().nodes,
    ]


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_whatever_state_may_hold_comes_back(value: Any) -> None:
    world = put(keeper(), value)
    restored = again(world)
    assert seen(restored) == seen(world)
    assert state_hash(restored.snapshot()) == state_hash(world.snapshot())
    assert restored.fingerprint() == world.fingerprint()


def ask(lua: str, *, setup: str = "", change: str = "") -> tuple[Any, Any]:
    """What a Lua expression is in a world after ``setup`` and ``change``: as it went on, and as it was restored."""
    game = body(
        setup=setup,
        inputs=f"function game.inputs.put(world, player) {change} end",
        observe=f"local state, scene = world.state, world.scene return {{answer = ({lua})}}",
    )
    world = load(game, PUT)
    join(world)
    act(world, "p_1", "put")
    restored = again(world)
    answers = [msgspec.msgpack.decode(each.observe("p_1").data or b"") for each in (world, restored)]
    return answers[0].get("answer"), answers[1].get("answer")


TREE = """
local scene = world.scene
local function make(name, props, parent) props.name = name return scene:spawn("k" .. #name, props, parent) end
local first = make("first", {x = 1, tags = {"b", "a"}, data = {hp = 3, owner = {list = {1, 2}}}})
first.data.friend, first.data.map = first, world.map{}
local second = make("second", {z = -0.0, colour = "#fff"}, first)
make("third", {y = 2.5, rot = 0.1, tags = {"b"}}, second)
second.data = world.map{}
local gone = make("gone", {x = 5})
local late = make("late", {label = "\\xff not UTF-8", shape = "box", sx = 3})
gone:destroy()
first.parent = late
world.state.first, world.state.same, world.state.gone, world.state.also_gone = first, first, gone, {gone}
"""


@pytest.mark.parametrize(
    "lua",
    [
        "state.first == state.same and state.first == scene:get(1)",
        "state.first.x + state.first.y + scene:get(3).y + scene:get(3).rot + scene:get(5).sx",
        "1 / scene:get(2).z < 0",
        "scene:get(5).label == '\\xff not UTF-8' and scene:get(5).shape",
        "{state.first.parent, scene:get(2).parent, scene:get(5).parent}",
        "{state.first.tags, scene:get(2).tags, scene:get(3).tags}",
        "{scene:tagged('b'), scene:tagged('a'), scene:tagged('none')}",
        "{scene:children(), scene:descendants(), scene:get(5):descendants(), scene:get(1):children()}",
        "{scene:find('third'), scene:get(5):find('second'), scene:get(4) == nil}",
        "{scene:within(0, 0, 3), scene:in_box(-1, -1, 1, 1), scene:within(0, 0, 9, 'b')}",
        "{state.first.data.owner.list, state.first.data.friend == state.same, state.first.data.map}",
        "{scene:get(2).data, scene:get(3).data}",
        "{state.gone.alive, state.gone.id, tostring(state.gone), state.gone == state.also_gone[1]}",
        "{#state.first.kind, state.first.colour == nil, scene:get(2).colour}",
    ],
)
def test_the_scene_comes_back(lua: str) -> None:
    before, after = ask(lua, setup=TREE)
    assert after == before
    assert before not in (None, False)


def test_handles_of_players_come_back_as_the_same_handles() -> None:
    lua = "{state.p == world.player('p_1'), state.list[1] == world.players[1], state.p.name, state.p.seat}"
    before, after = ask(lua, change="world.state.p = player world.state.list = {player}")
    assert before == after == [True, True, "ada", 1]


def test_a_player_who_has_left_is_one_handle_wherever_it_is_kept() -> None:
    game = body(
        observe="""local s = world.state
        return {s.a == s.b, s.a == s.list[1], s.a.id, s.a.name, s.a.seat, world.player('p_2') == nil, s.a ~= player}"""
    ).replace(
        "function game.tick",
        """function game.join(world, player)
             if player.id == "p_2" then world.state = {a = player, b = player, list = {player}} end
           end
           function game.tick""",
    )
    world = load(game)
    join(world)
    world.apply([Leave(join(world, "bob"), "left")], step=False)
    data = again(world).observe("p_1").data or b""
    assert msgspec.msgpack.decode(data) == [True, True, "p_2", "bob", 2, True, True]


def test_a_map_stays_a_map_and_settings_stay_as_the_game_left_them() -> None:
    before, after = ask(
        "{state.map, state.list, world.settings.own, world.settings.me == player}",
        change="""world.state.map, world.state.list = world.map{}, {}
        world.settings.own, world.settings.me = {1}, player""",
    )
    assert before == after == [{}, [], [1], True]


def test_random_streams_go_on_where_they_were() -> None:
    game = body(
        inputs="""function game.inputs.put(world, player, v)
        local one, other = world.stream("a\\xff"), world.stream("a\\xfe")
        return {world.random(), one(1000), other(1000), world.stream("new" .. v.n)(), math.random(9)}
        end"""
    )
    world = load(game, PUT, seed=2**53 - 1)
    join(world)
    act(world, "p_1", "put", n=0)
    restored = again(world)
    for n in range(3):
        outcomes = [act(each, "p_1", "put", n=n).outcomes for each in (world, restored)]
        assert outcomes[0] == outcomes[1]
    assert world.fingerprint() == restored.fingerprint()


def test_modules_that_draw_as_they_load_draw_the_same_and_move_no_stream() -> None:
    game = body(
        extra="local first = math.random(1000000) print('loaded')", observe="return {first}", tick="world.random()"
    )
    world = load(game, seed=77)
    join(world)
    world.run_empty(10)
    restored = again(world)
    assert seen(restored) == seen(world)
    assert world.apply([], step=True).debug == restored.apply([], step=True).debug == []
    assert restored.fingerprint() == world.fingerprint()


def test_events_outcomes_scores_and_results_come_back() -> None:
    game = body(
        inputs="""function game.inputs.put(world, player, v)
          world.emit("all", "e", {v = v.value}) world.score(player, v.value / 2) world.reward(player, 0.25)
          if v.value == 9 then world.finish({winner = player}) end
          if v.value % 3 == 0 then return world.reject("no", "No.", {hint = "try", left = {1, 2}}) end
          return {v.value}
        end"""
    )
    world = load(game, PUT)
    join(world)
    join(world)
    for value in range(300):
        act(world, "p_2", "put", value=value if value != 9 else 8)
    restored = again(world)
    assert restored.players == world.players
    assert restored.events("p_1", 1) == world.events("p_1", 1)
    assert restored.events("p_1", 1).missed > 0
    assert restored.first_outcome("p_2", 300) == world.first_outcome("p_2", 300)
    for each in (world, restored):
        act(each, "p_2", "put", value=9, step=True)
    ended = again(world)
    assert ended.finished == restored.finished == world.finished == {"winner": "p_2"}
    assert ended.players == restored.players == world.players
    with pytest.raises(ValueError, match="has finished"):
        ended.apply([], step=True)


def test_a_row_of_raising_ticks_goes_on() -> None:
    world = load(body(tick="error('no')"))
    world.run_empty(60)
    restored = again(world)
    for each in (world, restored):
        with pytest.raises(WorldFaulted):
            each.run_empty(60)
        assert each.tick == 100
        with pytest.raises(WorldFaulted):
            each.snapshot()


# The game of the determinism tests, but with texts alone as keys: what it keeps can be saved.
BUSY = EVERYTHING.replace("bag = {[3] = true, [1] = true, [true] = 1}", "bag = {}").replace(
    "bag[n % 17 - 3] = n", 'bag["m" .. n % 17 - 3] = n'
)


def play(seed: int, *, restore_every: int = 0, snapshot_every: int = 0, ticks: int = 400) -> list[Any]:
    """Play the busy game by the same random numbers; returns fingerprints, and what is seen at the end."""
    world = load(BUSY, TOML, seed=seed)
    chance = random.Random(seed)
    found: list[Any] = []
    for tick in range(1, ticks + 1):
        world.apply(entries_of(world, chance), step=True)
        if restore_every and tick % restore_every == 0:
            world = again(world)
        if snapshot_every and tick % snapshot_every == 0:
            world.snapshot()
        if tick % 20 == 0:
            found.append(world.fingerprint())
    return [*found, *seen(world), state_hash(world.snapshot())]


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("every", [1, 7, 20])
def test_a_world_that_is_restored_again_and_again_is_the_same_world(seed: int, every: int) -> None:
    """In the middle of records too: the fingerprint covers what came before the snapshot was taken."""
    assert play(seed, restore_every=every) == play(seed)


def test_saving_leaves_no_trace() -> None:
    assert play(5, snapshot_every=1) == play(5)


def test_a_long_record_is_saved_with_a_bounded_part_of_it() -> None:
    world = load(BUSY, TOML)
    join(world)
    world.run_empty(3000)
    saved = decode_snapshot(world.snapshot())
    assert len(saved.pending) < 65536 <= 3000 * 60
    assert saved.chain != b""
    assert again(world).fingerprint() == world.fingerprint()


def test_a_restored_world_does_not_hold_on_to_the_snapshot() -> None:
    world = load(body(inputs="function game.inputs.put(world, player) world.emit(player, 'e', {v = 1}) end"), PUT)
    join(world)
    act(world, "p_1", "put")
    snapshot = world.snapshot()
    before = sys.getrefcount(snapshot)
    restored = World.restore(world.code, snapshot)
    assert restored.events("p_1", 1).items
    assert sys.getrefcount(snapshot) == before


def test_a_restored_world_saves_to_the_same_bytes_but_for_the_games_tables() -> None:
    world = put(keeper(), {"a": [1, {"b": "node 1"}], "c": "player 2"})
    first, second = decode_snapshot(world.snapshot()), decode_snapshot(again(world).snapshot())
    assert msgspec.structs.replace(second, values=b"") == msgspec.structs.replace(first, values=b"")
    assert (first.world, first.tick, first.code, first.seed) == ("w_test", 0, world.code.digest, 1)


def test_numbers_come_back_bit_by_bit() -> None:
    values = {"zero": -0.0, "tiny": 5e-324, "huge": 1.7976931348623157e308, "tenth": 0.1, "no": math.nan}
    game = KEEPER.replace(
        "return {value =", "local v = world.state.value return {zero = 1 / v.zero < 0, no = v.no ~= v.no, value ="
    )
    world = load(game, PUT)
    join(world)
    put(world, values)
    restored = msgspec.msgpack.decode(again(world).observe("p_1").data or b"")
    assert restored["zero"] and restored["no"]
    assert all(restored["value"][key] == values[key] for key in ("tiny", "huge", "tenth"))


@pytest.mark.parametrize("damage", [b"", b"\xc1", b"{}", msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode([9])])
def test_other_bytes_are_refused(damage: bytes) -> None:
    with pytest.raises(SnapshotUnreadable, match="take an older one"):
        World.restore(code(body()), damage)


@pytest.mark.parametrize("part", ["scene", "values", "core"])
def test_a_cut_part_is_refused(part: str) -> None:
    whole = decode_snapshot(put(keeper(), {"a": [1, 2]}).snapshot())
    piece = bytes(getattr(whole, part))[:-3]
    cut = msgspec.structs.replace(whole, **{part: msgspec.Raw(b"\xc0") if part == "core" else piece})
    with pytest.raises(SnapshotUnreadable):
        World.restore(code(KEEPER, PUT), encode_snapshot(cut))


def test_another_form_is_refused() -> None:
    whole = decode_snapshot(keeper().snapshot())
    for other in (
        msgspec.structs.replace(whole, version=2),
        msgspec.structs.replace(whole, scene=b"\0" * 6 + b"\xf0?" + whole.scene[8:], values=b""),
    ):
        with pytest.raises(SnapshotUnreadable):
            World.restore(code(KEEPER, PUT), encode_snapshot(other))


def test_a_restored_game_can_make_no_new_globals() -> None:
    world = load(body(inputs="function game.inputs.put() late = 1 end"), PUT)
    join(world)
    for each in (world, again(world)):
        result = act(each, "p_1", "put")
        assert result.outcomes[0].code == "game_error"
        assert "global late would be lost" in result.debug[0].text


def test_an_engine_from_before_there_were_snapshots_still_runs_its_worlds() -> None:
    """Logs name the engine they were played with: old ones are replayed with theirs."""
    files = dict(Engine.current().files)
    host = files["host.lua"].decode()
    for name in ("save", "restore"):
        assert host.count(f"function host.{name}(") == 1
        host = host.replace(f"function host.{name}(", f"local function {name}(")
    old = Engine.from_files(files | {"host.lua": host.encode()})
    world = World.load(code(body()), world_id="w", seed=1, engine=old)
    assert world.run_empty(5).tick == 5
    with pytest.raises(StateNotSaveable, match="the engine is of a version that cannot save worlds"):
        world.snapshot()
    with pytest.raises(SnapshotUnreadable, match="cannot restore worlds"):
        World.restore(code(body()), load(body()).snapshot(), engine=old)


def test_another_engine_restores_and_hashes_what_has_its_form() -> None:
    files = dict(Engine.current().files)
    other = Engine.from_files(files | {"host.lua": files["host.lua"] + b"-- changed\n"})
    world = put(keeper(), {"a": 1})
    snapshot = world.snapshot()
    restored = World.restore(world.code, snapshot, engine=other)
    assert seen(restored) == seen(world)
    assert restored.engine.digest == decode_snapshot(restored.snapshot()).engine == other.digest
    assert state_hash(snapshot, engine=other) == state_hash(snapshot)


def test_a_snapshot_taken_before_anything_happened() -> None:
    world = load(body())
    restored = again(world)
    assert seen(restored) == seen(world)
    assert world.apply([Join("p_1", 1, "a_1", "ada")], step=True) == restored.apply(
        [Join("p_1", 1, "a_1", "ada")], step=True
    )
    assert world.fingerprint() == restored.fingerprint()


def test_inputs_after_it_need_the_next_seq() -> None:
    restored = again(put(keeper(), 1))
    with pytest.raises(ValueError, match="seq 1 of p_1 does not fit"):
        restored.apply([Input("p_1", 1, "put", {"value": 1})], step=False)
    assert restored.next_player_id() == "p_3"
