"""Promise: math.sin, exp, pow … are as exact as the reference says, and give the same bits whether compiled or
interpreted and whatever the processor can do. mpmath, which computes to any number of digits, is the judge."""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import pytest

from tests.games.mathematics import FUNCTIONS, SAMPLERS, callable_maths, open_maths
from tests.games.small import error_of, run

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = 20_000
SAME_SAMPLES = 3_000
OTHER_PROCESSOR = "glibc.cpu.hwcaps=-FMA,-AVX2,-FMA4"
# Units in the last place.
EXACT = {"sin", "cos", "tan", "asin", "acos", "atan", "exp", "log", "log to a base", "pow"}
JUDGES: dict[str, Any] = {
    "log to a base": lambda x, base: mpmath.log(x) / mpmath.log(base),
    "log10": lambda x: mpmath.log(x) / mpmath.log(10),
    "pow": mpmath.power,
}
Maths = dict[str, Callable[..., float]]
INF, NAN, TINY, LARGEST = math.inf, math.nan, 5e-324, sys.float_info.max
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, 3.0, -3.0, 10.0, TINY, -TINY, 1e-310, 2.0**-1022, LARGEST, -LARGEST]
SPECIAL += [INF, -INF, NAN, 1e6, 1e15, 2.0**53, 2.0**53 + 2, 1e22, 1e300, 709.79, -745.2, math.pi / 2, math.pi, 0.6]


@pytest.fixture(scope="module")
def maths() -> Maths:
    return callable_maths()


def error_ulp(found: float, true: Any) -> float:
    """How far off a result is, in units of its last place."""
    nearest = float(true)
    if math.isinf(nearest) or math.isinf(found):
        return 0.0 if nearest == found else math.inf
    return float(abs(mpmath.mpf(found) - true) / mpmath.mpf(math.ulp(nearest)))


@pytest.mark.parametrize("what", SAMPLERS)
def test_results_are_as_exact_as_promised(maths: Maths, what: str) -> None:
    name, sample = SAMPLERS[what]
    judge = JUDGES.get(what) or getattr(mpmath, name)
    chance = random.Random(f"samples of {what}")
    worst: tuple[float, tuple[float, ...]] = (0.0, ())
    with mpmath.workprec(200):
        for _ in range(SAMPLES):
            args = sample(chance)
            error = error_ulp(maths[name](*args), judge(*map(mpmath.mpf, args)))
            worst = max(worst, (error, args))
    assert worst[0] <= (1 if what in EXACT else 2), worst


def same(a: float, b: float) -> bool:
    """Equal, the sign of zero included; all NaN are equal."""
    return (a != a and b != b) or (a == b and math.copysign(1, a) == math.copysign(1, b))


def expected(name: str, x: float) -> float:
    """What C says about a special value: Python's own functions, which raise where C does not."""
    try:
        return float(getattr(math, name)(x))
    except ValueError:
        return -INF if name.startswith("log") and x == 0 else NAN
    except OverflowError:
        return -INF if name == "sinh" and x < 0 else INF


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if name not in ("atan2", "pow")])
def test_special_values(maths: Maths, name: str) -> None:
    for x in SPECIAL:
        found, right = maths[name](x), expected(name, x)
        if name in ("sin", "cos", "tan") and 1e6 < abs(x) < INF:
            assert math.isfinite(found) and (name == "tan" or abs(found) <= 1)
        elif right == right and math.isfinite(right) and right != 0:
            assert abs(found - right) <= 2 * math.ulp(right), x
        else:
            assert same(found, right), x


