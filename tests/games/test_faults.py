"""Promise: a game's errors end in an outcome, a debug line or a faulted world: never in a crash, never in silence."""

from __future__ import annotations

import msgspec
import pytest

from games.errors import GameError, ObservationFailed, WorldFaulted
from games.runtime.effects import Input, Join, Leave
from games.runtime.world import Entry
from tests.games.small import act, body, join, load

TOML = """
[inputs.run]
help = "Run."
[events.done]
help = "Done."
"""


def test_a_raising_handler_rejects_its_input_and_keeps_what_it_did() -> None:
    world = load(
        body(
            setup="world.state.n = 0",
            inputs="""
function game.inputs.run(world, player)
  world.state.n = 1
  world.emit(player, "done")
  error("boom")
end""",
            observe="return {n = world.state.n}",
        ),
        TOML,
    )
    join(world)
    result = act(world, "p_1", "run")
    outcome = result.outcomes[0]
    assert (outcome.status, outcome.code) == ("rejected", "game_error")
    assert outcome.message
    assert "boom" not in outcome.message, "an agent is not told about the game's inside"
    assert "boom" in result.debug[0].text
    assert "main.lua:" in result.debug[0].text
    assert "engine/" not in result.debug[0].text
    assert msgspec.msgpack.decode(world.observe("p_1").data or b"") == {"n": 1}
    assert [event.kind for event in world.events("p_1", 1).items] == ["done"]
    assert world.players["p_1"].next_seq == 2, "the seq is used up"


@pytest.mark.parametrize("result", ["print", "{f = print}", "coroutine.create(print)"])
def test_a_result_that_cannot_be_sent_is_the_games_error(result: str) -> None:
    world = load(body(inputs=f"function game.inputs.run() return {result} end"), TOML)
    join(world)
    outcome = act(world, "p_1", "run")
    assert outcome.outcomes[0].code == "game_error"
    assert "cannot be sent" in outcome.debug[0].text


def test_errors_in_join_and_leave_are_lines_for_the_developer() -> None:
    world = load(body(extra="function game.join() error('j') end function game.leave() error({}) end"))
    result = world.apply([Join("p_1", 1, "a", "ada"), Leave("p_1", "left")], step=True)
    assert ["game.join raised" in result.debug[0].text, "game.leave raised" in result.debug[1].text] == [True, True]
    assert [ended.player for ended in result.ended] == ["p_1"]
    assert not world.players


def test_a_raising_tick_is_counted_and_the_world_goes_on() -> None:
    world = load(body(tick="if world.tick % 100 ~= 0 then error('tick') end"))
    for _ in range(250):
        world.apply([], step=True)
    assert world.tick == 250
    assert world.faulted is None


@pytest.mark.parametrize("at_once", [True, False])
def test_a_hundred_raising_ticks_in_a_row_fault_the_world(at_once: bool) -> None:
    world = load(body(tick="if world.tick > 10 then error('tick is broken') end"))
    with pytest.raises(WorldFaulted, match="tick is broken") as caught:
        if at_once:
            world.run_empty(1000)
        else:
            for _ in range(1000):
                world.apply([], step=True)
    assert (caught.value.kind, caught.value.tick, world.tick) == ("tick_failed", 110, 110)
    with pytest.raises(WorldFaulted):
        world.apply([], step=True)


RESOURCE = {
    "stack": "local function f() return 1 + f() end f()",
    "stack in pcall": "local function f() return 1 + f() end pcall(f)",
    "stack in xpcall": "local function f() return 1 + f() end xpcall(f, function() return 'caught' end)",
    "stack in nested pcall": "local function f() local ok = pcall(f) return ok end f()",
    "stack in a coroutine": "local function f() return 1 + f() end coroutine.resume(coroutine.create(f))",
    "stack in wrap": "local function f() return 1 + f() end pcall(coroutine.wrap(f))",
    "in the handler": "local function f() return 1 + f() end xpcall(error, f)",
}


