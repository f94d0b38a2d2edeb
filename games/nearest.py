"""Which known name somebody may have meant. Never a guess that is far off."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

MAX_LISTED: Final = 20
"""No more valid names than this are listed."""


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the most similar of ``names``, or None if none is similar."""
    found = difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.6)
    return found[0] if found else None


def by_nearness(name: str, names: Iterable[str]) -> list[str]:
    """Return at most 20 of ``names``, the most similar first."""
    return sorted(names, key=lambda other: (-difflib.SequenceMatcher(None, name.lower(), other).ratio(), other))[
        :MAX_LISTED
    ]


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return ", did you mean NAME?" or an empty text."""
    found = nearest(name, names)
    return f", did you mean {found}?" if found else ""
