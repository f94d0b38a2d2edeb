"""Promise: what a crash or a running server leaves unfinished at the end is the end, and is never taken for anything
else; what a log at rest lacks is damage."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path

import pytest

from eventlog.errors import LogDamaged
from eventlog.journal import JournalOptions
from eventlog.reader import follow_world, read_world
from tests.eventlog import second_decoder as second
from tests.eventlog.building import NEVER_S, Recording, begun_segments, every_kind, plain, tick_record
from tests.faults_tried import Tried


def boundaries(data: Path, world: str) -> set[int]:
    """The bytes of file 1 at which a record begins or ends."""
    stored = list(read_world(data, world))
    return {each.offset for each in stored} | {each.offset + each.bytes for each in stored}


async def test_a_last_group_torn_at_any_byte_is_dropped(tmp_path: Path, tried: Tried) -> None:
    recording = Recording(tmp_path / "running")
    await recording.create("w_one").wait()
    await recording.append("w_one", tick_record(1)).wait()
    await recording.append("w_one", tick_record(2)).wait()
    shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    segment = next((tmp_path / "crashed").rglob("*.journal"))
    whole = segment.read_bytes()[: 4096 * 5]
    last = second.read_journal(segment.parent)[-1]
    assert last.position == 4096 * 3

    for kept in range(last.size):
        for rest in (b"\0", b"\xff", b"W"):
            torn = whole[: last.position + kept] + rest * (last.size - kept)
            if torn[: last.position + last.size] == whole[: last.position + last.size]:
                continue  # what was lost happened to be what the disk shows instead
            segment.write_bytes(torn)
            tried("the last group of a journal torn at a byte")
            assert plain(read_world(tmp_path / "crashed", "w_one")) == recording.written["w_one"][:-1], kept
    await recording.journal.close()


async def test_a_segment_that_a_crash_left_half_made_is_empty(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running")
    await recording.create("w_one").wait()
    shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    following = next((tmp_path / "crashed").rglob("*.journal")).with_name("0000000002.journal")
    for left in (b"", b"WJ", bytes(4096), b"WJNL".ljust(4096, b"\0"), bytes(300_000)):
        following.write_bytes(left)
        assert plain(read_world(tmp_path / "crashed", "w_one")) == recording.written["w_one"]
    await recording.journal.close()


async def test_a_world_file_cut_anywhere_by_a_crash_is_completed_from_the_journal(tmp_path: Path, tried: Tried) -> None:
    options = JournalOptions(flush_bytes=1, flush_after_s=NEVER_S, seal_after_s=NEVER_S)
    recording = Recording(tmp_path, options=options)
    recording.create("w_one")
    await recording.append("w_one", *every_kind()).wait()
    path = recording.folder("w_one") / "0001.wlog"
    size = sum(each.bytes for each in read_world(tmp_path, "w_one")) + 72
    while not (path.exists() and path.stat().st_size == size):
        await recording.turn()
    whole = path.read_bytes()
    for length in range(size, -1, -1):
        path.write_bytes(whole[:length])
        tried("a world log cut at a byte")
        recording.check()
    path.write_bytes(whole)
    await recording.journal.close()


async def test_a_log_at_rest_that_ends_inside_a_record_is_damaged(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.create("w_one")
    recording.append("w_one", *every_kind())
    await recording.journal.close()
    path = recording.folder("w_one") / "0001.wlog"
    whole = path.read_bytes()
    ends = boundaries(tmp_path, "w_one")
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        if length in ends:
            read = plain(read_world(tmp_path, "w_one"))
            assert read == recording.written["w_one"][: len(read)]
            continue
        with pytest.raises(LogDamaged) as damaged:
            list(read_world(tmp_path, "w_one"))
        assert damaged.value.path == path
        assert damaged.value.offset == max((end for end in ends if end <= length), default=0)


async def test_following_a_growing_file_yields_whole_records_only(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "done", file_bytes=700)
    recording.create("w_one")
    recording.append("w_one", *(tick_record(tick) for tick in range(1, 6)), *every_kind()[4:7], every_kind()[8])
    await recording.journal.close()
    files = {path.name: path.read_bytes() for path in sorted(recording.folder("w_one").iterdir())}
    assert len(files) > 2
    growing = tmp_path / "growing" / "worlds" / "w_one"
    growing.mkdir(parents=True)
    steps = [(name, length) for name, data in files.items() for length in range(len(data) + 1)]
    complete = sum(len(data) for data in files.values())
    (growing / "0001.wlog").write_bytes(files["0001.wlog"][:72])
    looks = 0

    def grow() -> bool:
        nonlocal looks
        while looks < len(steps):
            name, length = steps[looks]
            looks += 1
            if name == "0001.wlog" and length < 72:
                continue
            (growing / name).write_bytes(files[name][:length])
            return True
        return False

    followed = []
    for stored in follow_world(tmp_path / "growing", "w_one", wait=grow):
        followed.append(stored.record)
        written = sum(path.stat().st_size for path in growing.iterdir())
        assert written < complete or len(followed) >= len(recording.written["w_one"]) - 1
    assert followed == recording.written["w_one"], "every record once, in order, up to the close"


async def test_reading_beside_a_busy_server_never_sees_damage_nor_misses_what_is_durable(tmp_path: Path) -> None:
    """Segments are retired and files flushed and rotated all the time while others read."""
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=1, flush_bytes=300, flush_after_s=NEVER_S, seal_after_s=0.001
    )
    recording = Recording(tmp_path, options=options, file_bytes=3000)
    await recording.create("w_one", "w_two").wait()
    durable = 0
    stop = False

    async def play() -> None:
        nonlocal durable
        tick = 0
        while not stop:
            tick += 1
            await recording.journal.append(
                [recording.piece("w_two", tick_record(tick)), recording.piece("w_one", tick_record(tick))]
            ).wait()
            durable = tick

    playing = asyncio.create_task(play())
    looks = 0
    while looks < 60 or recording.journal.statistics().segments <= 5:
        known = durable
        read = await asyncio.to_thread(lambda: plain(read_world(tmp_path, "w_one")))
        assert read == recording.written["w_one"][: len(read)]
        assert len(read) >= known + 2
        looks += 1
    stop = True
    await playing
    await recording.journal.close()
    recording.check()


async def crashed_journal(data: Path) -> tuple[Recording, Path]:
    """A data folder whose journal holds two worlds' records in two segments; the folder of a copy of it."""
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=99, flush_after_s=NEVER_S, seal_after_s=NEVER_S
    )
    recording = Recording(data / "running", options=options)
    await recording.create("w_one").wait()
    for tick in range(1, 5):
        await recording.append("w_one", tick_record(tick)).wait()
    shutil.copytree(data / "running", data / "copy")
    assert len(recording.segments()) == 2
    return recording, data / "copy"


