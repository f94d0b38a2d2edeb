"""Inputs as words: ``move to=home``, ``offer to=p_2 give=wood give_count=2``.

The first word is the input, every other is ``name=value``. What a value is, the game's declared inputs say: a text is
taken as it stands, everything else is read as JSON, and what is not JSON is left for the server to refuse, which knows
better what is wrong with it. Pure functions.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

Schemas = Mapping[str, Any]
"""The inputs of a game, as `worldline.protocol.RulesReply` has them: JSON Schemas by name."""


class WordsError(Exception):
    """These words are no input: ``what`` says why, ``remedy`` what would be."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} → {remedy}")
        self.what = what
        self.remedy = remedy


class Said(NamedTuple):
    """An input with its arguments."""

    name: str
    args: dict[str, Any]


def split(line: str) -> list[str]:
    """The words of a line, as a shell would have them: ``say text="hello there"``. Raises `WordsError`."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise WordsError(f"{line!r} cannot be read: {error}", "close the quotation mark") from None


def read(words: Sequence[str], inputs: Schemas) -> Said:
    """The input that is meant. Raises `WordsError`."""
    name, *rest = words
    schema = inputs.get(name)
    if schema is None:
        raise WordsError(f"there is no input {name!r}{_nearest(name, inputs)}", f"say one of: {', '.join(inputs)}")
    properties = schema.get("properties", {})
    args: dict[str, Any] = {}
    for word in rest:
        key, equals, text = word.partition("=")
        if not equals:
            raise WordsError(f"{word!r} is not name=value", f"write {usage(name, schema)}")
        if key not in properties:
            raise WordsError(
                f"{name} has no argument {key!r}{_nearest(key, properties)}", f"write {usage(name, schema)}"
            )
        args[key] = _value(text, properties[key])
    return Said(name, args)


def usage(name: str, schema: Mapping[str, Any]) -> str:
    """How an input is written: ``offer to=TEXT give=wood|stone give_count=1..9``; in brackets what may be left out."""
    required = set(schema.get("required", ()))
    parts = []
    for key, declared in schema.get("properties", {}).items():
        part = f"{key}={_kind(declared)}"
        parts.append(part if key in required else f"[{part}]")
    return " ".join([name, *parts])


def explain(inputs: Schemas) -> list[tuple[str, str]]:
    """Every input: how it is written, and what it does."""
    return [(usage(name, schema), str(schema.get("description", ""))) for name, schema in inputs.items()]


def complete(line: str, inputs: Schemas) -> list[str]:
    """What the last word of an unfinished line could be."""
    words = line.split(" ")
    last = words[-1]
    if len(words) == 1:
        return [name for name in inputs if name.startswith(last)]
    declared = inputs.get(words[0], {}).get("properties", {})
    key, equals, begun = last.partition("=")
    if not equals:
        given = {word.partition("=")[0] for word in words[1:-1]}
        return [f"{name}=" for name in declared if name.startswith(last) and name not in given]
    values = declared.get(key, {}).get("enum", [])
    return [f"{key}={value}" for value in values if str(value).startswith(begun)]


def _value(text: str, declared: Mapping[str, Any]) -> Any:
    if declared.get("type") == "string":
        return text
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _kind(declared: Mapping[str, Any]) -> str:
    if "enum" in declared:
        return "|".join(map(str, declared["enum"]))
    if "minimum" in declared and "maximum" in declared:
        return f"{declared['minimum']}..{declared['maximum']}"
    return {"string": "TEXT", "number": "NUMBER", "integer": "WHOLE", "boolean": "true|false", "array": "[…]"}.get(
        declared.get("type", ""), "JSON"
    )


def _nearest(name: str, among: Mapping[str, Any]) -> str:
    matches = difflib.get_close_matches(name, among, n=1)
    return f", did you mean {matches[0]}?" if matches else ""
