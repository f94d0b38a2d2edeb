"""How ``worldline log`` tells of records: one row for each entry of a tick record, and for each other record.

Pure functions of the JSON form of records (``eventlog/json_form.py``); no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from server.commands.output import Column, clean

Row = tuple[str, ...]
Form = Mapping[str, Any]

RECORD_COLUMNS: Final = (
    Column("TICK", number=True),
    Column("WHAT"),
    Column("PLAYER"),
    Column("DETAIL", wrap=True),
    Column("OUTCOME"),
    Column("NOTE", wrap=True),
)
SHORT_DIGEST: Final = 12


class Narrator:
    """Turns records, in order, into rows. ``with_beats``: beats get a row too, once a second of every running world."""

    def __init__(self, *, with_beats: bool) -> None:
        self._with_beats = with_beats
        self._tick = 0

    def rows(self, forms: Iterable[Form]) -> Iterator[Row]:
        """The rows of records, each with tick, what, player, detail, outcome and note."""
        for form in forms:
            self._tick = form.get("tick", self._tick)
            yield from self._rows(form)

    def _rows(self, form: Form) -> Iterator[Row]:
        match form["record"]:
            case "tick":
                yield from (self._entry(entry) for entry in form["entries"])
                if not form["entries"]:
                    yield self._row("ticks", f"{form.get('ticks', 1)} without entries")
            case "beat":
                if self._with_beats:
                    yield self._row("beat", f"may be shown until tick {form['until']}")
            case "genesis":
                digest, engine = form["digest"][:SHORT_DIGEST], form["engine"][:SHORT_DIGEST]
                yield self._row("genesis", f"{form['game']} {digest}, seed {form['seed']}, engine {engine}")
            case "open":
                yield self._row("open", f"by shard {form['shard']}, epoch {form['epoch']}")
            case "checkpoint":
                yield self._row("checkpoint", f"{form['snapshot']}, {form['bytes']} bytes")
            case "fault":
                yield self._row("fault", form["kind"])
            case "close":
                result = "" if form.get("result") is None else f", result {_json(form['result'])}"
                yield self._row("close", form["reason"] + result)
            case other:
                yield self._row(other, _json({key: value for key, value in form.items() if key != "record"}))

    def _entry(self, entry: Form) -> Row:
        player = entry.get("player", "")
        match entry["kind"]:
            case "input":
                detail = f"{entry['seq']} {entry['name']} {_json(entry['args'])}"
                code = f" {entry['code']}" if entry.get("code") else ""
                outcome = (entry["status"] or "not known yet") + code
                return self._row("input", detail, player, outcome, entry.get("note", ""))
            case "join":
                return self._row("join", f"{entry['name']} ({entry['agent']}) takes seat {entry['seat']}", player)
            case "leave" | "abort":
                return self._row(entry["kind"], entry["reason"], player)
            case kind:
                fields = {key: value for key, value in entry.items() if key not in ("kind", "player")}
                return self._row(kind, _json(fields) if fields else "", player)

    def _row(self, what: str, detail: str, player: str = "", outcome: str = "", note: str = "") -> Row:
        return (str(self._tick), what, player, detail, outcome, note)


def one_line(row: Row) -> str:
    """A row by itself, for a log that is still growing: no column can be fitted to what is yet to come."""
    tick, what, player, detail, outcome, note = map(clean, row)
    said = f"  ({note})" if note else ""
    return f"{tick:>8}  {what:<7}  {player:<5}  {detail}  {outcome}".rstrip() + said


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
