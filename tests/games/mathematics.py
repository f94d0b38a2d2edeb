"""The engine's own sin, exp, pow … reached from Python, with samples to judge them by: for tests and a benchmark."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

import mpmath

from games.code import Engine
from games.runtime.sandbox import compile_engine, open_engine

MODULES: Final = {
    "math_trig": ("sin", "cos", "tan"),
    "math_arc": ("asin", "acos", "atan", "atan2"),
    "math_exp": ("exp", "sinh", "cosh", "tanh"),
    "math_log": ("log", "log10"),
    "math_pow": ("pow",),
}
FUNCTIONS: Final = tuple(name for names in MODULES.values() for name in names)
FARTHEST_ANGLE: Final = 1e6
"""So far sin, cos and tan are as exact as near 0."""

Args = tuple[float, ...]
Sampler = Callable[[random.Random], Args]


# lupa makes a whole number an int, which has no -0.
_KEEP_SIGN: Final = b"""
function(f)
  return function(...)
    local y = f(...)
    return y == 0 and 1 / y < 0 and "-0" or y
  end
end
"""


def open_maths() -> tuple[Any, dict[str, Any]]:
    """Return a Lua state and the engine's functions in it, by name."""
    engine = Engine.current()
    state, import_module = open_engine(compile_engine(engine.digest, engine.files))
    found = {}
    for module, names in MODULES.items():
        for name in names:
            found[name] = import_module(module.encode())[name.encode()]
    return state, found


def callable_maths() -> dict[str, Callable[..., float]]:
    """Return the engine's functions by name, as functions of Python."""
    state, found = open_maths()
    keep_sign = state.eval(_KEEP_SIGN)

    def wrapped(function: Any) -> Callable[..., float]:
        signed = keep_sign(function)
        return lambda *args: float(signed(*args))

    return {name: wrapped(function) for name, function in found.items()}


# Samples must not depend on the processor either: no 10 ** x and no math.log here, which are libm's.


def _size(chance: random.Random, smallest: int, largest: int) -> float:
    """A positive number of any size between two powers of two."""
    return math.ldexp(chance.uniform(1, 2), chance.randint(smallest, largest))


def _any_size(chance: random.Random, smallest: int = -1022, largest: int = 1022) -> float:
    return chance.choice([-1, 1]) * _size(chance, smallest, largest)


def _angle(chance: random.Random) -> Args:
    kind = chance.random()
    if kind < 0.3:
        return (chance.uniform(-FARTHEST_ANGLE, FARTHEST_ANGLE),)
    if kind < 0.6:
        return (chance.uniform(-10, 10),)
    if kind < 0.85:
        with mpmath.workprec(200):
            x = float(mpmath.pi / 2 * chance.randint(-636_000, 636_000))
        for _ in range(chance.randrange(4)):
            x = math.nextafter(x, chance.choice([-math.inf, math.inf]))
        return (x,)
    return (_any_size(chance, largest=18),)


def _sine(chance: random.Random) -> Args:
    kind = chance.random()
    if kind < 0.5:
        return (chance.uniform(-1, 1),)
    if kind < 0.7:
        return (chance.choice([-1, 1]) * (1 - _size(chance, -53, -4)),)
    if kind < 0.8:
        return (chance.choice([-0.5, 0.5]) * (1 + chance.uniform(-1e-6, 1e-6)),)
    return (_any_size(chance, largest=-1),)


def _anything(chance: random.Random) -> Args:
    return (chance.uniform(-4, 4),) if chance.random() < 0.5 else (_any_size(chance),)


def _positive(chance: random.Random) -> Args:
    kind = chance.random()
    if kind < 0.4:
        return (chance.uniform(1e-3, 4),)
    if kind < 0.6:
        return (1 + chance.choice([-1, 1]) * _size(chance, -52, -2),)
    if kind < 0.7:
        return (chance.random() * 1e-310 + 5e-324,)
    return (_size(chance, -1022, 1022),)


def _exponent(chance: random.Random) -> Args:
    kind = chance.random()
    if kind < 0.5:
        return (chance.uniform(-746, 711),)
    if kind < 0.8:
        return (chance.uniform(-3, 3),)
    return (_any_size(chance, largest=8),)


def _point(chance: random.Random) -> Args:
    if chance.random() < 0.6:
        return (chance.uniform(-9, 9), chance.uniform(-9, 9))
    return (_any_size(chance, -1060), _any_size(chance, -1060))


def _power(chance: random.Random) -> Args:
    kind = chance.random()
    if kind < 0.3:
        return (chance.uniform(1e-3, 10), chance.uniform(-20, 20))
    if kind < 0.6:
        (x,) = _positive(chance)
        return (x, chance.uniform(-1080, 1030) / (float(mpmath.log(x, 2)) or 1e-16))
    if kind < 0.8:
        return (float(chance.randint(-12, 12) or 1), float(chance.randint(-15, 15)))
    return (chance.uniform(0.5, 2), chance.uniform(-1000, 1000))


def _logarithm(chance: random.Random) -> Args:
    return (*_positive(chance), chance.choice([2.0, 3.0, 10.0, 0.5, 1.0001, chance.uniform(0.01, 0.99)]))


SAMPLERS: Final[Mapping[str, tuple[str, Sampler]]] = {
    "sin": ("sin", _angle),
    "cos": ("cos", _angle),
    "tan": ("tan", _angle),
    "asin": ("asin", _sine),
    "acos": ("acos", _sine),
    "atan": ("atan", _anything),
    "atan2": ("atan2", _point),
    "exp": ("exp", _exponent),
    "sinh": ("sinh", _exponent),
    "cosh": ("cosh", _exponent),
    "tanh": ("tanh", _exponent),
    "log": ("log", _positive),
    "log to a base": ("log", _logarithm),
    "log10": ("log10", _positive),
    "pow": ("pow", _power),
}
"""What → (function, makes its arguments)."""
