"""Promise: a part of a log is exactly what was asked for: by player, kind, tick range and input, outcomes included; and
what is published holds neither the seed nor other agents' notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.json_form import json_form
from eventlog.publication import published
from eventlog.records import Beat, Checkpoint, Close, InputEntry, JoinEntry, LeaveEntry, OutcomeNote, Tick, TimeoutEntry
from eventlog.selection import KINDS, Selection
from eventlog.statistics import statistics_of
from tests.eventlog.building import fingerprint, genesis


def entry(player: str, seq: int, name: str, note: str | None = None) -> InputEntry:
    return InputEntry(player=player, seq=seq, name=name, args={"to": "home"}, note=note, received_ms=5)


def a_life() -> Iterator[records.Record]:
    """Ada and bob, twenty ticks."""
    yield genesis()
    yield records.Open(1, 0, "00")
    joins: list[records.Entry] = [
        JoinEntry("p_1", 1, "a_ada", "ada", "s_1"),
        JoinEntry("p_2", 2, "a_bob", "bob", "s_2"),
    ]
    yield Tick(tick=0, ran=False, time_ms=1, entries=joins, fingerprint=fingerprint(1))
    moves: list[records.Entry] = [entry("p_1", 1, "move", "mine"), entry("p_2", 1, "dig", "his"), TimeoutEntry("p_1")]
    yield Tick(tick=5, time_ms=2, entries=moves, fingerprint=fingerprint(2))
    outcomes = [OutcomeNote("p_1", 1, "applied"), OutcomeNote("p_2", 1, "rejected", "too_deep")]
    yield Tick(tick=6, ticks=4, time_ms=3, fingerprint=fingerprint(3), outcomes=outcomes)
    yield Checkpoint(4, b"\1" * 16, "0000000004.snap", 10)
    yield Beat(tick=12, until=15, fingerprint=fingerprint(4))
    yield Tick(tick=13, time_ms=4, entries=[entry("p_1", 2, "dig")], fingerprint=fingerprint(5))
    last = [OutcomeNote("p_1", 2, "applied")]
    yield Tick(tick=14, time_ms=5, entries=[LeaveEntry("p_2", "left")], fingerprint=fingerprint(6), outcomes=last)
    yield Close(tick=20, reason="idle", fingerprint=fingerprint(7))


def forms(life: Iterable[records.Record] | None = None) -> Iterator[dict[str, Any]]:
    return json_form(StoredRecord(record, 1, 0, 0, 0) for record in life or a_life())


def told(form: dict[str, Any]) -> list[str]:
    """A record in short: its kind, or its entries' kinds, players and names of inputs."""
    entries = form.get("entries")
    if not entries:
        return [form["record"]]
    return [
        " ".join(filter(None, (each["kind"], each.get("player"), each["name"] if each["kind"] == "input" else "")))
        for each in entries
    ]


def select(**asked: Any) -> list[str]:
    return [text for form in Selection(**asked).of(forms()) for text in told(form)]


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"players": {"p_2"}}, ["join p_2", "input p_2 dig", "leave p_2"]),
        ({"inputs": {"dig"}}, ["input p_2 dig", "input p_1 dig"]),
        ({"inputs": {"dig"}, "players": {"p_1"}}, ["input p_1 dig"]),
        ({"kinds": {"beat"}}, ["beat"]),
        ({"kinds": {"timeout", "close"}}, ["timeout p_1", "close"]),
        ({"kinds": {"tick"}, "players": {"p_2"}}, ["join p_2", "input p_2 dig", "leave p_2"]),
        ({"kinds": {"tick"}, "from_tick": 6, "to_tick": 13}, ["tick", "input p_1 dig"]),
        ({"from_tick": 8, "to_tick": 8}, ["tick"]),
        ({"from_tick": 12, "to_tick": 12}, ["beat"]),
        ({"from_tick": 21}, []),
        ({"inputs": {"fly"}}, []),
        ({"players": {"p_1"}, "kinds": {"beat"}}, []),
    ],
)
def test_only_what_was_asked_for_is_there(asked: dict[str, Any], expected: list[str]) -> None:
    assert select(**{key: frozenset(value) if isinstance(value, set) else value for key, value in asked.items()}) == (
        expected
    )


def test_nothing_asked_for_leaves_nothing_out() -> None:
    assert Selection().is_all
    assert list(Selection().of(forms())) == list(forms())


def test_the_outcome_of_the_last_tick_is_known_though_it_stands_behind_the_range() -> None:
    (form,) = Selection(to_tick=5, from_tick=5).of(forms())
    assert [each.get("status") for each in form["entries"]] == ["applied", "rejected", None]


def test_a_range_reads_no_further_than_it_must() -> None:
    def life() -> Iterator[records.Record]:
        for record in a_life():
            if isinstance(record, Close):
                pytest.fail("read to the end")
            yield record

    assert len(list(Selection(to_tick=5).of(forms(life())))) == 4


@given(
    st.frozensets(st.sampled_from(KINDS)),
    st.frozensets(st.sampled_from(("p_1", "p_2"))),
    st.frozensets(st.sampled_from(("move", "dig"))),
)
def test_what_is_selected_is_part_of_the_log_in_its_order(
    kinds: frozenset[str], players: frozenset[str], inputs: frozenset[str]
) -> None:
    everything = [text for form in forms() for text in told(form)]
    rest = iter(everything)
    assert all(text in rest for text in select(kinds=kinds, players=players, inputs=inputs))


def notes_in(found: Iterable[dict[str, Any]]) -> list[str]:
    return [each["note"] for form in found for each in form.get("entries", ()) if "note" in each]


@pytest.mark.parametrize(("notes_of", "kept"), [((), []), (("a_bob",), ["his"]), (("a_ada", "a_bob"), ["mine", "his"])])
def test_what_is_published_has_no_seed_and_no_notes_of_others(notes_of: tuple[str, ...], kept: list[str]) -> None:
    found = list(published(forms(), notes_of=notes_of))
    assert notes_in(found) == kept
    assert "seed" not in found[0]
    assert [told(form) for form in found] == [told(form) for form in forms()]
    first = next(forms())
    assert found[0] == {key: value for key, value in first.items() if key != "seed"}


def test_statistics_count_each_thing_once() -> None:
    found = statistics_of("w_1", forms())
    assert found.records == {"genesis": 1, "open": 1, "tick": 5, "checkpoint": 1, "beat": 1, "close": 1}
    assert found.entries == {"join": 2, "input": 3, "timeout": 1, "leave": 1}
    assert (found.first_tick, found.last_tick) == (0, 20)
    dig, move = found.inputs["dig"], found.inputs["move"]
    assert (dig.count, dig.applied, dig.rejected, dig.other, dig.codes, dig.notes) == (2, 1, 1, 0, {"too_deep": 1}, 1)
    assert (move.count, move.applied, move.notes) == (1, 1, 1)
    ada = found.players["p_1"]
    assert (ada.name, ada.agent, ada.timeouts, ada.inputs.count) == ("ada", "a_ada", 1, 2)
