"""Promise: a game reaches nothing but what the whitelist names, and every file of it is looked at before it runs."""

from __future__ import annotations

import re

import pytest

from games.code import load_check
from games.errors import GameError
from games.runtime.tokens import find_refused
from games.runtime.world import World
from tests.games.small import act, body, code, error_of, join, load, run

ABSENT = [
    "os",
    "io",
    "debug",
    "ffi",
    "jit",
    "package",
    "load",
    "loadstring",
    "loadfile",
    "dofile",
    "newproxy",
    "getfenv",
    "setfenv",
    "collectgarbage",
    "gcinfo",
    "module",
    "python",
    "_G",
    "arg",
    "table.foreach",
    "table.getn",
    "string.dump",
    "string.gfind",
    "math.randomseed",
    "math.log1p",
]

GLOBALS = [
    "assert",
    "bit",
    "coroutine",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "pairs",
    "pcall",
    "print",
    "rawequal",
    "rawget",
    "rawset",
    "require",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "tostring",
    "type",
    "unpack",
    "xpcall",
]


@pytest.mark.parametrize("name", ABSENT)
def test_what_is_not_on_the_list_does_not_exist(name: str) -> None:
    holder, _, field = name.rpartition(".")
    if holder:
        assert run(f"return {name} == nil") is True
    else:
        assert f"there is no global {field}" in error_of(f"return {field}")


@pytest.mark.parametrize("name", GLOBALS)
def test_what_is_on_the_list_is_there(name: str) -> None:
    assert run(f"return type({name})") in ("function", "table")


@pytest.mark.parametrize("module", ["os", "io", "ffi", "jit", "python", "string.buffer", "engine/host", "../small"])
def test_require_finds_modules_of_the_game_only(module: str) -> None:
    assert "there is no module" in error_of(f"require('{module}')")


def test_the_lua_state_holds_no_door_to_python() -> None:
    """Looked at from outside of the sandbox, with all that the engine can reach: only Lua's own userdata."""
    world = load(body())
    found = world._host._state.execute(
        b"""
        local seen, found = {}, {}
        local function look(value, path)
          if type(value) == "userdata" then
            found[#found + 1] = path
          elseif type(value) == "table" and not seen[value] then
            seen[value] = true
            for k, v in pairs(value) do look(v, path .. "." .. tostring(k)) end
          end
        end
        look(package.loaded, "loaded")
        look(_G, "globals")
        table.sort(found)
        return table.concat(found, " ") .. " " .. tostring(python) .. " " .. tostring(package.loaded.python)
        """
    ).decode()
    *userdata, in_globals, in_loaded = found.split()
    assert {path.rpartition(".")[2] for path in userdata} <= {"C", "stdin", "stdout", "stderr"}
    assert (in_globals, in_loaded) == ("nil", "nil")


@pytest.mark.parametrize(
    "lua",
    [
        # Methods of strings are a copy: breaking one's own library does not reach the engine, nor the other way round.
        "string.sub, string.format, table.concat = nil return {('abc'):sub(2), tostring(world.scene:spawn('t'))}",
        "local ok = pcall(function() getmetatable('').__index.sub = nil end) return {ok, ('x'):upper()}",
    ],
)
def test_the_metatable_of_strings_cannot_be_reached(lua: str) -> None:
    assert run(lua) in (["bc", "node 1 (t)"], [False, "X"])


@pytest.mark.parametrize(
    "value",
    ["{}", "print", "function() end", "coroutine.create(print)", "setmetatable({}, {__tostring = print})", "world"],
)
def test_no_text_shows_an_address(value: str) -> None:
    texts = run(f"local v = {value} return {{tostring(v), string.format('%s', v), ('%5s|%s'):format(v, v)}}")
    assert not any(re.search(r"0x|\d{6}", text) for text in texts), texts
    world = load(body(inputs=f"function game.inputs.run(world) error({value}) end"), '[inputs.run]\nhelp = "R."')
    join(world)
    assert "0x" not in act(world, "p_1", "run").debug[0].text
    assert "%p shows an address" in error_of("return string.format('%p', {})")


@pytest.mark.parametrize(
    ("source", "line", "says"),
    [
        ("local a = 2^3", 1, "write x*x"),
        ("local s = '^'\n-- ^\n--[[ ^ ]] local t = [==[ ^ ]==]\nlocal b = 1 ^ 2", 4, "'^'"),
        ("local a = 1LL", 1, "'1LL'"),
        ("\nlocal a = 0xffULL", 2, "'0xffULL'"),
        ("local a = 12i", 1, "'12i'"),
        ("local a = 1e5i", 1, "'1e5i'"),
        ("local m = {__gc = 1}", 1, "__gc"),
        ("local m = {}\nm.__mode = 'k'", 2, "__mode"),
        ("local m = {['__mode'] = 'k'}", 1, "__mode"),
        ('local m = {}\nm["__gc"] = 1', 2, "__gc"),
        ("m[ [[__gc]] ] = 1", 1, "__gc"),
        ("\x1bLJ\x02\x00", 1, "compiled Lua"),
    ],
)
def test_words_that_differ_between_machines_are_refused_with_their_line(source: str, line: int, says: str) -> None:
    found = find_refused(source.encode("latin-1"))
    assert found is not None
    assert found[0] == line
    assert says in found[1]
    with pytest.raises(GameError) as caught:
        load_check(code(body(), helper=source))
    assert (caught.value.path, caught.value.line) == ("small/helper.lua", line)


