"""Promise: what a game says fits what its game.toml declares; what does not is refused with the place to look at."""

from __future__ import annotations

import msgspec
import pytest

from tests.games.small import act, body, join, load
from worldline import protocol

TOML = """
[inputs.run]
help = "Run."
[events.bare]
help = "Nothing."
[events.full]
help = "All types."
args.number = { type = "number", min = -1.5, max = 10, optional = true }
args.integer = { type = "integer", min = 0, optional = true }
args.string = { type = "string", max_length = 3, optional = true }
args.boolean = { type = "boolean", optional = true }
args.enum = { type = "enum", values = ["red", "blue"], optional = true }
args.point = { type = "point", max = 9, optional = true }
args.id = { type = "id", optional = true }
args.list = { type = "list", of = "integer", max_length = 2, optional = true }
args.object.type = "object"
args.object.optional = true
args.object.fields.a = { type = "integer" }
args.object.fields.b = { type = "string", optional = true }
args.deep = { type = "list", optional = true, of = { type = "object", fields = { at = { type = "point" } } } }
[events.one]
help = "One arg."
args.n = { type = "integer" }
"""


def emit(lua: str) -> tuple[list[object], str]:
    """The data of the events that this Lua made, and the error that it raised."""
    inputs = f"function game.inputs.run(world, player) local node = world.scene:spawn('x') {lua} end"
    world = load(body(inputs=inputs), TOML)
    join(world)
    result = act(world, "p_1", "run")
    data = [msgspec.msgpack.decode(event.data) for event in world.events("p_1", 1).items]
    return data, result.debug[0].text if result.debug else ""


@pytest.mark.parametrize(
    ("lua", "data"),
    [
        ("'bare'", None),
        ("'bare', {}", None),
        ("'full'", None),
        ("'one', {n = 1}", {"n": 1}),
        ("'one', {n = node}", {"n": 1}),
        ("'full', {number = -1.5, integer = 0, string = 'äöü', boolean = false}", None),
        ("'full', {enum = 'red', point = {x = 1, z = 9}, id = player, list = {}}", None),
        ("'full', {point = {x = 1, y = 2, z = 9}, id = 'r12', list = {1, node}}", None),
        ("'full', {object = {a = 1}, deep = {{at = {x = 0, z = 0}}, {at = {x = 1, z = 1}}}}", None),
    ],
)
def test_what_fits_goes_out(lua: str, data: object) -> None:
    found, problem = emit(f"world.emit(player, {lua})")
    assert problem == ""
    assert len(found) == 1
    assert data is None or found == [data]


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("'bear'", "event bear is not declared, did you mean bare?: add [events.bear] to game.toml"),
        ("'bare', {n = 1}", "event bare: args.n is not declared"),
        ("'bare', 5", "event bare: its data is a table of the args that [events.bare] declares, got number"),
        ("'bare', player", "event bare: its data is a table of the args that [events.bare] declares"),
        ("'one'", "event one: args.n is missing: an integer (see [events.one] in game.toml)"),
        ("'one', {m = 1, n = 2}", "args.m is not declared, did you mean n?"),
        ("'one', {n = 1.5}", "args.n must be an integer, got 1.5"),
        ("'one', {n = 2^53}", ""),
        ("'one', {n = '1'}", 'args.n must be an integer, got "1"'),
        ("'full', {number = 0/0}", "args.number must be a number from -1.5 to 10, got nan"),
        ("'full', {number = 10.1}", "args.number must be a number from -1.5 to 10, got 10.1"),
        ("'full', {integer = -1}", "args.integer must be an integer of at least 0, got -1"),
        ("'full', {integer = player}", "args.integer must be an integer of at least 0, got a player"),
        ("'full', {string = 'äöüß'}", "args.string must be a text of at most 3 characters"),
        ("'full', {string = string.rep('x', 99)}", "got a text of 99 bytes"),
        ("'full', {boolean = 1}", "args.boolean must be true or false, got 1"),
        ("'full', {enum = 'green'}", 'args.enum must be one of red, blue, got "green"'),
        ("'full', {point = {x = 1}}", "args.point must be a point {x = …, z = …}, each of at most 9, got a table"),
        ("'full', {point = {x = 1, z = 10}}", "args.point must be a point"),
        ("'full', {point = {x = 1, z = 1, w = 1}}", "args.point must be a point"),
        ("'full', {id = ''}", "args.id must be an id of 1 to 40 visible ASCII characters"),
        ("'full', {id = node}", "args.id must be an id"),
        ("'full', {id = 'a b'}", "args.id must be an id"),
        ("'full', {list = {1, 2, 3}}", "args.list must be a list of at most 2 items, it holds 3"),
        ("'full', {list = {a = 1}}", "args.list must be a list, with exactly the keys 1 to n"),
        ("'full', {list = {1, 'x'}}", 'args.list[2] must be an integer, got "x"'),
        ("'full', {object = {b = 'x'}}", "args.object.a is missing: an integer"),
        ("'full', {object = {a = 1, c = 1}}", "args.object.c is not declared"),
        ("'full', {deep = {{at = {x = 0, z = 0}}, {at = 5}}}", "args.deep[2].at must be a point"),
        ("'full', {deep = {{at = {x = 0, z = 0}}, 5}}", "args.deep[2] must be a table, got 5"),
        ("'full', {[1] = 5}", "args.1 is not declared"),
        ("'full', {object = print}", "args.object must be a table, got a function"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing_behind(lua: str, says: str) -> None:
    if "^" in lua:
        lua, says = lua.replace("2^53", "9007199254740992"), "args.n must be an integer, got 9.007"
    found, problem = emit(f"world.emit(player, {lua})")
    assert found == []
    assert says in problem
    assert "main.lua:" in problem


def test_the_servers_own_codes_are_no_codes_of_a_game() -> None:
    """An outcome with one of them would be misread as a refusal: nothing happened, the seq is still free."""
    for code in [*protocol.ERROR_CODES, "game_error", "not_your_turn"]:
        inputs = f"function game.inputs.run(world) return world.reject('{code}', 'No.') end"
        world = load(body(inputs=inputs), TOML)
        join(world)
        result = act(world, "p_1", "run")
        assert result.outcomes[0].code == "game_error"
        assert f"game.inputs.run raised: reject cannot use {code}: " in result.debug[0].text
