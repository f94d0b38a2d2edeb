"""What the values in a request may be, beyond what the types of its fields say.

Whole floats are taken as integers, control characters out of what other people will read. Pure: no connection, no
clock. Not here: which fields there are and of which type (decoding).

Invariant: what a request holds after `tidy`: integers of at most 2^53-1 either way, no NaN or infinity, only str, int,
float, bool, list and dict with string keys, nested at most 32 deep, a name and a note without control characters, a
note that fits.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Any, Final

from server.gateway import refusals
from server.gateway.hints import MakeExamples
from server.gateway.refusals import shown
from worldline import protocol

_ARGS_DEPTH: Final = 2  # `args` is an object within an object
_PART_ARGS_DEPTH: Final = 4  # and in an act within a list of objects


def tidy(request: protocol.Request) -> protocol.Request:
    """Check and normalise what the types cannot say. Raises `Refused` with `malformed`, `invalid_args`, `too_large`."""
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
        checked = plain(given.args, f"{at}args", depth, number, None)
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


def plain(value: Any, path: str, depth: int, number: int | None, examples: MakeExamples | None) -> Any:
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
            raise too_deep(path, number)
        for key in value:
            if not isinstance(key, str):
                raise refusals.malformed(f"map keys are strings, got {shown(key)}", re=number, path=path or None)
        return {
            key: plain(item, f"{path}.{shown_name(key)}" if path else shown_name(key), depth + 1, number, examples)
            for key, item in value.items()
        }
    if isinstance(value, list):
        if depth > protocol.MAX_NESTING:
            raise too_deep(path, number)
        return [plain(item, f"{path}[{index}]", depth + 1, number, examples) for index, item in enumerate(value)]
    raise refusals.malformed(
        "MessagePack's bin and ext types are not used here: only str, int, float, bool, nil, array and map",
        re=number,
        path=path or None,
    )


def _bad_number(path: str, what: str, number: int | None, examples: MakeExamples | None) -> refusals.Refused:
    example = examples().free_id if examples is not None and path == "id" else 1
    return refusals.invalid(path, f"{path} is {what}", example, re=number)


def too_deep(path: str | None, number: int | None) -> refusals.Refused:
    """The refusal of what is nested too deeply at ``path``; None: it could not be read so far."""
    return refusals.malformed(f"nested deeper than {protocol.MAX_NESTING}", re=number, path=path)


def shown_name(name: str) -> str:
    """A client's own field name, cut to what the protocol allows for names."""
    return name if len(name) <= protocol.MAX_ID_LENGTH else name[: protocol.MAX_ID_LENGTH - 1] + "…"
