"""Promise: the published page is the format. A reader written from it alone accounts for every byte of real logs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from eventlog import records
from eventlog.journal import JournalOptions
from eventlog.records import Record
from tests.eventlog import second_decoder as second
from tests.eventlog.building import NEVER_S, Recording, every_kind, tick_record

SMALL = JournalOptions(
    segment_bytes=32 * 1024, segments_per_retirement=1000, flush_after_s=NEVER_S, seal_after_s=NEVER_S
)


def as_page(record: Record) -> tuple[str, dict[str, Any]]:
    """Our record as the page's words and plain values."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    if "outcomes" in fields:
        fields["outcomes"] = [list(msgspec.structs.astuple(note)) for note in fields["outcomes"]]
    if "entries" in fields:
        fields["entries"] = [
            {"kind": type(entry).__name__.removesuffix("Entry").lower()}
            | {name: getattr(entry, name) for name in entry.__struct_fields__}
            for entry in fields["entries"]
        ]
    for name in ("forked_from", "last_input"):
        if fields.get(name) is not None:
            fields[name] = list(fields[name])
    return records.NAME_OF[type(record)], fields


def seen(reader: second.WorldReader) -> list[tuple[str, dict[str, Any]]]:
    """What the second decoder read."""
    return [(record.name, record.fields) for record in reader.records]


async def test_every_byte_of_world_files_is_what_the_page_says(tmp_path: Path) -> None:
    recording = Recording(tmp_path, file_bytes=900)
    recording.create("w_one", "w_two")
    recording.append("w_one", *every_kind())
    for tick in range(1, 60):
        recording.append("w_two", tick_record(tick))
    await recording.journal.close()

    for world, written in recording.written.items():
        reader = second.read_world_files(recording.folder(world))
        assert seen(reader) == [as_page(record) for record in written]
        assert reader.epochs == [1]
        end = 0
        for record in reader.records:  # no gap, no overlap: each stands where the one before ended, or begins a file
            assert record.offset == end or record.offset == 72
            end = record.offset + record.size
    assert len(list(recording.folder("w_two").iterdir())) > 3


async def test_every_byte_of_a_journal_is_what_the_page_says(tmp_path: Path) -> None:
    recording = Recording(tmp_path, options=SMALL, file_bytes=2000)
    await recording.create("w_one", "w_two").wait()
    for tick in range(1, 40):
        await recording.journal.append(
            [recording.piece("w_one", tick_record(tick)), recording.piece("w_two", tick_record(tick))]
        ).wait()

    groups = second.read_journal(recording.journal.folder)
    assert [group.number for group in groups] == list(range(1, 41))
    assert len({group.segment for group in groups}) == len(recording.segments()) > 3
    for world, files in second.worlds_in(groups).items():
        reader = second.WorldReader(world)
        for number in sorted(files):
            reader.read_file(files[number])
        assert seen(reader) == [as_page(record) for record in recording.written[world]]
    assert {entry.epoch for group in groups for entry in group.entries} == {1}
    await recording.journal.close()


async def test_every_segment_has_a_salt_of_its_own(tmp_path: Path) -> None:
    """So that no page of an old segment, on blocks that the disk uses again, can pass for a group of a new one."""
    recording = Recording(tmp_path, options=SMALL)
    await recording.create("w_one").wait()
    for tick in range(1, 40):
        await recording.append("w_one", tick_record(tick)).wait()
    salts = [path.read_bytes()[12:16] for path in recording.segments()]
    assert len(set(salts)) == len(salts) > 3
    await recording.journal.close()


async def test_a_seal_is_a_group_without_entries(tmp_path: Path) -> None:
    options = JournalOptions(seal_after_s=0.001, flush_after_s=NEVER_S)
    recording = Recording(tmp_path, options=options)
    await recording.create("w_one").wait()
    await recording.until_synced(2)
    first, seal = second.read_journal(recording.journal.folder)
    assert first.entries
    assert not seal.entries
    assert seal.size == 32
    assert recording.journal.append(()).number == 1, "who waits for the last record need not wait for a seal"
    await recording.append("w_one", tick_record(1)).wait()
    await recording.until_synced(4)
    await asyncio.sleep(50 * options.seal_after_s)  # to see that nothing comes: more time cannot make this test fail
    numbers = [(group.number, bool(group.entries)) for group in second.read_journal(recording.journal.folder)]
    assert numbers == [(1, True), (2, False), (3, True), (4, False)], "a seal is not sealed again"
    await recording.journal.close()


async def test_no_field_is_constant(tmp_path: Path) -> None:
    """What is always the same in two different worlds' logs would be a field that nobody fills."""
    recording = Recording(tmp_path)
    recording.create("w_one", "w_two")
    recording.append("w_one", *every_kind())
    recording.append("w_two", tick_record(5), records.Beat(tick=9, until=99, fingerprint=b"12345678"))
    await recording.journal.close()
    ticks = [
        r for w in ("w_one", "w_two") for r in second.read_world_files(recording.folder(w)).records if r.name == "tick"
    ]
    for name in ("tick", "ticks", "ran", "time_ms", "entries", "fingerprint", "outcomes"):
        assert len({repr(record.fields[name]) for record in ticks}) > 1, name
