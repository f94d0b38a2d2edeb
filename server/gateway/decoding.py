"""A frame → a request; or the refusal that says what is wrong, where, and what would work instead.

Pure: no connection, no clock. Two passes. The strict one (twins of the protocol's structs that forbid unknown
fields) takes what is right at once. Only when it fails does the patient one look closer: it takes 3.0 as 3 and null
as absent, names fields that nobody knows, and words the refusal.

What a request holds after `decode`: integers of at most 2^53-1 either way, no NaN or infinity, only str, int, float,
bool, list and dict with string keys, nested at most 32 deep, a name and a note without control characters, a note
that fits.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, NamedTuple, Union

import msgspec

from server.gateway import refusals
from server.gateway.refusals import shown
from worldline import protocol

Encoding = Literal["json", "msgpack"]

IGNORED_NAMES: Final = 20  # unknown fields named in a reply
_ARGS_DEPTH: Final = 2  # `args` is an object within an object
_PART_ARGS_DEPTH: Final = 4  # and in an act within a list of objects


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


class Decoded(NamedTuple):
    """A request, the unknown fields it had, and what they may have been meant to be."""

    request: protocol.Request
    ignored: list[str] | None = None
    hint: str | None = None


def _strict_twin(kind: type[msgspec.Struct], fields: list[tuple[str, Any]]) -> type[msgspec.Struct]:
    twin = msgspec.defstruct(
        kind.__name__, fields, bases=(kind,), tag=kind.__struct_config__.tag, forbid_unknown_fields=True, kw_only=True
    )
    assert issubclass(twin, kind)
    return twin


_STRICT_PARTS: Final[dict[type[msgspec.Struct], list[tuple[str, Any]]]] = {
    protocol.Act: [
        (
            "inputs",
            Annotated[
                list[_strict_twin(protocol.ActInput, [])],  # type: ignore[misc]
                msgspec.Meta(max_length=protocol.MAX_ACT_INPUTS),
            ],
        )
    ]
}
_STRICT: Final[Any] = Union[  # noqa: UP007 - built at run time
    tuple(_strict_twin(kind, _STRICT_PARTS.get(kind, [])) for kind in protocol.REQUESTS)
]
_strict_decoders: Final = {
    "json": msgspec.json.Decoder(_STRICT).decode,
    "msgpack": msgspec.msgpack.Decoder(_STRICT).decode,
}
_generic_decoders: Final = {"json": msgspec.json.Decoder().decode, "msgpack": msgspec.msgpack.Decoder().decode}


def decode(data: bytes, *, text_frame: bool, encoding: Encoding, examples: MakeExamples) -> Decoded:
    """Read one frame. ``examples`` are for hints only.

    Raises `Refused` with `malformed`, `unknown_type`, `invalid_args` or `too_large`.
    """
    if text_frame != (encoding == "json"):
        raise refusals.wrong_frame(text_frame)
    try:
        request: protocol.Request = _strict_decoders[encoding](data)
    except msgspec.ValidationError:
        return _decode_patiently(data, encoding, examples)
    except RecursionError:
        raise _too_deep(None, None) from None
    except UnicodeDecodeError as error:
        raise refusals.malformed(f"a text is not valid UTF-8: {error.reason} at byte {error.start} of it") from None
    except msgspec.DecodeError as error:
        raise refusals.malformed(f"this is not {_ENCODING_NAMES[encoding]}: {_reason(error)}") from None
    return Decoded(_tidy(request))


_ENCODING_NAMES: Final = {"json": "JSON", "msgpack": "MessagePack"}


def _reason(error: msgspec.DecodeError) -> str:
    text = str(error)
    return text.removeprefix("JSON is malformed: ").removeprefix("MessagePack data is malformed: ")


# --- the patient pass --------------------------------------------------------------------------------


def _decode_patiently(data: bytes, encoding: Encoding, examples: MakeExamples) -> Decoded:
    try:
        message = _generic_decoders[encoding](data)
    except msgspec.ValidationError as error:
        raise refusals.malformed(f"a number in it is too large: {_reason(error)}") from None
    except RecursionError:
        raise _too_deep(None, None) from None
    except UnicodeDecodeError as error:
        raise refusals.malformed(f"a text is not valid UTF-8: {error.reason} at byte {error.start} of it") from None
    except msgspec.DecodeError as error:
        raise refusals.malformed(f"this is not {_ENCODING_NAMES[encoding]}: {_reason(error)}") from None
    if not isinstance(message, dict):
        raise refusals.malformed(f"a message is an object with `type` and `id`, got {shown(message)}")
    number = _readable_id(message.get("id"))
    fields: dict[str, Any] = {
        key: value for key, value in _plain(message, "", 1, number, examples).items() if value is not None
    }
    kind = _kind(fields.pop("type", None), number)
    request = _convert(kind, fields, number, examples)
    assert isinstance(request, protocol.Request)
    request = _tidy(request)
    unknown = [name for name in fields if name not in kind.__struct_encode_fields__]
    if unknown:
        return Decoded(request, [shown_name(name) for name in unknown[:IGNORED_NAMES]], _meant(unknown, kind))
    if isinstance(request, protocol.Act):
        return _with_unknown_parts(request, fields["inputs"])
    return Decoded(request)


def _with_unknown_parts(act: protocol.Act, inputs: list[dict[str, Any]]) -> Decoded:
    """An act with the unknown fields that its inputs had."""
    known = protocol.ActInput.__struct_fields__
    unknown = [(place, name) for place, given in enumerate(inputs) for name in given if name not in known]
    if not unknown:
        return Decoded(act)
    names = [f"inputs[{place}].{shown_name(name)}" for place, name in unknown[:IGNORED_NAMES]]
    return Decoded(act, names, _meant([name for _, name in unknown], protocol.ActInput))


def shown_name(name: str) -> str:
    """A client's own field name, cut to what the protocol allows for names."""
    return name if len(name) <= protocol.MAX_ID_LENGTH else name[: protocol.MAX_ID_LENGTH - 1] + "…"


