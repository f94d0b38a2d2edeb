"""Writes what is published of the protocol from the Structs that are spoken: nobody writes the same thing twice.

    python -m tests.published_protocol              say what is out of date
    python -m tests.published_protocol --write      bring it up to date

In ``docs/reference``, ``asyncapi.json`` and ``messages.md`` are made as a whole; in ``protocol.md`` the tables between
``<!-- generated:NAME -->`` and ``<!-- end -->``. The descriptions are docstrings, the examples those of
``worldline/protocol/examples.py``. A test fails while anything is out of date.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from worldline import protocol
from worldline.protocol.asyncapi import (
    asyncapi,
    description_of,
    encoded_asyncapi,
    examples_of,
    messages,
    tag_of,
)

REFERENCE: Final = Path(__file__).resolve().parents[1] / "docs/reference"
COMMAND: Final = ".venv/bin/python -m tests.published_protocol --write"
REMEDIES: Final = {
    "mend": "mend the message",
    "not_possible": "not possible as things stand",
    "try_later": "the same may succeed after `retry_after_ms`",
}
_SECTION: Final = re.compile(r"(<!-- generated:([a-z_]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

Schema = dict[str, Any]
Kind = type[msgspec.Struct]

REPLIES: Final[list[Kind]] = [*dict.fromkeys(protocol.ANSWERS.values()), protocol.Error]


# --- from JSON Schema to words ----------------------------------------------------------------------------


def words(schema: Schema) -> str:
    """The type of a value, for people."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        kinds = [part for part in schema["anyOf"] if part.get("type") != "null"]
        if [part for part in kinds if part.get("type") == "number"]:
            kinds = [part for part in kinds if part.get("type") != "integer"]  # every number may be whole
        return " or ".join(dict.fromkeys(words(part) for part in kinds))
    if "enum" in schema:
        values: list[str] = [f"`{msgspec.json.encode(value).decode()}`" for value in schema["enum"]]
        return values[0] if len(values) == 1 else "one of " + ", ".join(values)
    match schema.get("type"):
        case "string":
            return f"text, at most {schema['maxLength']} characters" if "maxLength" in schema else "text"
        case "integer" | "number" as kind:
            return f"{kind}{_bounds(schema)}"
        case "boolean":
            return "true or false"
        case "array":
            most = f", at most {schema['maxItems']}" if "maxItems" in schema else ""
            return f"list of {words(schema['items'])}{most}" if schema.get("items") else f"list{most}"
        case "object":
            return "object"
        case _:
            return "anything"


def _bounds(schema: Schema) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if high == protocol.MAX_INTEGER:
        high = "2^53-1"
    if low is not None and high is not None:
        return f", {low} to {high}"
    return "" if low is None else f", at least {low}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def schemas() -> dict[str, Schema]:
    """Every Struct of the protocol by name."""
    found: dict[str, Schema] = asyncapi()["components"]["schemas"]
    return found


def fields(kind: Kind, *without: str) -> str:
    """The fields of a message in one cell: in brackets where they may be left out, with their default."""
    schema, cells = schemas()[kind.__name__], []
    for name, part in schema["properties"].items():
        if name in ("type", *without):
            continue
        default = part.get("default")
        said = "" if default is None else f" = {msgspec.json.encode(default).decode()}"
        cells.append(f"`{name}`" if name in schema["required"] else f"`[{name}{said}]`")
    return ", ".join(cells)


# --- the tables of protocol.md ----------------------------------------------------------------------------


def requests_table() -> str:
    """One row for each request."""
    rows = [
        (f"`{tag_of(kind)}`", fields(kind, "id"), f"`{tag_of(protocol.ANSWERS[kind])}`") for kind in protocol.REQUESTS
    ]
    return table(("type", "fields", "answer"), rows)


def replies_table() -> str:
    """One row for each answer, and the error."""
    own = ("re", "ignored", "hint")
    return table(("type", "fields"), [(f"`{tag_of(kind)}`", fields(kind, *own)) for kind in REPLIES])


def pushes_table() -> str:
    """One row for each message without ``re``."""
    rows = [
        (f"`{tag_of(kind)}`", fields(kind, "re", "ignored", "hint"), one_line(description_of(kind)))
        for kind in protocol.PUSHES
    ]
    return table(("type", "fields", "meaning"), rows)


def codes_table() -> str:
    """One row for each error code, by what can be done about it."""
    rows = [
        (f"`{code}`", known.when, ", ".join(f"`{name}`" for name in known.data), REMEDIES[known.remedy])
        for code, known in protocol.ERROR_CODES.items()
    ]
    return table(("code", "when", "data", "what to do"), rows)


def closes_table() -> str:
    """One row for each close code."""
    return table(("code", "meaning"), [(str(code), meaning) for code, meaning in protocol.CLOSE_CODES.items()])


TABLES: Final[dict[str, Callable[[], str]]] = {
    "requests": requests_table,
    "replies": replies_table,
    "pushes": pushes_table,
    "codes": codes_table,
    "closes": closes_table,
}


def one_line(text: str) -> str:
    """A description for a cell of a table."""
    return " ".join(text.split())


