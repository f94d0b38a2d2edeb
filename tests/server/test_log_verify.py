"""Promise: `worldline log verify` says what it checked and ends with 0, or lists what is damaged and ends with 1."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eventlog.journal import Journal
from eventlog.records import Beat, Close, Genesis
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from games.code import Engine, find_games
from server.commands import main
from tests.eventlog.test_verify_snapshots import place, played

WORLDS = ("w_0000000001", "w_0000000002")
RECORDS = 5


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with two closed worlds of five records each."""
    code, engine = find_games()["tsunami"], Engine.current()
    store = Store.open(tmp_path)
    store.put_code(code.digest, code.files)
    store.put_engine(engine.digest, engine.files)
    journal = Journal.open(tmp_path, 0, on_failure=lambda error: pytest.fail(str(error)))
    for world in WORLDS:
        genesis = Genesis(world=world, game="tsunami", digest=code.digest, engine=engine.digest, seed=4, created_ms=1)
        log = WorldLog.create(genesis, shard=0)
        beats = [log.append(Beat(tick=tick, until=tick + 9, fingerprint=bytes(8))) for tick in (10, 20)]
        journal.append([log.head, *beats, log.append(Close(tick=20, reason="idle", fingerprint=bytes(8)))])
    await journal.close()
    store.close()
    return tmp_path


def damage(data: Path, world: str) -> int:
    """Flip a bit in the last record of a world; return the byte where that record begins."""
    path = data / "worlds" / world / "0001.wlog"
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    return whole.rindex(b"\x07\0\0\0", 0, len(whole) - 20) - 4


def test_a_good_folder_is_summed_up(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", "--data", str(data)]) == 0
    printed = capsys.readouterr()
    size = sum(path.stat().st_size for path in data.rglob("*.wlog"))
    assert printed.out.startswith(f"2 worlds checked: {2 * RECORDS} records, {size} B in 2 files, ")
    assert printed.out.endswith("records/s. Nothing is damaged.\n")
    assert printed.err == ""


def test_damage_is_listed_by_world_tick_file_and_byte(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    offset = damage(data, WORLDS[0])
    assert main(["log", "verify", "--data", str(data)]) == 1
    printed = capsys.readouterr()
    reason = "the record body's checksum does not match"
    assert printed.out == f"{WORLDS[0]}\t20\tworlds/{WORLDS[0]}/0001.wlog\t{offset}\t{reason}\n"
    assert printed.err.startswith(f"error: 1 problem in 1 of 2 worlds in {data} → ")
    assert main(["log", "verify", WORLDS[1], "--data", str(data)]) == 0


def test_json_is_one_object_either_way(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", "--json", "--data", str(data)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["worlds"], found["records"], found["code_folders"], found["problems"]) == (2, 2 * RECORDS, 2, [])
    damage(data, WORLDS[1])
    assert main(["log", "verify", "--json", "--data", str(data)]) == 1
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["world"], problem["tick"]) == (WORLDS[1], 20)


def test_what_is_not_there_is_said(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "verify", "--data", str(tmp_path / "none")]) == 1
    assert "there is no data folder" in capsys.readouterr().err
    assert main(["log", "verify", "w_nobody", "--data", str(data)]) == 1
    assert "no world w_nobody" in capsys.readouterr().err


async def test_a_missing_snapshot_is_damage_but_the_log_is_enough(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await played(tmp_path, "w_one")
    left = tmp_path / place(20, "w_one").replace("0000000020.snap", ".0000000020.snap.new")
    left.write_bytes(b"half")
    assert main(["log", "verify", "--data", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert ", 3 snapshots, " in first
    assert (
        second == f"{left.relative_to(tmp_path)} was left unfinished by a crash; it means nothing and may be removed."
    )
    (tmp_path / place(16, "w_one")).unlink()
    assert main(["log", "verify", "--data", str(tmp_path)]) == 1
    printed = capsys.readouterr()
    assert printed.out.startswith(f"w_one\t16\t{place(16, 'w_one')}\t0\tthe snapshot is missing")
    assert "all logs are intact: worlds come back from them without these snapshots" in printed.err
