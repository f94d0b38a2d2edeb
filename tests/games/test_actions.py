"""Promise: an observation lists inputs that would be accepted now, as the game says, as much as game.toml allows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from games.errors import GameError, ObservationFailed
from games.runtime.world import World
from tests.games.small import act, body, join, load
from tests.games.tsunami_driver import Table, at_random, play, rich

TOML = """
[inputs.walk]
help = "Walk."
args.x = { type = "number", min = 0 }
[inputs.rest]
help = "Rest."
"""
OFFER = "return {{name = 'walk', args = {x = 1}, why = 'east'}, {name = 'walk', args = {x = 2}}, {name = 'rest'}}"


def offering(actions: str = OFFER, toml: str = "", extra: str = "") -> World:
    inputs = f"""
    function game.inputs.walk() end
    function game.inputs.rest() end
    function game.actions(world, player) {actions} end"""
    world = load(body(inputs=inputs, extra=extra, observe="return {tick = world.tick}"), toml + TOML)
    join(world)
    return world


def actions(world: World, **how: Any) -> Any:
    found = world.observe("p_1", **how).actions
    return None if found is None else msgspec.msgpack.decode(found)


FULL = [{"name": "walk", "args": {"x": 1}, "why": "east"}, {"name": "walk", "args": {"x": 2}}, {"name": "rest"}]


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("", [{"name": "walk"}, {"name": "rest"}]),
        ('actions = "names"\n', [{"name": "walk"}, {"name": "rest"}]),
        ('actions = "full"\n', FULL),
        ('actions = "off"\n', None),
    ],
)
def test_the_manifest_says_how_much_is_told(toml: str, expected: Any) -> None:
    assert actions(offering(toml=toml)) == expected


def test_they_come_with_every_format() -> None:
    world = offering(toml='actions = "full"\n')
    for form in ("data", "text", "both"):
        assert actions(world, format=form) == FULL


def test_they_are_computed_once_per_state_of_the_world() -> None:
    world = offering("world.debug('asked') " + OFFER)
    for form in ("data", "text", "both", "both"):
        world.observe("p_1", form)
    assert [line.text for line in world.apply([], step=True).debug] == ["asked"]
    world.observe("p_1")
    assert [line.text for line in world.apply([], step=True).debug] == ["asked"]


def test_no_actions_are_an_empty_list_and_a_game_that_says_nothing_has_none() -> None:
    assert actions(offering("return {}")) == []
    silent = load(body())
    join(silent)
    assert actions(silent) is None


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("return 5", "game.actions must return a list of actions {name, args, why}, it returned a number"),
        ("return world.players", "game.actions must return a list"),
        ("return {5}", "game.actions: [1] must be a table {name, args, why}, got a number"),
        ("return {{name = 'rest'}, {name = 'wlk'}}", "[2].name must be a declared input, did you mean walk?"),
        ("return {{}}", "[1].name must be a declared input"),
        ("return {{name = 'rest', how = 1}}", "[1] has more than name, args and why"),
        ("return {{name = 'rest', why = 5}}", "[1].why must be a text of at most 200 bytes"),
        ("return {{name = 'walk', args = 5}}", "[1].args must be a table"),
        ("return {{name = 'walk', args = {x = -1}}}", "[1].args.x must be a number of at least 0, got -1"),
        ("return {{name = 'walk', args = {}}}", "[1].args.x is missing: a number of at least 0"),
        ("return {{name = 'rest', args = {x = 1}}}", "[1].args.x is not declared"),
        ("local t = {} for i = 1, 101 do t[i] = {name = 'rest'} end return t", "at most 100 actions, it offered 101"),
        ("error('no')", "no"),
        ("world.random()", "random is not possible in actions"),
    ],
)
def test_what_is_no_list_of_inputs_fails_the_look_with_the_reason(lua: str, says: str) -> None:
    world = offering(lua)
    with pytest.raises(ObservationFailed) as caught:
        world.observe("p_1")
    assert says in caught.value.message
    world.apply([], step=True)


def test_full_needs_the_function() -> None:
    with pytest.raises(GameError, match=r'actions = "full", but game\.actions is missing'):
        load(body(), 'actions = "full"')


def accepted(table: Table, player: str) -> set[str]:
    """Try all that a player is offered, each in a world of its own; returns what was offered."""
    snapshot, names = table.world.snapshot(), set()
    for action in msgspec.msgpack.decode(table.world.observe(player).actions or b"\x90"):
        trial = World.restore(table.world.code, snapshot)
        args = trial.code.manifest.check_input(action["name"], action.get("args"))
        (outcome,) = act(trial, player, action["name"], **args).outcomes
        assert outcome.status == "applied", (action, outcome)
        names.add(action["name"])
    return names


def test_all_that_tsunami_offers_is_accepted() -> None:
    table = Table(2, code=rich())
    tried = accepted(table, "p_1")
    assert tried == {"move"}
    table.fetch("p_1")
    tried |= accepted(table, "p_1")
    table.walk("p_1", to="home")
    tried |= accepted(table, "p_1")
    table.do("p_1", "deposit")
    table.step(120)
    tried |= accepted(table, "p_1")
    play(table, {"p_1": at_random(1), "p_2": at_random(2)}, 60)
    for player in ("p_1", "p_2"):
        tried |= accepted(table, player)
    assert tried >= {"move", "deposit", "discard", "buy_speed"}
    table.walk("p_2", to=table.observe("p_2")["relics"][0]["id"])
    assert "collect" in accepted(table, "p_2")
