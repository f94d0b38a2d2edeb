"""A field of a request is missing or wrong → the refusal that says what it must be, with something that works.

What works is made of what there is for this client (`Examples`): its worlds, its players, the inputs of their game.
Pure: no connection, no clock. Not here: what is wrong with a request (decoding), and what a refusal looks like
(refusals).

Invariant: each field of each request has words for what it must be, and where it can have one a value that works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from server.gateway import refusals
from server.gateway.refusals import shown
from worldline import protocol


class Examples(msgspec.Struct, kw_only=True):
    """What works here and now for one client: the values that hints are made of. None: there is none.

    ``inputs`` are the game's inputs, each with args that fit its declaration.
    """

    game: str
    inputs: dict[str, dict[str, Any]]
    world: str | None = None
    player: str | None = None
    players: dict[str, str] = {}
    """By world: a player that one drives there."""
    free_id: int = 1


MakeExamples = Callable[[], Examples]
"""Called only when something is wrong."""


def missing(
    kind: type[msgspec.Struct],
    name: str,
    fields: dict[str, Any],
    number: int | None,
    examples: MakeExamples,
    at: str,
) -> refusals.Refused:
    """The refusal of a request that lacks the field ``name``. ``at``: where a part of it begins, like ``inputs[0].``"""
    wanted, valid = _wanted(kind, name)
    message = f"{at.rstrip('.') or kind.__struct_config__.tag} needs {name}: {wanted}"
    return _mend(kind, name, message, fields, number, examples, valid, at)


def wrong(
    kind: type[msgspec.Struct],
    name: str,
    fields: dict[str, Any],
    number: int | None,
    examples: MakeExamples,
    at: str,
) -> refusals.Refused:
    """The refusal of a request whose field ``name`` is not what it must be. ``at``: as in `missing`."""
    wanted, valid = _wanted(kind, name)
    message = f"{at}{name} must be {wanted}, got {shown(fields[name])}"
    return _mend(kind, name, message, fields, number, examples, valid, at)


def _mend(
    kind: type[msgspec.Struct],
    name: str,
    message: str,
    fields: dict[str, Any],
    number: int | None,
    examples: MakeExamples,
    valid: list[str] | None,
    at: str,
) -> refusals.Refused:
    """The refusal of field ``name``, with something that works: a value for it, or where that says too little a whole
    message."""
    if number is not None and name == "world" and examples().world is None:
        return refusals.join_first(message, examples().game, number)
    if number is not None and kind is protocol.Input and name in ("name", "args"):
        return refusals.input_like(path=name, message=message, example=_working_input(fields, number, examples()))
    example = valid[0] if valid else _example(kind, name, fields.get("world"), examples)
    return refusals.invalid(at + name, message, example, re=number, valid=valid)


def _working_input(fields: dict[str, Any], number: int, known: Examples) -> protocol.Input:
    """An input that the game would take: the one that was meant, if its name is one of the game's."""
    given = fields.get("name")
    name = given if isinstance(given, str) and given in known.inputs else next(iter(known.inputs), "")
    world = fields.get("world")
    return protocol.Input(
        id=number,
        world=world if isinstance(world, str) else known.world or "",
        name=name,
        args=known.inputs.get(name, {}),
    )


def _wanted(kind: type[msgspec.Struct], name: str) -> tuple[str, list[str] | None]:
    """What a field must be, in words, and the valid values if they can be listed."""
    (field,) = (field for field in msgspec.structs.fields(kind) if field.encode_name == name)
    wanted = msgspec.inspect.type_info(field.type)
    if isinstance(wanted, msgspec.inspect.UnionType):
        # A number is an integer or a float with the same bounds.
        wanted = [part for part in wanted.types if not isinstance(part, msgspec.inspect.NoneType)][-1]
    match wanted:
        case msgspec.inspect.FloatType(ge=least, le=most):
            return f"a number from {least} to {most}", None
        case msgspec.inspect.IntType(ge=least, le=most):
            return f"an integer from {least} to {most}", None
        case msgspec.inspect.StrType(max_length=None):
            return "a string", None
        case msgspec.inspect.StrType(max_length=most):
            return f"a string of at most {most} characters", None
        case msgspec.inspect.BoolType():
            return "true or false", None
        case msgspec.inspect.LiteralType(values=values):
            names = [str(value) for value in values]
            return f"one of {', '.join(names)}", names
        case msgspec.inspect.DictType():
            return "an object", None
        case msgspec.inspect.ListType(max_length=most):
            return f"a list of at most {most}", None
    raise AssertionError(f"no words for the type of {kind.__name__}.{name}")


def _example(kind: type[msgspec.Struct], name: str, world: Any, examples: MakeExamples) -> Any:
    """A value that works in this field of a request about ``world``."""
    if kind is protocol.Hello and name in ("name", "client"):
        return "ada" if name == "name" else "my-bot/1.0"
    known = examples()
    first = next(iter(known.inputs), "")
    player = known.players.get(world, known.player) if isinstance(world, str) else known.player
    values: dict[str, Any] = {
        "id": known.free_id,
        "game": known.game,
        "world": known.world,
        "player": player,
        "name": first or None,
        "inputs": [{"player": player or "p_1", "name": first, "args": known.inputs.get(first, {})}],
        "kinds": [],
        "ticks": 1,
        "action": "stop",
        "wait_ms": 0,
        "seq": None,
        "since": 1,
        "seen_tick": 0,
        "limit": 20,
        "hz": protocol.MAX_WATCH_HZ,
        "speed": 1,
        "tick": 0,
        "from_tick": 0,
        "as": known.player or "p_1",
        "note": "because …",
    }
    return values.get(name, False if _wanted(kind, name)[0] == "true or false" else None)
