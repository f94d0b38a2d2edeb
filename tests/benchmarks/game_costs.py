"""What common things cost in a game's Lua: ``pairs``, a query of the scene, a sort. Prints medians and ratios.

``python -m tests.benchmarks.game_costs``. Each is run many times inside one input of a world; the median of several
runs is shown, with how often a plain loop over a list of 1,000 numbers could have been run meanwhile.
"""

from __future__ import annotations

import statistics
import time
from typing import Final

from games.runtime.world import World
from tests.games.small import act, body, join, load

RUNS: Final = 9
THINGS: Final = 1000
NODES: Final = 2000

PREPARE: Final = f"""
world.state.list, world.state.map = {{}}, {{}}
for i = 1, {THINGS} do
  world.state.list[i] = i * 7919 % {THINGS}
  world.state.map["key" .. i * 7919 % {THINGS}] = i
end
for i = 1, {NODES} do
  world.scene:spawn("tree", {{ x = i * 7919 % 1000, z = i * 104729 % 1000, tags = {{ "tree" }} }})
end
"""
COSTS: Final[dict[str, tuple[int, str]]] = {
    f"a loop over a list of {THINGS:,}": (2000, "for i = 1, #list do sum = sum + list[i] end"),
    f"`ipairs` over a list of {THINGS:,}": (2000, "for _, v in ipairs(list) do sum = sum + v end"),
    f"`pairs` over {THINGS:,} texts as keys, unchanged": (500, "for _, v in pairs(map) do sum = sum + v end"),
    f"`pairs` over {THINGS:,} texts as keys, one key new": (
        100,
        'map["new" .. n] = 1 for _, v in pairs(map) do sum = sum + v end map["new" .. n] = nil',
    ),
    f"`scene:within` that finds about 15 of {NODES:,}": (2000, "sum = sum + #world.scene:within(500, 500, 50)"),
    f"`scene:tagged` of {NODES:,}, unchanged": (2000, 'sum = sum + #world.scene:tagged("tree")'),
    f"a walk over {NODES:,} nodes instead": (
        100,
        'for _, t in ipairs(world.scene:tagged("tree")) do local x, z = t.x - 500, t.z - 500 '
        "if x * x + z * z < 2500 then sum = sum + 1 end end",
    ),
    f"`table.sort` of {THINGS:,} with a comparator": (
        20,
        "local copy = {} for i = 1, #list do copy[i] = list[i] * (n % 7 + 1) % 997 end "
        "table.sort(copy, function(a, b) return a < b end)",
    ),
}


def world_of(times: int, lua: str) -> World:
    """Return a world whose input ``run`` does something so many times."""
    run = (
        "function game.inputs.run(world) local list, map, sum = world.state.list, world.state.map, 0 "
        f"for n = 1, {times} do {lua} end return sum end"
    )
    return load(body(setup=PREPARE, inputs=run), '[inputs.run]\nhelp = "Run."')


def cost_us(times: int, lua: str) -> float:
    """Return what it takes once, in microseconds: the median of some runs, after two to warm up."""
    world = world_of(times, lua)
    player = join(world)
    taken = []
    for _ in range(RUNS + 2):
        started = time.perf_counter()
        result = act(world, player, "run")
        taken.append((time.perf_counter() - started) / times * 1e6)
        assert result.outcomes[0].status == "applied", result
    return statistics.median(taken[2:])


def main() -> None:
    """Measure and print all of it."""
    costs = {name: cost_us(*what) for name, what in COSTS.items()}
    plain = next(iter(costs.values()))
    print("| | µs | × the plain loop |\n|---|---|---|")
    for name, cost in costs.items():
        print(f"| {name} | {cost:,.2f} | {cost / plain:,.1f} |")


if __name__ == "__main__":
    main()