def _readable_id(value: Any) -> int | None:
    """The request's id, if that much could be read."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= protocol.MAX_INTEGER:
        return value
    return None


def _kind(name: Any, number: int | None) -> type[protocol.Request]:
    types = sorted(protocol.REQUEST_TYPES)
    if name is None:
        raise refusals.invalid("type", "a message says its type", "ping", re=number, valid=types)
    if not isinstance(name, str):
        raise refusals.invalid("type", f"type must be a string, got {shown(name)}", "ping", re=number, valid=types)
    kind = protocol.REQUEST_TYPES.get(name)
    if kind is None:
        raise refusals.unknown_type(name, number)
    return kind


def _meant(unknown: list[str], kind: type[msgspec.Struct]) -> str:
    """What unknown fields may have been meant to be."""
    name = kind.__struct_config__.tag or "an input of an act"
    guesses = []
    for field in unknown[:IGNORED_NAMES]:
        near = refusals.close_match(field, kind.__struct_encode_fields__)
        if near is not None:
            guesses.append(f"did you mean {near} by {shown_name(field)}?")
    fields = ", ".join(kind.__struct_encode_fields__)
    return " ".join(guesses) or f"{name} has these fields: {fields}"


def _convert(
    kind: type[msgspec.Struct], fields: dict[str, Any], number: int | None, examples: MakeExamples, at: str = ""
) -> msgspec.Struct:
    """Check field by field, so that the refusal can name the first wrong one, behind ``at``. Unknown ones are left
    out."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        if field.encode_name not in fields:
            if field.required:
                raise _missing(kind, field.encode_name, fields, number, examples, at)
            continue
        value = fields[field.encode_name]
        if kind is protocol.Act and field.name == "inputs" and isinstance(value, list):
            value = _parts(value, number, examples)
        try:
            msgspec.convert(value, field.type, from_attributes=True)
        except msgspec.ValidationError:
            raise _wrong(kind, field.encode_name, fields, number, examples, at) from None
        values[field.name] = value
    return kind(**values)


def _parts(inputs: list[Any], number: int | None, examples: MakeExamples) -> list[msgspec.Struct]:
    """The inputs of an act, each checked field by field."""
    parts: list[msgspec.Struct] = []
    for place, given in enumerate(inputs):
        if not isinstance(given, dict):
            text = f"inputs[{place}] must be an object with player and name, got {shown(given)}"
            known = examples()
            example = {"player": known.player or "p_1", "name": next(iter(known.inputs), "")}
            raise refusals.invalid(f"inputs[{place}]", text, example, re=number)
        fields = {name: value for name, value in given.items() if value is not None}
        parts.append(_convert(protocol.ActInput, fields, number, examples, f"inputs[{place}]."))
    return parts


