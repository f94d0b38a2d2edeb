"""Inputs as a random agent sends them: what a game declares, at its bounds and between, and what it does not allow.

Texts, ids and numbers are taken from what the player sees as well: an input that names a thing does something only if
the thing is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Any, Final

from games.errors import ArgumentProblem
from games.fields import ArgSpec
from games.manifest import Manifest

MOST_SEEN: Final = 300
"""So many values are picked up from one observation."""
TEXTS: Final = ("", "hello", "Grüße, 世界 🌊", "a\nb\t\\\"'", "<b>x</b>")
WRONG: Final[tuple[Any, ...]] = (None, True, -1e300, math.nan, "wrong", [], {}, {"x": 1}, [[1]], "x" * 2000)


class Seen:
    """Values that a player has seen, to be used in inputs."""

    def __init__(self, data: Any = None, offered: list[dict[str, Any]] | None = None) -> None:
        self.offered = offered or []
        """What the game says that it would accept, as {name, args?, why?}."""
        self.texts: list[str] = []
        self.ids: list[str] = []
        """Texts that stand in a field named ``id``: what inputs name most of the time."""
        self.numbers: list[float] = []
        self._collect(data)

    def _collect(self, value: Any) -> None:
        if len(self.texts) + len(self.numbers) >= MOST_SEEN:
            return
        if isinstance(value, dict):
            if isinstance(value.get("id"), str):
                self.ids.append(value["id"])
            for part in value.values():
                self._collect(part)
        elif isinstance(value, list):
            for part in value:
                self._collect(part)
        elif isinstance(value, str):
            self.texts.append(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            self.numbers.append(value)


def right_args(chance: Random, fields: Mapping[str, ArgSpec], seen: Seen) -> dict[str, Any]:
    """Return args that fit these declarations: of the optional ones one, or any."""
    optional = [name for name, spec in fields.items() if spec.optional]
    chosen = {chance.choice(optional)} if optional and chance.random() < 0.5 else set(optional)
    return {
        name: spec.near(_value(chance, spec, seen))
        for name, spec in fields.items()
        if not spec.optional or (name in chosen and (len(chosen) == 1 or chance.random() < 0.5))
    }


def wrong_args(chance: Random, manifest: Manifest, name: str, seen: Seen) -> dict[str, Any] | None:
    """Return args that do not fit, None if none was found. Whoever sends them is refused, and told what would fit.

    Raises AssertionError if what they are told does not fit either.
    """
    fields = manifest.inputs[name].args
    args = right_args(chance, fields, seen)
    spoilt = chance.choice([*fields, "no_such_arg"])
    args[spoilt] = chance.choice(WRONG)
    try:
        manifest.check_input(name, args)
    except ArgumentProblem as problem:
        if problem.suggestion is not None:
            manifest.check_input(name, problem.suggestion)
        return args
    return None


def _value(chance: Random, spec: ArgSpec, seen: Seen) -> Any:
    """Return a value that fits, or nearly."""
    if spec.type in ("string", "id") and seen.ids and chance.random() < 0.6:
        return chance.choice(seen.ids)
    match spec.type:
        case "number" | "integer":
            return _number(chance, spec, seen)
        case "string":
            return chance.choice([*TEXTS, "x" * spec.longest, *(seen.texts and [chance.choice(seen.texts)] * 5)])
        case "id":
            return chance.choice(seen.texts) if seen.texts and chance.random() < 0.8 else "nobody"
        case "boolean":
            return chance.random() < 0.5
        case "enum":
            return chance.choice(spec.values)
        case "point":
            names = ("x", "z") if chance.random() < 0.8 else ("x", "y", "z")
            return {name: _number(chance, spec, seen) for name in names}
        case _:
            assert spec.of is not None, "inputs have no objects"
            count = chance.choice((0, 1, 2, 5, spec.longest if spec.longest <= 50 else 50))
            return [spec.of.near(_value(chance, spec.of, seen)) for _ in range(count)]


def _number(chance: Random, spec: ArgSpec, seen: Seen) -> float:
    low = -1000.0 if spec.min is None else spec.min
    high = max(low, 1000.0) if spec.max is None else spec.max
    if seen.numbers and chance.random() < 0.3:
        return chance.choice(seen.numbers)
    value = chance.choice((low, high, 0.0, chance.uniform(low, high), chance.uniform(low, high)))
    return round(value) if spec.type == "integer" else value
