"""Promise: the tables of a SKILL.md are what the manifest declares, nothing else in it is touched, and the shipped
files are up to date."""

from __future__ import annotations

import pytest

from games.code import find_games
from games.manifest_reader import read_manifest
from games.skill import TABLES, SkillError, update_skill

MANIFEST = read_manifest(
    b"""
title = "Test"
summary = "A game for tests."
max_players = 2
[settings]
pace = { type = "enum", values = ["slow", "fast"], default = "slow", help = "How fast | how slow." }
[inputs.walk]
help = "Go."
args.x = { type = "number", min = -5, max = 5.5, help = "East." }
args.to = { type = "string", max_length = 8, optional = true }
done_on = "there"
[inputs.rest]
help = "Stay."
[events.there]
help = "You are there."
args.x = { type = "number" }
stops = true
[observation.fields]
name = { type = "string", max_length = 9, optional = true }
[observation.fields.things]
type = "list"
max_length = 3
of.type = "object"
of.fields.id = { type = "id", help = "Which." }
""",
    "game.toml",
)

TEXT = """# Test
Before.
<!-- generated:inputs -->
old
<!-- end -->
Between.
<!-- generated:events -->
<!-- end -->
<!-- generated:observation -->
<!-- end -->
<!-- generated:settings -->
<!-- end -->
After.
"""


def test_tables_say_what_the_manifest_declares() -> None:
    text = update_skill(TEXT, MANIFEST)
    assert (
        "| `walk` | `x`: number, -5 to 5.5. East.<br>`to`: text of at most 8 characters, optional | "
        "Go. Ends with the event `there`. |"
    ) in text
    assert "| `rest` | none | Stay. |" in text
    assert "| `there` | `x`: number | You are there. Think again: this may upset your plan. |" in text
    assert "| `name` | text of at most 9 characters, optional |  |" in text
    assert "| `things` | list of at most 3 |  |\n| `things[].id` | id | Which. |" in text
    assert '| `pace` | one of "slow", "fast" | "slow" | How fast \\| how slow. |' in text
    assert "old" not in text


def test_everything_else_stays_as_it_is() -> None:
    text = update_skill(TEXT, MANIFEST)
    for kept in ("# Test\nBefore.\n<!--", "<!-- end -->\nBetween.\n<!--", "<!-- end -->\nAfter.\n"):
        assert kept in text


def test_an_update_of_an_update_changes_nothing() -> None:
    once = update_skill(TEXT, MANIFEST)
    assert update_skill(once, MANIFEST) == once
    assert update_skill("no marks at all", MANIFEST) == "no marks at all"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\n<!-- generated:inputs -->\n", 2),
        ("a\n<!-- generated:inputs -->\n<!-- generated:events -->\n<!-- end -->\n", 2),
        ("a\nb\n<!-- end -->\n", 3),
        ("<!-- generated:inputs -->\n<!-- end -->\n<!-- end -->\n", 3),
        ("<!-- generated:inputz -->\n<!-- end -->\n", 1),
        ("<!-- generated:inputs --> x\n<!-- end -->\n", 1),
    ],
)
def test_marks_that_are_wrong_are_named_with_their_line(text: str, line: int) -> None:
    with pytest.raises(SkillError) as caught:
        update_skill(text, MANIFEST)
    assert caught.value.line == line
    assert str(caught.value).startswith(f"SKILL.md:{line}: ")


def test_shipped_skills_are_up_to_date_and_have_all_tables() -> None:
    games = find_games()
    assert "tsunami" in games
    for code in games.values():
        assert update_skill(code.skill, code.manifest) == code.skill, f"run: worldline games skill {code.name}"
        for table in TABLES:
            assert f"<!-- generated:{table} -->" in code.skill
