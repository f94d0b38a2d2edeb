"""Promise: an archived world reads like before, in every way and byte for byte; what has not ended or is damaged stays
as it is; damage in an archive is reported with its place and hides no more than it must."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventlog import archivefile, limits
from eventlog.archive import archive_steps, archive_world
from eventlog.chain import StoredRecord
from eventlog.errors import FormatTooNew, LogDamaged, NotEnded, UnknownWorld
from eventlog.json_form import json_form
from eventlog.reader import follow_world, log_end, read_world
from eventlog.records import Close, Record
from eventlog.removal import remove_world
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog import second_decoder as second
from tests.eventlog.building import Recording, fingerprint, genesis, input_entry, plain, tick_record
from tests.eventlog.golden_v1 import GOLDEN, WORLDS
from tests.eventlog.test_bit_flips import flipped, read_until_damage

GOLDEN_ARCHIVE = GOLDEN.parent / "archive-v1"


def close(tick: int) -> Close:
    return Close(tick=tick, reason="idle", result={"scores": {"p_1": 3}}, fingerprint=fingerprint(tick))


async def ended_world(data: Path, *, ticks: int = 40, file_bytes: int = 2000, long: int = 0) -> list[Record]:
    """A data folder with the ended world w_one, stopped cleanly; what the world holds."""
    recording = Recording(data, file_bytes=file_bytes)
    recording.create("w_one")
    for tick in range(1, ticks + 1):
        recording.append("w_one", tick_record(tick, input_entry(tick, args={"long": "".join(map(str, range(long)))})))
    recording.append("w_one", close(ticks))
    await recording.journal.close()
    return recording.written["w_one"]


async def test_an_archived_world_reads_the_same_in_every_way(tmp_path: Path) -> None:
    written = await ended_world(tmp_path)
    folder = tmp_path / "worlds" / "w_one"
    names = sorted(path.name for path in folder.iterdir())
    assert len(names) > 2

    def readings() -> list[object]:
        (listed,) = Store.read_only(tmp_path).worlds()
        return [
            plain(read_world(tmp_path, "w_one")),
            [plain(read_world(tmp_path, "w_one", from_tick=tick, to_tick=tick + 3)) for tick in range(0, 44, 4)],
            plain(follow_world(tmp_path, "w_one", wait=lambda: False)),
            list(json_form(read_world(tmp_path, "w_one"))),
            log_end(tmp_path, "w_one"),
            (listed.status, listed.reason, listed.last_tick, listed.created_ms, listed.ended_ms),
            [problem for problem in verify(tmp_path).problems if problem.file.startswith("worlds")],
            [(record.name, record.fields) for record in second.read_world_files(folder).records],
        ]

    before = readings()
    size = sum(path.stat().st_size for path in folder.iterdir())
    archive_world(tmp_path, "w_one")
    assert sorted(path.name for path in folder.iterdir()) == [f"{name}z" for name in names]
    assert readings() == before
    assert before[0] == written
    (listed,) = Store.read_only(tmp_path).worlds()
    assert (listed.archived, listed.bytes) == (True, sum(path.stat().st_size for path in folder.iterdir()))
    assert listed.bytes < size / 2
    archive_world(tmp_path, "w_one")
    assert readings() == before, "archiving again changes nothing"


async def test_what_has_not_ended_or_is_damaged_stays_as_it_is(tmp_path: Path) -> None:
    await ended_world(tmp_path)
    path = tmp_path / "worlds" / "w_one" / "0002.wlog"
    whole = path.read_bytes()
    path.write_bytes(flipped(whole, len(whole) // 2, 3))
    with pytest.raises(LogDamaged) as damaged:
        archive_world(tmp_path, "w_one")
    assert damaged.value.path == path
    path.write_bytes(whole)
    last = max(path.parent.iterdir())
    content = last.read_bytes()
    for cut in (0, 50, len(content) - 1):
        last.write_bytes(content[:cut])
        with pytest.raises(LogDamaged):
            archive_world(tmp_path, "w_one")
    running = Recording(tmp_path / "running")
    await running.create("w_one").wait()
    await running.journal.release_world("w_one").wait()
    with pytest.raises(NotEnded, match="has not ended → let it end first"):
        archive_world(tmp_path / "running", "w_one")
    await running.journal.close()
    with pytest.raises(UnknownWorld):
        archive_world(tmp_path, "w_two")
    assert not list(tmp_path.rglob("*.wlogz*"))


@settings(max_examples=60, deadline=None)
@given(content=st.binary(min_size=1, max_size=300), repeat=st.integers(1, 1500), data=st.data())
def test_any_bytes_come_back_whole_or_from_the_front(content: bytes, repeat: int, data: st.DataObject) -> None:
    whole = content * repeat
    packed = archivefile.encode("w_one", 7, whole)
    assert archivefile.decode(packed, "w_one", 7) == archivefile.Inflated(whole, None)
    limit = data.draw(st.integers(0, len(whole) + 10))
    prefix = packed[: archivefile.prefix_bytes(limit)]
    assert archivefile.decode(prefix, "w_one", 7, limit) == archivefile.Inflated(whole[:limit], None)
    cut = archivefile.decode(packed[: data.draw(st.integers(0, len(packed) - 1))], "w_one", 7)
    assert cut.damage is not None
    assert whole.startswith(cut.data)
    assert archivefile.decode(packed + b"x", "w_one", 7).damage == (
        len(packed),
        "bytes follow the archive's last frame",
    )
    assert archivefile.decode(packed, "w_two", 7).damage == (0, "this is file 7 of w_one")


async def test_every_bit_of_an_archive_is_watched(tmp_path: Path) -> None:
    written = await ended_world(tmp_path, ticks=9, file_bytes=1000)
    archive_world(tmp_path, "w_one")
    tried = 0
    for path in sorted((tmp_path / "worlds" / "w_one").iterdir()):
        whole = path.read_bytes()
        for byte in range(len(whole)):
            path.write_bytes(flipped(whole, byte, byte % 8))
            found, damage = read_until_damage(tmp_path, "w_one")
            assert isinstance(damage, LogDamaged), (path.name, byte)
            assert (damage.world, damage.path) == ("w_one", path)
            assert damage.offset <= byte
            assert found == written[: len(found)]
            tried += 1
        path.write_bytes(whole)
    assert tried > 900
    assert plain(read_world(tmp_path, "w_one")) == written


async def test_records_before_a_damaged_frame_are_read_and_other_files_checked(tmp_path: Path) -> None:
    written = await ended_world(tmp_path, ticks=300, file_bytes=300_000, long=400)
    archive_world(tmp_path, "w_one")
    first, second_file = sorted((tmp_path / "worlds" / "w_one").iterdir())[:2]
    whole = first.read_bytes()
    header = archivefile.decode_header(whole)
    third_frame = header.frames_at + sum(length for length, _ in header.rows[:2])
    assert len(header.rows) > 3
    first.write_bytes(flipped(whole, third_frame + 9, 1))
    second_file.write_bytes(flipped(second_file.read_bytes(), 10, 1))
    found, damage = read_until_damage(tmp_path, "w_one")
    assert isinstance(damage, LogDamaged)
    assert (damage.path, damage.offset) == (first, third_frame)
    assert "frame 3 of" in damage.reason
    sizes = sum(each.bytes for each in read_some(tmp_path, len(found)))
    assert 2 * limits.ARCHIVE_FRAME_BYTES - 4000 < sizes + 72 <= 2 * limits.ARCHIVE_FRAME_BYTES
    assert found == written[: len(found)]
    problems = [(each.file, each.offset) for each in verify(tmp_path).problems if each.world and "worlds" in each.file]
    assert problems == [("worlds/w_one/0001.wlogz", third_frame), ("worlds/w_one/0002.wlogz", 0)]


def read_some(data: Path, count: int) -> list[StoredRecord]:
    """The first records with their places."""
    reading = read_world(data, "w_one")
    return [next(reading) for _ in range(count)]


async def test_an_archive_of_a_later_version_is_refused_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ended_world(tmp_path)
    with monkeypatch.context() as later:
        later.setattr(limits, "ARCHIVE_VERSION", 2)
        archive_world(tmp_path, "w_one")
    with pytest.raises(FormatTooNew, match=r"0001\.wlogz has format version 2, this program reads up to 1"):
        list(read_world(tmp_path, "w_one"))
    (listed,) = Store.read_only(tmp_path).worlds()
    assert listed.status == "damaged"
    assert "format version 2" in (listed.reason or "")
    assert [each.reason for each in verify(tmp_path).problems if each.file.endswith("0001.wlogz")] == [
        "format version 2 is newer than this program's"
    ]


async def test_a_reader_under_whose_hands_a_world_is_archived_misses_nothing(tmp_path: Path) -> None:
    """Whatever step archiving has reached, a follower goes on where it stands."""
    written = await ended_world(tmp_path / "whole")
    steps = sum(1 for _ in archive_steps(shutil.copytree(tmp_path / "whole", tmp_path / "count"), "w_one"))
    for seen in range(1, len(written), 5):
        data = shutil.copytree(tmp_path / "whole", tmp_path / f"{seen}")
        archiving = archive_steps(data, "w_one")
        follower = follow_world(data, "w_one", wait=lambda: False)
        found = [next(follower).record for _ in range(seen)]
        for _ in range(seen % (steps + 2)):
            next(archiving, None)
        found.extend(plain(follower))
        assert found == written


async def test_a_follower_of_a_growing_world_reads_on_in_the_archive(tmp_path: Path) -> None:
    recording = Recording(tmp_path, file_bytes=1000)
    await recording.create("w_one").wait()
    waited = 0

    def live() -> bool:
        """The follower waits: meanwhile the world goes on, ends, and is archived."""
        nonlocal waited
        waited += 1
        assert waited == 1, "the end was not seen"
        shutil.rmtree(tmp_path / "worlds" / "w_one")
        shutil.copytree(tmp_path / "ended" / "worlds" / "w_one", tmp_path / "worlds" / "w_one")
        return True

    other = Recording(tmp_path / "ended", file_bytes=1000)
    await other.create("w_one").wait()
    for tick in range(1, 9):
        other.append("w_one", tick_record(tick))
    other.append("w_one", close(9))
    await other.journal.close()
    archive_world(tmp_path / "ended", "w_one")
    await recording.journal.release_world("w_one").wait()
    assert plain(follow_world(tmp_path, "w_one", wait=live)) == other.written["w_one"]
    await recording.journal.close()


async def test_a_reader_of_a_removed_world_hears_that_it_is_gone(tmp_path: Path) -> None:
    recording = Recording(tmp_path, file_bytes=1000)
    await recording.create("w_one").wait()
    recording.append("w_one", *(tick_record(tick) for tick in range(1, 9)))
    await recording.journal.close()

    def wait() -> bool:
        remove_world(tmp_path, "w_one")
        return True

    with pytest.raises(UnknownWorld):
        list(follow_world(tmp_path, "w_one", wait=wait))
    with pytest.raises(UnknownWorld):
        remove_world(tmp_path, "w_one")
    assert list((tmp_path / "worlds").iterdir()) == []


def test_golden_archives_read_as_what_was_archived() -> None:
    assert limits.ARCHIVE_VERSION == 1, "a new version gets golden files of its own; these stay"
    read = plain(read_world(GOLDEN_ARCHIVE, "w_files"))
    assert read == plain(read_world(GOLDEN, "w_files"))
    assert read[0] == genesis("w_files")
    assert read[2:] == WORLDS["w_files"]
    reader = second.read_world_files(GOLDEN_ARCHIVE / "worlds" / "w_files")
    assert len(reader.records) == len(read)
