"""Entries in words, for whoever asks what was done in a world, or what a call into its game was about.

Not here: entries as a log has them (``eventlog/json_form.py``).
"""

from __future__ import annotations

import msgspec

from games.runtime.effects import AnyEntry, Clock, Input, Silence


def handler_text(entry: AnyEntry) -> str:
    """What of the game an entry calls, and the entry: ``game.inputs.move of p_3 move {"to": "home"}``."""
    match entry:
        case Input() | Silence():
            name = f"inputs.{entry.name}"
        case _:
            name = type(entry).__name__.lower()
    return f"game.{name} of {entry_text(entry)}"


def entry_text(entry: AnyEntry) -> str:
    """An entry in words: ``p_3 move {"to": "home"}``."""
    match entry:
        case Input():
            return f"{entry.player} {entry.name} {msgspec.json.encode(entry.args).decode()}"
        case Clock():
            return f"clock {entry.clock}"
        case _:
            return f"{type(entry).__name__.lower()} of {entry.player}"
