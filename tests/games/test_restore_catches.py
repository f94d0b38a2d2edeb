"""Promise: a game that keeps something outside of world.state is found by restoring it in the middle: the restored
world goes on differently. Each mutant is a game that makes the mistake; the honest games do not make it."""

from __future__ import annotations

import pytest

from games.errors import StateNotSaveable
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from tests.games.small import act, body, code, join

RUN = '[inputs.run]\nhelp = "Run."'
TICKS = 40
EVERY = 10


def differs(main: str, **modules: str) -> str | None:
    """Play a game twice, once restored every so often; returns what differs first, or None.

    Raises StateNotSaveable.
    """
    if "function game.inputs.run" not in main:
        main = main.replace("return game\n", f"{NOTHING}\nreturn game\n")
    game = code(main, RUN, **modules)
    plain, restored = (World.load(game, world_id="w", seed=1) for _ in range(2))
    for world in (plain, restored):
        join(world)
    for tick in range(1, TICKS + 1):
        for world in (plain, restored):
            act(world, "p_1", "run", step=True)
        if tick % EVERY == 0:
            if state_hash(plain.snapshot()) != state_hash(restored.snapshot()):
                return f"hash at {tick}"
            if plain.fingerprint() != restored.fingerprint():
                return f"fingerprint at {tick}"
            if plain.observe("p_1") != restored.observe("p_1"):
                return f"observation at {tick}"
            restored = World.restore(game, restored.snapshot())
    return None


NOTHING = "function game.inputs.run() end"
SETUP = "world.state.n, world.state.list = 0, {1, 2, 3}"
INPUT = "function game.inputs.run(world, player) %s end"

MUTANTS = {
    "a variable of the module that changes": body(
        setup=SETUP, extra="local count = 0", tick="count = count + 1 world.state.n = count"
    ),
    "a variable that only shows in results": body(
        setup=SETUP, extra="local count = 0", inputs=INPUT % "count = count + 1 return count"
    ),
    "a variable that only shows when somebody looks": body(
        setup=SETUP, extra="local count = 0", tick="count = count + 1", observe="return {count = count}"
    ),
    "the state kept in an upvalue": body(
        setup=SETUP + " kept = world.state",
        extra="local kept",
        tick="local state = kept or world.state state.n = state.n + 1",
        observe="return {n = kept and kept.n}",
    ),
    "a table of the state kept in an upvalue": body(
        setup=SETUP + " list = world.state.list",
        extra="local list = {}",
        tick="list[1] = (list[1] or 0) + 1 world.state.n = world.state.list[1]",
    ),
    "a cache in a field of a function's table": body(
        setup=SETUP, extra="local memo = {}", tick="memo[#memo + 1] = 1 world.state.n = #memo"
    ),
    "a handle kept in an upvalue": body(
        setup=SETUP + " node = world.scene:spawn('n')",
        extra="local node",
        tick="if node then node.x = node.x + 1 end",
    ),
    "a stream kept in an upvalue": body(
        setup=SETUP + " stream = world.stream('s')",
        extra="local stream",
        tick="world.state.n = stream and stream(9) or 0",
    ),
    "a coroutine across ticks": body(
        setup=SETUP,
        extra="local walk = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end)",
        tick="world.state.n = walk()",
    ),
}


@pytest.mark.parametrize("main", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_game_that_keeps_something_elsewhere_is_found(main: str) -> None:
    found = differs(main)
    assert found is not None
    assert not found.endswith(f" {EVERY}"), "the two differ before anything was restored"


def test_a_module_of_its_own_that_counts_is_found() -> None:
    main = body(
        setup=SETUP,
        extra="local counter = require('counter')",
        tick="counter.n = counter.n + 1 world.state.n = counter.n",
    )
    assert differs(main, counter="return {n = 0}") is not None


def test_a_list_with_a_hole_is_found() -> None:
    with pytest.raises(StateNotSaveable, match=r"state\.list\[2\] is a hole in a list"):
        differs(body(setup=SETUP, tick="world.state.list[2] = nil world.state.n = #world.state.list"))


HONEST = {
    "everything in the state": body(setup=SETUP, tick="world.state.n = world.state.n + 1 return world.state.list"),
    "constants in variables": body(
        setup=SETUP, extra="local STEP, TABLE = 2, {5, 6}", tick="world.state.n = world.state.n + STEP + TABLE[1]"
    ),
    "a variable that is written before it is read": body(
        setup=SETUP, extra="local scratch", tick="scratch = world.tick world.state.n = scratch"
    ),
    "random numbers": body(
        setup=SETUP, tick="world.state.n = world.random(100) world.state.list[2] = world.stream('s')(9)"
    ),
    "random numbers as it loads": body(
        setup=SETUP, extra="local OFFSET = math.random(1000)", tick="world.state.n = world.tick + OFFSET"
    ),
    "nodes and players in the state": body(
        setup=SETUP + " world.state.node = world.scene:spawn('n')",
        inputs=INPUT % "world.state.who = player return {player, world.state.node}",
        tick="world.state.node.x = world.state.node.x + 0.1",
        observe="return {x = world.state.node.x, me = world.state.who == player}",
    ),
}


@pytest.mark.parametrize("main", HONEST.values(), ids=HONEST.keys())
def test_a_game_that_keeps_all_in_the_state_passes(main: str) -> None:
    assert differs(main) is None
