"""Promise: a clean close leaves complete, synced world files and no journal; segments go once files hold all of it."""

from __future__ import annotations

from pathlib import Path

from eventlog.journal import JournalOptions
from eventlog.records import Close
from tests.eventlog import second_decoder as second
from tests.eventlog.building import NEVER_S, SHARD, Recording, fingerprint, tick_record
from tests.eventlog.disks import WatchedDisk


class RetirementWatch(WatchedDisk):
    """Checks at each removal of a segment that world files hold all its bytes, synced since they were written."""

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.data = data
        self.removed = 0
        self._unsynced: set[Path] = set()
        self._unsynced_folders: set[Path] = set()

    def before(self, call: str, path: Path) -> None:
        super().before(call, path)
        if call in ("create", "make_folder") and not path.exists():
            self._unsynced_folders.add(path.parent)
        if call in ("create", "write"):
            self._unsynced.add(path)
        elif call == "sync":
            self._unsynced.discard(path)
        elif call == "sync_folder":
            self._unsynced_folders.discard(path)
        elif call == "remove":
            self._check_removal(path)

    def _check_removal(self, segment: Path) -> None:
        self.removed += 1
        for group in second.read_journal(segment.parent):
            for entry in group.entries if group.segment == int(segment.stem) else ():
                path = self.data / "worlds" / entry.world / f"{entry.file:04d}.wlog"
                held = path.read_bytes()[entry.offset : entry.offset + len(entry.data)]
                assert held == entry.data, f"{path} lacks bytes of the removed {segment.name}"
                assert path not in self._unsynced
                assert self._unsynced_folders.isdisjoint((path.parent, path.parent.parent))


async def test_a_clean_close_leaves_no_journal_and_complete_files(tmp_path: Path) -> None:
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk, file_bytes=1500)
    await recording.create("w_one", "w_two").wait()
    for tick in range(1, 20):
        recording.append("w_one", tick_record(tick))
    await recording.append("w_two", tick_record(1)).wait()
    await recording.journal.close()
    await recording.journal.close()  # once more is nothing
    assert list((tmp_path / "journal").iterdir()) == []
    recording.check()
    for world in recording.written:
        assert len(second.read_world_files(recording.folder(world)).records) == len(recording.written[world])
        for path in recording.folder(world).iterdir():
            calls = [call for call, at in disk.calls if at == path]
            assert calls[-2:] == ["sync", "close"]
    removal = next(index for index, (call, _) in enumerate(disk.calls) if call == "remove")
    assert all(path.suffix != ".wlog" for _, path in disk.calls[removal:])


async def test_a_journal_that_was_never_used_leaves_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.journal.close()
    assert list((tmp_path / "journal").iterdir()) == []


async def test_a_new_journal_begins_after_a_clean_close(tmp_path: Path) -> None:
    first = Recording(tmp_path)
    await first.create("w_one").wait()
    await first.journal.close()
    second_run = Recording(tmp_path)
    await second_run.create("w_two").wait()
    first.check()
    second_run.check()
    await second_run.journal.close()


async def test_what_was_appended_right_before_the_close_is_kept(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.create("w_one")
    recording.append("w_one", tick_record(1))
    await recording.journal.close()
    recording.check()


async def test_segments_go_only_when_world_files_hold_and_have_synced_their_bytes(tmp_path: Path) -> None:
    disk = RetirementWatch(tmp_path)
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=2, flush_after_s=NEVER_S, seal_after_s=NEVER_S
    )
    recording = Recording(tmp_path, disk=disk, options=options, file_bytes=3000)
    await recording.create("w_busy", "w_quiet").wait()
    for tick in range(1, 40):
        await recording.append("w_busy", tick_record(tick)).wait()
        assert len(recording.segments()) <= 2 * 2 + 1, "segments are not kept for ever"
    assert disk.removed >= 6
    recording.check()
    await recording.journal.close()
    assert recording.failures == []
    made_ready = 1
    assert disk.removed == recording.journal.statistics().segments + made_ready
    recording.check()


async def test_a_retired_world_is_complete_and_the_others_play_on(tmp_path: Path) -> None:
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk)
    recording.create("w_one", "w_two")
    recording.append("w_one", Close(tick=4, reason="idle", fingerprint=fingerprint(4)))
    retired = recording.journal.retire_world("w_one")
    assert not retired.durable
    await retired.wait()
    calls = [call for call, path in disk.calls if path == recording.folder("w_one") / "0001.wlog"]
    assert calls == ["create", "write", "sync", "close"]
    assert len(second.read_world_files(recording.folder("w_one")).records) == 3
    await recording.append("w_two", tick_record(1)).wait()
    await recording.journal.close()
    recording.check()


async def test_a_world_retired_while_the_journal_closes_is_closed_once(tmp_path: Path) -> None:
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk)
    ticket = recording.create("w_one", "w_two")
    ticket.add_done_callback(lambda _: recording.journal.retire_world("w_one"))
    await recording.journal.close()
    assert recording.journal.retire_world("w_two").durable
    assert len(disk.of_worlds("close")) == 2
    recording.check()


async def test_a_world_retired_right_before_the_close_is_complete(tmp_path: Path) -> None:
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk)
    await recording.create("w_one").wait()
    retired = recording.journal.retire_world("w_one")
    await recording.journal.close()
    assert retired.durable
    assert len(disk.of_worlds("close")) == 1
    recording.check()


async def test_statistics_count_groups_and_bytes(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_one").wait()
    await recording.append("w_one", tick_record(1)).wait()
    statistics = recording.journal.statistics()
    assert (statistics.groups, statistics.bytes, statistics.segments) == (2, 2 * 4096, 1)
    assert recording.journal.folder == tmp_path / "journal" / f"shard-{SHARD:02d}"
    assert len(recording.syncs) == 2
    assert all(seconds > 0 for seconds in recording.syncs)
    await recording.journal.close()


async def test_a_buffer_is_written_when_it_is_old_enough(tmp_path: Path) -> None:
    """Readers of files lag by the flush period, not for ever."""
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk, options=JournalOptions(flush_after_s=0.01, seal_after_s=NEVER_S))
    await recording.create("w_one").wait()
    while not disk.of_worlds("write"):
        await recording.turn()
    await recording.append("w_one", tick_record(1)).wait()
    while len(disk.of_worlds("write")) < 2:
        await recording.turn()
    await recording.journal.close()
    recording.check()