@pytest.mark.parametrize("lua", RESOURCE.values(), ids=RESOURCE.keys())
def test_errors_of_resources_cannot_be_caught(lua: str) -> None:
    """Where they strike depends on the JIT: a game that caught one would have a history that depends on it too."""
    world = load(body(inputs=f"function game.inputs.run(world) {lua} return 'survived' end"), TOML)
    join(world)
    with pytest.raises(WorldFaulted) as caught:
        act(world, "p_1", "run")
    assert caught.value.kind == "resource"
    assert world.faulted is caught.value


@pytest.mark.parametrize(
    "lua",
    [
        "string.rep('x', 2e6)",
        "string.rep('xy', 1e6, ',')",
        "string.find(string.rep('a', 70000), '.-b')",
        "local function f(n) return (string.gsub('a', 'a', function() return f(n + 1) end)) end f(1)",
        "local function f(n) return coroutine.wrap(function() return f(n + 1) end)() end f(1)",
        "local t = setmetatable({}, {}) getmetatable(t).__index = function() return (string.gsub('a', 'a', t)) end "
        "string.gsub('a', 'a', t)",
    ],
)
def test_what_would_exhaust_the_process_is_an_ordinary_error(lua: str) -> None:
    world = load(body(inputs=f"function game.inputs.run(world) return {{pcall(function() {lua} end)}} end"), TOML)
    join(world)
    for _ in range(3):
        outcome = act(world, "p_1", "run").outcomes[0]
        assert outcome.status == "applied"
        assert outcome.result is not None
        ok, message = msgspec.msgpack.decode(outcome.result)
        assert not ok
        assert "at most" in message or "nested deeper" in message


def test_a_raising_observe_names_its_line_and_changes_nothing() -> None:
    world = load(body(observe="\n\nerror('cannot see')", view="return nil"))
    join(world)
    before = world.fingerprint()
    with pytest.raises(ObservationFailed, match=r"w_test@0: main\.lua:\d+: cannot see") as caught:
        world.observe("p_1")
    assert "main.lua:" in caught.value.traceback
    with pytest.raises(ObservationFailed, match=r"game\.view must return a table"):
        world.view()
    world.apply([], step=True)
    assert world.fingerprint() != before


def test_an_observe_that_returns_no_table_is_told_so() -> None:
    world = load(body(observe="return 5"))
    join(world)
    with pytest.raises(ObservationFailed, match=r"game\.observe must return a table, it returned a number"):
        world.observe("p_1")


def test_a_raising_setup_refuses_to_load() -> None:
    with pytest.raises(GameError, match=r"^small/main\.lua:\d+: no land$") as caught:
        load("local game = {observe = print}\nfunction game.setup()\n error('no land')\nend\nreturn game")
    assert caught.value.line == 3


def test_entries_that_do_not_fit_change_nothing() -> None:
    world = load(body(inputs="function game.inputs.run() end"), TOML)
    join(world)
    before = world.tick
    wrong: list[list[Entry]] = [
        [Join("p_3", 2, "a", "n")],
        [Join("p_2", 1, "a", "n")],
        [Join("p_2", 5, "a", "n")],
        [Input("p_1", 2, "run", {})],
        [Input("p_1", 1, "fly", {})],
        [Input("p_2", 1, "run", {})],
        [Leave("p_2", "left")],
        [Leave("p_1", "left"), Input("p_1", 1, "run", {})],
        [Input("p_1", 1, "run", {}), Input("p_1", 1, "run", {})],
    ]
    for entries in wrong:
        with pytest.raises(ValueError, match="w_test@0: "):
            world.apply(entries, step=True)
    assert (world.tick, world.next_player_id(), world.players["p_1"].next_seq) == (before, "p_2", 1)


def test_a_seat_is_free_again_within_a_tick() -> None:
    world = load(body(inputs="function game.inputs.run() end"), TOML)
    join(world)
    world.apply([Leave("p_1", "left"), Join("p_2", 1, "b", "bob"), Input("p_2", 1, "run", {})], step=True)
    assert list(world.players) == ["p_2"]
