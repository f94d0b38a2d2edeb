"""Promise: `verify` reports every snapshot that is damaged, foreign or gone, by world, tick, file and byte, and says
that the log alone gives the world; what a crash or a busy server leaves in the folder is no damage."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from eventlog import records
from eventlog.filecheck import Problem
from eventlog.journal import JournalOptions
from eventlog.piece import LogEnd
from eventlog.snapshot_check import LOG_IS_ENOUGH
from eventlog.snapshot_file import HEADER_BYTES, Snapshot, encode_snapshot
from eventlog.snapshots import Snapshots, snapshot_name
from eventlog.verify import verify
from tests.eventlog.building import NEVER_S, Recording, genesis, tick_record
from tests.eventlog.disks import HastyDisk
from tests.eventlog.test_verify import Kept, flip

WORLD = "w_one"
TICKS = (4, 8, 12, 16)


def snapshot(recording: Recording, world: str, tick: int) -> Snapshot:
    """A snapshot of the world as its log stands now."""
    log = recording.logs[world]
    return Snapshot(
        tick=tick,
        position=LogEnd(
            world=world, epoch=log.epoch, file=log.file, offset=log.offset, crc=log.crc, tick=log.last_tick
        ),
        code="ab" * 16,
        engine="cd" * 16,
        hash=random.Random(tick + log.offset).randbytes(16),
        genesis=genesis(world, **recording.genesis_fields),
        state=random.Random(tick).randbytes(3000),
    )


def save(recording: Recording, world: str, tick: int, *, thin: bool = False) -> records.Checkpoint:
    """Write a snapshot and return the checkpoint that is to be appended."""
    store = Snapshots(recording.data, world, disk=HastyDisk())
    taken = snapshot(recording, world, tick)
    draft = store.write(taken)
    name = store.publish(draft)
    if thin:
        store.thin(10**9)
    return records.Checkpoint(tick, taken.hash, name, draft.size_bytes)


async def played(data: Path, *worlds: str, file_bytes: int = 900) -> None:
    """Worlds with snapshots of `TICKS`, whose checkpoints come two ticks later; the first but one is thinned out."""
    recording = Kept(data, file_bytes=file_bytes)
    for world in worlds:
        recording.create(world)
        due: records.Checkpoint | None = None
        for tick in range(1, 20):
            recording.append(world, tick_record(tick))
            if tick in TICKS:
                due = save(recording, world, tick)
            elif due is not None and tick % 4 == 2:
                recording.append(world, due)
        Snapshots(data, world).path(TICKS[1]).unlink()
    await recording.journal.close()


def place(tick: int, world: str = WORLD) -> str:
    """A snapshot's file as reports name it."""
    return f"worlds/{world}/snapshots/{snapshot_name(tick)}"


def only_problem(data: Path) -> Problem:
    (problem,) = verify(data).problems
    return problem


async def test_good_ones_are_counted_and_thinned_out_ones_are_not_missed(tmp_path: Path) -> None:
    await played(tmp_path, WORLD, "w_two")
    found = verify(tmp_path)
    assert (found.problems, found.leftovers, found.snapshots) == ([], [], 6)
    assert verify(tmp_path, world=WORLD).snapshots == 3


async def test_a_flipped_bit_anywhere_is_reported_with_the_place(tmp_path: Path) -> None:
    await played(tmp_path, WORLD, "w_two")
    path = tmp_path / place(12)
    size = path.stat().st_size
    flips = 0
    for byte in (*range(HEADER_BYTES), *range(HEADER_BYTES, size, 173), size - 1):
        flip(path, byte)
        problem = only_problem(tmp_path)
        offset = 0 if byte < HEADER_BYTES else HEADER_BYTES
        assert (problem.world, problem.tick, problem.file, problem.offset) == (WORLD, 12, place(12), offset)
        assert problem.reason.endswith(LOG_IS_ENOUGH)
        flip(path, byte)
        flips += 1
    assert flips > 200
    assert verify(tmp_path).problems == []


