"""What a game's Lua files show without being run: where a function stands, and lines that look like known mistakes.

It reads lines, not Lua: what it names is a place to look at. Only `dropped_rejections` is a finding by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from games.code import MAIN, GameCode

MOST_SUSPECTS: Final = 3

_TEXT_OR_COMMENT: Final = re.compile(
    r"""--\[\[.*?\]\]|--[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|\[\[.*?\]\]""", re.DOTALL
)
_DROPPED: Final = re.compile(r"^\s*(?:(?:if|elseif)\b.*\bthen\s+|else\s+)?world\.reject\s*\(")
_WRITES: Final = r"(?:^|\b(?:then|do|else|end)\b|[;)])\s*%s(?:\.\w+|\[[^]]*\])*\s*=(?!=)"
"""A statement that writes to a variable, or into the table that it holds."""
_LOCAL: Final = re.compile(r"^local\s+(?!function\b)([\w\s,]+)")


class Place:
    """A line of one of the game's files."""

    def __init__(self, file: str, line: int | None) -> None:
        self.file = file
        self.line = line

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


def lines(code: GameCode) -> Iterator[tuple[str, int, str]]:
    """Yield (file, line, text) of all Lua, main.lua first, with comments and texts emptied."""
    files = sorted((name for name in code.files if name.endswith(".lua")), key=lambda name: (name != MAIN, name))
    for name in files:
        source = code.files[name].decode(errors="replace")
        bare = _TEXT_OR_COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), source)
        for number, text in enumerate(bare.splitlines(), 1):
            yield name, number, text


def function_place(code: GameCode, function: str) -> Place:
    """Return where ``game.FUNCTION`` is defined (``tick``, ``inputs.move``), main.lua if it cannot be told."""
    name = re.escape(function.rpartition(".")[2])
    whole = re.escape(function)
    for pattern in (
        rf"function\s+\w+\.{whole}\s*\(",
        rf"\b{name}\s*=\s*function\b",
        rf"function\s+[\w.:]*\b{name}\s*\(",
    ):
        for file, line, text in lines(code):
            if re.search(pattern, text):
                return Place(file, line)
    return Place(MAIN, None)


def write_place(code: GameCode, path: str) -> Place:
    """Return a line that may write what stands at ``path`` of the state (``state.teams[2].leader``)."""
    for name in reversed(re.findall(r"[A-Za-z_]\w*", path)):
        for file, line, text in lines(code):
            if re.search(rf"\b{name}\s*(?:,[\w\s.,]+)?=(?!=)", text):
                return Place(file, line)
    return Place(MAIN, None)


def changing_variables(code: GameCode) -> list[tuple[Place, str]]:
    """Return where functions write to variables of their file: (where, name), once for each name.

    What they hold is lost when a world is restored. A local of the same name inside a function can fool it.
    """
    tops: dict[str, set[str]] = {}
    for file, _, text in lines(code):
        found = _LOCAL.match(text)
        if found:
            tops.setdefault(file, set()).update(re.findall(r"\w+", found[1]))
    suspects: dict[tuple[str, str], Place] = {}
    braces, in_file = 0, ""
    for file, line, text in lines(code):
        braces, in_file = (braces, file) if file == in_file else (0, file)
        inside = braces == 0 and (text[:1].isspace() or "function" in text)
        braces += text.count("{") - text.count("}")
        for name in sorted(tops.get(file, ())) if inside else ():
            if re.search(_WRITES % name, text) and (file, name) not in suspects:
                suspects[file, name] = Place(file, line)
    return [(place, name) for (_, name), place in suspects.items()][:MOST_SUSPECTS]


def dropped_rejections(code: GameCode) -> Iterator[Place]:
    """Yield lines that make a rejection and do not return it: the input goes on as if nothing was wrong."""
    for file, line, text in lines(code):
        if _DROPPED.match(text):
            yield Place(file, line)
