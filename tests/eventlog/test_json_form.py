"""Promise: the JSON form says all that a record says, and joins to each input what became of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.json_form import json_form
from eventlog.records import Beat, Checkpoint, Fault, OutcomeNote, Record
from tests.eventlog.building import every_kind, fingerprint, genesis, input_entry, tick_record


def forms(*given: Record) -> list[dict[str, Any]]:
    """The JSON forms of records, as they are after a journey through JSON."""
    stored = (StoredRecord(record, 1, 0, 0, 0) for record in given)
    return [json.loads(msgspec.json.encode(form)) for form in json_form(stored)]


def test_every_field_of_every_kind_is_there() -> None:
    given = [genesis(), records.Open(1, 3, "00"), *every_kind()]
    for record, form in zip(given, forms(*given), strict=True):
        assert form.pop("record") == type(record).__name__.lower()
        for name in record.__struct_fields__:
            value = getattr(record, name)
            if name == "outcomes" or value is None or (name == "ticks" and value == 1):
                assert name not in form
            elif isinstance(value, bytes):
                assert form[name] == value.hex()
            elif name == "entries":
                assert len(form[name]) == len(value)
            else:
                assert form[name] == msgspec.to_builtins(value) or form[name] == list(value)


def test_an_entry_has_its_kind_and_its_fields() -> None:
    entries: list[tuple[records.Entry, dict[str, Any]]] = [
        (records.CodeEntry("ab"), {"kind": "code", "digest": "ab"}),
        (records.EngineEntry("cd"), {"kind": "engine", "digest": "cd"}),
        (records.ClockEntry("manual"), {"kind": "clock", "clock": "manual"}),
        (
            records.JoinEntry("p_1", 0, "a_1", "ada", "s_1"),
            {"kind": "join", "player": "p_1", "seat": 0, "agent": "a_1", "name": "ada", "session": "s_1"},
        ),
        (records.LeaveEntry("p_1", "left"), {"kind": "leave", "player": "p_1", "reason": "left"}),
        (records.TimeoutEntry("p_1"), {"kind": "timeout", "player": "p_1"}),
        (records.AbortEntry("operator"), {"kind": "abort", "reason": "operator"}),
        (
            input_entry(3, note=None, observed_tick=None, args={"to": "home", "raw": b"\x00"}),
            {
                "kind": "input",
                "player": "p_1",
                "seq": 3,
                "name": "move",
                "args": {"to": "home", "raw": "AA=="},
                "seen_tick": 1,
                "received_ms": 1_764_000_000_003,
                "status": None,
            },
        ),
    ]
    (form,) = forms(tick_record(3, *(entry for entry, _ in entries)))
    assert form["entries"] == [expected for _, expected in entries]


def status(*given: Record) -> list[tuple[Any, Any]]:
    """Status and code of the inputs of the first record."""
    return [(entry["status"], entry.get("code")) for entry in forms(*given)[0]["entries"]]


def test_outcomes_are_joined_from_the_next_record_that_holds_some() -> None:
    tick = tick_record(8, input_entry(1), input_entry(2), input_entry(1, player="p_2"), input_entry(9))
    notes = [
        OutcomeNote("p_1", 2, "rejected", "too_far"),
        OutcomeNote("p_1", 1, "applied"),
        OutcomeNote("p_2", 1, "applied"),
    ]
    expected = [("applied", None), ("rejected", "too_far"), ("applied", None), (None, None)]
    beat = Beat(tick=9, until=20, fingerprint=fingerprint(9), outcomes=notes)
    assert status(tick, beat) == expected
    assert status(tick, Checkpoint(8, b"", "s", 1), beat) == expected
    assert status(tick) == [(None, None)] * 4
    assert [form["record"] for form in forms(tick, Checkpoint(8, b"", "s", 1), beat)] == ["tick", "checkpoint", "beat"]


def test_inputs_of_a_tick_that_broke_the_world_were_not_applied() -> None:
    fault = Fault(tick=8, kind="game_error", fingerprint=fingerprint(8), outcomes=[OutcomeNote("p_1", 1, "applied")])
    assert status(tick_record(8, input_entry(1), input_entry(2)), fault) == [("applied", None), ("world_faulted", None)]


def test_a_tick_without_inputs_does_not_wait() -> None:
    taken = json_form(iter([StoredRecord(tick_record(1, records.TimeoutEntry("p_1")), 1, 0, 0, 0)]))
    assert next(taken)["tick"] == 1
