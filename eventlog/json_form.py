"""Records as JSON, for people and their tools: what ``worldline log show --json`` prints, one object for each record.

``{"record": "tick", "tick": 812, "time_ms": …, "entries": [{"kind": "input", "player": "p_3", "seq": 3, "name": "move",
"args": {…}, "received_ms": …, "status": "applied"}], …}``

What became of an input stands in the log one record later, because a record is written before its tick runs; here it
is joined to the input: ``status`` is ``applied``, ``rejected`` (with its ``code``), ``world_faulted`` if the world
broke in that tick and the input was not applied, ``undone`` if the tick was taken back, or null while it is unknown.
Bytes are written as hexadecimal digits (inside args as base64); fields that are not set are left out, and of the state
of an origin stands only how long it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.records import Beat, Close, Entry, Fault, InputEntry, Record, Tick

ENTRY_KINDS: Final[dict[type, str]] = {
    records.CodeEntry: "code",
    records.EngineEntry: "engine",
    records.ClockEntry: "clock",
    records.JoinEntry: "join",
    records.LeaveEntry: "leave",
    records.InputEntry: "input",
    records.TimeoutEntry: "timeout",
    records.AbortEntry: "abort",
}
"""What entries are called in JSON."""


def json_form(stored: Iterable[StoredRecord]) -> Iterator[dict[str, Any]]:
    """The JSON form of each record, in order.

    A tick record with inputs comes out when the record that holds their outcomes has come in, at the latest at the end.
    """
    waiting: list[Record] = []
    for each in stored:
        record = each.record
        if waiting and isinstance(record, Tick | Beat | Fault | Close):
            yield from _forms(waiting, record)
            waiting.clear()
        if waiting or (isinstance(record, Tick) and any(isinstance(entry, InputEntry) for entry in record.entries)):
            waiting.append(record)
        else:
            yield record_form(record, None)
    yield from _forms(waiting, None)


def record_form(record: Record, following: Tick | Beat | Fault | Close | None) -> dict[str, Any]:
    """One record's JSON form; ``following`` is the record that holds its inputs' outcomes, if it is known."""
    form: dict[str, Any] = {"record": records.NAME_OF[type(record)]}
    for field in record.__struct_fields__:
        value = getattr(record, field)
        if field == "outcomes" or value is None or (field == "ticks" and value == 1):
            continue
        if field == "state":  # of use to the engine only, and as large as a world
            form["bytes"] = len(value)
            continue
        if field == "entries":
            undone = isinstance(record, Tick) and following is not None and records.undoes(following, record)
            form[field] = [_entry_form(entry, following, undone=undone) for entry in value]
        else:
            form[field] = value.hex() if isinstance(value, bytes) else msgspec.to_builtins(value)
    return form


def _forms(waiting: list[Record], following: Tick | Beat | Fault | Close | None) -> Iterator[dict[str, Any]]:
    """The forms of a tick record and of those behind it that say nothing of outcomes."""
    for record in waiting:
        yield record_form(record, following)


def _entry_form(entry: Entry, following: Tick | Beat | Fault | Close | None, *, undone: bool) -> dict[str, Any]:
    form: dict[str, Any] = {"kind": ENTRY_KINDS[type(entry)]}
    for field in entry.__struct_fields__:
        value = getattr(entry, field)
        if value is not None:
            form[field] = msgspec.to_builtins(value)
    if isinstance(entry, InputEntry):
        form["status"] = "undone" if undone else "world_faulted" if isinstance(following, Fault) else None
        for note in following.outcomes if following else ():
            if (note.player, note.seq) == (entry.player, entry.seq):
                form["status"] = note.status
                if note.code is not None:
                    form["code"] = note.code
    return form
