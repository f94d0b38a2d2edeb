"""What a log amounts to, in figures: how many records and entries of each kind, what became of inputs, who did what.

Pure, on the JSON form of records. Not here: reading, and which part of a log is counted (``selection.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class Outcomes(msgspec.Struct, kw_only=True):
    """What became of some inputs. ``other``: not known yet, undone, or in the tick that broke the world."""

    count: int = 0
    applied: int = 0
    rejected: int = 0
    other: int = 0
    codes: dict[str, int] = {}
    """How often inputs were rejected with each code."""
    notes: int = 0
    """How many had a note of their agent."""

    def add(self, entry: dict[str, Any]) -> None:
        """Count one more input."""
        self.count += 1
        match entry["status"]:
            case "applied":
                self.applied += 1
            case "rejected":
                self.rejected += 1
            case _:
                self.other += 1
        if code := entry.get("code"):
            self.codes[code] = self.codes.get(code, 0) + 1
        self.notes += "note" in entry


class PlayerStatistics(msgspec.Struct, kw_only=True):
    """What a player did. ``name`` and ``agent`` are empty if its join is not in the part that was counted."""

    player: str
    name: str = ""
    agent: str = ""
    timeouts: int = 0
    """Ticks for which it was silent and its game's default input was applied."""
    inputs: Outcomes = msgspec.field(default_factory=Outcomes)


class Statistics(msgspec.Struct, kw_only=True):
    """A log, or a part of it, in figures."""

    world: str
    first_tick: int | None = None
    last_tick: int | None = None
    records: dict[str, int] = {}
    """By kind."""
    entries: dict[str, int] = {}
    """Of tick records, by kind."""
    inputs: dict[str, Outcomes] = {}
    """By name."""
    players: dict[str, PlayerStatistics] = {}
    """By id, in the order in which they first did something."""

    def take(self, form: dict[str, Any]) -> None:
        """Count one more record."""
        kind = form["record"]
        self.records[kind] = self.records.get(kind, 0) + 1
        if "tick" in form and kind != "checkpoint":
            self.first_tick = form["tick"] if self.first_tick is None else self.first_tick
            self.last_tick = form["tick"] + form.get("ticks", 1) - 1
        for entry in form.get("entries", ()):
            self._take_entry(entry)

    def _take_entry(self, entry: dict[str, Any]) -> None:
        kind = entry["kind"]
        self.entries[kind] = self.entries.get(kind, 0) + 1
        if "player" not in entry:
            return
        player = self.players.setdefault(entry["player"], PlayerStatistics(player=entry["player"]))
        match kind:
            case "input":
                player.inputs.add(entry)
                self.inputs.setdefault(entry["name"], Outcomes()).add(entry)
            case "timeout":
                player.timeouts += 1
            case "join":
                player.name, player.agent = entry["name"], entry["agent"]


def statistics_of(world: str, forms: Iterable[dict[str, Any]]) -> Statistics:
    """Count the records of ``world``'s log that are given."""
    found = Statistics(world=world)
    for form in forms:
        found.take(form)
    return found
