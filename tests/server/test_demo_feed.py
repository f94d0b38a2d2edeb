"""The demo tells what is in the log: who joined, what was tried with which outcome and why, in the world's order."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlog import records
from eventlog.journal import Journal, JournalOptions
from eventlog.worldlog import WorldLog
from server.demo.feed import Feed, Teller
from server.demo.model import Line
from tests.system.harness import eventually

WORLD = "w_0k3f9m2x7a"
PRINT = bytes(8)
JOIN = records.JoinEntry(player="p_1", seat=1, agent="a_1", name="ada", session="s_1")


def move(seq: int, note: str | None = None) -> records.InputEntry:
    return records.InputEntry(player="p_1", seq=seq, name="move", args={"to": "home"}, note=note, received_ms=1)


def tick(number: int, *entries: records.Entry, outcomes: list[records.OutcomeNote] | None = None) -> records.Tick:
    return records.Tick(tick=number, time_ms=number, entries=list(entries), fingerprint=PRINT, outcomes=outcomes or [])


def beat(number: int, *outcomes: records.OutcomeNote) -> records.Beat:
    return records.Beat(tick=number, until=number + 90, fingerprint=PRINT, outcomes=list(outcomes))


def seen(lines: list[Line]) -> list[tuple[int | None, str, str, str]]:
    return [(line.tick, line.player, line.text, line.note) for line in lines]


def test_an_input_is_told_with_its_outcome_and_its_note() -> None:
    teller = Teller(WORLD)
    assert seen(teller.tell(tick(3, JOIN, move(1, "the wave is near")))) == [(3, "ada", "joined on seat 1", "")]
    told = teller.tell(beat(60, records.OutcomeNote("p_1", 1, "applied")))
    assert seen(told) == [(3, "ada", "move to=home applied", "the wave is near")]
    assert told[0].kind == "applied"


def test_a_rejection_is_told_with_its_code() -> None:
    teller = Teller(WORLD)
    teller.tell(tick(3, JOIN, move(1)))
    told = teller.tell(tick(5, move(2), outcomes=[records.OutcomeNote("p_1", 1, "rejected", "too_far")]))
    assert seen(told) == [(3, "ada", "move to=home rejected: too_far", "")]


def test_leaving_and_the_end_are_told() -> None:
    teller = Teller(WORLD)
    teller.tell(tick(3, JOIN))
    assert seen(teller.tell(tick(9, records.LeaveEntry("p_1", "timeout")))) == [(9, "ada", "is gone: timeout", "")]
    close = records.Close(tick=12, reason="idle", result=None, fingerprint=PRINT, outcomes=[])
    assert seen(teller.tell(close)) == [(12, "", "the world has ended: idle", "")]


def test_other_peoples_text_cannot_steer_the_terminal() -> None:
    teller = Teller(WORLD)
    evil = records.JoinEntry(player="p_1", seat=1, agent="a_1", name="a\x1b[31mda\n", session="s_1")
    teller.tell(tick(3, evil, move(1, "x\r\n" + "y" * 900)))
    (line,) = teller.tell(beat(60, records.OutcomeNote("p_1", 1, "applied")))
    assert (line.player + line.text + line.note).isprintable()
    assert len(line.note) == 160


async def test_the_feed_follows_a_log_that_grows(tmp_path: Path) -> None:
    genesis = records.Genesis(world=WORLD, game="tsunami", digest="d", seed=1, engine="e", created_ms=1)
    log = WorldLog.create(genesis, shard=0)
    options = JournalOptions(flush_after_s=0.05)
    journal = Journal.open(tmp_path, 0, on_failure=lambda error: pytest.fail(str(error)), options=options)
    feed = Feed(tmp_path)
    try:
        await journal.append([log.head, log.append(tick(3, JOIN))]).wait()
        feed.follow([WORLD])
        told: list[Line] = []

        def heard(count: int) -> bool:
            told.extend(feed.take())
            return len(told) == count

        await eventually(lambda: heard(1), "the join is told")
        journal.append([log.append(tick(4, move(1)))])
        journal.append([log.append(beat(60, records.OutcomeNote("p_1", 1, "applied")))])
        await eventually(lambda: heard(2), "the input is told")
        assert [line.text for line in told] == ["joined on seat 1", "move to=home applied"]
    finally:
        feed.close()
        await journal.close()
