"""Promise: looking at a world never changes it."""

from __future__ import annotations

import msgspec
import pytest

from games.errors import ObservationFailed, WorldFaulted
from games.runtime.looking import COMPARED_EVERY, COMPARED_FIRST
from games.runtime.world import World
from tests.games.small import act, body, join, load

EVENT = '[events.e]\nhelp = "E."'
RUN = '[inputs.run]\nhelp = "Run."'

MUTATORS = {
    "emit": "world.emit(world.players[1], 'e')",
    "random": "world.random()",
    "math.random": "math.random()",
    "shuffle": "world.shuffle({1, 2})",
    "a stream": "world.stream('known')()",
    "a new stream": "world.stream('new')",
    "score": "world.score(world.players[1], 5)",
    "reward": "world.reward(world.players[1], 5)",
    "finish": "world.finish()",
    "world.state": "world.state = {}",
    "after": "world.after(1, 'ring')",
    "every": "world.every(1, 'ring')",
    "cancel": "world.cancel(1)",
    "kick": "world.kick(world.players[1])",
    "spawn": "world.scene:spawn('x')",
    "destroy": "node:destroy()",
    "set": "node:set({x = 1})",
    "x": "node.x = 1",
    "name": "node.name = 'x'",
    "data": "node.data = {}",
    "parent": "node.parent = nil",
    "add_tag": "node:add_tag('x')",
    "remove_tag": "node:remove_tag('x')",
}


@pytest.mark.parametrize("where", ["observe", "describe", "view", "actions"])
@pytest.mark.parametrize("lua", MUTATORS.values(), ids=MUTATORS.keys())
def test_nothing_can_be_changed_while_looking(where: str, lua: str) -> None:
    game = body(
        setup="world.scene:spawn('tree') world.stream('known')",
        extra=f"local function change(world) local node = world.scene:get(1) {lua} end",
    ).replace("return game\n", f"function game.{where}(world) change(world) return {{}} end\nreturn game\n")
    world = load(game, EVENT)
    join(world)
    before = world.fingerprint()
    with pytest.raises(ObservationFailed, match="is not possible in"):
        if where == "view":
            world.view()
        else:
            world.observe("p_1")
    assert world.fingerprint() != before
    untouched = load(game, EVENT)
    join(untouched)
    assert untouched.fingerprint() == before


def test_the_game_may_change_things_again_after_a_look_that_failed() -> None:
    world = load(
        body(observe="world.random()", inputs="function game.inputs.run(world) return world.random(6) end"), RUN
    )
    join(world)
    with pytest.raises(ObservationFailed):
        world.observe("p_1")
    assert act(world, "p_1", "run").outcomes[0].status == "applied"


@pytest.mark.parametrize(
    ("observe", "path"),
    [
        ("world.state.fresh.x = 1 return {}", "state.fresh.x"),
        ("world.state.seen = (world.state.seen or 0) + 1 return {}", "state.seen"),
        ("world.state.list[2].hp = 5 return {}", r"state.list\[2\].hp"),
        ("table.remove(world.state.list) return {}", r"state.list\[2\]"),
        ("world.scene:get(1).data.looks = 1 return {}", "nodes.1"),
    ],
)
def test_a_look_that_writes_plain_state_faults_the_world_and_names_the_path(observe: str, path: str) -> None:
    world = load(
        body(
            setup="world.state.list, world.state.fresh = {{hp = 1}, {hp = 2}}, {} world.scene:spawn('t')",
            observe=observe,
        )
    )
    join(world)
    with pytest.raises(WorldFaulted, match=path) as caught:
        world.observe("p_1")
    assert caught.value.kind == "observe_writes"


def test_reading_everything_is_no_write() -> None:
    world = load(
        body(
            setup="world.state.list = {1, 2} world.scene:spawn('t')",
            observe="""
            local node = world.scene:get(1)
            local found = {node.data.nothing == nil, #node.tags, #world.scene:within(0, 0, 9), world.stream == nil}
            for _ in pairs(world.state.list) do end
            world.debug("looked")
            return {found = found, tick = world.tick, players = #world.players}""",
        )
    )
    join(world)
    for _ in range(COMPARED_FIRST + 5):
        world.observe("p_1")
        world.apply([], step=True)


def test_an_observation_is_computed_once_per_state_of_the_world() -> None:
    """Counted by debug lines: one each time the game's function runs."""
    world = load(
        body(observe="world.debug('data') return {tick = world.tick}").replace(
            "return game\n",
            "function game.describe(world) world.debug('text') return 'tick ' .. world.tick end\nreturn game\n",
        )
    )
    join(world)
    for _ in range(3):
        seen = world.observe("p_1")
        assert world.observe("p_1", "data").data == seen.data
        assert world.observe("p_1", "text").text == seen.text == "tick 0"
    lines = [line.text for line in world.apply([], step=True).debug]
    assert sorted(lines) == ["data", "text"]
    world.observe("p_1", "text")
    assert [line.text for line in world.apply([], step=True).debug] == ["text"]
    assert world.observe("p_1", "data").text is None
    assert world.observe("p_1", "text").data is None


def test_entries_between_ticks_give_a_new_observation() -> None:
    world = load(body(observe="return {n = #world.players}"))
    join(world)
    first = world.observe("p_1").data
    join(world)
    assert world.observe("p_1").data != first


def test_without_describe_the_text_is_made_of_the_declared_fields() -> None:
    toml = """
    [observation.fields]
    speed = { type = "number" }
    near = { type = "list", of = "string" }
    """
    world = load(body(observe="return {near = {'a', 'b'}, speed = 2.5, hidden = 1}"), toml)
    join(world)
    assert world.observe("p_1").text == 'speed: 2.5\nnear: ["a","b"]'
    assert msgspec.msgpack.decode(world.observe("p_1").data or b"") == {"near": ["a", "b"], "speed": 2.5, "hidden": 1}


def test_a_long_description_is_cut() -> None:
    world = load(
        body().replace("return game\n", "function game.describe() return string.rep('ä', 2000) end\nreturn game\n")
    )
    join(world)
    assert world.observe("p_1").text == "ä" * 1199 + "…"


WRITES_LATE = "if world.state.n == nil then return {} end world.state.n = world.state.n + 1 return {}"


def looks_until_found(world: World, most: int) -> int:
    """How many looks a world gets through that writes at each of them."""
    for look in range(most):
        try:
            world.observe("p_1")
        except WorldFaulted:
            return look
        world.apply([], step=True)
    return most


def test_after_the_first_looks_one_in_a_hundred_is_compared() -> None:
    """Counted over all worlds of one version of a game in this process; nothing in a world depends on it."""
    game = body(observe=WRITES_LATE, inputs="function game.inputs.run(world) world.state.n = 0 end")
    world = load(game, RUN)
    join(world)
    assert looks_until_found(world, COMPARED_FIRST) == COMPARED_FIRST, "these write nothing"
    act(world, "p_1", "run")
    assert looks_until_found(world, 200) == COMPARED_EVERY - COMPARED_FIRST
    always = load(game, RUN)
    join(always)
    act(always, "p_1", "run")
    always.compare_looks()
    assert looks_until_found(always, 200) == 0


@pytest.mark.parametrize("where", ["view", "actions"])
def test_other_looks_are_compared_too(where: str) -> None:
    function = f"function game.{where}(world) world.state.n = 1 return {{}} end\n"
    world = load(body().replace("return game\n", function + "return game\n"))
    join(world)
    with pytest.raises(WorldFaulted, match=rf"game\.{where} changed state\.n: it may only read"):
        world.view() if where == "view" else world.observe("p_1")
