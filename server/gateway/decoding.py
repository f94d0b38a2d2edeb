"""A frame → a request; or the refusal that says what is wrong, where, and what would work instead.

Pure: no connection, no clock. Two passes. The strict one (twins of the protocol's structs that forbid unknown
fields) takes what is right at once. Only when it fails does the patient one look closer: it takes 3.0 as 3 and null
as absent, names fields that nobody knows, and words the refusal.

Invariant: what `decode` returns has the fields and types of its struct, and values that the protocol knows (values).

Not here: what the values may be (values), what a refused field must be and what works there (hints).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NamedTuple, Union

import msgspec

from server.gateway import hints, refusals
from server.gateway.hints import MakeExamples
from server.gateway.refusals import shown
from server.gateway.values import plain, shown_name, tidy, too_deep
from worldline import protocol

Encoding = Literal["json", "msgpack"]

IGNORED_NAMES: Final = 20  # unknown fields named in a reply


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
        raise too_deep(None, None) from None
    except UnicodeDecodeError as error:
        raise refusals.malformed(f"a text is not valid UTF-8: {error.reason} at byte {error.start} of it") from None
    except msgspec.DecodeError as error:
        raise refusals.malformed(f"this is not {_ENCODING_NAMES[encoding]}: {_reason(error)}") from None
    return Decoded(tidy(request))


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
        raise too_deep(None, None) from None
    except UnicodeDecodeError as error:
        raise refusals.malformed(f"a text is not valid UTF-8: {error.reason} at byte {error.start} of it") from None
    except msgspec.DecodeError as error:
        raise refusals.malformed(f"this is not {_ENCODING_NAMES[encoding]}: {_reason(error)}") from None
    if not isinstance(message, dict):
        raise refusals.malformed(f"a message is an object with `type` and `id`, got {shown(message)}")
    number = _readable_id(message.get("id"))
    fields: dict[str, Any] = {
        key: value for key, value in plain(message, "", 1, number, examples).items() if value is not None
    }
    kind = _kind(fields.pop("type", None), number)
    request = _convert(kind, fields, number, examples)
    assert isinstance(request, protocol.Request)
    request = tidy(request)
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
                raise hints.missing(kind, field.encode_name, fields, number, examples, at)
            continue
        value = fields[field.encode_name]
        if kind is protocol.Act and field.name == "inputs" and isinstance(value, list):
            value = _parts(value, number, examples)
        try:
            msgspec.convert(value, field.type, from_attributes=True)
        except msgspec.ValidationError:
            raise hints.wrong(kind, field.encode_name, fields, number, examples, at) from None
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
