"""A policy that can play any game: it draws inputs and arguments at random from what the game declares.

It costs next to nothing and needs no ``bot.py``; it plays badly on purpose (a load, not a player). Two of three
decisions are inputs that bring an observation back, the third is an observe.

Not here: timing and measuring (``agents.py``).
"""

from __future__ import annotations

import random
from typing import Any, Final

import worldline

OBSERVE_EVERY: Final = 3
LIST_LENGTH: Final = 3
NUMBER_RANGE: Final = (-100.0, 100.0)  # where a game declares no bounds
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


async def play(player: worldline.Player, inputs: dict[str, Any], rng: random.Random) -> None:
    """Decide for ever; ``inputs`` are JSON Schemas by input name, as ``rules`` gives them."""
    names = sorted(inputs)
    decision = 0
    while True:
        decision += 1
        if decision % OBSERVE_EVERY == 0 or not names:
            await player.observe()
        else:
            name = rng.choice(names)
            await player.input(name, observe=True, note=f"a random {name}", **random_args(inputs[name], rng))
        await player.think()


def random_args(schema: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """Arguments that fit an input's JSON Schema: all required ones, each optional one half of the time."""
    required = set(schema.get("required", ()))
    return {
        name: random_value(part, rng)
        for name, part in schema.get("properties", {}).items()
        if name in required or rng.random() < 0.5
    }


def random_value(schema: dict[str, Any], rng: random.Random) -> Any:
    """A value that fits a JSON Schema of the kinds that games can declare."""
    if "enum" in schema:
        return rng.choice(schema["enum"])
    match schema.get("type"):
        case "number":
            return round(rng.uniform(*_bounds(schema)), 2)
        case "integer":
            low, high = _bounds(schema)
            return rng.randint(int(low), int(high))
        case "boolean":
            return rng.random() < 0.5
        case "array":
            length = min(LIST_LENGTH, schema.get("maxItems", LIST_LENGTH))
            return [random_value(schema.get("items", {}), rng) for _ in range(length)]
        case "object":
            return {name: random_value(part, rng) for name, part in schema.get("properties", {}).items()}
        case _:
            length = min(8, schema.get("maxLength", 8))
            return "".join(rng.choice(_LETTERS) for _ in range(length))


def _bounds(schema: dict[str, Any]) -> tuple[float, float]:
    low = schema.get("minimum", NUMBER_RANGE[0])
    return low, max(low, schema.get("maximum", max(NUMBER_RANGE[1], low)))