def a_folder_instead(path: Path) -> None:
    """Put a folder in the place of a file."""
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:1000]), "ends too early", 1000),
    "empty": (lambda path: path.write_bytes(b""), "ends too early", 0),
    "lengthened": (lambda path: path.write_bytes(path.read_bytes() + b"?"), "follow its end", -1),
    "of another tick": (lambda path: shutil.copy(path.with_name(snapshot_name(12)), path), "at tick 12", 0),
    "of another world": (
        lambda path: shutil.copy(path.parents[2] / "w_two" / "snapshots" / path.name, path),
        "a snapshot of w_two",
        0,
    ),
    "no snapshot": (lambda path: shutil.copy(path.parents[1] / "0001.wlog", path), "not a snapshot", 0),
    "no file": (a_folder_instead, "cannot be read", 0),
    "gone": (lambda path: path.unlink(), "the snapshot is missing: the checkpoint in 00", 0),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_what_is_no_snapshot_of_this_world_and_tick_is_reported(tmp_path: Path, damage: str) -> None:
    await played(tmp_path, WORLD, "w_two")
    path = tmp_path / place(16)
    size = path.stat().st_size
    change, reason, offset = DAMAGES[damage]
    change(path)
    problem = only_problem(tmp_path)
    assert (problem.world, problem.tick, problem.file) == (WORLD, 16, place(16))
    assert reason in problem.reason and problem.reason.endswith(LOG_IS_ENOUGH)
    assert problem.offset == (size if offset < 0 else offset)


@pytest.mark.parametrize("field", ["crc", "offset", "file"])
async def test_a_place_that_the_log_does_not_have_is_reported(tmp_path: Path, field: str) -> None:
    await played(tmp_path, WORLD)
    store = Snapshots(tmp_path, WORLD)
    whole = store.read(16)
    position = msgspec.structs.replace(whole.position, **{field: getattr(whole.position, field) + 1})
    store.path(16).write_bytes(encode_snapshot(msgspec.structs.replace(whole, position=position)))
    assert "the log has no record that ends at" in only_problem(tmp_path).reason


async def test_one_that_its_checkpoint_contradicts_is_reported(tmp_path: Path) -> None:
    await played(tmp_path, WORLD)
    store = Snapshots(tmp_path, WORLD)
    store.path(16).write_bytes(encode_snapshot(msgspec.structs.replace(store.read(16), hash=b"?" * 16)))
    assert "says another hash or size" in only_problem(tmp_path).reason


async def test_a_later_one_of_the_same_tick_agrees_with_its_own_checkpoint(tmp_path: Path) -> None:
    recording = Kept(tmp_path)
    recording.create(WORLD)
    recording.append(WORLD, tick_record(1))
    recording.append(WORLD, save(recording, WORLD, 1))
    recording.append(WORLD, tick_record(1, ran=False))
    last = save(recording, WORLD, 1)
    await recording.until_synced(1)
    assert verify(tmp_path).problems == [], "its checkpoint is not there yet: a crash may come before"
    recording.append(WORLD, last)
    await recording.journal.close()
    assert verify(tmp_path).problems == []


async def test_the_log_is_not_called_enough_when_it_is_damaged(tmp_path: Path) -> None:
    await played(tmp_path, WORLD)
    flip(tmp_path / "worlds" / WORLD / "0001.wlog", 300)
    (tmp_path / place(16)).unlink()
    in_log, missing = verify(tmp_path).problems
    assert (in_log.file, missing.file) == (f"worlds/{WORLD}/0001.wlog", place(16))
    assert LOG_IS_ENOUGH not in missing.reason


async def test_what_a_crash_left_is_named_and_no_damage(tmp_path: Path) -> None:
    await played(tmp_path, WORLD)
    left = tmp_path / "worlds" / WORLD / "snapshots" / f".{snapshot_name(20)}.new"
    left.write_bytes(b"half of it")
    found = verify(tmp_path)
    assert found.problems == []
    assert found.leftovers == [left.relative_to(tmp_path).as_posix()]
    left.rename(left.with_name("notes.txt"))
    assert only_problem(tmp_path).reason.startswith("a name that no snapshot has")


async def test_a_server_that_saves_worlds_meanwhile_is_not_accused(tmp_path: Path) -> None:
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=1, flush_bytes=300, flush_after_s=NEVER_S, seal_after_s=0.001
    )
    recording = Kept(tmp_path, options=options, file_bytes=3000)
    await recording.create(WORLD).wait()
    stop = False

    async def play() -> None:
        tick = 0
        while not stop:
            tick += 1
            await recording.append(WORLD, tick_record(tick)).wait()
            if tick % 3 == 0:
                recording.append(WORLD, save(recording, WORLD, tick, thin=True))

    playing = asyncio.create_task(play())
    looks = snapshots = 0
    while looks < 20 or snapshots < 20:
        found = await asyncio.to_thread(verify, tmp_path)
        assert (found.problems, found.leftovers) == ([], [])
        looks += 1
        snapshots += found.snapshots
    stop = True
    await playing
    await recording.journal.close()
    assert verify(tmp_path).problems == []
