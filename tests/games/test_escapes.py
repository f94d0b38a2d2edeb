"""Promise: a game cannot leave its sandbox, take its process down, or see what differs between two runs. One attempt
after the other, each with exactly what happens: an error that the game could catch, a result, a world that is faulted,
a state that is refused, a file that does not load, or a process that must be killed because it never comes back."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from games.code import load_check
from games.errors import GameError, StateNotSaveable, WorldFaulted
from tests.games.small import act, body, code, error_of, join, load, run

ROOT = Path(__file__).resolve().parents[2]
TOML = """
[inputs.run]
help = "Run."
[events.done]
help = "Done."
"""
CPU_S = 2
MEMORY_CPU_S = 60
MEMORY_BYTES = 1 << 29

DEEP = "local function deep() return 1 + deep() end "

# What → (Lua, what the error says).
REFUSED: dict[str, tuple[str, str]] = {
    "require of the operating system": ("require('os')", "there is no module os"),
    "require of LuaJIT's own modules": ("require('jit.util')", "there is no module jit.util"),
    "require of the engine": ("require('engine/host')", "there is no module engine/host"),
    "require of a path": ("require('../tsunami/main')", "there is no module ../tsunami/main"),
    "require of itself": ("require('main')", "there is no module main"),
    "package.loaded": ("return package.loaded.os", "there is no global package"),
    "the table of globals": ("return _G.os", "there is no global _G"),
    "os.execute": ("os.execute('true')", "there is no global os"),
    "io.open": ("io.open('x')", "there is no global io"),
    "debug.getupvalue": ("debug.getupvalue(pairs, 1)", "there is no global debug"),
    "debug.sethook": ("debug.sethook()", "there is no global debug"),
    "debug.getregistry": ("debug.getregistry()", "there is no global debug"),
    "loadstring": ("loadstring('return 1')", "there is no global loadstring"),
    "load": ("load('return 1')", "there is no global load"),
    "dofile": ("dofile('main.lua')", "there is no global dofile"),
    "loadfile": ("loadfile('main.lua')", "there is no global loadfile"),
    "setfenv of the caller": ("setfenv(1, {})", "there is no global setfenv"),
    "getfenv of the engine": ("getfenv(pairs)", "there is no global getfenv"),
    "newproxy": ("newproxy(true)", "there is no global newproxy"),
    "collectgarbage": ("collectgarbage()", "there is no global collectgarbage"),
    "jit.off": ("jit.off()", "there is no global jit"),
    "ffi.C": ("return ffi.C", "there is no global ffi"),
    "python": ("python.eval('1')", "there is no global python"),
    "string.dump": ("string.dump(print)", "attempt to call field 'dump'"),
    "string.dump as a method": ("('x').dump(print)", "attempt to call field 'dump'"),
    "math.randomseed": ("math.randomseed(1)", "attempt to call field 'randomseed'"),
    "a metatable for the world": ("setmetatable(world, {})", "setmetatable cannot be used on world"),
    "a metatable for a node": ("setmetatable(world.scene:spawn('t'), {})", "setmetatable cannot be used on a node"),
    "a metatable for a text": ("setmetatable('x', {})", "setmetatable wants a table, got a string"),
    "the metatable of texts": ("getmetatable('').__index = {}", "attempt to index a boolean value"),
    "rawset on the world": ("rawset(world, 'tick', 5)", "rawset cannot be used on world"),
    "rawget on a player": ("rawget(world.players[1], 'id')", "rawget cannot be used on a player"),
    "next on the world": ("next(world)", "next cannot be used on world"),
    "pairs over a node": ("for k in pairs(world.scene:spawn('t')) do end", "pairs cannot be used on a node"),
    "unpack of the engine's list over its end": ("world.players[2] = 1", "this list belongs to the engine"),
    "table.insert into the engine's list": ("table.insert(world.players, 1)", "copy its lists first"),
    "table.remove from the engine's list": ("table.remove(world.players)", "copy its lists first"),
    "table.move into the engine's list": ("table.move({1}, 1, 1, 1, world.players)", "copy its lists first"),
    "__newindex that leads to the world": (
        "local t = setmetatable({}, {__newindex = world}) t.tick = 5",
        "world.tick cannot be set",
    ),
    "__newindex that leads to a player": (
        "local t = setmetatable({}, {__newindex = world.players[1]}) t.seat = 5",
        "a player cannot be changed",
    ),
    "a chain of __index without end": (
        "local t = {} setmetatable(t, {__index = t}) return t.x",
        "loop in gettable",
    ),
    "a global that appears later": ("smuggled = 1", "global smuggled would be lost"),
    "%p": ("string.format('%p', {})", "%p shows an address"),
    "%p among others": ("string.format('%d%%%-20p', 1, {})", "%p shows an address"),
    "__mode at run time": ("setmetatable({}, {['__mo' .. 'de'] = 'k'})", "__gc and __mode show"),
    "__gc at run time": ("setmetatable({}, {['\\95_gc'] = print})", "__gc and __mode show"),
    "a table as a key in pairs": ("for k in pairs({[{}] = 1}) do end", "a table as a key has no fixed order"),
    "gsub in gsub in gsub": (
        "local function f() return (string.gsub('a', 'a', f)) end f()",
        "string.gsub is nested deeper than 50",
    ),
    "gsub through __index": (
        "local m = {} local t = setmetatable({}, m) m.__index = function() return (string.gsub('a', 'a', t)) end "
        "string.gsub('a', 'a', t)",
        "string.gsub is nested deeper than 50",
    ),
    "coroutines in coroutines": (
        "local function f() return coroutine.wrap(f)() end f()",
        "coroutine.resume is nested deeper than 50",
    ),
    "gsub and coroutines in turn": (
        "local function f() return coroutine.wrap(function() return (string.gsub('a', 'a', f)) end)() end f()",
        "nested deeper than 50",
    ),
    "the depth forgotten by pcall and yield": (
        """
        local threads = {}
        for i = 1, 400 do
          threads[i] = coroutine.create(function()
            pcall(coroutine.yield)
            return threads[i + 1] and assert(coroutine.resume(threads[i + 1]))
          end)
          coroutine.resume(threads[i])
        end
        assert(coroutine.resume(threads[1]))
        """,
        "coroutine.resume is nested deeper than 50",
    ),
    "a giant text": ("string.rep('x', 1e9)", "string.rep makes at most 1048576 bytes"),
    "a giant text with a count as text": ("string.rep('x', '1000000000')", "string.rep makes at most 1048576 bytes"),
    "a giant text by its separator": ("string.rep('', 1e6, 'xx')", "string.rep makes at most 1048576 bytes"),
    "find in a long text": ("string.rep('a', 70000):find('.-b')", "string.find takes at most 65536 bytes"),
    "match in a long text": ("string.rep('a', 70000):match('.-b')", "string.match takes at most 65536 bytes"),
    "gmatch in a long text": ("string.rep('a', 70000):gmatch('.-b')", "string.gmatch takes at most 65536 bytes"),
    "gsub in a long text": ("string.rep('a', 70000):gsub('.-b', '')", "string.gsub takes at most 65536 bytes"),
    "a pattern that recurses": ("(('a'):rep(60000)):find(('a?'):rep(60000) .. 'b')", "pattern too complex"),
    "ten million results": ("return unpack({}, 1, 1e7)", "too many results to unpack"),
    "a million bytes as results": ("return string.byte(('x'):rep(1e6), 1, -1)", "string slice too long"),
    "a format of 1,000 digits": ("string.format('%1000d', 1)", "invalid"),
    "table.concat of a billion": ("table.concat({}, 'x', 1, 1e9)", "invalid value (nil) at index 1"),
    "select before the first": ("return select(-2, 1)", "bad argument #1"),
    "a yield out of gsub": (
        "assert(coroutine.resume(coroutine.create(function() string.gsub('a', 'a', coroutine.yield) end)))",
        "attempt to yield across C-call boundary",
    ),
    "a yield out of the call": ("coroutine.yield()", "attempt to yield across C-call boundary"),
    "a random number from nowhere": ("math.random(0 / 0)", "random wants whole numbers"),
}


@pytest.mark.parametrize(("lua", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_it_is_an_error_that_the_game_could_catch(lua: str, says: str) -> None:
    message = error_of(lua)
    assert says in message
    assert "0x" not in message


# What → (Lua, what it returns).
HARMLESS: dict[str, tuple[str, Any]] = {
    "metatables of the engine": (
        "local found = {} for i, v in ipairs({'', world, world.scene, world.players[1], world.stream('s')}) do "
        "found[i] = getmetatable(v) end return found",
        [False, False, False, False, False],
    ),
    "what an error handler can see": (
        "local level = {} local ok = xpcall(function() return world.nothing end, function(...) level = {...} end) "
        "return {ok, #level, type(level[1])}",
        [False, 1, "string"],
    ),
    "what a handler that the engine calls can see": (
        "local seen = {} string.gsub('ab', '(a)(b)', function(...) seen = {...} end) return seen",
        ["a", "b"],
    ),
    "the running thread": ("return {tostring(coroutine.running()), coroutine.isyieldable()}", ["nil", False]),
    "an engine without the game's string.sub": (
        "string.sub, string.format, string.gsub, string.byte, table.concat = nil "
        "return {pcall(world.reject, 'Bad'), tostring(world.scene:spawn('t')), ('abc'):sub(2)}",
        [False, "node 1 (t)", "bc"],
    ),
    "an engine without the game's math": (
        "math.floor, math.sqrt, math.max = nil local x = world.random(5) return {x >= 1 and x <= 5, math.sin(0)}",
        [True, 0],
    ),
    "a library that lies": (
        "table.sort = function() return 'mine' end pairs = 1 local n = 0 for _ in next, world.map{1} do n = n + 1 end "
        "return n",
        1,
    ),
    "the text of a table": (
        "return {tostring({}), tostring(print), tostring(coroutine.create(print))}",
        ["table", "function", "thread"],
    ),
    "the text that __tostring gives": (
        "return tostring(setmetatable({}, {__tostring = function() return 1 end}))",
        "table",
    ),
    "%s of a table": ("return ('%s %10s'):format({}, print)", "table   function"),
    "a text of a wrong call": (
        "return select(2, pcall(function() local t = {} t() end))",
        "main.lua:8: attempt to call local 't' (a table value)",
    ),
    "a text of a wrong sum": (
        "return select(2, pcall(function() return {} + {} end))",
        "main.lua:8: attempt to perform arithmetic on a table value",
    ),
    "a text of a wrong comparison": (
        "return select(2, pcall(function() return {} < {} end))",
        "main.lua:8: attempt to compare two table values",
    ),
    "numbers as cdata": (
        "return {tonumber('1LL') == nil, tonumber('1i') == nil, tonumber('0x10ULL') == nil}",
        [True, True, True],
    ),
    "numbers in odd forms": (
        "return {tonumber('0x1p4'), tonumber(' 12 '), tonumber('1e1'), tonumber('ff', 16), tonumber('') == nil, "
        "tonumber('1 2') == nil, tonumber('1e400') == math.huge}",
        [16, 12, 10, 255, True, True, True],
    ),
    "the sign of NaN": (
        "local z = 0 local a, b = z / z, -(z / z) return {'' .. a, '' .. b, tostring(a * b), tostring(b * a), "
        "string.format('%g %g', a, b), table.concat({a, b}, ' ')}",
        ["nan", "nan", "nan", "nan", "nan nan", "nan nan"],
    ),
    "a loop to NaN": ("local n = 0 for i = 1, 0 / 0 do n = n + 1 end return n", 0),
    "a repetition of nothing": ("return string.rep('', 1e15)", ""),
    "a percent sign before p": ("return string.format('%d%%p', 5)", "5%p"),
    "a comparator without sense": (
        "local t = {} for i = 1, 500 do t[i] = i end table.sort(t, function() return true end) "
        "local sum = 0 for i = 1, 500 do sum = sum + t[i] end return {#t, sum}",
        [500, 125250],
    ),
    "49 calls in each other, then 49 again": (
        "local function f(n) if n == 0 then return 'x' end "
        "return (string.gsub('a', 'a', function() return f(n - 1) end)) end "
        "return {f(49), pcall(f, 60), f(49)}",
        ["x", False, "x"],
    ),
    "a coroutine that yields through pcall": (
        "local step = coroutine.wrap(function() "
        "pcall(function() for i = 1, 3 do coroutine.yield(i) end end) return 'end' end) "
        "return {step(), step(), step(), step()}",
        [1, 2, 3, "end"],
    ),
    "huge keys": (
        "local t = {[9007199254740993] = 1, [-1] = 2, [1e300] = 3, [math.huge] = 4} local n = 0 "
        "for _ in pairs(t) do n = n + 1 end return n",
        4,
    ),
}


@pytest.mark.parametrize(("lua", "expected"), HARMLESS.values(), ids=HARMLESS.keys())
def test_it_is_allowed_and_does_no_harm(lua: str, expected: Any) -> None:
    assert run(lua) == expected


# What → (source of a module, its line, what the refusal says).
NOT_LOADED: dict[str, tuple[str, int, str]] = {
    "a power": ("return 2 ^ 0.5", 1, "write x*x or math.pow(x, y)"),
    "a power behind a text that goes on": ('local a = "\\z\n" .. 2^3 .. "b"', 2, "'^'"),
    "a power behind a line break of Windows": ('local a = "\\\r\n" .. 2^3 .. "b"', 2, "'^'"),
    "a power behind a comment that ends with CR": ("-- comment\rreturn 2^3", 1, "'^'"),
    "a power behind a first line for a shell": ("#!lua [[\nreturn 2^3 --]]", 2, "'^'"),
    "a power behind a byte order mark": ("\ufeff#[[\nreturn 2^3 --]]", 2, "'^'"),
    "a power behind a long comment": ("--[=[ ]] --]=] return 2^3", 1, "'^'"),
    "a power behind a long text": ("local a = [==[ ]=] ]==] .. 2^3", 1, "'^'"),
    "64-bit integers": ("return 1LL", 1, "'1LL'"),
    "unsigned integers": ("return 0xFFuLL", 1, "'0xFFuLL'"),
    "imaginary numbers": ("return 0x1p4 + 3.5i", 1, "'3.5i'"),
    "compiled code": ("\x1bLJ\x02\x00\x00", 1, "compiled Lua"),
    "compiled code behind a byte order mark": ("\ufeff\x1bLJ\x02\x00\x00", 1, "compiled Lua"),
    "__gc": ("return {__gc = print}", 1, "'__gc'"),
    "__mode": ("local m = {}\nm['__mode'] = 'k'", 2, "'__mode'"),
    "300 brackets": ("return " + "(" * 300 + "1" + ")" * 300, 1, "too many syntax levels"),
    "300 local variables": ("\n".join(f"local a{i} = 1" for i in range(300)), 201, "more than 200 local variables"),
}


@pytest.mark.parametrize(("source", "line", "says"), NOT_LOADED.values(), ids=NOT_LOADED.keys())
def test_it_does_not_load(source: str, line: int, says: str) -> None:
    with pytest.raises(GameError) as caught:
        load_check(code(body(), helper=source))
    assert (caught.value.path, caught.value.line) == ("small/helper.lua", line)
    assert says in caught.value.reason
    assert "0x" not in caught.value.reason or "0x" in source


FAULTED: dict[str, str] = {
    "a stack without end": DEEP + "deep()",
    "a stack without end in pcall": DEEP + "pcall(deep)",
    "a stack without end in xpcall": DEEP + "xpcall(deep, function() return 'caught' end)",
    "a stack without end in a coroutine": DEEP + "coroutine.resume(coroutine.create(deep))",
    "a stack without end in wrap in pcall": DEEP + "pcall(coroutine.wrap(deep))",
    "a stack without end in gsub in pcall": DEEP + "pcall(string.gsub, 'a', 'a', deep)",
    "a stack without end in a comparator": DEEP + "pcall(table.sort, {2, 1}, deep)",
    "a stack without end in __index": (
        "local m = {} m.__index = function(t, k) return 1 + t[k + 1] end "
        "pcall(function() return setmetatable({}, m)[1] end)"
    ),
    "an error in an error handler": "xpcall(error, error)",
    "a stack without end in an error handler": DEEP + "xpcall(error, deep)",
    "no error handler": "xpcall(error, nil)",
    "the words of an error of resources": "pcall(error, 'not enough memory')",
}


@pytest.mark.parametrize("lua", FAULTED.values(), ids=FAULTED.keys())
def test_it_faults_the_world_and_cannot_be_caught(lua: str) -> None:
    world = load(body(inputs=f"function game.inputs.run(world) {lua} return 'survived' end"), TOML)
    join(world)
    with pytest.raises(WorldFaulted) as caught:
        act(world, "p_1", "run")
    assert (caught.value.kind, world.faulted) == ("resource", caught.value)
    assert "0x" not in caught.value.message


UNSAVEABLE: dict[str, tuple[str, str]] = {
    "another player in the engine's list": ("world.players[1] = 5", "world.players has been changed"),
    "a node taken out of the engine's list": (
        "world.scene:spawn('t') world.scene:descendants()[1] = nil",
        "the list of scene:descendants() has been changed",
    ),
    "two nodes exchanged in the engine's list": (
        "for i = 1, 2 do world.scene:spawn('t', {tags = {'x'}}) end "
        "local l = world.scene:tagged('x') l[1], l[2] = l[2], l[1]",
        "the list of scene:tagged() has been changed",
    ),
    "a node exchanged through __newindex": (
        "world.scene:spawn('t') local t = setmetatable({}, {__newindex = world.scene:descendants()}) t[1] = 5",
        "the list of scene:descendants() has been changed",
    ),
    "__mode added later": (
        "local m = {} kept[1] = setmetatable({}, m) m['__mo' .. 'de'] = 'v'",
        "a metatable has a word that is refused",
    ),
    "a coroutine kept for later": ("world.state.c = coroutine.create(print)", "state.c is a coroutine"),
    "a function of the engine kept for later": ("world.state.f = world.emit", "state.f is a function"),
}


@pytest.mark.parametrize(("lua", "says"), UNSAVEABLE.values(), ids=UNSAVEABLE.keys())
def test_it_is_found_when_the_world_is_saved(lua: str, says: str) -> None:
    world = load(body(extra="local kept = {}", inputs=f"function game.inputs.run(world) {lua} end"), TOML)
    join(world)
    world.snapshot()
    act(world, "p_1", "run")
    with pytest.raises(StateNotSaveable) as caught:
        world.snapshot()
    assert f"{caught.value.path} {caught.value.reason}".startswith(says)


NEVER_BACK: dict[str, str] = {
    "an endless loop": "while true do end",
    "an endless loop in pcall": "while true do pcall(error) end",
    "a pattern that tries everything": "(('a'):rep(60)):find(('a*'):rep(25) .. 'b')",
    "a move of a trillion": "table.move({}, 1, 1e9, 2e9)",
    "a coroutine that never ends": "coroutine.wrap(function() while true do end end)()",
}

_PROGRAM = """
import sys
from tests.games.small import run
run(sys.argv[1])
"""


def in_a_process(lua: str, *, memory: bool = False) -> subprocess.CompletedProcess[str]:
    """Run Lua in a world in a process of its own, with a limit on processor time as the supervisor has one."""

    def limit() -> None:
        seconds = MEMORY_CPU_S if memory else CPU_S
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))

    return subprocess.run(
        [sys.executable, "-c", _PROGRAM, lua], capture_output=True, text=True, cwd=ROOT, preexec_fn=limit, check=False
    )


@pytest.mark.parametrize("lua", NEVER_BACK.values(), ids=NEVER_BACK.keys())
def test_what_never_comes_back_is_ended_from_outside(lua: str) -> None:
    """No limit inside Lua could: a supervisor counts the processor time of each call, here the kernel does."""
    assert in_a_process(lua).returncode in (-signal.SIGXCPU, -signal.SIGKILL)


MEMORY: dict[str, str] = {
    "a text that doubles": "local s = 'x' while true do s = s .. s end",
    "a table without end": "local t = {} for i = 1, 1e12 do t[i] = i end",
    "a table without end in pcall": (
        "local t = {} while true do pcall(function() for i = 1, 1e12 do t[i] = {} end end) end"
    ),
    "texts without end": "local t = {} for i = 1, 1e12 do t[i] = string.rep('x', 1e6) .. i end",
}


@pytest.mark.parametrize("lua", MEMORY.values(), ids=MEMORY.keys())
def test_memory_without_end_faults_the_world(lua: str) -> None:
    done = in_a_process(lua, memory=True)
    assert done.returncode == 1
    assert "games.errors.WorldFaulted: w_test@0: resource: " in done.stderr


def test_a_world_of_more_than_64_mib_is_faulted_between_two_ticks() -> None:
    world = load(
        body(setup="world.state.list = {}", tick="world.state.list[world.tick] = string.rep('x', 1e6 + world.tick)")
    )
    with pytest.raises(WorldFaulted, match="the game holds more than 64 MiB") as caught:
        for _ in range(200):
            world.apply([], step=True)
            world.check_memory()
    assert caught.value.kind == "memory"
    assert 50 <= world.tick <= 90


def test_a_scene_without_end_is_too_much_memory() -> None:
    lua = "pcall(function() for i = 1, 1e9 do world.scene:spawn('t') end end)"
    world = load(body(inputs=f"function game.inputs.run(world) {lua} end"), TOML)
    join(world)
    with pytest.raises(WorldFaulted) as caught:
        act(world, "p_1", "run")
        world.check_memory()
    assert caught.value.kind == "memory"


def test_garbage_is_not_held_against_a_world() -> None:
    world = load(body(tick="local t = {} for i = 1, 20 do t[i] = string.rep('x', 1e6 + i + world.tick) end"))
    for _ in range(100):
        world.apply([], step=True)
        world.check_memory()
    assert world.faulted is None


def test_a_replay_does_not_ask_how_much_a_world_holds() -> None:
    """How much it is differs a little between runs: the log says where a world ended of it."""
    world = load(
        body(setup="world.state.list = {}", tick="world.state.list[world.tick] = string.rep('x', 1e6 + world.tick)")
    )
    world.run_empty(80)
    assert world.tick == 80
    assert world.faulted is None


@pytest.mark.parametrize("result", ["t", "world.reject('no', 'No.', {t = t})", "{coroutine.create(print)}"])
def test_a_result_without_end_is_the_games_error(result: str) -> None:
    game = body(inputs=f"function game.inputs.run(world) local t = {{}} t.t = t return {result} end")
    world = load(game, TOML)
    join(world)
    assert act(world, "p_1", "run").outcomes[0].code == "game_error"
    assert world.faulted is None


def test_there_are_enough_attempts() -> None:
    tables: list[dict[str, Any]] = [REFUSED, HARMLESS, NOT_LOADED, FAULTED, UNSAVEABLE, NEVER_BACK, MEMORY]
    assert sum(map(len, tables)) >= 60
