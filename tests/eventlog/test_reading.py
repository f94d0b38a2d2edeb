"""Promise: readers get the records they ask for, in order and checked, wherever files begin and end."""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from eventlog import frame, limits, records
from eventlog.errors import FormatTooNew, LogDamaged, RecordInvalid, RecordTooLarge, UnknownWorld
from eventlog.piece import Piece
from eventlog.reader import follow_world, read_world
from eventlog.worldlog import WorldLog
from tests.eventlog.building import (
    SHARD,
    Appendable,
    Recording,
    every_kind,
    fingerprint,
    genesis,
    input_entry,
    plain,
    tick_record,
)


def write(data: Path, *pieces: Piece) -> Path:
    """Put pieces into world files directly, as a journal would in the end."""
    for piece in pieces:
        path = data / "worlds" / piece.world / frame.file_name(piece.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            assert file.tell() == piece.offset
            file.write(piece.data)
    return path


def test_records_of_every_kind_come_back_as_they_were(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    write(tmp_path, log.head, *(log.append(record) for record in every_kind()))
    stored = list(read_world(tmp_path, "w_one"))
    assert [each.record for each in stored[2:]] == every_kind()
    assert stored[0].record == genesis()
    assert stored[-1].crc == log.crc
    assert (stored[-1].file, stored[-1].offset + stored[-1].bytes) == (log.file, log.offset)


def test_ticks_can_be_read_from_and_to(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD, file_bytes=700)
    write(tmp_path, log.head, *(log.append(tick_record(tick)) for tick in range(1, 31)))
    assert log.file > 5

    def ticks(from_tick: int, to_tick: int | None) -> list[int]:
        found = plain(read_world(tmp_path, "w_one", from_tick=from_tick, to_tick=to_tick))
        return [record.tick for record in found if isinstance(record, records.Tick)]

    for begin in range(33):
        assert ticks(begin, None) == list(range(max(1, begin), 31))
        for end in range(begin, 33):
            assert ticks(begin, end) == list(range(max(1, begin), min(30, end) + 1))
    assert isinstance(next(read_world(tmp_path, "w_one")).record, records.Genesis)


def test_a_range_of_ticks_is_found_by_any_tick_in_it(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    many = records.Tick(tick=10, ticks=1000, time_ms=1, fingerprint=fingerprint(10))
    write(tmp_path, log.head, log.append(many), log.append(tick_record(1010)))
    for tick in (10, 500, 1009):
        assert plain(read_world(tmp_path, "w_one", from_tick=tick, to_tick=tick)) == [many]
    assert plain(read_world(tmp_path, "w_one", from_tick=1010)) == [tick_record(1010)]


def test_a_checkpoint_may_speak_of_the_past(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    past = records.Checkpoint(3, b"h", "3.snap", 1)
    write(tmp_path, log.head, log.append(tick_record(9)), log.append(past), log.append(tick_record(10)))
    assert plain(read_world(tmp_path, "w_one"))[-2:] == [past, tick_record(10)]


def test_files_before_the_tick_are_left_out(tmp_path: Path) -> None:
    """Seeking costs one file, not the whole log: damage before it is not even seen."""
    log = WorldLog.create(genesis(), shard=SHARD, file_bytes=700)
    write(tmp_path, log.head, *(log.append(tick_record(tick)) for tick in range(1, 31)))
    first = tmp_path / "worlds" / "w_one" / "0001.wlog"
    first.write_bytes(first.read_bytes()[:-1])
    assert len(plain(read_world(tmp_path, "w_one", from_tick=20))) == 11
    with pytest.raises(LogDamaged):
        plain(read_world(tmp_path, "w_one"))


def test_an_unknown_world_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownWorld, match="w_none"):
        read_world(tmp_path, "w_none")
    with pytest.raises(UnknownWorld):
        follow_world(tmp_path, "w_none", wait=lambda: False)


async def test_following_shows_what_a_server_adds_and_ends_with_the_world(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_one").wait()
    await recording.append("w_one", tick_record(1)).wait()
    waits = 0

    def stop_at_third() -> bool:
        nonlocal waits
        waits += 1
        return waits < 3

    assert plain(follow_world(tmp_path, "w_one", wait=stop_at_third)) == recording.written["w_one"]
    assert waits == 3
    recording.append("w_one", tick_record(2), records.Close(tick=2, reason="idle", fingerprint=fingerprint(2)))
    await recording.journal.close()
    assert plain(follow_world(tmp_path, "w_one", wait=lambda: False)) == recording.written["w_one"]
    assert plain(follow_world(tmp_path, "w_one", wait=lambda: False, from_tick=2)) == recording.written["w_one"][3:]


def rewritten(payload: bytes, kind: int, tick: int, crc: int) -> bytes:
    """A frame around any payload, with right checksums."""
    return frame.encode_record(kind, tick, payload, crc)[0]


@pytest.mark.parametrize(
    ("record", "kind", "tick", "reason"),
    [
        (tick_record(3), 4, 3, "another kind"),
        (tick_record(3), 3, 4, "the frame says tick 4"),
        (tick_record(1), 3, 1, "tick 1 comes after tick 2"),
        (genesis(), 1, 0, "has no other"),
        (records.Open(1, 0, "00"), 2, 2, "epoch 1 is opened after epoch 1"),
        (records.Open(2, 0, "00"), 2, 7, "the frame says tick 7"),
    ],
)
def test_records_that_cannot_stand_there_are_damage(
    tmp_path: Path, record: records.Record, kind: int, tick: int, reason: str
) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    path = write(tmp_path, log.head, log.append(tick_record(2)))
    with path.open("ab") as file:
        file.write(rewritten(records.encode(record), kind, tick, log.crc))
    with pytest.raises(LogDamaged, match=reason) as damaged:
        plain(read_world(tmp_path, "w_one"))
    assert (damaged.value.tick, damaged.value.offset, damaged.value.path) == (2, log.offset, path)


def test_a_higher_epoch_may_follow(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    path = write(tmp_path, log.head, log.append(tick_record(2)))
    reopened = records.Open(2, 1, "00" * 16)
    with path.open("ab") as file:
        file.write(rewritten(records.encode(reopened), 2, 2, log.crc))
    assert plain(read_world(tmp_path, "w_one"))[-1] == reopened


@pytest.mark.parametrize("payload", [b"\xc1", b"\x93\x03\x01", b"\x00", records.encode(tick_record(3)) + b"\x00"])
def test_payloads_that_are_no_records_are_damage(tmp_path: Path, payload: bytes) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    path = write(tmp_path, log.head)
    with path.open("ab") as file:
        file.write(rewritten(payload, 3, 3, log.crc))
    with pytest.raises(LogDamaged, match="no record"):
        plain(read_world(tmp_path, "w_one"))


def test_a_later_format_is_named_as_such(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    path = write(tmp_path, log.head)
    head = path.read_bytes()
    newer = head[:4] + (2).to_bytes(2, "little") + head[6:68]
    path.write_bytes(newer + frame.CRC.pack(crc32(newer)) + head[72:])
    with pytest.raises(FormatTooNew, match="version 2, this program reads up to 1"):
        plain(read_world(tmp_path, "w_one"))


def test_headers_of_only_zeros_or_ones_are_no_records() -> None:
    for byte in (0x00, 0xFF):
        for size in (frame.RECORD_HEADER_BYTES, 4096):
            with pytest.raises(frame.BadBytes):
                frame.decode_record(bytes([byte]) * size, 0, 0)
        with pytest.raises(frame.BadBytes):
            frame.decode_file_header(bytes([byte]) * 4096)


def test_no_length_is_believed_beyond_its_limit() -> None:
    head = frame.RECORD_HEAD.pack(limits.MAX_RECORD_BYTES + 1, 3, 0)
    claimed = head + frame.RECORD_CRCS.pack(crc32(head, 7), 0)
    with pytest.raises(frame.BadBytes, match="allowed are 1 to"):
        frame.decode_record(claimed, 0, 7)


def test_a_record_beyond_the_limit_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    before = (log.file, log.offset, log.crc, log.last_tick)
    huge = tick_record(5, input_entry(5, args={"text": "x" * limits.MAX_RECORD_BYTES}))
    with pytest.raises(RecordTooLarge, match="take fewer inputs into a tick"):
        log.append(huge)
    assert (log.file, log.offset, log.crc, log.last_tick) == before
    write(tmp_path, log.head, log.append(tick_record(5)))
    assert plain(read_world(tmp_path, "w_one"))[-1] == tick_record(5)
    with pytest.raises(RecordTooLarge):
        WorldLog.create(genesis(settings={"text": "x" * limits.MAX_RECORD_BYTES}), shard=SHARD)


async def test_the_largest_record_goes_through_journal_and_file(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_one").wait()
    size = limits.MAX_RECORD_BYTES - len(records.encode(tick_record(1, input_entry(1, args={"text": ""})))) - 4
    largest = tick_record(1, input_entry(1, args={"text": "x" * size}))
    assert limits.MAX_RECORD_BYTES - 8 < len(records.encode(largest)) <= limits.MAX_RECORD_BYTES
    recording.append("w_one", largest, tick_record(2, input_entry(2, args={"text": "x" * size})))
    await recording.append("w_one", tick_record(3, input_entry(3, args={"text": "x" * size}))).wait()
    recording.check()
    await recording.journal.close()
    recording.check()
    assert len(list(recording.folder("w_one").iterdir())) == 3


@pytest.mark.parametrize(
    "bad",
    [
        tick_record(5, input_entry(5, seen_tick=-1)),
        tick_record(5, input_entry(5, seq=0)),
        tick_record(5, input_entry(5, args={"x": object()})),
        tick_record(5, input_entry(5, args={"x": 2**64})),
        tick_record(5, input_entry(5, args={"x": "\ud800"})),
        records.Beat(tick=5, until=9, fingerprint=b"short"),
        records.Close(tick=5, reason=7, fingerprint=fingerprint(5)),  # type: ignore[arg-type]
    ],
)
def test_a_record_that_readers_would_refuse_is_never_written(tmp_path: Path, bad: Appendable) -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    before = (log.file, log.offset, log.crc, log.last_tick)
    with pytest.raises(RecordInvalid, match="w_one at tick 5 cannot be written"):
        log.append(bad)
    assert (log.file, log.offset, log.crc, log.last_tick) == before
    write(tmp_path, log.head, log.append(tick_record(5)))
    assert plain(read_world(tmp_path, "w_one"))[-1] == tick_record(5)


def test_ticks_never_go_back_in_a_writer() -> None:
    log = WorldLog.create(genesis(), shard=SHARD)
    log.append(tick_record(5))
    with pytest.raises(AssertionError):
        log.append(tick_record(4))
    with pytest.raises(AssertionError):
        log.append(records.Open(2, 0, "00"))  # type: ignore[arg-type]
    log.append(tick_record(5, ran=False))
    log.append(records.Fault(tick=6, kind="game_error", fingerprint=fingerprint(6)))
    log.append(records.Close(tick=5, reason="faulted", fingerprint=fingerprint(5)))


def test_records_are_strict() -> None:
    for payload in (
        msgspec.msgpack.encode([4, 1, 2, b"1234567", []]),  # a fingerprint of seven bytes
        msgspec.msgpack.encode([4, -1, 2, b"12345678", []]),
        msgspec.msgpack.encode([4, 1, 2, b"12345678", [], 1]),  # a field too many
        msgspec.msgpack.encode([4, 1, 2]),
        msgspec.msgpack.encode([9, 1]),
    ):
        with pytest.raises(msgspec.DecodeError):
            records.decode(payload)
