"""Promise: a timer calls its function at its tick, once or again and again, and a snapshot holds it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from games.errors import GameError, StateNotSaveable
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from tests.games.small import act, body, error_of, join, load

RUN = '[inputs.run]\nhelp = "Run."'
TIMERS = """
game.timers = {}
local function note(world, what) local s = world.state s.log = s.log or {} s.log[#s.log + 1] = world.tick .. what end
function game.timers.ring(world, data) note(world, data and data.text or "ring") end
function game.timers.boom(world) note(world, "boom") error("boom") end
function game.timers.stop(world, data) note(world, "stop") world.cancel(world.state.id) end
function game.timers.again(world) note(world, "again") if world.tick < 6 then world.after(1, "again") end end
"""


def clockwork(setup: str = "", run: str = "", tick: str = "") -> World:
    inputs = f"function game.inputs.run(world, player, args) {run} end"
    return load(body(extra=TIMERS, setup=setup, inputs=inputs, tick=tick, observe="return {world.state.log}"), RUN)


def log(world: World) -> Any:
    """What the timers noted: tick and text."""
    if not world.players:
        join(world)
    return (msgspec.msgpack.decode(world.observe("p_1", "data").data or b"") or [None])[0]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_timer_is_called_once_at_its_tick(at_once: bool) -> None:
    world = clockwork("world.after(3, 'ring') world.after(3, 'ring', {text = 'second'}) world.after(1, 'ring')")
    if at_once:
        world.run_empty(9)
    else:
        for _ in range(9):
            world.apply([], step=True)
    assert log(world) == ["1ring", "3ring", "3second"]


def test_a_timer_that_repeats_goes_on_until_it_is_cancelled() -> None:
    world = clockwork("world.state.id = world.every(2, 'ring') world.after(7, 'stop')")
    world.run_empty(20)
    assert log(world) == ["2ring", "4ring", "6ring", "7stop"]


def test_timers_of_one_tick_come_in_the_order_in_which_they_were_set() -> None:
    world = clockwork(
        "world.every(2, 'ring', {text = 'a'}) world.after(4, 'ring', {text = 'b'})",
        tick="if world.tick == 2 then world.after(2, 'ring', {text = 'c'}) end",
    )
    world.run_empty(4)
    assert log(world) == ["2a", "4a", "4b", "4c"]


def test_timers_come_after_the_inputs_of_their_tick_and_before_game_tick() -> None:
    world = clockwork(
        "world.after(2, 'ring')",
        run="table.insert(world.state.log, world.tick .. 'input')",
        tick="world.state.log = world.state.log or {} table.insert(world.state.log, world.tick .. 'tick')",
    )
    join(world)
    world.apply([], step=True)
    act(world, "p_1", "run", step=True)
    assert log(world) == ["1tick", "2input", "2ring", "2tick"]


def test_a_timer_may_set_itself_again_and_may_cancel_another_of_its_own_tick() -> None:
    world = clockwork("world.after(5, 'again')")
    world.run_empty(9)
    assert log(world) == ["5again", "6again"]
    world = clockwork("world.after(5, 'stop') world.state.id = world.after(5, 'ring')")
    world.run_empty(9)
    assert log(world) == ["5stop"]


def test_cancel_tells_whether_the_timer_was_still_to_come() -> None:
    world = clockwork(
        "world.state.id = world.after(2, 'ring')",
        run="return {world.cancel(world.state.id), world.cancel(world.state.id), world.cancel(99)}",
    )
    join(world)
    outcome = act(world, "p_1", "run").outcomes[0]
    assert outcome.result is not None
    assert msgspec.msgpack.decode(outcome.result) == [True, False, False]
    world.run_empty(5)
    assert log(world) is None


def test_a_raising_timer_counts_as_a_raising_tick_and_stops_nothing_else() -> None:
    world = clockwork("world.every(1, 'boom') world.every(1, 'ring')")
    result = world.run_empty(3)
    assert log(world) == ["1boom", "1ring", "2boom", "2ring", "3boom", "3ring"]
    assert "game.timers.boom raised" in result.debug[0].text
    assert "main.lua:" in result.debug[0].text
    with pytest.raises(Exception, match="100 times in a row"):
        world.run_empty(200)
    assert world.tick == 100


def test_no_timer_runs_in_a_world_that_has_finished() -> None:
    world = load(
        body(
            extra="""game.timers = {}
            function game.timers.over(world) world.finish({won = true}) end
            function game.timers.late(world) error("late") end""",
            setup="world.after(2, 'over') world.after(2, 'late')",
        )
    )
    result = world.run_empty(5)
    assert (result.tick, result.finished, result.debug) == (2, {"won": True}, [])


def test_a_restored_world_goes_on_with_its_timers() -> None:
    setup = """world.state.id = world.every(3, 'ring') world.scene:spawn('bell')
    world.after(9, 'ring', {text = 'nine', bell = world.scene:get(1), deep = {{1, 2}}})"""
    straight, stopped = clockwork(setup), clockwork(setup)
    straight.run_empty(12)
    for ticks in (2, 3, 5, 2):
        stopped.run_empty(ticks)
        stopped = World.restore(stopped.code, stopped.snapshot())
    assert log(straight) == log(stopped) == ["3ring", "6ring", "9ring", "9nine", "12ring"]
    assert state_hash(straight.snapshot()) == state_hash(stopped.snapshot())
    assert straight.fingerprint() == stopped.fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        "world.after(6, 'ring', {a = 1})",
        "world.after(5, 'boom', {a = 1})",
        "world.after(5, 'ring', {a = 2})",
        "world.every(5, 'ring', {a = 1})",
        "world.after(5, 'ring', {a = 1}) world.cancel(world.after(1, 'ring'))",
        "",
    ],
)
def test_the_state_hash_covers_timers(other: str) -> None:
    hashes = {
        state_hash(clockwork(setup).snapshot()) for setup in (other, "world.after(5, 'ring', {a = 1})", other + " ")
    }
    assert len(hashes) == 2


def test_a_player_or_node_comes_back_as_the_same_handle() -> None:
    game = body(
        extra="""game.timers = {}
        function game.timers.tell(world, who) world.state.same = who == world.player("p_1") end""",
        inputs="function game.inputs.run(world, player) world.after(2, 'tell', player) end",
        observe="return {same = world.state.same}",
    )
    world = load(game, RUN)
    join(world)
    act(world, "p_1", "run")
    world = World.restore(world.code, world.snapshot())
    world.run_empty(2)
    assert msgspec.msgpack.decode(world.observe("p_1", "data").data or b"") == {"same": True}


def test_data_is_copied_when_the_timer_is_set() -> None:
    """So it may come from world.state, and nothing that happens meanwhile changes it."""
    world = clockwork("world.state.bag = {text = 'first'} world.after(2, 'ring', world.state.bag)")
    world.apply([], step=True)
    world.snapshot()
    world = clockwork(
        "world.state.bag = {text = 'first'} world.after(2, 'ring', world.state.bag) world.state.bag.text = 'second'"
    )
    world.run_empty(2)
    assert log(world) == ["2first"]


def test_what_a_timer_keeps_is_refused_with_its_path_when_it_cannot_be_saved() -> None:
    world = load(
        body(
            extra="game.timers = {keep = function(world, data) data.f = print end}",
            setup="world.every(1, 'keep', {})",
        )
    )
    world.snapshot()
    world.run_empty(1)
    with pytest.raises(StateNotSaveable, match=r"timer\(1\)\.data\.f is a function"):
        world.snapshot()


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("world.after(0, 'ring')", "after wants a whole number of ticks, 1 or more, got 0"),
        ("world.every(1.5, 'ring')", "every wants a whole number of ticks"),
        ("world.after('2', 'ring')", "after wants a whole number of ticks"),
        ("world.after(2, 'rng')", "there is no game.timers.rng, did you mean ring?"),
        ("world.after(2, print)", "there is no game.timers.function"),
        ("world.after(2, 'ring', print)", "data is a function"),
        ("world.after(2, 'ring', {x = {f = print}})", "data.x.f is a function"),
        ("world.after(2, 'ring', world.scene)", "data is world.scene"),
        ("world.after(2, 'ring', setmetatable({}, {}))", "data is a table with a metatable"),
        ("local t = {} t.t = t world.after(2, 'ring', t)", "contains itself"),
        ("world.cancel('ring')", "cancel wants the id"),
    ],
)
def test_wrong_use_is_named_with_the_line_of_the_game(lua: str, says: str) -> None:
    world = clockwork(run=f"local ok, problem = pcall(function() {lua} end) return {{problem}}")
    join(world)
    outcome = act(world, "p_1", "run").outcomes[0]
    assert outcome.result is not None
    (message,) = msgspec.msgpack.decode(outcome.result)
    assert message.startswith("main.lua:")
    assert says in message


def test_without_timers_there_is_nothing_to_name() -> None:
    assert "there is no game.timers.ring" in error_of("world.after(1, 'ring')")


def test_a_world_waits_for_a_bounded_number_of_timers() -> None:
    world = clockwork(run="for i = 1, 10001 do world.after(i, 'ring') end")
    join(world)
    result = act(world, "p_1", "run")
    assert "at most 10000 timers" in result.debug[0].text


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        ("game.timers = 5", "game.timers must be a table of functions, it is a number"),
        ("game.timers = {ring = 5}", "game.timers.ring must be a function, it is a number"),
    ],
)
def test_timers_that_are_no_functions_are_refused_at_load(extra: str, says: str) -> None:
    with pytest.raises(GameError, match=says):
        load(body(extra=extra))
