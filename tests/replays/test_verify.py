"""Promise: verification says of every world whether it is still the same, and of one that is not, where it differs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eventlog.reader import read_world
from replays.verify import verify_world, verify_worlds
from server.commands import main
from tests.replays.recording import WORLD, Recording
from tests.replays.test_reexecution import tsunami


async def record(data: Path, *, lie: bool = False) -> None:
    """A short game; with ``lie`` its log says something else than what was done."""
    recording = Recording(data, tsunami(), seed=3, settings={})
    player = recording.join()
    recording.run(30)
    if lie:
        recording.lie = {"to": "home"}
    recording.input(player, "move", {"x": 100.0, "z": 0.0})
    recording.run(100)
    await recording.close()


def flip_a_bit(data: Path, offset: int) -> Path:
    """Damage the world's file."""
    (path,) = (data / "worlds" / WORLD).glob("*.wlog")
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    return path


async def test_a_log_that_is_what_was_played_is_verified(tmp_path: Path) -> None:
    await record(tmp_path)
    verdict = verify_world(tmp_path, WORLD)
    assert (verdict.status, verdict.tick, verdict.problem) == ("verified", 131, None)
    assert verdict.records == len(list(read_world(tmp_path, WORLD)))


async def test_a_log_that_lies_has_diverged_at_the_record_after_the_lie(tmp_path: Path) -> None:
    await record(tmp_path, lie=True)
    verdict = verify_world(tmp_path, WORLD)
    assert verdict.status == "diverged"
    places = [(f"{stored.file:04d}.wlog", stored.offset) for stored in read_world(tmp_path, WORLD)]
    assert (verdict.file, verdict.offset) == places[verdict.records]
    assert f"{WORLD}@60 diverged" in (verdict.problem or "")


async def test_a_flipped_bit_is_damage_with_its_place(tmp_path: Path) -> None:
    await record(tmp_path)
    last = list(read_world(tmp_path, WORLD))[-1]
    path = flip_a_bit(tmp_path, last.offset + last.bytes - 1)
    verdict = verify_world(tmp_path, WORLD)
    assert (verdict.status, verdict.file, verdict.offset) == ("damaged", path.name, last.offset)


async def test_a_log_whose_code_is_gone_cannot_be_verified_and_says_so(tmp_path: Path) -> None:
    await record(tmp_path)
    shutil.rmtree(tmp_path / "code")
    verdict = verify_world(tmp_path, WORLD)
    assert verdict.status == "cannot"
    assert tsunami().digest in (verdict.problem or "")


async def test_one_bad_world_stops_no_other(tmp_path: Path) -> None:
    await record(tmp_path)
    verdicts = {verdict.world: verdict.status for verdict in verify_worlds(tmp_path, [WORLD, "w_nowhere", WORLD])}
    assert verdicts == {WORLD: "verified", "w_nowhere": "cannot"}


async def test_the_command_ends_with_1_if_a_world_is_not_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await record(tmp_path)
    assert main(["replay", "verify", "--data", str(tmp_path)]) == 0
    row, summary = capsys.readouterr()
    assert row.split("\t")[:3] == [WORLD, "verified", "131"]
    assert summary == "1 of 1 worlds verified, 131 ticks\n"
    flip_a_bit(tmp_path, 500)
    assert main(["replay", "verify", WORLD[:4], "--json", "--data", str(tmp_path)]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert verdict["status"] == "damaged"
    assert verdict["offset"] <= 500
    assert main(["replay", "verify", "w_x", "--data", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("error: no world w_x")
