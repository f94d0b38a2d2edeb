"""Which part of a log is meant: by player, kind, tick range and name of the input. Pure, on the JSON form of records.

A tick record is cut down to the entries that are meant, and left out if there are none. The other records speak of no
player and no input: who asks for one of those does not get them.

Not here: reading (``reader.py``), and how an option or a request words a selection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from eventlog import records
from eventlog.json_form import ENTRY_KINDS

KINDS: Final = (*records.NAME_OF.values(), *ENTRY_KINDS.values())
"""What may be asked for: the names of records, and of entries of tick records."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Part of a log; empty sets and None leave nothing out. ``kinds``: of `KINDS`; ``tick`` is all entries."""

    players: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    inputs: frozenset[str] = frozenset()
    """Names of inputs."""
    from_tick: int = 0
    to_tick: int | None = None
    """Included, as ``from_tick`` is."""

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()

    def of(self, forms: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The part of a log that is meant, as far as its records have come in: it ends behind ``to_tick``."""
        for form in forms:
            tick = form.get("tick", 0)
            if self.to_tick is not None and tick > self.to_tick:
                if form["record"] != "checkpoint":  # those may speak of any tick before
                    return
                continue
            if tick + form.get("ticks", 1) - 1 < self.from_tick:
                continue
            chosen = self.part(form)
            if chosen is not None:
                yield chosen

    def part(self, form: dict[str, Any]) -> dict[str, Any] | None:
        """What is meant of one record, of whatever tick; None if nothing is."""
        entries = form.get("entries")
        if not entries:
            return form if self._kind(form["record"]) and not self.players and not self.inputs else None
        chosen = [entry for entry in entries if self._entry(entry)]
        if not chosen:
            return None
        return form if len(chosen) == len(entries) else {**form, "entries": chosen}

    def _kind(self, kind: str) -> bool:
        return not self.kinds or kind in self.kinds

    def _entry(self, entry: dict[str, Any]) -> bool:
        return (
            (self._kind(entry["kind"]) or "tick" in self.kinds)
            and (not self.players or entry.get("player") in self.players)
            and (not self.inputs or (entry["kind"] == "input" and entry["name"] in self.inputs))
        )
