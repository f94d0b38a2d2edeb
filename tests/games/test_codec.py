"""Promise: what goes into Lua comes out as the same values, and equal values give equal bytes."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games.runtime.world import World
from tests.games.small import act, body, error_of, join, load, run

ECHO = body(
    inputs="""
function game.inputs.echo(world, player, args) return args.value end
function game.inputs.bytes(world, player, args)
  local bytes = {}
  for i, b in ipairs(args.bytes) do bytes[i] = string.char(b) end
  return table.concat(bytes)
end
"""
)
TOML = '[inputs.echo]\nhelp = "Echo."\n[inputs.bytes]\nhelp = "Bytes as text."'


@pytest.fixture(scope="module")
def world() -> World:
    world = load(ECHO, TOML)
    join(world)
    return world


def result_of(world: World, name: str, **args: Any) -> bytes:
    outcome = act(world, "p_1", name, **args).outcomes[0]
    assert outcome.status == "applied"
    return b"\xc0" if outcome.result is None else bytes(outcome.result)


def normal(value: Any) -> Any:
    """What a value is after it was a Lua value: the rules that docs/reference/game-api.md states."""
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) <= 2**53 else float(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= 2**53 else value
    if isinstance(value, list):
        return [normal(item) for item in value]
    fields = {key: normal(item) for key, item in value.items() if item is not None}
    return dict(sorted(fields.items(), key=lambda item: item[0].encode())) if fields else []


numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53)
texts = st.text(st.characters(exclude_categories=["Cs"]))
# None in a list would leave a hole, which has no meaning in Lua: inputs cannot hold it, their types exclude it.
values = st.recursive(
    st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=40) | st.dictionaries(texts, inner | st.none(), max_size=20),
    max_leaves=60,
)


@given(value=values)
@settings(max_examples=400, deadline=None)
def test_values_come_back_as_they_were(world: World, value: Any) -> None:
    got = result_of(world, "echo", value=value)
    # Compared as bytes too: msgspec writes the shortest form, and so does ours; the order of keys is fixed.
    assert msgspec.msgpack.decode(got) == normal(value)
    assert got == msgspec.msgpack.encode(normal(value))


@pytest.mark.parametrize(
    "number",
    [
        sign * (edge + step)
        for edge in (0, 31, 32, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31, 2**32, 2**40, 2**53 - 1)
        for step in (0, 1, 0.5)
        for sign in (1, -1)
    ]
    + [-0.0, 5e-324, 1.7976931348623157e308, 2**60, -(2**63), 0.1, 1e15 + 0.5],
)
def test_numbers_at_the_edges_of_their_forms(world: World, number: float) -> None:
    assert result_of(world, "echo", value=number) == msgspec.msgpack.encode(normal(number))


@pytest.mark.parametrize("length", [0, 15, 16, 17, 31, 32, 40, 41, 255, 256, 65535, 65536])
def test_sizes_at_the_edges_of_their_forms(world: World, length: int) -> None:
    for value in ("x" * length, list(range(length)), {f"k{i:05}": i for i in range(length)}):
        assert result_of(world, "echo", value=value) == msgspec.msgpack.encode(normal(value))


@given(data=st.binary(max_size=80) | st.lists(st.sampled_from([0x41, 0x80, 0xC3, 0xE2, 0x82, 0xAC, 0xED, 0xF0, 0x9F])))
@settings(max_examples=400, deadline=None)
def test_invalid_utf8_becomes_replacement_characters(world: World, data: bytes | list[int]) -> None:
    got = result_of(world, "bytes", bytes=list(data))
    assert msgspec.msgpack.decode(got) == bytes(data).decode(errors="replace")


@pytest.mark.parametrize(
    ("lua", "expected"),
    [
        ("return {}", []),
        ("return world.map{}", {}),
        ("return {a = world.map{}, b = {}}", {"a": {}, "b": []}),
        ("return {0/0, 1/0, -1/0, 7}", [None, None, None, 7]),
        ("return {1, 2, x = 3}", {"1": 1, "2": 2, "x": 3}),
        ("return {[1] = 'a', [3] = 'c'}", {"1": "a", "3": "c"}),
        ("return {[0.5] = 1, [-3] = 2, [true] = 3}", {"-3": 2, "0.5": 1, "true": 3}),
        ("return player", "p_1"),
        ("return {world.scene:spawn('tree'), world.scene:spawn('hut')}", [1, 2]),
        ("local n = world.scene:spawn('tree') n:destroy() return {n}", [1]),
        ("return world.players", ["p_1"]),
        ("return true", True),
        ("return nil", None),
    ],
)
def test_lua_values_on_the_wire(lua: str, expected: Any) -> None:
    got = run(lua)
    assert got == expected
    assert not isinstance(got, dict) or list(got) == list(expected), "keys come in pairs order"


def test_a_map_is_a_map_whatever_its_keys_are() -> None:
    assert run("return {world.map{}, world.map{5, 6}, world.map{[2] = 'x'}, {5, 6}}") == [
        {},
        {"1": 5, "2": 6},
        {"2": "x"},
        [5, 6],
    ]


@pytest.mark.parametrize(
    ("run", "what"),
    [
        ("return {a = {1, {x = 0/0}}}", "the result of an input has a number that cannot be sent at .a[2].x"),
        ("world.finish({a = 1/0})", "what world.finish was given has a number that cannot be sent at .a"),
        ("return -1/0", "the result of an input has a number that cannot be sent: it goes out as null"),
    ],
)
def test_developers_are_told_where_a_number_could_not_be_sent(run: str, what: str) -> None:
    world = load(body(inputs=f"function game.inputs.run(world) {run} end"), '[inputs.run]\nhelp = "Run."')
    join(world)
    (line,) = act(world, "p_1", "run").debug
    assert what in line.text


def test_of_an_observation_too() -> None:
    world = load(
        body(setup="world.scene:spawn('x')", observe="return {me = player, n = world.scene:get(1), z = {0/0}}")
    )
    join(world)
    assert msgspec.msgpack.decode(world.observe("p_1").data or b"") == {"me": "p_1", "n": 1, "z": [None]}
    (line,) = world.apply([], step=True).debug
    assert line.text == "game.observe has a number that cannot be sent at .z[1]: it goes out as null"


def test_nan_of_either_sign_is_null() -> None:
    assert run("return {x = 0/0, y = -(0/0)}") == {"x": None, "y": None}
    assert not math.isnan(run("return {1}")[0])


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("world.finish({f = print})", "a function cannot be sent"),
        ("world.finish({c = coroutine.create(print)})", "a thread cannot be sent"),
        ("local t = {} t.t = t world.finish(t)", "contain themselves"),
        ("world.finish({[1] = 1, ['1'] = 2, x = 3})", "on the wire they are one"),
        ("world.finish({[{}] = 1})", "a table as a key"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_leaves_nothing_behind(lua: str, says: str) -> None:
    world = load(
        body(
            inputs=f"""
function game.inputs.run(world, player, args)
  local ok, message = pcall(function() {lua} end)
  world.emit(player, "e", {{message = message}})
end"""
        ),
        '[inputs.run]\nhelp = "Run."\n[events.e]\nhelp = "E."\nargs.message.type = "string"',
    )
    join(world)
    result = act(world, "p_1", "run")
    assert result.outcomes[0].status == "applied"
    events = world.events("p_1", 1).items
    assert [event.n for event in events] == [1]
    assert world.finished is None
    message = msgspec.msgpack.decode(events[0].data)["message"]
    assert says in message
    assert message.startswith("main.lua:"), "the error names the game's own line"


def test_errors_in_the_sandbox_name_the_line_of_the_game() -> None:
    assert error_of("world.scene:spawn(5)").startswith("main.lua:")
