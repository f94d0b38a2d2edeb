"""Promise: after recovery every world's files hold all that was acknowledged, exactly once and nothing foreign, and the
journals are gone; or damage is reported and nothing was changed."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import pytest

from eventlog import frame, groups
from eventlog.disk import lock
from eventlog.errors import JournalDamaged, LogDamaged, LogLocked
from eventlog.journal import JournalOptions, shard_folder
from eventlog.piece import Piece, Release
from eventlog.reader import log_end, read_world
from eventlog.records import Record
from eventlog.recovery import recover, recover_shard
from eventlog.redo import VERDICTS, LastGroup
from eventlog.store import Store
from eventlog.verify import verify
from eventlog.worldlog import WorldLog
from tests.eventlog import second_decoder as second
from tests.eventlog.building import (
    NEVER_S,
    QUIET,
    SHARD,
    Recording,
    begun_segments,
    crash,
    every_kind,
    plain,
    tick_record,
)
from tests.eventlog.disks import HastyDisk

SMALL = JournalOptions(segment_bytes=16 * 1024, segments_per_retirement=99, flush_after_s=NEVER_S, seal_after_s=NEVER_S)


def everything(data: Path) -> dict[Path, bytes]:
    """All files of a folder."""
    return {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}


def assert_recovered(data: Path, written: dict[str, list[Record]]) -> None:
    """Files alone hold what was written; a strict reader accounts for every byte; no journal is left."""
    assert list((data / "journal").iterdir()) == []
    assert {path.name for path in (data / "worlds").iterdir()} == set(written)
    for world, expected in written.items():
        assert plain(read_world(data, world)) == expected
        second.read_world_files(data / "worlds" / world)


def test_every_state_of_the_last_group_has_one_verdict() -> None:
    cases = [LastGroup(*case) for case in itertools.product((False, True), repeat=3)]
    assert set(cases) == set(VERDICTS)
    for case, verdict in VERDICTS.items():
        acknowledged = case.good_behind or case.in_world_log
        assert (verdict == "damaged") == acknowledged
        assert (verdict == "torn") == (case.something and not acknowledged)


async def test_what_only_the_journal_holds_is_brought_into_files(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running", options=SMALL, file_bytes=1200)
    await recording.create("w_one", "w_two").wait()
    for tick in range(1, 12):
        await recording.append("w_one", tick_record(tick)).wait()
        await recording.append("w_two", tick_record(tick)).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    written = {world: list(records) for world, records in recording.written.items()}
    await recording.journal.close()
    report = recover(data)
    assert_recovered(data, written)
    assert (report.journals, report.groups, report.entries) == (1, 23, 24)
    assert report.segments > 3
    assert (report.torn, report.damaged, report.opened_elsewhere) == ([], [], [])
    for world in report.worlds:
        end = log_end(data, world.world)
        assert (world.file, world.offset, world.epoch, world.cut_bytes) == (end.file, end.offset, 1, 0)
        assert world.file > 1
    assert recover(data).worlds == [], "a second time there is nothing to do"
    Store.open(data).close()


async def test_a_torn_last_group_is_dropped_whatever_its_pages_hold(tmp_path: Path) -> None:
    """Cut at every byte; the rest as it was before: zeros, garbage, or another group's bytes."""
    recording = Recording(tmp_path / "running")
    await recording.create("w_one").wait()
    await recording.append("w_one", tick_record(1)).wait()
    before = list(recording.written["w_one"])
    await recording.append("w_one", tick_record(2)).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    segment = next(data.rglob("*.journal"))
    whole = segment.read_bytes()[: 4096 * 5]
    last = second.read_journal(segment.parent)[-1]
    stale = whole[2 * 4096 : 3 * 4096]
    garbage = os.urandom(4096)
    torn = 0
    for kept, rest in itertools.product(range(last.size), (bytes(4096), garbage, stale)):
        damaged = whole[: last.position + kept] + rest[kept : last.size] + whole[last.position + last.size :]
        if damaged == whole:
            continue  # what was lost happened to be what the disk shows instead
        shutil.rmtree(data)
        segment.parent.mkdir(parents=True)
        segment.write_bytes(damaged)
        report = recover(data, disk=HastyDisk())
        assert [path.name for path in report.torn] == (["shard-03"] if any(damaged[last.position :]) else [])
        assert_recovered(data, {"w_one": before})
        torn += bool(report.torn)
    assert torn > 2 * last.size


