"""Promise: the hash of a state is the same however a world came to it and wherever it is computed, and another one as
soon as any single value differs."""

from __future__ import annotations

import copy
import os
import random
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from games.errors import SnapshotUnreadable
from games.runtime.effects import Join, Leave
from games.runtime.snapshots import decode_snapshot, encode_snapshot, state_hash
from games.runtime.world import World
from tests.games.small import act, body, join, load
from tests.games.test_snapshot import LEAVES, PUT, VALUES, again, keeper, play, put

ROOT = Path(__file__).resolve().parents[2]


def hash_of(world: World) -> bytes:
    return state_hash(world.snapshot())


BASE = decode_snapshot(keeper().snapshot())


def hash_of_tables(world: World) -> bytes:
    """The hash of a world that differs from others in the game's tables alone."""
    return state_hash(encode_snapshot(msgspec.structs.replace(BASE, values=decode_snapshot(world.snapshot()).values)))


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same value with the keys of all maps in another order."""
    if isinstance(value, dict):
        if "numbered" in value:
            pairs = [[key, shuffled(below, chance)] for key, below in value["numbered"]]
            chance.shuffle(pairs)
            return {"numbered": pairs}
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(below, chance) for below in value] if isinstance(value, list) else value


@settings(max_examples=100, deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_in_which_keys_were_written_does_not_matter(value: Any, chance: random.Random) -> None:
    assert hash_of_tables(put(keeper(), shuffled(value, chance))) == hash_of_tables(put(keeper(), value))


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values that are no tables, and of all empty tables."""
    if isinstance(value, dict) and value:
        return [found for key, below in value.items() for found in leaves(below, (*path, key))]
    if isinstance(value, list) and value:
        return [found for i, below in enumerate(value) for found in leaves(below, (*path, i))]
    return [path]


def in_lua(value: Any) -> Any:
    """What a leaf is for Lua: numbers by their bits, every NaN the same, a list and a map alike when empty."""
    if isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return "nan" if value != value else struct.pack("<d", value)
    return "table"


@settings(max_examples=150, deadline=None)
@given(VALUES, LEAVES | st.sampled_from([[[]], {"k": 1}]), st.data())
def test_any_single_value_that_differs_gives_another_hash(value: Any, other: Any, data: st.DataObject) -> None:
    changed: Any = [copy.deepcopy(value)]
    path = data.draw(st.sampled_from(leaves(changed)))
    # The keys in {"numbered": [[key, value], …]} are no values.
    assume(path[-1] != "numbered")
    assume(not any(part == "numbered" and path[i + 2 : i + 3] == (0,) for i, part in enumerate(path)))
    holder = changed
    for part in path[:-1]:
        holder = holder[part]
    assume(in_lua(holder[path[-1]]) != in_lua(other))
    holder[path[-1]] = other
    assert hash_of_tables(put(keeper(), changed[0])) != hash_of_tables(put(keeper(), value))


NEAR = {
    "nothing": "",
    "a value": "state.a = 2",
    "its type": "state.a = '1'",
    "its sign": "state.a = -0.0",
    "a key": "state.a = nil state.A = 1",
    "a key's type": "state.map = {['5'] = 'five'}",
    "one more": "state.b = 1",
    "two places swapped": "state.list = {'y', 'x'}",
    "values of two tables swapped": "state.left.x, state.right.x = 3, 1",
    "tables in two tables swapped": "state.left.in_it, state.right.in_it = state.right.in_it, state.left.in_it",
    "two tables swapped": "state.left, state.right = state.right, state.left",
    "a value moved up": "state.list = {'x'} state.y = 'y'",
    "an empty table": "state.e = {}",
    "an empty map": "state.e = world.map{}",
    "a list that is a map on the wire": "world.map(state.list)",
    "a node instead of its id": "state.id = scene:get(1)",
    "a player instead of a node": "state.id = player",
    "position": "scene:get(1).x = 1",
    "minus zero": "scene:get(1).x = -0.0",
    "size": "scene:get(2).sz = 1.0000000001",
    "name": "scene:get(1).name = 'n'",
    "label": "scene:get(1).label = 'n'",
    "colour of another": "scene:get(2).colour = 'n'",
    "kind": "scene:get(1).kind = 'trees'",
    "a tag": "scene:get(1):add_tag('t')",
    "a tag of another": "scene:get(2):add_tag('t')",
    "a parent": "scene:get(1).parent = scene:get(2)",
    "the other parent": "scene:get(2).parent = scene:get(1)",
    "data": "scene:get(1).data.x = 1",
    "data of another": "scene:get(2).data.x = 1",
    "one node more": "scene:spawn('tree')",
    "one id more": "scene:spawn('tree'):destroy()",
    "one node less": "scene:get(1):destroy()",
    "a random number": "world.random()",
    "a new stream": "world.stream('s')",
    "a number of a stream": "world.stream('s')()",
    "a score": "world.score(player, 1)",
    "a reward": "world.reward(player, 0)",
    "an event": "world.emit(player, 'e', {v = 1})",
    "another event": "world.emit(player, 'e', {v = 2})",
    "an event for all": "world.emit('all', 'e', {v = 1})",
    "an error": "error('no')",
    "a result": "return {1}",
    "a rejection": "return world.reject('no', 'No.')",
    "a finish": "world.finish()",
    "another finish": "world.finish(1)",
    "settings": "world.settings.x = 1",
    "state": "world.state = {}",
}


