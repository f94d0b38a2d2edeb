"""Promise: what a game keeps and no snapshot can hold is refused with its path, in the same words in every run, and
refusing changes nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from games.errors import StateNotSaveable
from games.runtime.world import World
from tests.games.small import act, body, join, load

RUN = '[inputs.run]\nhelp = "Run."'
NAMES = "local state, scene, map = world.state, world.scene, world.map "


def prepared(lua: str) -> World:
    """A world in which this Lua has run, with one player and the nodes 1 and 2."""
    game = body(
        setup="world.scene:spawn('tree') world.scene:spawn('tree')",
        inputs=f"function game.inputs.run(world, player) {NAMES} {lua} end",
        observe="return {n = world.state.n, count = #(world.state.list or {})}",
    )
    world = load(game, RUN)
    result = act(world, join(world), "run")
    assert result.outcomes[0].status == "applied", result.debug
    return world


REFUSED = {
    "a function": ("state.f = function() end", "state.f is a function: "),
    "a function of the engine": ("state.deep = {{f = print}}", "state.deep[1].f is a function: "),
    "a coroutine": ("state.c = coroutine.create(print)", "state.c is a coroutine: "),
    "a metatable": ("state.o = setmetatable({}, {})", "state.o has a metatable: "),
    "a metatable with __index": ("state.o = setmetatable({}, {__index = table})", "state.o has a metatable: "),
    "the world": ("state.w = world", "state.w is world: only nodes and players can be kept"),
    "the scene": ("state.s = {scene}", "state.s[1] is world.scene: "),
    "a stream": ("state.s = world.stream('x')", "state.s is a random stream: "),
    "a list of the engine": ("state.s = world.players", "state.s is a list of the engine: "),
    "a rejection": ("state.r = world.reject('no', 'No.')", "state.r is a rejection: "),
    "a shared table": (
        "state.players = {p1 = {}} state.teams = {{}, {leader = state.players.p1}}",
        "state.teams[2].leader is the same table as state.players.p1: store an id",
    ),
    "a table that is shared by a node": (
        "state.bag = {1} scene:get(2).data.bag = state.bag",
        "scene:get(2).data.bag is the same table as state.bag: store an id",
    ),
    "a node's data in the state": (
        "scene:get(2).data.x = 1 state.d = scene:get(2).data",
        "scene:get(2).data is the same table as state.d: store an id",
    ),
    "the settings in the state": ("state.s = world.settings", "settings is the same table as state.s: store an id"),
    "a cycle": ("state.a = {b = {}} state.a.b.c = state.a", "state.a.b.c is the same table as state.a: store an id"),
    "the state in itself": ("state.me = state", "state.me is the same table as state: store an id"),
    "texts and numbers": ("state.t = {1, 2, n = 2}", "state.t has both texts and numbers as keys: "),
    "a boolean as a key": ("state.t = {[true] = 1}", "state.t has a boolean as a key: "),
    "a node as a key": ("state.t = {x = {[scene:get(1)] = 1}}", "state.t.x has a table as a key: "),
    "a fraction as a key": ("state.t = {[2.5] = 1}", "state.t[2.5] has a key that is no whole number: "),
    "infinity as a key": ("state.t = {[math.huge] = 1}", "state.t[inf] has a key that is no whole number: "),
    "a hole": ("state.t = {1, 2, nil, 4}", "state.t[3] is a hole in a list: "),
    "a hole at 2": ("state.t = {[1] = 1, [90] = 1}", "state.t[2] is a hole in a list: "),
    "zero beside a list": ("state.t = {[0] = 1, 2, 3}", "state.t[0] stands beside a list: "),
    "zero beside a list with a hole": ("state.t = {[0] = 1, 2, [3] = 3}", "state.t[0] stands beside a list: "),
    "an odd key": ("state['a b'] = {['x\"y'] = print}", 'state["a b"]["x\\"y"] is a function: '),
    "a key with a number": ("state.t = {[-7] = print}", "state.t[-7] is a function: "),
    "in a node's data": ("scene:get(1).data.f = print", "scene:get(1).data.f is a function: "),
    "in the settings": ("world.settings.f = print", "settings.f is a function: "),
    "61 tables deep": (
        "local t = state for i = 1, 60 do t.x = {} t = t.x end",
        "state" + ".x" * 60 + " is nested deeper than 60 tables",
    ),
    "a list of the engine that was changed": ("world.players[1] = nil", "world.players has been changed: "),
    "a word in a metatable": (
        "local word = '__mo' .. 'de' local m = {} setmetatable({}, m) m[word] = 'k'",
        "a metatable has a word that is refused: ",
    ),
    "the first of several": ("state.b = print state.a = {z = print, y = print}", "state.a.y is a function: "),
}


@pytest.mark.parametrize(("lua", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused_with_its_path(lua: str, words: str) -> None:
    world = prepared(lua)
    with pytest.raises(StateNotSaveable) as caught:
        world.snapshot()
    assert f"{caught.value.path} {caught.value.reason}".startswith(words)
    assert str(caught.value).startswith(f"w_test@0: {words}")


def test_the_words_are_those_of_the_reference() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "game-api.md").read_text()
    section = page[page.index("## What state may hold") : page.index("## Lua in a world")]
    written = re.findall(r"^\| `\S+ (.+?)…?` \|", section, re.MULTILINE)
    assert len(written) == 10
    reasons = []
    for lua, _ in REFUSED.values():
        with pytest.raises(StateNotSaveable) as caught:
            prepared(lua).snapshot()
        reasons.append(f"{caught.value.path} {caught.value.reason}")
    assert [words for words in written if not any(words in reason for reason in reasons)] == []


SAVED = {
    "60 tables deep": "local t = state for i = 1, 59 do t.x = {} t = t.x end",
    "a map of numbers": "state.t = {[2] = 1, [5] = 2, [-3] = 3, [0] = 4}",
    "a node twice": "state.a, state.b = scene:get(1), {scene:get(1), player, player}",
    "equal tables": "state.a, state.b = {1}, {1}",
    "empty tables": "state.a, state.b, scene:get(1).data = {}, {{}, {}}, {}",
    "a world.map": "state.a = map{x = 1, y = map{}}",
    "a list with false": "state.t = {1, false, 3}",
}


@pytest.mark.parametrize("lua", SAVED.values(), ids=SAVED.keys())
def test_it_is_saved(lua: str) -> None:
    world = prepared(lua)
    assert World.restore(world.code, world.snapshot()).observe("p_1") == world.observe("p_1")


def test_a_refusal_changes_nothing_and_the_world_goes_on() -> None:
    lua = "state.n, state.node, state.me = 1, scene:get(1), player"
    refused, plain = prepared(lua + " state.f = print"), prepared(lua)
    for _ in range(3):
        with pytest.raises(StateNotSaveable):
            refused.snapshot()
        for world in (refused, plain):
            world.apply([], step=True)
    assert refused.observe("p_1") == plain.observe("p_1")
    assert refused.faulted is None
    assert refused.fingerprint() == plain.fingerprint()
    assert act(refused, "p_1", "run").outcomes[0].status == "applied"