async def test_every_flipped_bit_of_a_journal_is_reported_or_was_never_acknowledged(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running")
    await recording.create("w_one").wait()
    before = list(recording.written["w_one"])
    await recording.append("w_one", tick_record(1)).wait()
    written = {"w_one": list(recording.written["w_one"])}
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    segment = next(data.rglob("*.journal"))
    whole = segment.read_bytes()[: 4096 * 4]
    first, last = second.read_journal(segment.parent)
    used = {*range(48), *range(first.position, first.position + first.size)}
    unsealed = range(last.position, last.position + last.size)
    reported = dropped = 0
    for byte in (*sorted(used), *unsealed):
        for bit in range(8) if byte < 48 or byte in range(first.position, first.position + 56) else (byte % 8,):
            flipped = bytearray(whole)
            flipped[byte] ^= 1 << bit
            shutil.rmtree(data)
            segment.parent.mkdir(parents=True)
            segment.write_bytes(flipped)
            if byte in unsealed:  # nothing proves that it was synced
                assert recover(data, disk=HastyDisk()).torn == [segment.parent]
                assert_recovered(data, {"w_one": before})
                dropped += 1
                continue
            state = everything(data)
            with pytest.raises(JournalDamaged) as damaged:
                recover(data, disk=HastyDisk())
            assert everything(data) == state, "nothing is changed"
            assert (damaged.value.path, damaged.value.offset <= byte) == (segment, True)
            reported += 1
    shutil.rmtree(data)
    segment.parent.mkdir(parents=True)
    segment.write_bytes(whole)
    recover(data)
    assert_recovered(data, written)
    assert reported > 700
    assert dropped == last.size


@pytest.mark.parametrize("bit_of", ["its own entry", "its header", "another entry", "all of it"])
async def test_a_bad_last_group_that_a_world_log_holds_is_damage(tmp_path: Path, bit_of: str) -> None:
    """Its bytes reached a file, so it was synced: it must not be dropped as torn, though nothing is behind it."""
    recording = Recording(tmp_path / "running", options=QUIET)
    await recording.create("w_one", "w_two").wait()
    pieces = [recording.piece("w_one", tick_record(1)), recording.piece("w_two", tick_record(1))]
    await recording.journal.append(pieces).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    (data / "worlds" / "w_one").mkdir(parents=True)
    shutil.copy(tmp_path / "running" / "worlds" / "w_one" / "0001.wlog", data / "worlds" / "w_one")
    segment = next(data.rglob("*.journal"))
    last = second.read_journal(segment.parent)[-1]
    content = bytearray(segment.read_bytes())
    own = len(pieces[0].data)
    byte = {"its own entry": 32 + 24 + 5 + 30, "its header": 9, "another entry": 32 + 2 * 29 + own + 40}.get(bit_of)
    if byte is None:
        content[last.position : last.position + last.size] = bytes(last.size)
    else:
        content[last.position + byte] ^= 4
    segment.write_bytes(content)
    state = everything(data)
    with pytest.raises(JournalDamaged) as damaged:
        recover(data)
    assert (damaged.value.offset, damaged.value.worlds) == (last.position, ["w_one", "w_two"])
    assert everything(data) == state


async def test_a_last_group_held_by_a_world_of_retired_segments_is_damage(tmp_path: Path) -> None:
    """No intact group mentions the world any more: the bad one itself says whose it is."""
    options = JournalOptions(segment_bytes=16 * 1024, segments_per_retirement=1, seal_after_s=NEVER_S)
    recording = Recording(tmp_path / "running", options=options)
    await recording.create("w_old", "w_one").wait()
    while recording.journal.statistics().segments < 3:
        await recording.append("w_one", tick_record(recording.logs["w_one"].last_tick + 1)).wait()
    while (recording.journal.folder / "0000000002.journal").exists():
        await recording.turn()
    pieces = [recording.piece("w_old", tick_record(1)), recording.piece("w_one", tick_record(500))]
    await recording.journal.append(pieces).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    shutil.copytree(recording.folder("w_old"), data / "worlds" / "w_old", dirs_exist_ok=True)
    segment = begun_segments(data)[-1]
    last = second.read_journal(segment.parent)[-1]
    content = bytearray(segment.read_bytes())
    content[last.position + 24] ^= 1
    segment.write_bytes(content)
    with pytest.raises(JournalDamaged) as damaged:
        recover(data)
    assert "w_old" in damaged.value.worlds


async def test_only_bytes_behind_the_last_chained_record_are_cut(tmp_path: Path) -> None:
    options = JournalOptions(flush_bytes=1, flush_after_s=NEVER_S, seal_after_s=NEVER_S)
    recording = Recording(tmp_path / "running", options=options, file_bytes=800)
    await recording.create("w_one").wait()
    await recording.append("w_one", *(tick_record(tick) for tick in range(1, 12))).wait()
    copy = crash(tmp_path / "running", tmp_path / "crashed")
    written = {"w_one": list(recording.written["w_one"])}
    await recording.journal.close()
    paths = sorted(recording.folder("w_one").iterdir())
    assert len(paths) > 2
    cuts = 0
    for garbage in (b"\0", bytes(5000), b"WLOG" * 9, paths[0].read_bytes()[72:300]):
        for path, length in itertools.product(paths, (0, 71, 200, 900, 10**6)):
            data = tmp_path / "again"
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(copy, data)
            shutil.rmtree(data / "worlds" / "w_one", ignore_errors=True)
            shutil.copytree(recording.folder("w_one"), data / "worlds" / "w_one")
            (data / "worlds" / "w_one" / path.name).write_bytes(path.read_bytes()[:length] + garbage)
            (world,) = recover(data, disk=HastyDisk()).worlds
            assert_recovered(data, written)
            cuts += world.cut_bytes > 0
    assert cuts > 10


async def test_a_file_that_lost_bytes_from_before_the_journal_is_reported(tmp_path: Path) -> None:
    options = JournalOptions(segment_bytes=16 * 1024, segments_per_retirement=1, seal_after_s=NEVER_S)
    recording = Recording(tmp_path / "running", options=options)
    await recording.create("w_hit", "w_two").wait()
    while recording.journal.statistics().segments < 3:
        tick = recording.logs["w_two"].last_tick + 1
        pieces = [recording.piece(world, tick_record(tick)) for world in ("w_hit", "w_two")]
        await recording.journal.append(pieces).wait()
    while (recording.journal.folder / "0000000002.journal").exists():
        await recording.turn()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    path = data / "worlds" / "w_hit" / "0001.wlog"
    path.write_bytes(path.read_bytes()[:300])
    report = recover(data)
    (damaged,) = report.damaged
    assert (damaged.world, damaged.path, damaged.offset) == ("w_hit", path, 300)
    with pytest.raises(LogDamaged):
        list(read_world(data, "w_hit"))
    assert plain(read_world(data, "w_two")) == recording.written["w_two"]
    assert path.read_bytes()[-100:] == (recording.folder("w_hit") / "0001.wlog").read_bytes()[-100:]


async def test_any_number_of_journals_is_recovered_and_locked_ones_are_not(tmp_path: Path) -> None:
    written: dict[str, list[Record]] = {}
    data = tmp_path / "crashed"
    for shard in (0, 7, 12):
        recording = Recording(tmp_path / f"running-{shard}")
        world = f"w_{shard}"
        await recording.create(world).wait()
        await recording.append(world, *every_kind()).wait()
        source = shard_folder(tmp_path / f"running-{shard}", SHARD)
        target = shard_folder(data, shard)
        shutil.copytree(source, target)
        await recording.journal.close()
        segment = target / "0000000001.journal"
        content = segment.read_bytes()
        header = groups.SegmentHeader(
            shard=shard, segment=1, salt=groups.decode_segment_header(content).salt, last_group=0, last_crc=0
        )
        segment.write_bytes(groups.encode_segment_header(header) + content[4096:])
        written[world] = list(recording.written[world])
    held = lock(shard_folder(data, 7))
    state = everything(data)
    with pytest.raises(LogLocked):
        recover(data)
    with pytest.raises(LogLocked):
        recover_shard(data, 7)
    assert everything(data) == state
    assert [world.world for world in recover_shard(data, 12).worlds] == ["w_12"]
    assert recover_shard(data, 12).journals == 0
    os.close(held)
    report = recover(data)
    assert (report.journals, [world.world for world in report.worlds]) == (2, ["w_0", "w_7"])
    assert_recovered(data, written)


def journal_of(data: Path, shard: int, *entries: Piece | Release) -> None:
    """A crashed journal with these entries in one group."""
    parts: list[bytes] = []
    for entry in entries:
        if isinstance(entry, Piece):
            key = entry.world.encode()
            parts += [
                groups.encode_entry_header(key, entry.epoch, entry.file, entry.offset, len(entry.data)),
                entry.data,
            ]
        else:
            parts.append(groups.encode_release(entry))
    header = groups.SegmentHeader(shard=shard, segment=1, salt=5, last_group=0, last_crc=0)
    group, _ = groups.encode_group(1, len(entries), parts, salt=5, previous_crc=0)
    folder = shard_folder(data, shard)
    folder.mkdir(parents=True)
    (folder / groups.segment_name(1)).write_bytes(groups.encode_segment_header(header) + group)


async def moved_world(data: Path) -> tuple[Path, Piece, Piece, Piece]:
    """A world that shard 3 wrote and released, and that another one goes on with; its pieces: old, head, new."""
    recording = Recording(data)
    await recording.create("w_one").wait()
    old = recording.piece("w_one", tick_record(1))
    recording.journal.append([old])
    await recording.journal.close()
    path = data / "worlds" / "w_one" / "0001.wlog"
    log = WorldLog.resume(log_end(data, "w_one"), shard=4, engine="11" * 16)
    return path, old, log.head, log.append(tick_record(2))


async def test_a_released_world_is_never_touched_by_its_old_journal(tmp_path: Path) -> None:
    path, old, head, _ = await moved_world(tmp_path)
    before = path.read_bytes()
    journal_of(tmp_path, 3, old, Release("w_one", 1, 1, head.offset))
    path.write_bytes(before[: old.offset] + b"x" * 50)  # whatever its new owner does there
    state = path.read_bytes()
    assert recover_shard(tmp_path, 3).worlds == []
    assert path.read_bytes() == state
    path.unlink()
    journal_of(tmp_path, 3, old, Release("w_one", 1, 1, head.offset))
    assert recover(tmp_path).worlds == []
    assert not path.exists(), "an archived or removed world does not come back"


async def test_entries_of_a_lower_epoch_than_the_highest_anywhere_are_ignored(tmp_path: Path) -> None:
    path, old, head, new = await moved_world(tmp_path)
    before = path.read_bytes()
    journal_of(tmp_path, 3, old)
    path.write_bytes(before + head.data + new.data)
    report = recover_shard(tmp_path, 3)
    assert (report.worlds, report.opened_elsewhere) == ([], ["w_one"]), "the open stands in the world's file"
    assert path.read_bytes() == before + head.data + new.data
    path.write_bytes(before)
    journal_of(tmp_path, 3, old)
    journal_of(tmp_path, 4, head, new)
    assert recover_shard(tmp_path, 3).worlds == [], "the open stands in another journal"
    (world,) = recover(tmp_path).worlds
    assert (world.epoch, world.redone_bytes) == (2, len(head.data) + len(new.data))
    assert path.read_bytes() == before + head.data + new.data


async def test_a_released_world_can_be_taken_back_and_reads_the_same_all_the_time(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running", options=SMALL)
    await recording.create("w_one", "w_two").wait()
    await recording.append("w_one", tick_record(1)).wait()
    await recording.journal.release_world("w_one").wait()
    released = second.read_journal(recording.journal.folder)[-1].releases
    assert [(entry.world, entry.epoch, entry.file) for entry in released] == [("w_one", 1, 1)]
    assert released[0].offset == (recording.folder("w_one") / "0001.wlog").stat().st_size
    recording.check()
    await recording.journal.append([recording.resume("w_one", recording.written["w_one"])]).wait()
    await recording.append("w_one", *(tick_record(tick) for tick in range(2, 9))).wait()
    recording.check()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    written = {world: list(records) for world, records in recording.written.items()}
    recording.journal.release_world("w_one")
    recording.journal.release_world("w_two")
    await recording.journal.close()
    recording.check()
    report = recover(data)
    assert {world.world: world.epoch for world in report.worlds} == {"w_one": 2, "w_two": 1}
    assert_recovered(data, written)


@pytest.mark.parametrize("file_bytes", [8 * 1024 * 1024, 700])
async def test_a_recovered_log_is_gone_on_with(tmp_path: Path, file_bytes: int) -> None:
    """Crash, recover, resume, three times over, in new files too."""
    written: dict[str, list[Record]] = {}
    data = tmp_path / "0"
    for life in range(1, 4):
        recording = Recording(data, options=SMALL, file_bytes=file_bytes)
        if life == 1:
            await recording.create("w_one").wait()
        else:
            await recording.journal.append([recording.resume("w_one", written["w_one"])]).wait()
        assert recording.logs["w_one"].epoch == life
        for tick in range(life * 10, life * 10 + 5):
            await recording.append("w_one", tick_record(tick)).wait()
        recording.check()
        data = crash(data, tmp_path / str(life))
        written = {"w_one": list(recording.written["w_one"])}
        await recording.journal.close()
        recording.check()
        recover(data)
        assert_recovered(data, written)
        assert second.read_world_files(data / "worlds" / "w_one").epochs == list(range(1, life + 1))
    assert (data / "worlds" / "w_one" / frame.file_name(2)).exists() == (file_bytes == 700)
    assert [problem for problem in verify(data).problems if problem.file.startswith("worlds")] == []


async def test_a_world_goes_on_only_where_its_files_end(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_one").wait()
    await recording.journal.release_world("w_one").wait()
    head = recording.resume("w_one", [])
    with (recording.folder("w_one") / "0001.wlog").open("ab") as file:
        file.write(b"more")
    with pytest.raises(AssertionError, match="does not end at byte"):
        recording.journal.append([head])
    with pytest.raises(AssertionError, match="not the beginning"):
        recording.journal.append([Piece("w_two", 1, 1, 100, b"x")])
    await recording.journal.close()