@pytest.mark.parametrize(
    "source",
    [
        "local s = 'a^b' .. \"\\\"^\" .. '\\'^'",
        "-- x^2 and __gc and 1LL",
        "--[[ x^2\n __gc ]]",
        "--[==[ x^2 ]] ^ ]==]",
        "local s = [[ ^ ]] .. [=[ ]] ^ ]=]",
        "local n = 0xff + 1e-5 + 0x1p4 + .5e+3 + 3 .. 'i'",
        "local function __gcx() end local my__mode, ill, full = 1, 2, 3",
        "local e, s = 1e5-1, 'the word __gc in a text'",
        "local t = {[1]=2}; local i = t[1] local x = 5 i = 3",
    ],
)
def test_harmless_source_is_not_refused(source: str) -> None:
    assert find_refused(source.encode()) is None


def test_a_module_runs_once_and_shares_the_games_globals() -> None:
    main = "shared = 1\nlocal a, b = require('helper'), require('helper')\n" + body(observe="return {}")
    game = code(main, helper="shared = shared + 1\nreturn {count = shared}")
    world = World.load(game, world_id="w", seed=1)
    assert world.tick == 0
    with pytest.raises(GameError, match="module a requires itself"):
        load_check(code("require('a')\n" + body(), a="require('b')", b="require('a')"))


@pytest.mark.parametrize(
    ("files", "path", "line", "says"),
    [
        ({"main": "local x = = 1"}, "small/main.lua", 1, "unexpected symbol near '='"),
        ({"main": body(), "helper": "\n\nfor"}, "small/helper.lua", 3, "expected near '<eof>'"),
        ({"main": "\nerror('broken')"}, "small/main.lua", 2, "broken"),
        ({"main": body(), "helper": "\nlocal x = nil + 1"}, "small/helper.lua", 2, "arithmetic"),
        ({"main": "require('nothing')"}, "small/main.lua", 1, "there is no module nothing"),
        ({"main": "local x = os.time()"}, "small/main.lua", 1, "there is no global os"),
        ({"main": "local x = strnig.len('')"}, "small/main.lua", 1, "did you mean string?"),
        ({"main": "return 5"}, "small/main.lua", None, "must return the table"),
        ({"main": "return {}"}, "small/main.lua", None, "game.observe is missing"),
        ({"main": "return {observe = print, tick = 5}"}, "small/main.lua", None, "game.tick must be a function"),
        ({"main": "return {obsreve = print}"}, "small/main.lua", None, "did you mean observe?"),
        ({"main": "return {observe = print, inputs = {fly = print}}"}, "small/main.lua", None, "fly is not declared"),
    ],
)
def test_files_that_do_not_load_are_named_with_line_and_reason(
    files: dict[str, str], path: str, line: int | None, says: str
) -> None:
    with pytest.raises(GameError) as caught:
        load_check(code(**files))
    assert (caught.value.path, caught.value.line) == (path, line)
    assert says in caught.value.reason


def test_a_declared_input_needs_its_function() -> None:
    with pytest.raises(GameError, match=r"game\.inputs\.fly is missing"):
        load_check(code(body(), '[inputs.fly]\nhelp = "Fly."'))


def test_globals_are_closed_once_the_game_runs() -> None:
    """A global that changes would be lost when a world is restored."""
    assert "use world.state or a local" in error_of("counter = 1")


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("world.tick = 5", "world.tick cannot be set"),
        ("world.state = 5", "world.state wants a table"),
        ("return world.aftr", "world has no aftr, did you mean after?"),
        ("return world.scnee", "did you mean scene?"),
        ("player.speed = 5", "a player cannot be changed"),
        ("return player.nmae", "did you mean name?"),
        ("world.emit(player, 'nothing')", "event nothing is not declared"),
        ("world.score(5, 5)", "score wants a player, got a number"),
        ("world.score(player, 0/0)", "score wants a finite number"),
        ("world.reward(player, 'x')", "reward wants a finite number"),
        ("return world.reject('Too Far', 'no')", "reject wants a code"),
        ("return world.reject('too_far')", "reject wants a message"),
        ("return world.reject('too_far', 'no', {hint = 5})", "extra.hint"),
        ("setmetatable({}, {['__' .. 'gc'] = print})", "show when memory is collected"),
    ],
)
def test_wrong_use_of_the_world_is_named(lua: str, says: str) -> None:
    message = error_of("local player = world.players[1] " + lua)
    assert says in message
    assert message.startswith("main.lua:")
