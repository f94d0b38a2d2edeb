"""Promise: `worldline log repair --dry-run` says of each damaged world what would be kept and what lost, and changes
nothing; there is no repair without --dry-run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eventlog.piece import LogEnd
from eventlog.reader import read_world
from eventlog.snapshot_file import Snapshot
from eventlog.snapshots import Snapshots
from server.commands import main
from tests.eventlog.building import genesis
from tests.eventlog.test_archive import ended_world


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder with one ended world in several files."""
    await ended_world(tmp_path, ticks=12, file_bytes=900)
    return tmp_path


def damage(data: Path) -> tuple[str, int]:
    """Flip a bit in the payload of the world's second tick; that record's file and byte."""
    record = next(each for each in read_world(data, "w_one") if getattr(each.record, "tick", 0) == 2)
    path = data / "worlds" / "w_one" / f"{record.file:04d}.wlog"
    whole = bytearray(path.read_bytes())
    whole[record.offset + 40] ^= 4
    path.write_bytes(whole)
    return f"worlds/w_one/{path.name}", record.offset


def test_without_damage_there_is_nothing_to_salvage(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "repair", "--dry-run", "--data", str(data)]) == 0
    assert capsys.readouterr().out == "No log is damaged: there is nothing to salvage.\n"


def test_a_row_says_what_is_kept_and_what_is_lost(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, offset = damage(data)
    for words in (["log", "repair", "--dry-run"], ["log", "repair", "w_o", "--dry-run"]):
        assert main([*words, "--data", str(data)]) == 1
        printed = capsys.readouterr()
        row = printed.out.rstrip("\n").split("\t")
        assert row[:6] == ["w_one", "1", "3", "1", file, str(offset)]
        assert row[6:9] == ["11", "10", "3-12"]
        assert row[10] == "", "no snapshot"
        assert row[11] == "the record body's checksum does not match"
        assert printed.err.startswith(f"error: 1 damaged log in {data} → restore")
    assert main(["log", "repair", "--dry-run", "--json", "--data", str(data)]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["world"], found["tick"], found["kept"]["records"], found["readable"]["inputs"]) == ("w_one", 1, 3, 10)


def test_it_names_the_latest_snapshot_from_behind_the_damage(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Snapshots(data, "w_one")
    places = {getattr(each.record, "tick", 0): each for each in read_world(data, "w_one")}
    spoilt = store.folder / "0000000003.snap"
    spoilt.parent.mkdir()
    spoilt.write_bytes(b"no snapshot")
    assert main(["log", "repair", "--dry-run", "--data", str(data)]) == 0, "the log is as whole without it"
    capsys.readouterr()
    damage(data)

    def take(tick: int) -> Path:
        """A snapshot of the place at which the record of ``tick`` begins."""
        place = places[tick]
        position = LogEnd(world="w_one", epoch=1, file=place.file, offset=place.offset, crc=0, tick=tick - 1)
        draft = store.write(
            Snapshot(
                tick=tick - 1,
                position=position,
                code="00" * 16,
                engine="11" * 16,
                hash=bytes(16),
                genesis=genesis("w_one"),
                state=b"state",
            )
        )
        return store.folder / store.publish(draft)

    def shown() -> object:
        assert main(["log", "repair", "--dry-run", "--json", "--data", str(data)]) == 1
        return json.loads(capsys.readouterr().out)["snapshot"]

    take(2)
    assert shown() is None, "it holds no more than the intact part"
    take(7)
    latest = take(9)
    assert shown() == {"tick": 8, "file": f"worlds/w_one/snapshots/{latest.name}"}
    assert main(["log", "repair", "--dry-run", "--data", str(data)]) == 1
    assert capsys.readouterr().out.rstrip("\n").split("\t")[10] == "8"
    latest.write_bytes(latest.read_bytes()[:-1])
    assert shown() == {"tick": 6, "file": "worlds/w_one/snapshots/0000000006.snap"}


def test_without_dry_run_it_is_a_usage_error_and_nothing_changes(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(data)
    before = {path: path.read_bytes() for path in data.rglob("*.wlog")}
    assert main(["log", "repair", "--data", str(data)]) == 2
    assert "add --dry-run → see `worldline log repair --help`" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in data.rglob("*.wlog")} == before


def test_a_folder_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "repair", "--dry-run", "--data", str(tmp_path / "none")]) == 1
    assert "there is no data folder" in capsys.readouterr().err
