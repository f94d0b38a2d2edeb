"""What order and the scene cost a game, each beside what it replaces or avoids, and a tick of Tsunami.

    python -m tests.benchmarks.lua_engine [--rounds 31]

All in one process and one run; a figure is the median of the rounds. ``native`` is LuaJIT's own `pairs` and
`table.sort`, whose order differs between processes.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any, Final

from games.code import Engine
from games.runtime.effects import AnyEntry
from games.runtime.sandbox import compile_engine, open_engine
from tests.games.tsunami_driver import Table, play, sensibly

NODES: Final = 2000
TICKS: Final = 3000
PLAYERS: Final = 8
ACTS: Final = 1 / 200
"""How often a player acts in a tick: every 3.3 s."""
COMPARED: Final = 200

_ORDER: Final = b"""
function(order, rounds)
  local clock, out, sum = os.clock, {}, 0
  local function keys(salt)
    local t = {}
    for i = 1, 1000 do t["key" .. salt .. "_" .. i * 7919 % 100003] = i end
    return t
  end
  local function walk(pairs, t) for _, v in pairs(t) do sum = sum + v end end
  local function native_walk(_, t) for _, v in pairs(t) do sum = sum + v end end
  local function middle(f)
    local found = {}
    for i = 1, rounds do found[i] = f(i) end
    table.sort(found)
    return found[math.ceil(rounds / 2)] * 1e6
  end
  local function timed(f, a, b)
    local began = clock()
    f(a, b)
    return clock() - began
  end
  local function many(walk, t) for _ = 1, 100 do walk(order.pairs, t) end end
  for i = 1, 200 do walk(order.pairs, keys(i)) end -- until all is compiled
  local known = keys(0)
  walk(order.pairs, known)
  out[1] = middle(function(i) return timed(walk, order.pairs, keys(1000 + i)) end)
  out[2] = middle(function() return timed(many, walk, known) / 100 end)
  out[3] = middle(function() return timed(many, native_walk, known) / 100 end)
  local seed = 1
  local function shuffled()
    local t = {}
    for i = 1, 1000 do
      seed = seed * 16807 % 2147483647
      t[i] = seed
    end
    return t
  end
  local function before(a, b) return a < b end
  for i = 1, 50 do order.sort(shuffled(), before) table.sort(shuffled(), before) end
  out[4] = middle(function() return timed(order.sort, shuffled(), before) end)
  out[5] = middle(function() return timed(table.sort, shuffled(), before) end)
  return unpack(out)