def near(lua: str) -> World:
    game = body(
        setup="""world.scene:spawn('tree') world.scene:spawn('tree')
        world.state = {a = 1, list = {'x', 'y'}, map = {[5] = 'five'}, id = 1}
        world.state.left, world.state.right = {x = 1, in_it = {y = 2}}, {x = 3, in_it = {y = 4}}""",
        inputs=f"function game.inputs.put(world, player) local state, scene = world.state, world.scene {lua} end",
    )
    world = load(game, PUT)
    join(world)
    join(world)
    act(world, "p_1", "put")
    return world


def test_each_part_of_a_world_counts() -> None:
    found = {name: hash_of(near(lua)) for name, lua in NEAR.items()}
    left, renamed, later = near(""), near(""), near("")
    left.apply([Leave("p_2", "left")], step=False)
    renamed.apply([Leave("p_2", "left"), Join("p_3", 2, "a_p_2", "ada")], step=False)
    later.apply([], step=True)
    found |= {"left": hash_of(left), "renamed": hash_of(renamed), "later": hash_of(later)}
    doubles = [name for name, digest in found.items() if list(found.values()).count(digest) > 1]
    assert not doubles
    assert hash_of(near("")) == found["nothing"]


def test_no_number_is_one_value_whatever_its_bits() -> None:
    """Which bits a NaN has depends on what computed it: the JIT or the interpreter."""
    found = {hash_of_tables(near(f"state.a = {lua}")) for lua in ("0 / 0", "-(0 / 0)", "math.huge - math.huge")}
    assert len(found) == 1
    assert hash_of_tables(near("state.a = 0")) not in found


def test_two_ways_to_the_same_world_hash_equal() -> None:
    """Slots, caches, the order of writes and what has come and gone in between leave no trace."""
    ways = [
        """for i = 1, 40 do scene:spawn("k", {x = i, tags = {"b", "a"}}) end
           for i = 1, 20 do scene:get(i):destroy() end
           scene:spawn("k", {name = "new"})
           for i = 1, 9 do state["k" .. i] = {n = i} end
           state.first, state.gone = scene:get(30), nil""",
        """for i = 1, 40 do scene:spawn("k", {tags = {"a"}}).x = i end
           for i = 20, 1, -1 do scene:get(i):destroy() end
           local new = scene:spawn("x") new.kind, new.name, new.label = "k", "new", "l"
           new.label = nil
           for i = 21, 40 do scene:get(i):add_tag("c") scene:get(i):add_tag("b") scene:get(i):remove_tag("c") end
           for i = 40, 1, -1 do state["k" .. i] = {m = i, n = i} end
           for i = 40, 10, -1 do state["k" .. i] = nil end
           for i = 1, 9 do state["k" .. i].m = nil end
           scene:get(21).parent = new scene:get(21).parent = nil
           local empty = scene:get(25).data
           local all, tagged = scene:descendants(), scene:tagged("b")
           state.first = scene:get(30)""",
    ]
    worlds = []
    for lua in ways:
        game = body(
            inputs=f"function game.inputs.put(world) local state, scene = world.state, world.scene {lua} end",
            observe="return {s = world.state, t = world.scene:tagged('b'), d = world.scene:descendants()}",
        )
        world = load(game, PUT)
        join(world)
        result = act(world, "p_1", "put")
        assert result.outcomes[0].status == "applied", result.debug
        worlds.append(world)
    assert worlds[0].observe("p_1") == worlds[1].observe("p_1")
    assert hash_of(worlds[0]) == hash_of(worlds[1]) == hash_of(again(worlds[0])) == hash_of(again(worlds[1]))


def test_the_name_of_a_world_its_code_and_its_past_do_not_count() -> None:
    snapshot = decode_snapshot(put(keeper(), 1).snapshot())
    other = msgspec.structs.replace(snapshot, world="w", code="c", engine="e", chain=b"c" * 8, pending=b"p")
    assert state_hash(encode_snapshot(other)) == state_hash(encode_snapshot(snapshot))


def test_two_processes_and_many_threads_get_the_same() -> None:
    program = "from tests.games.test_snapshot import play; print(play(5)[-1].hex())"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
        ).stdout.strip()
        for hash_seed in ("1", "2")
    ]
    snapshots = [put(keeper(), {"n": [n] * 50}).snapshot() for n in range(40)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(state_hash, snapshots * 5))
    assert together == [state_hash(snapshot) for snapshot in snapshots] * 5
    assert len(set(together)) == 40
    assert runs == [play(5)[-1].hex()] * 2


@pytest.mark.parametrize("damage", [b"", b"\xc1", msgspec.msgpack.encode([1, 2])])
def test_other_bytes_are_refused(damage: bytes) -> None:
    with pytest.raises(SnapshotUnreadable):
        state_hash(damage)


def test_cut_tables_are_refused() -> None:
    snapshot = decode_snapshot(put(keeper(), {"a": [1, 2]}).snapshot())
    with pytest.raises(SnapshotUnreadable):
        state_hash(encode_snapshot(msgspec.structs.replace(snapshot, values=snapshot.values[:-3])))
