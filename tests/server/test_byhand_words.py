"""Promise: words become the input that is meant; what is wrong with them is said with what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from server.byhand.sketch import sketch
from server.byhand.words import WordsError, complete, read, split, usage

INPUTS: dict[str, Any] = {
    "move": {
        "properties": {
            "x": {"type": "number", "minimum": -500, "maximum": 500},
            "to": {"type": "string"},
            "how": {"type": "string", "enum": ["fast", "slow"]},
        },
        "required": [],
    },
    "say": {"properties": {"text": {"type": "string"}}, "required": ["text"]},
    "dig": {"properties": {"deep": {"type": "boolean"}, "at": {"type": "array"}}, "required": ["deep"]},
}


@pytest.mark.parametrize(
    ("line", "name", "args"),
    [
        ("move to=home", "move", {"to": "home"}),
        ("move x=-3.5 how=fast", "move", {"x": -3.5, "how": "fast"}),
        ("move to=7", "move", {"to": "7"}),
        ('say text="hello there"', "say", {"text": "hello there"}),
        ("say text=", "say", {"text": ""}),
        ("say text=a=b", "say", {"text": "a=b"}),
        ("dig deep=true at=[1,2]", "dig", {"deep": True, "at": [1, 2]}),
        ("dig deep=maybe", "dig", {"deep": "maybe"}),
    ],
)
def test_what_is_meant(line: str, name: str, args: dict[str, Any]) -> None:
    assert read(split(line), INPUTS) == (name, args)


@pytest.mark.parametrize(
    ("line", "what", "remedy"),
    [
        ("mvoe to=home", "'mvoe', did you mean move?", "move, say, dig"),
        ("move home", "'home' is not name=value", "[to=TEXT]"),
        ("move too=home", "'too', did you mean to?", "[x=-500..500]"),
        ('say text="hello', "cannot be read", "quotation mark"),
    ],
)
def test_what_is_wrong_is_said(line: str, what: str, remedy: str) -> None:
    with pytest.raises(WordsError) as wrong:
        read(split(line), INPUTS)
    assert what in wrong.value.what
    assert remedy in wrong.value.remedy


def test_how_an_input_is_written() -> None:
    assert usage("move", INPUTS["move"]) == "move [x=-500..500] [to=TEXT] [how=fast|slow]"
    assert usage("dig", INPUTS["dig"]) == "dig deep=true|false [at=[…]]"


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("", ["move", "say", "dig"]),
        ("m", ["move"]),
        ("move ", ["x=", "to=", "how="]),
        ("move to=home ", ["x=", "how="]),
        ("move how=", ["how=fast", "how=slow"]),
        ("move how=s", ["how=slow"]),
        ("fly a", []),
    ],
)
def test_completion(line: str, found: list[str]) -> None:
    assert complete(line, INPUTS) == found


def test_a_map_shows_what_the_observation_says_and_nothing_else() -> None:
    data = {"x": 0, "z": 0, "relics": [{"dx": 10, "dz": 0}], "home": {"dx": 0, "dz": 5}, "walls": [{"x": 1, "y": 2}]}
    drawn = "\n".join(sketch(data, columns=11, rows=5))
    assert (drawn.count("@"), drawn.count("◆"), drawn.count("⌂")) == (1, 1, 1)
    assert sketch({"text": "no places"}) == sketch("text") == []
