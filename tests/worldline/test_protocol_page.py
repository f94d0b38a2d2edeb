"""Promise: the published protocol is the one that is spoken. Its examples are messages of ours without a field too
many, and it names every message, field, error code and close code that exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from worldline import protocol

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/protocol.md").read_text()
EXAMPLES = re.findall(r"^([→←]) (\{.*\})$", PAGE, re.MULTILINE)
MESSAGES: list[type[msgspec.Struct]] = [*get_args(protocol.ClientMessage), *get_args(protocol.ServerMessage)]
PARTS: list[type[msgspec.Struct]] = [
    protocol.Limits,
    protocol.ResumedPlayer,
    protocol.SeatedPlayer,
    protocol.LostPlayer,
    protocol.GameSummary,
    protocol.PlayerSummary,
    protocol.WorldSummary,
    protocol.EventItem,
]
CLOSE_CODES = [value for name, value in vars(protocol).items() if name.startswith("CLOSE_")]


def test_there_are_examples_of_both_directions() -> None:
    assert {arrow for arrow, _ in EXAMPLES} == {"→", "←"}


@pytest.mark.parametrize(("arrow", "text"), EXAMPLES)
def test_each_example_is_a_message_without_unknown_fields(arrow: str, text: str) -> None:
    kind: Any = protocol.ClientMessage if arrow == "→" else protocol.ServerMessage
    message = msgspec.json.decode(text, type=kind)
    assert msgspec.to_builtins(message) == msgspec.json.decode(text)


@pytest.mark.parametrize("kind", MESSAGES + PARTS, ids=lambda kind: str(kind.__name__))
def test_every_field_is_named(kind: type[msgspec.Struct]) -> None:
    tag = kind.__struct_config__.tag
    assert tag is None or f"`{tag}`" in PAGE
    missing = [name for name in kind.__struct_fields__ if not re.search(rf"\b{name}\b", PAGE)]
    assert not missing


@pytest.mark.parametrize("kind", protocol.REQUESTS, ids=lambda kind: str(kind.__name__))
def test_the_table_of_requests_is_complete(kind: type[protocol.Request]) -> None:
    (row,) = re.findall(rf"^\| `{kind.__struct_config__.tag}` \|(.*)\| `\w+` \|$", PAGE, re.MULTILINE)
    named = set(re.findall(r"`\[?(\w+)", row))
    assert named == set(kind.__struct_fields__) - {"id"}


def test_every_code_is_explained_and_no_other() -> None:
    table = PAGE.partition("## Errors")[2].partition("## Limits")[0]
    explained = {
        code for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for code in re.findall(r"`(\w+)`", row)
    }
    assert explained == set(protocol.ERROR_CODES)


def test_every_close_code_is_explained() -> None:
    table = PAGE.partition("## Close codes")[2].partition("## Plain HTTP")[0]
    assert [int(code) for code in re.findall(r"^\| (\d{4}) \|", table, re.MULTILINE)] == sorted(CLOSE_CODES)
