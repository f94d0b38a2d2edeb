"""The bench says "found" only of outcomes that are in the logs as they were told, and of logs that are whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlog import records
from eventlog.journal import Journal
from eventlog.worldlog import WorldLog
from server.audit import Acknowledged, audit, read_lines, to_line

WORLD = "w_0k3f9m2x7a"
PRINT = bytes(8)


def inputs(tick: int, *seqs: int) -> list[records.Entry]:
    return [
        records.InputEntry(player="p_1", seq=seq, name="move", args={"x": tick}, received_ms=tick * 16) for seq in seqs
    ]


def note(seq: int, status: str = "applied") -> records.OutcomeNote:
    return records.OutcomeNote("p_1", seq, status, None if status == "applied" else "too_far")  # type: ignore[arg-type]


async def write_log(data: Path, *body: records.Tick | records.Beat | records.Close) -> None:
    """A closed log with two outcomes: seq 1 applied at tick 10, seq 2 rejected at tick 30."""
    genesis = records.Genesis(world=WORLD, game="tsunami", digest="d", seed=1, engine="e", created_ms=1)
    log = WorldLog.create(genesis, shard=0)
    journal = Journal.open(data, 0, on_failure=lambda error: pytest.fail(str(error)))
    journal.append([log.head])
    for record in body:
        journal.append([log.append(record)])
    await journal.close()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await write_log(
        tmp_path,
        records.Tick(tick=10, time_ms=160, entries=inputs(10, 1), fingerprint=PRINT, outcomes=[]),
        records.Beat(tick=20, until=110, fingerprint=PRINT, outcomes=[note(1)]),
        records.Tick(tick=30, time_ms=480, entries=inputs(30, 2), fingerprint=PRINT, outcomes=[]),
        records.Close(tick=40, reason="idle", result=None, fingerprint=PRINT, outcomes=[note(2, "rejected")]),
    )
    return tmp_path


def told(seq: int, tick: int, status: str = "applied", world: str = WORLD) -> Acknowledged:
    return Acknowledged(world, "p_1", seq, tick, status)


async def test_what_was_told_is_found(data: Path) -> None:
    found = audit(data, [told(1, 10), told(2, 30, "rejected")])
    assert (found.good, found.acknowledged, found.found, found.logged, found.worlds_read) == (True, 2, 2, 2, 1)


async def test_an_outcome_that_nobody_heard_of_is_no_fault(data: Path) -> None:
    found = audit(data, [told(1, 10)])
    assert (found.good, found.found, found.logged) == (True, 1, 2)


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (told(3, 31), "is not in the log"),
        (told(1, 11), "is applied at tick 10 in the log"),
        (told(2, 30, "applied"), "is rejected at tick 30 in the log"),
        (told(1, 10, world="w_0000000000"), "is not in the log"),
    ],
)
async def test_what_was_told_but_is_not_so_in_the_log_is_a_problem(
    data: Path, outcome: Acknowledged, problem: str
) -> None:
    found = audit(data, [told(1, 10), outcome])
    assert not found.good
    assert found.found == 1
    assert len(found.problems) == 1
    assert problem in found.problems[0]


async def test_every_flipped_byte_is_a_problem(data: Path) -> None:
    path = data / "worlds" / WORLD / "0001.wlog"
    whole = path.read_bytes()
    for offset in range(0, len(whole), 7):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x40]) + whole[offset + 1 :])
        assert not audit(data, [told(1, 10), told(2, 30, "rejected")]).good, f"byte {offset}"
    path.write_bytes(whole)
    assert audit(data, [told(1, 10)]).good


async def test_an_input_applied_twice_is_a_problem(tmp_path: Path) -> None:
    await write_log(
        tmp_path,
        records.Tick(tick=10, time_ms=160, entries=inputs(10, 1), fingerprint=PRINT, outcomes=[]),
        records.Tick(tick=20, time_ms=320, entries=inputs(20, 1), fingerprint=PRINT, outcomes=[note(1)]),
        records.Close(tick=40, reason="idle", result=None, fingerprint=PRINT, outcomes=[note(1)]),
    )
    found = audit(tmp_path, [told(1, 10)])
    assert not found.good
    assert (found.doubled, found.lost) == (1, 0)
    assert "twice" in found.problems[0]


async def test_the_outcome_of_the_last_tick_may_not_be_noted_yet(tmp_path: Path) -> None:
    """A world that is just being played, or whose server was killed: its last record has none after it."""
    await write_log(
        tmp_path,
        records.Tick(tick=10, time_ms=160, entries=inputs(10, 1), fingerprint=PRINT, outcomes=[]),
        records.Tick(tick=20, time_ms=320, entries=inputs(20, 2), fingerprint=PRINT, outcomes=[note(1)]),
    )
    assert audit(tmp_path, [told(1, 10), told(2, 20, "rejected")]).good
    assert audit(tmp_path, [told(1, 10), told(2, 21)]).lost == 1


async def test_an_input_that_was_logged_and_has_no_outcome_is_lost(tmp_path: Path) -> None:
    await write_log(
        tmp_path,
        records.Tick(tick=10, time_ms=160, entries=inputs(10, 1), fingerprint=PRINT, outcomes=[]),
        records.Beat(tick=20, until=110, fingerprint=PRINT, outcomes=[]),
    )
    assert audit(tmp_path, [told(1, 10)]).lost == 1


async def test_only_the_worlds_that_were_played_are_read_if_that_is_asked(data: Path) -> None:
    (data / "worlds" / "w_0000000000").mkdir()
    (data / "worlds" / "w_0000000000" / "0001.wlog").write_bytes(b"no log")
    assert not audit(data, [told(1, 10)]).good
    found = audit(data, [told(1, 10)], all_worlds=False)
    assert (found.good, found.worlds_read) == (True, 1)


def test_what_was_told_can_be_kept_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "told.jsonl"
    outcomes = [told(1, 10), told(2, 30, "rejected")]
    path.write_bytes(b"".join(map(to_line, outcomes)) + to_line(told(3, 31))[:-5])
    assert read_lines(path) == outcomes, "a line that is just being written is not read"


async def test_many_problems_are_counted_not_listed(data: Path) -> None:
    found = audit(data, [told(seq, 50) for seq in range(100, 150)])
    assert found.found == 0
    assert len(found.problems) == 11
    assert found.problems[-1] == "and 40 more"
