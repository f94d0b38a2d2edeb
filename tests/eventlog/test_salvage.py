"""Promise: of a damaged log it is said exactly how far it is intact, and every record behind the damage that is whole
is found and counted, whatever the damage is. Nothing is changed by asking."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from eventlog import archivefile, limits
from eventlog.archive import archive_world
from eventlog.chain import StoredRecord
from eventlog.reader import read_world
from eventlog.records import Open, Tick
from eventlog.salvage import Salvage, records_alone, salvage
from tests.eventlog.building import QUIET, Recording, crash, tick_record
from tests.eventlog.test_archive import ended_world
from tests.eventlog.test_bit_flips import flipped


def contents(data: Path) -> dict[Path, bytes]:
    """Every file under a folder."""
    return {path: path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()}


def salvage_one(data: Path) -> Salvage:
    """What is left of the one damaged world; asking changes no byte."""
    before = contents(data)
    (found,) = salvage(data)
    assert contents(data) == before
    return found


def inputs(stored: list[StoredRecord]) -> int:
    """How many inputs these records hold: one in each tick record of these tests."""
    return sum(isinstance(each.record, Tick) for each in stored)


async def test_a_flipped_bit_anywhere_costs_the_record_it_is_in(tmp_path: Path) -> None:
    await ended_world(tmp_path, ticks=12, file_bytes=900)
    stored = list(read_world(tmp_path, "w_one"))
    assert salvage(tmp_path) == []
    random = Random(1)
    tried = 0
    for number, path in enumerate(sorted((tmp_path / "worlds" / "w_one").iterdir()), start=1):
        whole = path.read_bytes()
        for byte in range(0, len(whole), 5):
            path.write_bytes(flipped(whole, byte, random.randrange(8)))
            hit = [each for each in stored if each.file == number and each.offset <= byte < each.offset + each.bytes]
            if hit and isinstance(hit[0].record, Open) and 8 <= byte - hit[0].offset < 16:
                continue  # the tick in its frame: only the chain says that it is wrong
            found = salvage_one(tmp_path)
            before = [each for each in stored if (each.file, each.offset + each.bytes) <= (number, byte)]
            behind = [each for each in stored if each not in before and each not in hit]
            assert (found.kept.records, found.kept.inputs) == (len(before), inputs(before)), (number, byte)
            assert (found.readable.records, found.readable.inputs) == (len(behind), inputs(behind)), (number, byte)
            if byte >= 72:
                assert (found.file, found.offset) == (f"worlds/w_one/{path.name}", hit[0].offset)
                assert found.unreadable_bytes == hit[0].bytes + 72 * (max(each.file for each in stored) - number)
            tried += 1
        path.write_bytes(whole)
    assert tried > 400


async def test_a_cut_a_missing_and_a_foreign_file_are_told_apart(tmp_path: Path) -> None:
    await ended_world(tmp_path, ticks=12, file_bytes=900)
    stored = list(read_world(tmp_path, "w_one"))
    first, second, third = sorted((tmp_path / "worlds" / "w_one").iterdir())[:3]
    whole = second.read_bytes()

    def kept_and_readable() -> tuple[int, int]:
        found = salvage_one(tmp_path)
        return found.kept.records, found.readable.records

    in_file = {number: sum(each.file == number for each in stored) for number in range(1, 9)}
    later = sum(each.file > 2 for each in stored)
    second.write_bytes(whole[:-1])
    assert kept_and_readable() == (in_file[1] + in_file[2] - 1, later)
    second.unlink()
    assert kept_and_readable() == (in_file[1], later)
    second.write_bytes(third.read_bytes())
    assert kept_and_readable() == (in_file[1], later), "what stands in a file of another number is not counted twice"
    second.write_bytes(whole)
    first.write_bytes(b"")
    assert kept_and_readable() == (0, in_file[2] + later)


async def test_frames_of_an_archive_that_are_whole_are_read(tmp_path: Path) -> None:
    await ended_world(tmp_path, ticks=300, file_bytes=8 * 1024 * 1024, long=400)
    stored = list(read_world(tmp_path, "w_one"))
    archive_world(tmp_path, "w_one")
    (path,) = (tmp_path / "worlds" / "w_one").iterdir()
    whole = path.read_bytes()
    header = archivefile.decode_header(whole)
    frames = len(header.rows)
    assert frames > 4
    for damaged in (0, 2, frames - 1):
        at = header.frames_at + sum(length for length, _ in header.rows[:damaged])
        path.write_bytes(flipped(whole, at + 20, 2))
        begin, end = (limits.ARCHIVE_FRAME_BYTES * number for number in (damaged, damaged + 1))
        kept = [each for each in stored if each.offset + each.bytes <= begin]
        readable = [each for each in stored if each.offset >= end]
        found = salvage_one(tmp_path)
        assert (found.kept.records, found.readable.records) == (len(kept), len(readable))
    for byte in (5, 40, 75, 77):
        path.write_bytes(flipped(whole, byte, 1))
        found = salvage_one(tmp_path)
        assert (found.kept.records, found.readable.records) == (0, len(stored)), "without header or table: by search"
    path.write_bytes(flipped(flipped(whole, 5, 1), header.frames_at + header.rows[0][0] + 100, 1))
    found = salvage_one(tmp_path)
    gone = [each for each in stored if each.offset + each.bytes > 65_536 and each.offset < 2 * 65_536]
    assert found.readable.records == len(stored) - len(gone)


async def test_a_world_in_a_damaged_journal(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running", options=QUIET)
    await recording.create("w_one").wait()
    for tick in range(1, 9):
        await recording.append("w_one", tick_record(tick)).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    (segment,) = data.rglob("*.journal")
    whole = segment.read_bytes()
    group_four = 4096 * 4
    assert whole[group_four : group_four + 4] == b"WGRP"
    segment.write_bytes(flipped(whole, group_four + 60, 1))
    found = salvage_one(data)
    assert (found.kept.records, found.kept.inputs, found.tick) == (2 + 2, 2, 2)
    assert (found.readable.records, found.readable.first_tick, found.readable.last_tick) == (5, 4, 8)
    assert "the journal is damaged after group 3" in found.reason


@pytest.mark.parametrize("size", [0, 1, 100, 10_000])
def test_noise_holds_no_record(size: int) -> None:
    assert list(records_alone(Random(size).randbytes(size) + b"\3\0\0\0" * size)) == []