def _missing(
    kind: type[msgspec.Struct],
    name: str,
    fields: dict[str, Any],
    number: int | None,
    examples: MakeExamples,
    at: str,
) -> refusals.Refused:
    wanted, valid = _wanted(kind, name)
    message = f"{at.rstrip('.') or kind.__struct_config__.tag} needs {name}: {wanted}"
    return _mend(kind, name, message, fields, number, examples, valid, at)


def _wrong(
    kind: type[msgspec.Struct],
    name: str,
    fields: dict[str, Any],
    number: int | None,
    examples: MakeExamples,
    at: str,
) -> refusals.Refused:
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


# --- values ------------------------------------------------------------------------------------------


def _tidy(request: protocol.Request) -> protocol.Request:
    """Check and normalise what the types cannot say."""
    if isinstance(request, protocol.Input):
        _tidy_input(request, request.id, "", _ARGS_DEPTH)
    elif isinstance(request, protocol.Act):
        for place, given in enumerate(request.inputs):
            _tidy_input(given, request.id, f"inputs[{place}].", _PART_ARGS_DEPTH)
    elif isinstance(request, protocol.Hello) and request.name is not None:
        request.name = without_controls(request.name).strip() or None
    return request


def _tidy_input(given: protocol.Input | protocol.ActInput, number: int, at: str, depth: int) -> None:
    if given.args:
        checked = _plain(given.args, f"{at}args", depth, number, None)
        given.args = {name: value for name, value in checked.items() if value is not None}
    if given.note is not None:
        given.note = without_controls(given.note, keep="\n\t") or None
    if given.note is not None and len(given.note) * 4 > protocol.MAX_NOTE_BYTES:
        size_bytes = len(given.note.encode())
        if size_bytes > protocol.MAX_NOTE_BYTES:
            raise refusals.note_too_large(size_bytes, number, f"{at}note")


def without_controls(text: str, keep: str = "") -> str:
    """``text`` without control and format characters: other people will read it."""
    if text.isprintable():
        return text
    return "".join(
        character
        for character in text
        if character in keep or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
    )


def _plain(value: Any, path: str, depth: int, number: int | None, examples: MakeExamples | None) -> Any:
    """``value`` with whole floats as ints; raises `Refused` for what the protocol does not know, naming the path."""
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -protocol.MAX_INTEGER <= value <= protocol.MAX_INTEGER:
            raise _bad_number(path, "beyond 2^53-1, where numbers stop being exact", number, examples)
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _bad_number(path, "not a finite number", number, examples)
        return int(value) if value.is_integer() and abs(value) <= protocol.MAX_INTEGER else value
    if isinstance(value, dict):
        if depth > protocol.MAX_NESTING:
            raise _too_deep(path, number)
        for key in value:
            if not isinstance(key, str):
                raise refusals.malformed(f"map keys are strings, got {shown(key)}", re=number, path=path or None)
        return {
            key: _plain(item, f"{path}.{shown_name(key)}" if path else shown_name(key), depth + 1, number, examples)
            for key, item in value.items()
        }
    if isinstance(value, list):
        if depth > protocol.MAX_NESTING:
            raise _too_deep(path, number)
        return [_plain(item, f"{path}[{index}]", depth + 1, number, examples) for index, item in enumerate(value)]
    raise refusals.malformed(
        "MessagePack's bin and ext types are not used here: only str, int, float, bool, nil, array and map",
        re=number,
        path=path or None,
    )


def _bad_number(path: str, what: str, number: int | None, examples: MakeExamples | None) -> refusals.Refused:
    example = examples().free_id if examples is not None and path == "id" else 1
    return refusals.invalid(path, f"{path} is {what}", example, re=number)


def _too_deep(path: str | None, number: int | None) -> refusals.Refused:
    return refusals.malformed(f"nested deeper than {protocol.MAX_NESTING}", re=number, path=path)
