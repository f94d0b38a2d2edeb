"""Promise: Lua is formatted one way: in the engine and in every game that ships."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GAMES = Path(__file__).resolve().parents[2] / "games"
SOURCES = sorted(GAMES.rglob("*.lua"))
MAX_LINES = 400
MAX_COLUMNS = 120
_COMMENT = re.compile(r"--[^\n]*")
_TEXT = re.compile(r'"(?:\\.|[^"\\\n])*"')


def problems(source: str) -> list[str]:
    """What is wrong with the form of a file, as LINE: WHAT."""
    found = []
    lines = source.split("\n")
    if not source.startswith("-- ") or not source.endswith("\n") or source.endswith("\n\n"):
        found.append("1: opens with a comment that says what the file is for, ends with one line break")
    if len(lines) > MAX_LINES + 1:
        found.append(f"{len(lines)}: more than {MAX_LINES} lines: find the seam")
    for number, line in enumerate(lines, start=1):
        indent = len(line) - len(line.lstrip(" "))
        if len(line) > MAX_COLUMNS:
            found.append(f"{number}: longer than {MAX_COLUMNS} columns")
        if line != line.rstrip() or "\t" in line:
            found.append(f"{number}: tab, or blanks at the end")
        if indent % 2:
            found.append(f"{number}: indentation is two blanks a level")
        if re.search(r"\)\s*;|;\s*$", line) and not line.lstrip().startswith("--"):
            found.append(f"{number}: no semicolons")
        if re.search(r"'[^'\"]*'", _TEXT.sub('""', _COMMENT.sub("", line))):
            found.append(f"{number}: texts stand in double quotes unless they hold some")
    return found + unused_locals(source)


def unused_locals(source: str) -> list[str]:
    """Locals of the whole file that nothing uses outside of the line that declares them."""
    code = _COMMENT.sub("", _TEXT.sub('""', source))
    found = []
    for match in re.finditer(r"^local (?:function )?([\w, ]+?)(?: =|\(|$)", code, re.MULTILINE):
        number = code.count("\n", 0, match.start()) + 1
        declaration = code.split("\n")[number - 1]
        for name in (part.strip() for part in match[1].split(",")):
            use = re.compile(rf"(?<![.:]){name}\b(?! = [^=])|\b{name}\.|\b{name}\(")
            if len(use.findall(code)) <= len(use.findall(declaration)):
                found.append(f"{number}: nothing uses {name}")
    return found


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(GAMES)) for path in SOURCES])
def test_lua_is_formatted_one_way(path: Path) -> None:
    assert problems(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "local x = 1\nreturn x\n",
        "-- Doc.\nreturn 1",
        "-- Doc.\nreturn 1 \n",
        "-- Doc.\n\treturn 1\n",
        "-- Doc.\n   return 1\n",
        "-- Doc.\nreturn 'x'\n",
        "-- Doc.\nlocal type, next = type, next\nreturn next\n",
        "-- Doc.\nlocal sub = string.sub\nreturn 1\n",
        "-- Doc.\nlocal function helper() end\nreturn 1\n",
        "-- Doc.\nf();\n",
        "-- Doc.\n" + "x = 1\n" * 400,
        "-- " + "x" * 120 + "\n",
    ],
)
def test_each_mistake_is_found(source: str) -> None:
    assert problems(source) != []
