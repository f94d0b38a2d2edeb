"""Promise: pairs, next and table.sort depend on keys and values alone, not on a table's history or the process."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from games.runtime.world import World
from tests.games.small import act, body, error_of, join, load, run

WALK = body(
    inputs="""
local function build(entries)
  local t = {}
  for _, entry in ipairs(entries) do t[entry[1]] = entry[2] end
  return t
end
function game.inputs.pairs(world, player, args)
  local t, keys = build(args.entries), {}
  for round = 1, 2 do -- the second time the order may be remembered
    keys[round] = {}
    for k, v in pairs(t) do keys[round][#keys[round] + 1] = {k, v} end
  end
  -- A key comes and one goes: a remembered order must not be used.
  local changed = {}
  t.zzz_new, t[args.entries[1] and args.entries[1][1] or 1] = 1, nil
  for k in pairs(t) do changed[#changed + 1] = k end
  return {first = keys[1], again = keys[2], changed = changed}
end
function game.inputs.next(world, player, args)
  local t, found = build(args.entries), {}
  local k, v = next(t)
  while k ~= nil do
    found[#found + 1] = {k, v}
    k, v = next(t, k)
  end
  return found
end
function game.inputs.sort(world, player, args)
  table.sort(args.list, args.reverse and function(a, b) return a[1] > b[1] end or function(a, b) return a[1] < b[1] end)
  return args.list
end
function game.inputs.sort_plain(world, player, args)
  table.sort(args.list)
  return args.list
end
"""
)
TOML = "".join(f'[inputs.{name}]\nhelp = "{name}"\n' for name in ("pairs", "next", "sort", "sort_plain"))


@pytest.fixture(scope="module")
def world() -> World:
    world = load(WALK, TOML)
    join(world)
    return world


def result(world: World, name: str, **args: Any) -> Any:
    outcome = act(world, "p_1", name, **args)
    assert outcome.outcomes[0].status == "applied", outcome.debug
    assert outcome.outcomes[0].result is not None
    return msgspec.msgpack.decode(outcome.outcomes[0].result)


def ordered(entries: dict[Any, Any]) -> list[list[Any]]:
    """The documented order, in Python."""
    run = 0
    while run + 1 in entries:
        run += 1
    head = list(range(1, run + 1))
    numbers = sorted(key for kind, key in kinds(entries) if kind == "number" and key not in head)
    strings = sorted((key for kind, key in kinds(entries) if kind == "string"), key=lambda key: key.encode())
    booleans = sorted(key for kind, key in kinds(entries) if kind == "boolean")
    return [[key, entries[key]] for key in [*head, *numbers, *strings, *booleans]]


def kinds(entries: dict[Any, Any]) -> list[tuple[str, Any]]:
    names = {bool: "boolean", int: "number", float: "number", str: "string"}
    return [(names[type(key)], key) for key in entries]


# True == 1 in Python but not in Lua: booleans are tested apart.
numbers = st.integers(-3, 12) | st.sampled_from([0.5, -1.5, 1e15, 2.0**53])
strings = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
tables = st.dictionaries(numbers | strings, st.integers(0, 9), max_size=40)


@given(table=tables, order=st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_pairs_has_one_order_whatever_the_history(world: World, table: dict[Any, int], order: Any) -> None:
    entries = list(table.items())
    order.shuffle(entries)
    got = result(world, "pairs", entries=[list(entry) for entry in entries])
    assert got["first"] == ordered(table)
    assert got["again"] == got["first"]
    after = {key: value for key, value in table.items() if not entries or key != entries[0][0]} | {"zzz_new": 1}
    if entries:
        assert got["changed"] == [key for key, _ in ordered(after)]


@given(table=tables)
@settings(max_examples=200, deadline=None)
def test_next_has_the_same_order(world: World, table: dict[Any, int]) -> None:
    assert result(world, "next", entries=[list(entry) for entry in table.items()]) == ordered(table)


@given(table=st.dictionaries(strings, st.integers(0, 9), min_size=200, max_size=400))
@settings(max_examples=10, deadline=None)
def test_pairs_over_many_strings(world: World, table: dict[str, int]) -> None:
    assert result(world, "pairs", entries=[list(entry) for entry in table.items()])["first"] == ordered(table)


def test_booleans_come_last_false_first() -> None:
    table = "local t, keys = {[true] = 1, b = 2, [false] = 3, [7] = 4}, {}"
    lua = table + " for k in %s do table.insert(keys, k) end return keys"
    assert run(lua % "pairs(t)") == [7, "b", False, True]
    assert run(lua % "next, t") == [7, "b", False, True]


@given(list_=st.lists(st.tuples(st.integers(0, 5), st.integers()), max_size=200), reverse=st.booleans())
@settings(max_examples=200, deadline=None)
def test_sort_is_stable(world: World, list_: list[tuple[int, int]], reverse: bool) -> None:
    items = [[key, i] for i, (key, _) in enumerate(list_)]
    expected = sorted(items, key=lambda item: -item[0] if reverse else item[0])
    assert result(world, "sort", list=items, reverse=reverse) == expected


@given(list_=st.lists(st.integers(-(2**53), 2**53), max_size=300) | st.lists(strings, max_size=100))
@settings(max_examples=100, deadline=None)
def test_sort_without_comparator(world: World, list_: list[Any]) -> None:
    expected = sorted(list_, key=lambda item: item.encode() if isinstance(item, str) else item)
    assert result(world, "sort_plain", list=list_) == expected


@pytest.mark.parametrize(
    ("lua", "expected"),
    [
        ("for k in pairs(t) do seen[#seen + 1] = k t[k] = nil end", ["a", "b", "c"]),
        ("for k in pairs(t) do seen[#seen + 1] = k t.b = nil end", ["a", "c"]),
        ("for k in pairs(t) do seen[#seen + 1] = k t.ab = 1 end", ["a", "b", "c"]),
        ("for k, v in pairs(t) do seen[#seen + 1] = v t.c = 9 end", [1, 2, 9]),
        (
            "for k in pairs(t) do for l in pairs(t) do seen[#seen + 1] = k .. l end end",
            ["aa", "ab", "ac", "ba", "bb", "bc", "ca", "cb", "cc"],
        ),
    ],
)
def test_a_table_may_change_while_it_is_walked(lua: str, expected: list[Any]) -> None:
    assert run(f"local t, seen = {{a = 1, b = 2, c = 3}}, {{}} {lua} return seen") == expected


def test_a_comparator_may_raise_and_may_sort() -> None:
    assert run(
        """
        local t = {3, 1, 2}
        local ok = pcall(table.sort, t, function() error("no") end)
        local unsorted = {t[1], t[2], t[3]}
        table.sort(t, function(a, b)
          local inner = {b, a}
          table.sort(inner)
          return a == inner[1] and a ~= b
        end)
        return {ok, unsorted, t}
        """
    ) == [False, [3, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("for k in pairs({[{}] = 1}) do end", "a table as a key has no fixed order"),
        ("for k in pairs({[print] = 1, a = 2}) do end", "a function as a key has no fixed order"),
        ("next({[coroutine.create(print)] = 1})", "a thread as a key has no fixed order"),
        ("pairs(nil)", "pairs wants a table, got nil"),
        ("pairs(world)", "pairs cannot be used on world"),
        ("next(world.scene:spawn('tree'))", "next cannot be used on a node"),
        ("table.sort({3, 'a'})", "attempt to compare"),
        ("table.sort({2, 1}, 5)", "table.sort wants a function"),
        ("table.sort(world.players)", "copy its lists first"),
        ("table.insert(world.scene:descendants(), 1)", "copy its lists first"),
        ("local l = world.scene:tagged('x') l[#l + 1] = 1", "copy it before you change it"),
    ],
)
def test_what_has_no_order_is_refused(lua: str, says: str) -> None:
    message = error_of(lua)
    assert says in message
    assert message.startswith("main.lua:") or "compare" in says