def protocol_page(page: str) -> str:
    """The page with every generated table as it has to be. Raises ValueError if a table is missing or unknown."""
    there = [name for _, name, _, _ in _SECTION.findall(page)]
    if sorted(there) != sorted(TABLES):
        raise ValueError(f"protocol.md has to have the tables {', '.join(TABLES)}, each once; it has {there}")
    return _SECTION.sub(lambda found: found[1] + TABLES[found[2]]() + found[4], page)


# --- messages.md ------------------------------------------------------------------------------------------


def messages_page() -> str:
    """Every message, field by field."""
    pushed = [kind for kind in protocol.PUSHES if kind not in REPLIES]
    spoken = {kind.__name__ for kind in messages()}
    parts: list[Kind] = [getattr(protocol, name) for name in schemas() if name not in spoken]
    groups: list[tuple[str, str, Iterable[Kind]]] = [
        ("What you say", "", protocol.REQUESTS),
        ("What answers", "`re` is the `id` of the request.", REPLIES),
        ("What comes unasked", "Messages without `re`.", pushed),
        ("Parts of messages", "", parts),
    ]
    lines = [
        "# Every message, field by field",
        "",
        "[The wire protocol](protocol.md) explains how they go together. A field in brackets may be left out; `null`",
        "is the same. Ignore fields that you do not know. This page and [asyncapi.json](asyncapi.json), which says the",
        "same for machines, are made from `worldline/protocol/`.",
    ]
    for title, introduction, kinds in groups:
        lines += ["", f"## {title}"]
        if introduction:
            lines += ["", introduction]
        for kind in kinds:
            lines += ["", *message_lines(kind)]
    return "\n".join(lines) + "\n"


def message_lines(kind: Kind) -> Iterator[str]:
    """One message or part: what it is, its fields, examples."""
    yield f"### {kind.__name__}"
    yield ""
    yield description_of(kind)
    if issubclass(kind, protocol.Request):
        answer = protocol.ANSWERS[kind].__name__
        yield ""
        yield f"Answered by [{answer}](#{answer.lower()})."
    if kind in protocol.PUSHES and kind in REPLIES:
        yield ""
        yield "Comes unasked, too: then without `re`."
    schema = schemas()[kind.__name__]
    rows = []
    for name, part in schema["properties"].items():
        default = part.get("default")
        said = "" if default is None else f"; `{msgspec.json.encode(default).decode()}` if left out"
        rows.append((f"`{name}`" if name in schema["required"] else f"[`{name}`]", words(part) + said))
    yield ""
    yield table(("field", "type"), rows).rstrip("\n")
    for example in examples_of(kind):
        yield ""
        yield "```json"
        yield msgspec.json.encode(example).decode()
        yield "```"


# --- files ------------------------------------------------------------------------------------------------


def published() -> dict[Path, bytes]:
    """Every published file as it has to be."""
    page = REFERENCE / "protocol.md"
    return {
        REFERENCE / "asyncapi.json": encoded_asyncapi(),
        REFERENCE / "messages.md": messages_page().encode(),
        page: protocol_page(page.read_text()).encode(),
    }


def out_of_date() -> list[Path]:
    """The files that are not as they have to be."""
    return [path for path, content in published().items() if not path.exists() or path.read_bytes() != content]


def missing() -> list[str]:
    """What ``worldline/protocol`` has to say before anything can be published: one line each, with the remedy."""
    lines = []
    answers = [*protocol.ANSWERS.values(), *protocol.PUSHES, protocol.Error]
    for kind in messages():
        name = kind.__name__
        if "__doc__" not in vars(kind) or not (kind.__doc__ or "").strip():
            lines.append(f"{name} has no description → write its docstring")
        if not examples_of(kind):
            lines.append(f"{name} has no example → add one to worldline/protocol/examples.py")
        if kind in protocol.REQUESTS and kind not in protocol.ANSWERS:
            lines.append(f"nothing answers {name} → add what does to ANSWERS in worldline/protocol/__init__.py")
        if kind not in protocol.REQUESTS and kind not in answers:
            lines.append(f"{name} answers nothing → add it to ANSWERS or PUSHES in worldline/protocol/__init__.py")
    lines += [
        f"{kind.__name__} is no request → add it to REQUESTS in worldline/protocol/requests.py"
        for kind in get_args(protocol.ClientMessage)
        if kind not in protocol.REQUESTS
    ]
    if lines:
        return lines
    return [
        f"{name} has no description → write its docstring"
        for name in schemas()
        if not (vars(getattr(protocol, name)).get("__doc__") or "").strip()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="What is published of the protocol.")
    parser.add_argument("--write", action="store_true", help="bring it up to date")
    asked = parser.parse_args()
    if lines := missing():
        print(*(f"error: {line}" for line in lines), sep="\n", file=sys.stderr)
        return 1
    late = out_of_date()
    for path in late:
        if asked.write:
            path.write_bytes(published()[path])
        print(f"{'written' if asked.write else 'out of date'}: {path.relative_to(REFERENCE.parents[1])}")
    return int(bool(late) and not asked.write)


if __name__ == "__main__":
    sys.exit(main())