async def test_a_group_missed_while_the_server_went_on_writing_is_looked_for_again(tmp_path: Path) -> None:
    """The pipe makes the reader's look at the segment last until a server would have completed it."""
    recording, copy = await crashed_journal(tmp_path)
    segment = sorted(copy.rglob("*.journal"))[0]
    whole = segment.read_bytes()
    missed = whole[: 2 * 4096] + bytes(4096) + whole[3 * 4096 :]
    segment.unlink()
    os.mkfifo(segment)
    reading = asyncio.create_task(asyncio.to_thread(lambda: plain(read_world(copy, "w_one"))))
    pipe = await asyncio.to_thread(segment.open, "wb")
    segment.unlink()
    segment.write_bytes(whole)
    await asyncio.to_thread(pipe.write, missed)
    pipe.close()
    assert await reading == recording.written["w_one"]
    await recording.journal.close()


async def test_a_segment_that_goes_while_we_read_is_found_in_the_files(tmp_path: Path) -> None:
    recording, copy = await crashed_journal(tmp_path)
    await recording.journal.close()
    segments = begun_segments(copy)
    segments[0].unlink()
    os.mkfifo(segments[0])
    reading = asyncio.create_task(asyncio.to_thread(lambda: plain(read_world(copy, "w_one"))))
    pipe = await asyncio.to_thread(segments[0].open, "wb")  # the reader has seen both segments and opened the first
    shutil.copytree(recording.folder("w_one"), copy / "worlds" / "w_one")
    for segment in segments:
        segment.unlink()
    pipe.close()
    assert await reading == recording.written["w_one"]
