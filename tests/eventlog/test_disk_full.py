"""Promise: a full disk loses nothing and fails nothing. What was appended waits, in whole groups, until there is room;
who goes on appending is told in time. A sync that fails for want of room ends the journal like any failed sync."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import msgspec
import pytest

from eventlog import records
from eventlog.errors import DiskFull, JournalFailed
from eventlog.journal import Journal, JournalOptions
from eventlog.reader import read_world
from eventlog.recovery import recover
from tests.eventlog import second_decoder as second
from tests.eventlog.building import NEVER_S, Recording, crash, input_entry, plain, tick_record
from tests.eventlog.disks import FailingDisk, SmallDisk, WatchedDisk
from tests.eventlog.test_acknowledged_is_durable import script
from tests.faults_tried import Tried

SMALL = JournalOptions(
    segment_bytes=16 * 1024,
    segments_per_retirement=1,
    flush_bytes=1,
    flush_after_s=NEVER_S,
    seal_after_s=NEVER_S,
    retry_room_s=0.001,
)
EAGER = msgspec.structs.replace(SMALL, segment_bytes=8 * 2**20, retry_room_s=0.01)
ROOM = 2 * 2**20
SYNCS = ("sync", "sync_folder")


def big_record(tick: int, size_bytes: int = 20_000) -> records.Tick:
    """A tick with an input of that size."""
    return tick_record(tick, input_entry(tick, args={"text": "x" * size_bytes}))


async def test_whichever_call_finds_no_room_everything_is_done_when_there_is(tmp_path: Path, tried: Tried) -> None:
    counted = WatchedDisk()
    await script(Recording(tmp_path / "all", disk=counted, options=SMALL, file_bytes=900), {})
    opening = next(index for index, (call, _) in enumerate(counted.calls) if call == "create")
    waited = ended = 0
    for nth in range(opening, len(counted.calls)):
        calls = 0

        def from_nth(call: str, _path: Path) -> bool:
            """The disk is full from this call on, and has room again when it has been asked three times."""
            nonlocal calls
            calls += 1
            return nth < calls <= nth + 3 and call != "close"  # noqa: B023 - used within this round only

        recording = Recording(
            tmp_path / str(nth), disk=FailingDisk(from_nth, errno.ENOSPC), options=SMALL, file_bytes=900
        )
        acknowledged: dict[str, int] = {}
        try:
            await script(recording, acknowledged)
        except JournalFailed:
            ended += 1
            for world, count in acknowledged.items():
                assert len(plain(read_world(recording.data, world))) >= count, nth
            continue
        if recording.room:
            waited += 1
            assert recording.room[1::2] == ["room"] * (len(recording.room) // 2), nth
            assert all("make room" in said for said in recording.room[::2]), nth
        recording.check()
        assert not recording.journal.folder.exists()
    tried("a call to the disk that finds no room", waited + ended)
    assert waited > 40
    assert ended > 20, "syncs that failed"


async def test_a_sync_that_finds_no_room_ends_the_journal(tmp_path: Path) -> None:
    full = False
    disk = FailingDisk(lambda call, path: full and call == "sync" and path.suffix == ".journal", errno.ENOSPC)
    recording = Recording(tmp_path, disk=disk)
    await recording.create("w_one").wait()
    full = True
    with pytest.raises(JournalFailed):
        await recording.append("w_one", tick_record(1)).wait()
    assert disk.failed == 1, "it is not tried again: what the first one should have made durable may be gone"


async def test_who_appends_is_told_while_there_is_room_for_what_is_under_way(tmp_path: Path) -> None:
    """The disk fills up at many places of a run: each time, what was appended before we were told is written without
    any room being made."""
    stopped = 0
    for room_bytes in range(4 * 2**18, 6 * 2**18, 3 * 4096):
        disk = SmallDisk(room_bytes)
        options = msgspec.structs.replace(EAGER, segment_bytes=2**18, retry_room_s=NEVER_S)
        recording = Recording(tmp_path / str(room_bytes), disk=disk, options=options)
        under_way = last = recording.create("w_one")
        while not recording.room:  # one group on its way to the disk, and one behind it
            under_way, last = last, recording.append("w_one", big_record(recording.logs["w_one"].last_tick + 1))
            await under_way.wait()
        await last.wait()
        stopped += 1
        assert disk.refused == 1
        second.read_journal(recording.journal.folder)  # strict: no group is torn
    assert stopped > 40


async def test_a_group_without_room_waits_whole_and_is_written_when_there_is_room(tmp_path: Path) -> None:
    disk = SmallDisk(ROOM)
    recording = Recording(tmp_path / "running", disk=disk, options=EAGER)
    await recording.create("w_one").wait()
    waiting = recording.append("w_one", big_record(1, size_bytes=3 * 2**20))
    behind = recording.append("w_one", tick_record(2))
    while disk.refused < 5:
        await asyncio.sleep(0.001)
    assert [ticket.durable for ticket in (waiting, behind)] == [False, False]
    assert len(recording.room) == 1, "told once"
    killed = crash(tmp_path / "running", tmp_path / "killed")
    assert recover(killed).torn == [], "nothing of it was written: zeros come first"
    assert plain(read_world(killed, "w_one")) == recording.written["w_one"][:2]
    disk.make_room(64 * 2**20)
    await behind.wait()
    assert waiting.durable
    while recording.room[1:] != ["room"]:
        await asyncio.sleep(0)
    recording.check()
    await recording.journal.close()
    recording.check()


async def test_world_files_without_room_wait_and_no_segment_goes(tmp_path: Path) -> None:
    options = msgspec.structs.replace(SMALL, retry_room_s=0.01)
    full = [True]
    disk = FailingDisk(lambda call, path: bool(full) and path.suffix == ".wlog" and call == "write", errno.ENOSPC)
    recording = Recording(tmp_path, disk=disk, options=options)
    await recording.create("w_one", "w_two").wait()
    for tick in range(1, 20):
        await recording.append("w_one", tick_record(tick)).wait()
    while disk.failed < 3:
        await asyncio.sleep(0.001)
    assert len(recording.room) == 1
    assert not any(call == "remove" for call, _ in disk.calls)
    recording.check()
    full.clear()
    while recording.room[1:] != ["room"]:
        await asyncio.sleep(0.001)
    assert any(call == "remove" for call, _ in disk.calls), "they go when world files hold their bytes"
    await recording.append("w_two", tick_record(1)).wait()
    await recording.journal.close()
    recording.check()


async def test_a_journal_cannot_be_opened_on_a_full_disk(tmp_path: Path) -> None:
    disk = FailingDisk(lambda call, path: call == "make_folder" and "journal" in path.parts, errno.ENOSPC)
    with pytest.raises(DiskFull, match=r"no room on the disk for .*journal.*make room"):
        Journal.open(tmp_path, 3, on_failure=print, disk=disk)
    assert disk.failed == 1
