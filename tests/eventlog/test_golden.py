"""Promise: what format version 1 has written stays readable, and version 1 goes on writing exactly that."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from eventlog import limits, records
from eventlog.json_form import json_form
from eventlog.reader import read_world
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from tests.eventlog import second_decoder as second
from tests.eventlog.building import SHARD, genesis, plain
from tests.eventlog.golden_v1 import FILE_BYTES, GOLDEN, WORLDS


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_golden_worlds_read_as_they_were_written(world: str) -> None:
    opening = records.Open(1, SHARD, genesis().engine)
    assert plain(read_world(GOLDEN, world)) == [genesis(world), opening, *WORLDS[world]]


@pytest.mark.parametrize("world", sorted(WORLDS))
def test_their_json_form_stays_the_same(world: str) -> None:
    lines = [msgspec.json.encode(form).decode() for form in json_form(read_world(GOLDEN, world))]
    assert lines == (GOLDEN / f"{world}.jsonl").read_text().splitlines()


def test_the_golden_folder_is_listed() -> None:
    facts = [(info.world, info.status, info.last_tick) for info in Store.read_only(GOLDEN).worlds()]
    assert facts == [("w_files", "closed", 1080), ("w_journal", "open", 5)]


def test_the_same_records_give_the_same_bytes_today() -> None:
    assert limits.FORMAT_VERSION == 1, "a new version gets golden files of its own; these stay"
    log = WorldLog.create(genesis("w_files"), shard=SHARD, file_bytes=FILE_BYTES)
    files = {1: log.head.data}
    for record in WORLDS["w_files"]:
        piece = log.append(record)
        files[piece.file] = files.get(piece.file, b"") + piece.data
    kept = {int(path.stem): path.read_bytes() for path in (GOLDEN / "worlds" / "w_files").iterdir()}
    assert files == kept
    assert len(kept) > 1


def test_the_second_decoder_reads_the_golden_files(tmp_path: Path) -> None:
    reader = second.read_world_files(GOLDEN / "worlds" / "w_files")
    assert [record.name for record in reader.records[2:]] == [
        type(record).__name__.lower() for record in WORLDS["w_files"]
    ]
    (segments,) = (GOLDEN / "journal").iterdir()
    with pytest.raises(second.Unaccounted):
        second.read_journal(segments)  # its last group is torn: the strict reader does not know what that is
    whole = tmp_path / segments.name
    whole.mkdir()
    for path in sorted(segments.iterdir()):
        (whole / path.name).write_bytes(path.read_bytes())
    content = path.read_bytes()
    torn = content.rindex(b"WGRP")
    (whole / path.name).write_bytes(content[:torn] + bytes(len(content) - torn))
    groups = second.read_journal(whole)
    assert [group.number for group in groups] == list(range(1, len(WORLDS["w_journal"]) + 2))
    assert len({group.segment for group in groups}) > 1
