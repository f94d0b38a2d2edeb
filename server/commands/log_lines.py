"""How ``worldline log`` tells of records: one row for each entry of a tick record, and for each other record.

Pure functions of the JSON form of records (``eventlog/json_form.py``); no I/O.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from server.commands.output import Column

Row = tuple[str, ...]
Form = Mapping[str, Any]

RECORD_COLUMNS: Final = (
    Column("TICK", number=True),
    Column("TIME"),
    Column("WHAT"),
    Column("PLAYER"),
    Column("DETAIL", wrap=True),
    Column("OUTCOME"),
    Column("NOTE", wrap=True),
)
WIDTHS: Final = (8, 12, 10, 5, 0, 0, 0)
"""At least so many characters has each cell of a row that is printed by itself."""
SHORT_DIGEST: Final = 12
_BAD_OUTCOMES: Final = frozenset({"rejected", "world_faulted", "undone"})


class Narrator:
    """Turns records, in order, into rows. ``with_beats``: beats get a row too, once a second of every running world.

    The time of a row is local: when the tick was begun, or the world made; most records give none.
    """

    def __init__(self, *, with_beats: bool) -> None:
        self._with_beats = with_beats
        self._tick = 0
        self._time = ""

    def rows(self, forms: Iterable[Form]) -> Iterator[Row]:
        """The rows of records, each with tick, time, what, player, detail, outcome and note."""
        for form in forms:
            self._tick = form.get("tick", self._tick)
            self._time = _time_of_day(form.get("time_ms", form.get("created_ms")))
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
                parent = "forked from {}@{}, ".format(*form["forked_from"]) if "forked_from" in form else ""
                made = datetime.datetime.fromtimestamp(form["created_ms"] / 1000).date().isoformat()
                detail = f"{form['game']} {digest}, seed {form['seed']}, engine {engine}, {parent}made {made}"
                yield self._row("genesis", detail)
            case "origin":
                part = "" if form["parts"] == 1 else f", part {form['part']} of {form['parts']}"
                yield self._row("origin", f"the state that it begins with, {form['bytes']} bytes{part}")
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
        return (str(self._tick), self._time, what, player, detail, outcome, note)


def style(row: Sequence[str]) -> list[str]:
    """How a row looks on a terminal: times stand back, rejections and ends by a fault stand out, notes are another
    voice."""
    _, _, what, _, _, outcome, _ = row
    bad = what == "fault" or outcome.partition(" ")[0] in _BAD_OUTCOMES
    outcome_look = "red" if bad else "green" if outcome == "applied" else "yellow"
    return ["", "dim", "bold red" if what == "fault" else "", "cyan", "", outcome_look, "italic magenta"]


def _time_of_day(time_ms: int | None) -> str:
    if time_ms is None:
        return ""
    return datetime.datetime.fromtimestamp(time_ms / 1000).time().isoformat("milliseconds")


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
