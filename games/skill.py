"""Writes the tables of a game's SKILL.md from its manifest, so that what agents read is what the engine checks.

A table stands between two marks, each on a line of its own: ``<!-- generated:inputs -->`` and ``<!-- end -->``. There
are four: inputs, events, observation, settings. Everything else in the file is a person's work and stays as it is. An
updated file updated again is the same file.

Not here: reading and writing files (the command ``worldline games skill`` does that).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from games.manifest import Manifest

_SECTION: Final = re.compile(r"(<!-- generated:([a-z_]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_MARK: Final = re.compile(r"<!-- (generated:[^\n]*|end) -->")

Schema = Mapping[str, Any]


class SkillError(Exception):
    """The marks in a SKILL.md are not right; ``line`` says where."""

    def __init__(self, line: int, reason: str) -> None:
        self.line = line
        self.reason = reason
        super().__init__(f"SKILL.md:{line}: {reason}")


def update_skill(text: str, manifest: Manifest) -> str:
    """Return ``text`` (a SKILL.md) with every generated table as the manifest has it now.

    Raises SkillError if a mark has no partner or names a table that there is not.
    """
    _check_marks(text)
    return _SECTION.sub(lambda found: found[1] + TABLES[found[2]](manifest) + found[4], text)


def _check_marks(text: str) -> None:
    """Every mark for a table is followed by an end, and the other way round."""
    opened: int | None = None
    for found in _MARK.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        if (found[1] == "end") == (opened is None):
            where = line if opened is None else opened
            raise SkillError(where, "each <!-- generated:… --> needs its own <!-- end --> after it, on a later line")
        if found[1] == "end":
            opened = None
            continue
        opened = line
        name = found[1].removeprefix("generated:")
        if name not in TABLES:
            raise SkillError(line, f"there is no table {name!r}: known are {', '.join(TABLES)}")
        if not text.startswith("\n", found.end()):
            raise SkillError(line, "a mark stands on a line of its own")
    if opened is not None:
        raise SkillError(opened, "there is no <!-- end --> after this mark")


# --- the tables --------------------------------------------------------------------------------------


def inputs_table(manifest: Manifest) -> str:
    """One row per input: its arguments and what it does."""
    rows = []
    for name, schema in manifest.input_schemas().items():
        args = "<br>".join(_field_lines(schema)) or "none"
        done_on = manifest.inputs[name].done_on
        help = _sentence(schema) + (f" Ends with the event `{done_on}`." if done_on else "")
        if "default" in schema:
            given = msgspec.json.encode(schema["default"]).decode()
            help += f" Done for you, with `{given}`, when you are silent until the deadline."
        rows.append((f"`{name}`", args, help))
    return _table(("input", "arguments", "what it does"), rows)


def events_table(manifest: Manifest) -> str:
    """One row per event: its data and what happened."""
    rows = []
    for name, schema in manifest.event_schemas().items():
        spec = manifest.events[name]
        help = _sentence(schema)
        if spec.stops:
            help += " Think again: this may upset your plan."
        if spec.quiet:
            help += " Nothing to act on."
        rows.append((f"`{name}`", "<br>".join(_field_lines(schema)) or "none", help))
    return _table(("event", "data", "what happened"), rows)


def observation_table(manifest: Manifest) -> str:
    """One row per field of an observation, fields of objects and of list items after the field that holds them."""
    rows = list(_rows(manifest.observation_schema(), ""))
    return _table(("field", "type", "meaning"), rows)


def settings_table(manifest: Manifest) -> str:
    """One row per setting of a world."""
    rows = []
    for name, schema in manifest.settings_schema()["properties"].items():
        default = msgspec.json.encode(schema.get("default")).decode()
        rows.append((f"`{name}`", _kind(schema), default, _sentence(schema)))
    return _table(("setting", "type", "default", "meaning"), rows)


TABLES: Final[dict[str, Callable[[Manifest], str]]] = {
    "inputs": inputs_table,
    "events": events_table,
    "observation": observation_table,
    "settings": settings_table,
}
"""What can stand between marks, by name."""


# --- from JSON Schema to cells -----------------------------------------------------------------------


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _sentence(schema: Schema) -> str:
    return " ".join(str(schema.get("description", "")).split())


def _field_lines(schema: Schema) -> Iterator[str]:
    """One line per property: ``name``, type, whether it may be left out, help."""
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        optional = "" if name in required else ", optional"
        help = _sentence(part)
        yield f"`{name}`: {_kind(part)}{optional}" + (f". {help}" if help else "")


def _rows(schema: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        optional = "" if name in required else ", optional"
        yield f"`{prefix}{name}`", _kind(part) + optional, _sentence(part)
        inner = part.get("items", part)
        mark = "[]." if "items" in part else "."
        if inner.get("type") == "object":
            yield from _rows(inner, f"{prefix}{name}{mark}")


def _kind(schema: Schema) -> str:
    """The type of a value in words, with its bounds."""
    if "enum" in schema:
        return "one of " + ", ".join(f'"{value}"' for value in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind in ("number", "integer"):
        return kind + _bounds(schema)
    if kind == "string" and "pattern" in schema:
        return "id"
    if kind == "string":
        return f"text of at most {schema['maxLength']} characters" if "maxLength" in schema else "text"
    if kind == "array":
        return f"list of at most {schema['maxItems']}" if "maxItems" in schema else "list"
    return kind


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    if low is not None:
        return f", at least {low}"
    return f", at most {high}" if high is not None else ""
