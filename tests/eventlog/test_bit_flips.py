"""Promise: a flipped bit anywhere in a log is reported with its place, or it changes nothing that anybody reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eventlog.errors import EventLogError, JournalDamaged, LogDamaged
from eventlog.journal import JournalOptions
from eventlog.reader import read_world
from eventlog.records import Record
from eventlog.store import Store
from tests.eventlog import second_decoder as second
from tests.eventlog.building import NEVER_S, Recording, begun_segments, every_kind, tick_record
from tests.faults_tried import Tried


def flipped(data: bytes, byte: int, bit: int) -> bytes:
    """The data with one bit changed."""
    return data[:byte] + bytes([data[byte] ^ (1 << bit)]) + data[byte + 1 :]


def read_until_damage(data: Path, world: str) -> tuple[list[Record], EventLogError | None]:
    """The records up to the first damage, and the damage."""
    found: list[Record] = []
    try:
        found.extend(stored.record for stored in read_world(data, world))
    except EventLogError as error:
        return found, error
    return found, None


async def test_every_bit_of_world_files_is_watched(tmp_path: Path, tried: Tried) -> None:
    recording = Recording(tmp_path, file_bytes=1000)
    recording.create("w_one")
    recording.append("w_one", *every_kind())
    await recording.journal.close()
    written = recording.written["w_one"]
    stored = list(read_world(tmp_path, "w_one"))
    paths = sorted(recording.folder("w_one").iterdir())
    assert len(paths) > 1
    for number, path in enumerate(paths, start=1):
        whole = path.read_bytes()
        for byte in range(len(whole)):
            before = [each.record for each in stored if (each.file, each.offset + each.bytes) <= (number, byte)]
            for bit in range(8):
                path.write_bytes(flipped(whole, byte, bit))
                tried("a bit flipped in a world log")
                found, damage = read_until_damage(tmp_path, "w_one")
                assert isinstance(damage, LogDamaged), (path.name, byte, bit)
                assert (damage.world, damage.path) == ("w_one", path)
                assert damage.offset <= byte
                assert found == before == written[: len(before)]
        path.write_bytes(whole)
    recording.check()


async def test_every_bit_of_a_sealed_journal_is_watched(tmp_path: Path, tried: Tried) -> None:
    """Everything up to the seal is known to be acknowledged: no flip there may pass for a torn tail."""
    options = JournalOptions(flush_after_s=NEVER_S, seal_after_s=0.001)
    recording = Recording(tmp_path / "running", options=options)
    await recording.create("w_one", "w_two").wait()
    last = recording.append("w_one", tick_record(1))
    await recording.until_synced(last.number + 1)
    groups = second.read_journal(recording.journal.folder)
    assert not groups[-1].entries
    shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()

    segment = next((tmp_path / "crashed").rglob("*.journal"))
    whole = segment.read_bytes()[: groups[-1].position + 2 * 4096]
    used = [(0, 48), *((group.position, group.position + group.size) for group in groups)]
    seal = groups[-1].position
    reported = 0
    for byte in range(len(whole)):
        watched = any(begin <= byte < end for begin, end in used)
        if not watched and byte % 8:
            continue
        in_header = byte < 48 or any(group.position <= byte < group.position + 32 for group in groups)
        for bit in range(8) if in_header else (byte % 8,):
            segment.write_bytes(flipped(whole, byte, bit))
            tried("a bit flipped in a journal")
            found, damage = read_until_damage(tmp_path / "crashed", "w_one")
            if watched and byte < seal:
                assert isinstance(damage, JournalDamaged), (byte, bit)
                assert damage.path == segment
                assert damage.offset <= byte
                reported += 1
            else:  # padding, or the seal, which holds nothing
                assert damage is None, (byte, bit)
                assert found == recording.written["w_one"]
    assert reported > 500
    segment.write_bytes(flipped(whole, groups[0].position + 100, 0))
    with pytest.raises(JournalDamaged) as named:
        Store.read_only(tmp_path / "crashed").worlds()
    assert named.value.worlds == ["w_one"], "the intact groups name the worlds that are hit"


async def test_a_flip_in_the_last_unsealed_group_never_changes_what_is_read(tmp_path: Path, tried: Tried) -> None:
    """Without a seal behind it a bad last group cannot be told from a torn one: it is left out whole, or reported."""
    recording = Recording(tmp_path / "running")
    await recording.create("w_one").wait()
    await recording.append("w_one", tick_record(1), tick_record(2)).wait()
    shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    segment = next((tmp_path / "crashed").rglob("*.journal"))
    whole = segment.read_bytes()[: 4 * 4096]
    last = second.read_journal(segment.parent)[-1]
    for byte in range(last.position, last.position + last.size):
        segment.write_bytes(flipped(whole, byte, byte % 8))
        tried("a bit flipped in a journal")
        found, damage = read_until_damage(tmp_path / "crashed", "w_one")
        assert damage is not None or found == recording.written["w_one"][:2]


async def test_swapped_doubled_lost_and_foreign_records_break_the_chain(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.create("w_one", "w_two")
    for world in ("w_one", "w_two"):
        recording.append(world, *(tick_record(tick) for tick in range(1, 6)))
    await recording.journal.close()
    path = recording.folder("w_one") / "0001.wlog"
    whole = path.read_bytes()
    stored = list(read_world(tmp_path, "w_one"))
    pieces = [whole[each.offset : each.offset + each.bytes] for each in stored]
    other = (recording.folder("w_two") / "0001.wlog").read_bytes()
    foreign = [other[each.offset : each.offset + each.bytes] for each in read_world(tmp_path, "w_two")]
    wrong = {
        "swapped": [*pieces[:3], pieces[4], pieces[3], *pieces[5:]],
        "doubled": [*pieces[:4], pieces[3], *pieces[4:]],
        "lost": [*pieces[:3], *pieces[4:]],
        "foreign": [*pieces[:3], foreign[3], *pieces[4:]],
        "foreign genesis": [*foreign[:2], *pieces[2:]],
    }
    for name, content in wrong.items():
        path.write_bytes(whole[:72] + b"".join(content))
        found, damage = read_until_damage(tmp_path, "w_one")
        assert isinstance(damage, LogDamaged), name
        assert found == recording.written["w_one"][: len(found)]
    path.write_bytes(other)
    assert read_until_damage(tmp_path, "w_one")[0] == []


async def test_a_file_cut_at_a_record_is_noticed_by_the_next_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path, file_bytes=1200)
    recording.create("w_one")
    recording.append("w_one", *(tick_record(tick) for tick in range(1, 8)))
    await recording.journal.close()
    stored = list(read_world(tmp_path, "w_one"))
    first, following = sorted(recording.folder("w_one").iterdir())[:2]
    whole = first.read_bytes()
    cuts = [each.offset for each in stored if each.file == 1]
    assert len(cuts) > 3
    for cut in cuts[1:]:
        first.write_bytes(whole[:cut])
        found, damage = read_until_damage(tmp_path, "w_one")
        assert isinstance(damage, LogDamaged)
        assert (damage.path, damage.offset) == (following, 0)
        assert found == [each.record for each in stored if each.offset < cut and each.file == 1]


async def test_segments_and_groups_that_are_missing_or_swapped_are_damage(tmp_path: Path) -> None:
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=99, flush_after_s=NEVER_S, seal_after_s=NEVER_S
    )
    recording = Recording(tmp_path / "running", options=options)
    await recording.create("w_one").wait()
    for tick in range(1, 8):
        await recording.append("w_one", tick_record(tick)).wait()
    shutil.copytree(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    paths = begun_segments(tmp_path / "crashed")
    contents = [path.read_bytes() for path in paths]
    assert len(paths) == 3
    last_group = slice(3 * 4096, 4 * 4096)
    first = bytearray(contents[0])
    first[last_group] = bytes(4096)
    other = bytearray(contents[1])
    other[last_group], other[2 * 4096 : 3 * 4096] = other[2 * 4096 : 3 * 4096], other[last_group]
    wrong: dict[str, list[bytes | None]] = {
        "a lost last group of a full segment": [bytes(first), contents[1], contents[2]],
        "a lost last group before a segment without any": [bytes(first), contents[1][:4096], None],
        "two groups in each other's place": [contents[0], bytes(other), contents[2]],
        "a lost segment": [contents[0], None, contents[2]],
        "a doubled segment": [contents[0], contents[0], contents[2]],
        "an emptied segment": [contents[0], bytes(len(contents[1])), contents[2]],
        "a cut segment": [contents[0], contents[1][: 2 * 4096], contents[2]],
    }
    for name, segments in wrong.items():
        for path, content in zip(paths, segments, strict=True):
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        _, damage = read_until_damage(tmp_path / "crashed", "w_one")
        assert isinstance(damage, JournalDamaged), name
        assert damage.worlds == ["w_one"]


async def test_files_that_are_missing_or_swapped_are_damage(tmp_path: Path) -> None:
    recording = Recording(tmp_path, file_bytes=500)
    recording.create("w_one")
    recording.append("w_one", *(tick_record(tick) for tick in range(1, 8)))
    await recording.journal.close()
    paths = sorted(recording.folder("w_one").iterdir())
    contents = [path.read_bytes() for path in paths]
    assert len(paths) >= 4
    paths[1].unlink()
    found, damage = read_until_damage(tmp_path, "w_one")
    assert isinstance(damage, LogDamaged)
    assert damage.path == paths[1]
    assert found == recording.written["w_one"][: len(found)]
    paths[1].write_bytes(contents[2])
    assert isinstance(read_until_damage(tmp_path, "w_one")[1], LogDamaged)
    paths[1].write_bytes(contents[1])
    paths[0].unlink()
    assert isinstance(read_until_damage(tmp_path, "w_one")[1], LogDamaged)
