"""One LuaJIT state for one world: made, loaded with the engine's Lua code, and called with plain values only.

Invariant: no Python object ever enters a Lua state (a function's ``__globals__`` would be readable there), and lupa's
own ``python`` table is removed before anything else happens. What a game may see is decided in
``prelude/sandbox.lua``. Engine and game code are compiled once per process and loaded as bytecode after that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from lupa import luajit21

from games.errors import GameError
from games.runtime.tokens import find_refused

# Runs before anything else in a new state; gets no argument and returns two functions.
_BOOTSTRAP: Final = b"""
for _, holder in ipairs({_G, package.loaded}) do holder.python = nil end
-- More room than the default: engine and game together compile to more than 1,000 traces, and a full cache is emptied.
jit.opt.start("maxtrace=4000", "maxmcode=8192", "maxrecord=8000")
-- Collect when a quarter of the memory in use is garbage: worlds are many and small, and pauses stay short.
collectgarbage("setpause", 130)
local chunks, loaded = {}, {}
local function import(name)
  if loaded[name] == nil then
    loaded[name] = chunks[name](import)
  end
  return loaded[name]
end
local function add(name, code)
  local chunk, problem = loadstring(code, "@engine/" .. name .. ".lua")
  chunks[name] = chunk
  return problem
end
return add, import
"""
_COMPILE: Final = b"""
local source, name = ...
local chunk, problem = loadstring(source, name, "t")
if not chunk then return false, problem end
return true, string.dump(chunk)
"""
_JIT_OFF: Final = b"jit.off()"
_PLAIN: Final = Path(__file__).with_name("plain.lua")
_MESSAGE: Final = re.compile(r"\A(?P<file>[^:\n]+\.lua):(?P<line>\d+): (?P<reason>.*)\Z", re.DOTALL)
_PLACE: Final = re.compile(r"(?<![\w/])(?P<file>[A-Za-z0-9_]+\.lua):(?P<line>\d+)")

# What runs in each new state before the engine is loaded.
_first: list[bytes] = []

# Compiled code by digest: {file name: bytecode}. A process knows a handful of engines and games.
_engines: dict[str, dict[str, bytes]] = {}
_games: dict[str, dict[str, bytes]] = {}


def new_state() -> Any:
    """Return an empty LuaJIT state that hands out bytes and takes no Python objects."""
    return luajit21.LuaRuntime(encoding=None, register_eval=False, register_builtins=False, unpack_returned_tuples=True)


def turn_jit_off() -> None:
    """Interpret all Lua in states made from now on in this process: to show that compiling it changes nothing.

    For tests; a server would be many times slower.
    """
    _first.append(_JIT_OFF)


@cache  # it takes a Lua state to ask
def lua_version() -> str:
    """Return the name and version of the Lua implementation."""
    return str(new_state().lua_implementation.decode())


def locate(message: str, origin: str, default_file: str = "main.lua") -> GameError:
    """Make a `GameError` of a Lua error message. ``origin`` is the game's folder or name, for the path."""
    found = _MESSAGE.match(message)
    if found is None:
        return GameError(f"{origin}/{default_file}", None, message)
    return GameError(f"{origin}/{found['file']}", int(found["line"]), found["reason"])


def place_of(traceback: str) -> tuple[str, int] | None:
    """Return file and line of the game that a traceback begins with, if it names one."""
    found = _PLACE.search(traceback)
    return None if found is None else (found["file"], int(found["line"]))


def compile_engine(digest: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the engine's modules as bytecode, by module name. Raises GameError if one does not compile."""
    if digest not in _engines:
        _engines[digest] = _compile(files, "engine", prefix="engine/")
    return _engines[digest]


def compile_game(digest: str, files: Mapping[str, bytes], origin: str) -> dict[str, bytes]:
    """Return a game's Lua files as bytecode, by file name. Raises GameError with file and line."""
    if digest not in _games:
        sources = {name: source for name, source in files.items() if name.endswith(".lua")}
        for name, source in sorted(sources.items()):
            refused = find_refused(source)
            if refused:
                raise GameError(f"{origin}/{name}", *refused)
        _games[digest] = _compile(sources, origin, prefix="")
    return _games[digest]


def _compile(files: Mapping[str, bytes], origin: str, *, prefix: str) -> dict[str, bytes]:
    state = new_state()
    compile_one = state.eval(b"function(...) " + _COMPILE + b" end")
    compiled = {}
    for name, source in sorted(files.items()):
        ok, code = compile_one(source, f"@{prefix}{name}".encode())
        if not ok:
            raise locate(code.decode(errors="replace"), origin, name)
        compiled[name] = code
    return compiled


def open_engine(engine: Mapping[str, bytes]) -> tuple[Any, Any]:
    """Return a new state with the engine in it, but no game, and its ``import``: module name → what it returns.

    ``engine`` is its bytecode by file name. Raises GameError.
    """
    state = new_state()
    for chunk in _first:
        state.execute(chunk)
    add, import_module = state.execute(_BOOTSTRAP)
    for name, code in engine.items():
        problem = add(name.removesuffix(".lua").encode(), code)
        if problem:
            raise GameError(f"engine/{name}", None, problem.decode(errors="replace"))
    return state, import_module


class Hasher:
    """``prelude/hash.lua`` in a state of its own, without any game. Use it from one thread at a time."""

    def __init__(self, engine: Mapping[str, bytes]) -> None:
        """Load the engine (its bytecode by file name) into a new state."""
        _, import_module = open_engine(engine)
        self.hash = import_module(b"hash")


class Host:
    """The functions of ``prelude/host.lua`` in a fresh state: each call is one crossing into Lua.

    Raises ``luajit21.LuaError`` only for errors of resources and bugs of the engine.
    """

    def __init__(self, engine: Mapping[str, bytes]) -> None:
        """Load the engine (its bytecode by file name) into a new state."""
        self._state, self._import = open_engine(engine)
        host = self._import(b"host")
        self.add = host[b"add"]
        self.load = host[b"load"]
        self.require = host[b"require"]
        self.setup = host[b"setup"]
        self.apply = host[b"apply"]
        self.tick = host[b"tick"]
        self.run = host[b"run"]
        self.describes = host[b"describes"]
        self.observe = host[b"observe"]
        self.to_act = host[b"to_act"]  # None in engines of before there were clocks
        self.offers = host[b"offers"]
        self.actions = host[b"actions"]
        self.view = host[b"view"]
        self.memory = host[b"memory"]
        self.misfit = host[b"misfit"]
        self.state = host[b"state"]  # None in older engines
        self.marks = host[b"marks"]
        self.save = host[b"save"]
        self.restore = host[b"restore"]
        self.statistics = host[b"statistics"]

    @cached_property
    def plain(self) -> Any:
        """The function of ``plain.lua``, loaded when it is first asked for: live worlds do without."""
        return self._state.eval(b"function(...) " + _PLAIN.read_bytes() + b"\nend")(self._import)
