"""Promise: a divergence is reported with all that is known of it: the record, its inputs, both states and what differs
in them; and whoever gets the file can open it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from eventlog.reader import read_world
from games.runtime.sandbox import lua_version
from replays.errors import Diverged
from replays.replay import replay
from replays.report import VERSION, Report, ReportUnreadable, divergence_report, read_report, write_report
from replays.verify import verify_world
from server.commands import main
from tests.replays.mill import changed
from tests.replays.recording import WORLD, Recording


async def record_a_lie(
    data: Path, *, then: int = 100, snapshot: bool = True, versions: dict[str, str] | None = None
) -> None:
    """p_1 works 2 hours at tick 31, and the log says 9, which nobody does."""
    recording = Recording(data, changed(), seed=1, settings={}, versions=versions)
    one = recording.join()
    recording.run(30)
    recording.lie = {"hours": 9}
    recording.input(one, "work", {"hours": 2}, note="off to work")
    recording.run(then)
    if snapshot:
        recording.checkpoint()
    recording.run(50)
    await recording.close()


def report_of(data: Path) -> Report:
    running = replay(data, WORLD)
    with pytest.raises(Diverged) as raised:
        running.run()
    return divergence_report(running, raised.value)


async def test_a_report_has_the_record_its_inputs_and_both_states(tmp_path: Path) -> None:
    await record_a_lie(tmp_path)
    report = report_of(tmp_path)
    assert (report.world, report.game, report.tick, report.record) == (WORLD, "mill", 60, "beat")
    assert report.since_tick == 30
    places = {(f"{each.file:04d}.wlog", each.offset) for each in read_world(tmp_path, WORLD)}
    assert (report.file, report.offset) in places
    assert report.expected != report.got
    assert [(each.tick, each.player, each.args, each.note) for each in report.inputs] == [
        (31, "p_1", {"hours": 9}, "off to work")
    ]
    (other,) = report.outcomes
    assert (other.player, other.seq, other.recorded, other.recomputed) == ("p_1", 1, "applied", "rejected (tired)")
    assert report.states_tick == 131
    assert report.recorded is not None
    assert report.recomputed is not None
    assert (report.recorded["state"]["coins"], report.recomputed["state"]["coins"]) == ({"p_1": 22}, {"p_1": 2})
    found = {each.path: (each.a, each.b) for each in report.differences}
    assert found["state.coins.p_1"] == (22, 2)
    assert found["players.p_1.score"] == (22, 2)
    assert not any(path.startswith("scene") for path in found)
    assert report.versions_here["lua"] == lua_version()


async def test_without_a_later_snapshot_the_recomputed_state_is_there(tmp_path: Path) -> None:
    await record_a_lie(tmp_path, snapshot=False)
    report = report_of(tmp_path)
    assert report.recorded is None
    assert report.recomputed is not None
    assert report.states_tick == report.recomputed["tick"] == 60
    assert (report.recomputed["state"]["coins"], report.differences) == ({"p_1": 1}, [])


async def test_a_checkpoint_that_says_something_else_is_compared_with_its_snapshot(tmp_path: Path) -> None:
    recording = Recording(tmp_path, changed(), seed=1, settings={})
    recording.join()
    recording.run(30)
    tick = recording.checkpoint(state_hash_lie=b"\x00" * 16, late_by=20)
    recording.run(50)
    await recording.close()
    report = report_of(tmp_path)
    assert (report.tick, report.record, report.checkpoint) == (tick, "checkpoint", f"{tick:010d}.snap")
    assert (report.states_tick, report.expected) == (tick, "00" * 16)
    assert report.recorded == report.recomputed, "the snapshot is of the world that was: only its hash is a lie"
    assert report.differences == []


async def test_a_written_report_is_read_again_and_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await record_a_lie(tmp_path / "data")
    report = report_of(tmp_path / "data")
    path = tmp_path / "report.json"
    write_report(report, path)
    assert msgspec.json.encode(read_report(path)) == msgspec.json.encode(report)
    assert main(["replay", "explain", str(path)]) == 0
    said = capsys.readouterr().out
    for line in (
        f"{WORLD}@60 (mill) is not the same when it is computed again",
        '31\tp_1\t1\twork {"hours":9}\tapplied\trejected (tired)\toff to work',
        "state.coins.p_1\t22\t2",
        "inputs of the ticks 30 to 60:",
    ):
        assert line in said
    assert main(["replay", "explain", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["tick"] == 60


async def test_verify_names_what_differs_and_writes_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, reports = tmp_path / "data", tmp_path / "reports"
    await record_a_lie(data)
    verdict = verify_world(data, WORLD, reports=reports)
    assert (verdict.status, verdict.tick) == ("diverged", 60)
    assert verdict.differs[0] == "p_1 seq 1 was applied, now rejected (tired)"
    assert "state.coins.p_1 at tick 131 was 22, now 2" in verdict.differs
    assert verdict.report is not None
    assert read_report(Path(verdict.report)).tick == 60
    words = ["replay", "verify", "--all", "--data", str(data), "--reports", str(reports)]
    assert main(words) == 1, "again, in place of the earlier report"
    assert f"see `worldline replay explain {reports}/{WORLD}@60.json`" in capsys.readouterr().out


async def test_what_another_luajit_played_is_no_divergence(tmp_path: Path) -> None:
    await record_a_lie(tmp_path, versions={"lua": "LuaJIT 2.0.0"})
    verdict = verify_world(tmp_path, WORLD)
    assert verdict.status == "cannot"
    assert f"it was played with LuaJIT 2.0.0, here is {lua_version()}, and that the same" in (verdict.problem or "")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello", "it does not begin as one"),
        (b"\xff\xfe", "it does not begin as one"),
        (b'{"format": "something else", "version": 1}', "it does not begin as one"),
        (
            b'{"format": "worldline divergence report", "version": 9}',
            f"it has form 9, this version reads form {VERSION}",
        ),
        (b'{"format": "worldline divergence report", "version": 1}', "missing required field"),
    ],
)
def test_what_is_no_report_is_refused(
    tmp_path: Path, content: bytes, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(ReportUnreadable):
        read_report(path)
    assert main(["replay", "explain", str(path)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {path} is no report of a divergence: ")
    assert says in said
    assert "→ make one with" in said
    assert main(["replay", "explain", str(tmp_path / "none.json")]) == 1
    assert "No such file" in capsys.readouterr().err
