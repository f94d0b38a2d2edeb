"""The engine's own sin, exp, pow … beside those of the C library, in LuaJIT: time, and how far from the true value.

    python -m tests.benchmarks.lua_math [--samples 20000] [--rounds 7]

Both are called in the same compiled loop over the same arguments, in turns; a figure is the median of the rounds. The
errors are in units in the last place, the worst of so many samples, against ``mpmath`` with 200 bits.
"""

from __future__ import annotations

import argparse
import math
import statistics
from random import Random
from typing import Any, Final

import mpmath

from tests.games.mathematics import SAMPLERS, Args, callable_maths, open_maths

CHECKED: Final = 2000
"""So many samples are compared with the true value: that is slow."""
TRUE: Final = {
    "pow": mpmath.power,
    "log": lambda x, base=mpmath.e: mpmath.log(x) / mpmath.log(base),  # mpmath.log(x, base) rounds once more
}
"""Where the true value is not ``mpmath``'s function of the same name."""
_TIME: Final = b"""
function(f, native, name, xs, ys, two)
  f = native and math[name] or f
  local sum, began = 0, os.clock()
  for i = 1, #xs do
    local y = two and f(xs[i], ys[i]) or f(xs[i])
    sum = sum + (y == y and y < 1 and y or 0)
  end
  return (os.clock() - began) / #xs * 1e9, sum
end
"""


def error_ulp(name: str, args: Args, value: float) -> float:
    """How far from the true value, in units in the last place; 0 where there is no finite one."""
    with mpmath.workprec(200):
        x = [mpmath.mpf(arg) for arg in args]
        try:
            true = (TRUE.get(name) or getattr(mpmath, name))(*x)
        except (ZeroDivisionError, ValueError):
            return 0.0
        if isinstance(true, mpmath.mpc) or not mpmath.isfinite(true) or not math.isfinite(value):
            return 0.0
        if abs(true) > mpmath.mpf(2) ** 1023:
            return 0.0
        return float(abs(mpmath.mpf(value) - true) / math.ulp(float(true)))


def times_ns(state: Any, own: Any, name: str, samples: list[Args], rounds: int) -> tuple[float, float]:
    """Nanoseconds for one call of our own function and of the C library's."""
    timed = state.eval(_TIME)
    xs = state.table_from([args[0] for args in samples])
    ys = state.table_from([args[-1] for args in samples])
    two = len(samples[0]) == 2
    found: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for native in found:
            found[native].append(timed(own, native, name.encode(), xs, ys, two)[0])
    return statistics.median(found[False]), statistics.median(found[True])


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    callables = callable_maths()
    print(f"{'':15}{'own ns':>9}{'C ns':>9}{'ratio':>8}{'worst ulp':>11}")
    for what, (name, sampler) in SAMPLERS.items():
        chance = Random(7)
        samples = [sampler(chance) for _ in range(options.samples)]
        state, own = open_maths()
        own_ns, native_ns = times_ns(state, own[name], name, samples, options.rounds)
        worst = max(error_ulp(name, args, callables[name](*args)) for args in samples[:CHECKED])
        print(f"{what:15}{own_ns:9.1f}{native_ns:9.1f}{own_ns / native_ns:8.2f}{worst:11.3f}")


if __name__ == "__main__":
    main()