end
"""
_SCENE: Final = b"""
function(scene, tree, nodes, rounds, count)
  local clock, out, object, sum = os.clock, {}, scene.object, 0
  for i = 1, count do
    object:spawn("tree", { x = i * 7919 % 1000, z = i * 104729 % 1000 })
  end
  local function middle(f)
    local found = {}
    for i = 1, rounds do
      local began = clock()
      f()
      found[i] = clock() - began
    end
    table.sort(found)
    return found[math.ceil(rounds / 2)] * 1e6
  end
  local function cached() for _ = 1, 10000 do sum = sum + #object:descendants() end end
  cached()
  out[1] = middle(cached) / 10000
  out[2] = middle(function()
    for _ = 1, 10 do
      local list = tree.slots()
      for i = 1, #list do list[i] = nodes.handle(list[i]) end
      sum = sum + #list
    end
  end) / 10
  collectgarbage("stop")
  local held = collectgarbage("count")
  cached()
  out[3] = (collectgarbage("count") - held) * 1024
  collectgarbage("restart")
  local x = 0
  out[4] = middle(function()
    for _ = 1, 100 do
      x = (x + 37) % 1000
      sum = sum + #object:within(x, x, 50)
    end
  end) / 100
  out[5] = middle(function()
    local all = object:descendants()
    for _ = 1, 100 do
      x = (x + 37) % 1000
      local near = {}
      for i = 1, #all do
        local node = all[i]
        local dx, dz = node.x - x, node.z - x
        if dx * dx + dz * dz <= 2500 then near[#near + 1] = node end
      end
      sum = sum + #near
    end
  end) / 100
  return unpack(out)
end
"""


def engine() -> tuple[Any, Any]:
    """A Lua state with the engine in it, and its import."""
    current = Engine.current()
    return open_engine(compile_engine(current.digest, current.files))


def order_us(rounds: int) -> list[float]:
    """pairs for the first time, again, native; our sort, native."""
    state, import_module = engine()
    return list(state.eval(_ORDER)(import_module(b"order"), rounds))


def scene_us(rounds: int) -> list[float]:
    """descendants unchanged, a full walk; bytes that 10,000 unchanged calls allocate; within, by brute force."""
    state, import_module = engine()
    modules = [import_module(name) for name in (b"scene", b"tree", b"nodes")]
    return list(state.eval(_SCENE)(*modules, rounds, NODES))


def tick_ms() -> tuple[list[float], int]:
    """What single ticks of a Tsunami world take while eight bots play, and how many nodes it has."""
    table = Table(PLAYERS, seed=3)
    choosers = {f"p_{n}": sensibly for n in range(1, PLAYERS + 1)}
    play(table, choosers, seconds=30, seed=4)
    chance, found = random.Random(5), []
    for _ in range(TICKS):
        entries: list[AnyEntry] = []
        for player in choosers:
            if chance.random() < ACTS:
                decision = sensibly(table.observe(player))
                if decision.name is not None:
                    entries.append(table.entry(player, decision.name, decision.args))
        began = time.perf_counter()
        table.world.apply(entries, step=True)
        found.append((time.perf_counter() - began) * 1000)
    return found, table.world.inspection.statistics().nodes


def look_ms() -> tuple[float, float]:
    """What an observation of that world takes: with the state compared before and after, and without."""
    table = Table(PLAYERS, seed=3)
    play(table, {f"p_{n}": sensibly for n in range(1, PLAYERS + 1)}, seconds=30, seed=4)
    found: dict[bool, list[float]] = {True: [], False: []}
    for compares in (False, True):
        if compares:
            table.world.compare_looks()
        for _ in range(COMPARED):
            table.world.apply([], step=True)
            began = time.perf_counter()
            table.world.observe("p_1", "data")
            found[compares].append((time.perf_counter() - began) * 1000)
    return statistics.median(found[True]), statistics.median(found[False])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    first, again, native, sort, native_sort = order_us(rounds)
    print(f"pairs over 1,000 texts, first time       {first:8.1f} µs   (at most 150; native {native:.1f})")
    print(f"pairs over 1,000 texts, unchanged        {again:8.1f} µs   (at most 20; native {native:.1f})")
    print(f"table.sort of 1,000 with a comparator    {sort:8.1f} µs   (native {native_sort:.1f}: not stable)")
    cached, walk, allocated, within, brute = scene_us(rounds)
    print(f"scene:descendants() of {NODES:,}, unchanged  {cached:8.4f} µs   (at most 1; a full walk {walk:.1f})")
    print(f"  allocated by 10,000 such calls         {allocated:8.0f} bytes")
    print(f"scene:within, 16 of {NODES:,} nodes          {within:8.2f} µs   (every node looked at: {brute:.1f})")
    ticks, nodes = tick_ms()
    p50, p99 = statistics.median(ticks), statistics.quantiles(ticks, n=100)[98]
    print(f"Tsunami tick, {PLAYERS} players, {nodes:,} nodes    {p50:8.3f} ms   (p50: at most 0.15)")
    print(f"  the same, p99                          {p99:8.3f} ms   (at most 0.6)")
    compared, alone = look_ms()
    print(f"a look at it, state compared             {compared:8.3f} ms   (not compared {alone:.3f})")


if __name__ == "__main__":
    main()