@pytest.mark.parametrize("name", ["atan2", "pow"])
def test_special_pairs(maths: Maths, name: str) -> None:
    for a in SPECIAL:
        for b in SPECIAL:
            try:
                right = getattr(math, name)(a, b)
            except ValueError:  # x^y of a negative x, or 0 to a negative power: C gives these
                right = NAN if a != 0 else math.copysign(INF, a) if b % 2 == 1 else INF
            except OverflowError:
                right = -INF if a < 0 and b % 2 == 1 else INF
            found = maths[name](a, b)
            if right == right and math.isfinite(right) and right != 0:
                assert abs(found - right) <= 2 * math.ulp(right), (a, b)
            else:
                assert same(found, right), (a, b)


def test_pow_of_whole_numbers_is_exact(maths: Maths) -> None:
    for x in range(-20, 21):
        for y in range(40):
            if abs(x**y) <= 2**53:
                assert maths["pow"](x, y) == x**y


def test_logarithms_of_powers_are_whole(maths: Maths) -> None:
    assert [maths["log10"](10.0**n) for n in range(23)] == list(range(23))
    assert [maths["log"](2.0**n, 2) for n in range(-1074, 1024)] == list(range(-1074, 1024))
    assert [maths["log"](3.0**n, 3) for n in range(33)] == list(range(33))


# Runs a function over many arguments, so that the JIT compiles it, and shows every bit of the results.
_ALL = b"""
function(f, count, values)
  local out = {}
  for i = 1, #values, count do
    local y
    if count == 2 then y = f(values[i], values[i + 1]) else y = f(values[i]) end
    out[#out + 1] = y ~= y and "nan" or string.format("%a", y)
  end
  return table.concat(out, " ")
end
"""


def digests() -> dict[str, str]:
    """All results over samples and special values, of the engine's functions and of libm's, as digests."""
    state, maths = open_maths()
    run_all, globals_ = state.eval(_ALL), state.globals()
    found = {}
    for what, (name, sample) in SAMPLERS.items():
        chance = random.Random(f"bits of {what}")
        tuples = [sample(chance) for _ in range(SAME_SAMPLES)]
        count = len(tuples[0])
        tuples += [(x,) for x in SPECIAL] if count == 1 else [(x, y) for x in SPECIAL for y in SPECIAL]
        values = state.table_from([x for args in tuples for x in args])
        for owner, f in (("own", maths[name]), ("libm", globals_[b"math"][name.encode()])):
            text = run_all(f, count, values)
            found[f"{owner} {what}"] = hashlib.sha256(text).hexdigest()
    return found


def digests_elsewhere(*, jit: bool = True, tunables: str = "") -> dict[str, str]:
    program = "import json; from games.runtime.sandbox import turn_jit_off; from tests.games.test_math import digests\n"
    program += ("" if jit else "turn_jit_off()\n") + "print(json.dumps(digests()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"GLIBC_TUNABLES": tunables},
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def own(found: dict[str, str]) -> dict[str, str]:
    return {what: digest for what, digest in found.items() if what.startswith("own ")}


def test_compiled_and_interpreted_give_the_same_bits() -> None:
    assert own(digests_elsewhere(jit=False)) == own(digests())


def test_another_processor_gives_the_same_bits() -> None:
    other = digests_elsewhere(tunables=OTHER_PROCESSOR)
    here = digests()
    assert own(other) == own(here)
    if "fma" in Path("/proc/cpuinfo").read_text():
        assert other != here, "libm should differ here: without that this test would prove nothing"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_no_number_is_refused_with_the_games_line(name: str) -> None:
    args = "'1', 2" if name in ("atan2", "pow") else "'1'"
    assert error_of(f"return math.{name}({args})").startswith("main.lua:")
    assert f"math.{name} wants a number, got a string" in error_of(f"return math.{name}({args})")
    assert f"math.{name} wants a number, got nil" in error_of(f"return math.{name}()")


def test_games_have_them() -> None:
    assert run("return {math.sin(0), math.cos(0), math.pow(2, 10), math.log(8, 2), math.exp(0)}") == [0, 1, 1024, 3, 1]
    assert run("return math.sin(1)") == float.fromhex("0x1.aed548f090ceep-1")
