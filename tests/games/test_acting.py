"""Promise: a game says whom a tick waits for and who is out, and what is done for the silent: the same on every run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from games.errors import GameError, WorldFaulted
from games.runtime.effects import Clock, Input, Silence
from games.runtime.world import World
from tests.games.small import act, body, code, join, load

LOCKSTEP = """
clock = "lockstep"
[inputs.go]
help = "Go."
args.by = { type = "integer", optional = true }
[inputs.go.default]
by = 7
[inputs.die]
help = "Die."
"""
TURN = LOCKSTEP.replace("lockstep", "turn")
GO = """
function game.inputs.go(world, player, args)
  world.state[player.id] = (world.state[player.id] or 0) + (args.by or 1)
end
function game.inputs.die(world, player) world.out(player, {place = 2}) world.out(player, {place = 1}) end
"""
OBSERVE = "return {gone = world.state[player.id] or 0}"


def game(extra: str = "", toml: str = LOCKSTEP) -> World:
    return load(body(setup="world.state.x = 1", inputs=GO, observe=OBSERVE, extra=extra), toml)


def seen(world: World, player: str) -> Any:
    return msgspec.msgpack.decode(world.observe(player, "data").data or b"")


def test_a_lockstep_tick_waits_for_all_who_are_not_out() -> None:
    world = game()
    ada, ben, cem = (join(world) for _ in range(3))
    assert world.to_act() == [ada, ben, cem]
    result = act(world, ben, "die", step=True)
    assert [(ended.player, ended.how, ended.result) for ended in result.ended] == [(ben, "terminated", {"place": 2})]
    assert world.to_act() == [ada, cem], "who is out is waited for no more"
    assert (world.players[ben].ended, world.players[ben].result) == ("terminated", {"place": 2})
    assert seen(world, ben) == {"gone": 0}, "who is out may still look"


def test_the_end_of_the_game_keeps_the_result_of_those_who_were_out_before() -> None:
    world = load(
        body(inputs=GO, observe=OBSERVE, tick="if world.tick == 2 then world.finish({place = 1}) end"), LOCKSTEP
    )
    ada, ben = join(world), join(world)
    act(world, ben, "die", step=True)
    result = world.apply([], step=True)
    assert [ended.player for ended in result.ended] == [ada]
    assert [world.players[player].result for player in (ada, ben)] == [{"place": 1}, {"place": 2}]


def test_the_game_says_whose_turn_it_is_in_seat_order() -> None:
    world = game("function game.to_act(world) return {world.player('p_3'), world.player('p_1')} end", TURN)
    for _ in range(3):
        join(world)
    assert world.to_act() == ["p_1", "p_3"]
    act(world, "p_3", "die", step=True)
    assert world.to_act() == ["p_1"]


def test_a_turn_game_must_say_whose_turn_it_is() -> None:
    with pytest.raises(GameError, match=r"game\.to_act is missing"):
        game(toml=TURN)


@pytest.mark.parametrize(
    ("lua", "kind", "message"),
    [
        ("error('whose?')", "to_act_failed", "whose?"),
        ("return 5", "to_act_failed", "must return a list of players, it returned a number"),
        ("return {'p_1'}", "to_act_failed", "to_act wants a player, got a string"),
        ("world.random() return {}", "to_act_failed", "random is not possible in to_act"),
        ("world.state.x = 2 return {}", "observe_writes", "game.to_act changed state.x"),
    ],
)
def test_asking_whom_to_wait_for_changes_nothing_or_ends_the_world(lua: str, kind: str, message: str) -> None:
    world = game(f"function game.to_act(world) {lua} end", TURN)
    join(world)
    with pytest.raises(WorldFaulted) as caught:
        world.to_act()
    assert caught.value.kind == kind
    assert message in caught.value.message


def test_silence_applies_the_default_without_an_outcome_or_a_seq() -> None:
    world = game()
    ada = join(world)
    name, args = world.code.manifest.default_input
    result = world.apply([Silence(ada, name, args)], step=True)
    assert (result.outcomes, seen(world, ada), world.players[ada].next_seq) == ([], {"gone": 7}, 1)
    world.apply([Input(ada, 1, "go", {"by": 2})], step=True)
    assert seen(world, ada) == {"gone": 9}


def test_a_default_that_raises_is_a_line_for_the_developer() -> None:
    world = load(
        body(inputs="function game.inputs.go() error('slow') end function game.inputs.die() end", observe=OBSERVE),
        LOCKSTEP,
    )
    result = world.apply([Silence(join(world), "go", {})], step=True)
    assert "slow" in result.debug[0].text
    assert world.tick == 1


def test_the_clock_is_part_of_the_world_and_comes_back_with_it() -> None:
    played = code(body(inputs=GO, observe=OBSERVE), LOCKSTEP)
    world = World.load(played, world_id="w_test", seed=1, clock="manual")
    assert world.clock == "manual"
    assert World.restore(played, world.snapshot()).clock == "manual"
    world.apply([Clock("lockstep")], step=False)
    assert World.restore(played, world.snapshot()).clock == "lockstep"
