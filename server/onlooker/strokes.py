"""Keys of whoever watches, and what they ask for. Pure.

A terminal sends an arrow as three characters or more that come one by one: `Strokes` puts them together.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Action = Literal[
    "pause", "back", "forward", "far_back", "far_forward", "first", "live", "slower", "faster", "as", "help", "quit"
]


class Key(NamedTuple):
    """What the help says of some keys."""

    shown: str
    meaning: str


HELP: Final = (
    Key("Space", "stand still, go on"),
    Key("← →  or  , .", "one tick back, forward"),
    Key("↑ ↓  or  > <", "ten ticks forward, back"),
    Key("Home", "to the first tick"),
    Key("End  or  l", "live, or to the end"),
    Key("- +", "half as fast, twice as fast"),
    Key("a", "with the eyes of the next player; after the last of nobody"),
    Key("?", "these keys, and away with them"),
    Key("q", "end"),
)

_ACTIONS: Final[dict[str, Action]] = {
    " ": "pause",
    "p": "pause",
    ",": "back",
    ".": "forward",
    "<": "far_back",
    ">": "far_forward",
    "l": "live",
    "-": "slower",
    "_": "slower",
    "+": "faster",
    "=": "faster",
    "a": "as",
    "?": "help",
    "h": "help",
    "q": "quit",
    "\x04": "quit",
    "D": "back",
    "C": "forward",
    "B": "far_back",
    "A": "far_forward",
    "H": "first",
    "F": "live",
    "1~": "first",
    "7~": "first",
    "4~": "live",
    "8~": "live",
}
_ESCAPE: Final = "\x1b"
_INTRODUCERS: Final = ("[", "O")


class Strokes:
    """Puts characters together to keys."""

    def __init__(self) -> None:
        self._begun = ""

    def press(self, character: str) -> Action | None:
        """What is asked for with this character; None if nothing is, or not yet."""
        if character == _ESCAPE:
            self._begun = _ESCAPE
            return None
        if self._begun == _ESCAPE and character in _INTRODUCERS:
            self._begun += character
            return None
        if len(self._begun) < 2:
            self._begun = ""
            # The letters that end an escape sequence mean nothing by themselves.
            return None if character.isupper() else _ACTIONS.get(character)
        self._begun += character
        if character.isdigit() or character == ";":
            return None
        key, self._begun = self._begun[2:], ""
        return _ACTIONS.get(key) if key.isupper() or key.endswith("~") else None
