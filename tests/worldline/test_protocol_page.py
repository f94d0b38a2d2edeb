"""Promise: the page on the protocol tells what is spoken. Its examples are messages of ours without a field too many,
and it names every message and field that exists. (Its tables are made from the Structs: ``test_published.py``.)"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from worldline import protocol
from worldline.protocol.asyncapi import asyncapi

PAGE = (Path(__file__).resolve().parents[2] / "docs/reference/protocol.md").read_text()
EXAMPLES = re.findall(r"^([→←]) (\{.*\})$", PAGE, re.MULTILINE)
PARTS: list[type[msgspec.Struct]] = [getattr(protocol, name) for name in asyncapi()["components"]["schemas"]]


def test_there_are_examples_of_both_directions() -> None:
    assert {arrow for arrow, _ in EXAMPLES} == {"→", "←"}


@pytest.mark.parametrize(("arrow", "text"), EXAMPLES)
def test_each_example_is_a_message_without_unknown_fields(arrow: str, text: str) -> None:
    kind: Any = protocol.ClientMessage if arrow == "→" else protocol.ServerMessage
    message = msgspec.json.decode(text, type=kind)
    assert msgspec.to_builtins(message) == msgspec.json.decode(text)


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: str(kind.__name__))
def test_every_field_is_named(kind: type[msgspec.Struct]) -> None:
    tag = kind.__struct_config__.tag
    assert tag is None or f"`{tag}`" in PAGE
    missing = [name for name in kind.__struct_encode_fields__ if not re.search(rf"\b{name}\b", PAGE)]
    assert not missing
