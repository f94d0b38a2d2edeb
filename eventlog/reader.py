"""Reading a world's log: verified record by record, from its files and from what is still in journals only.

Needs no server and disturbs none. A record that a running server is just writing is the end, not damage; on a log at
rest the same cut-off record is damage.

Not here: where the bytes are (``worldbytes.py``), and what must follow what (``chain.py``).

Not seen: a log whose last records are missing altogether, cut at the boundary of a record, unless it is followed by
another file.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from eventlog import frame, records
from eventlog.chain import Chain, StoredRecord
from eventlog.errors import LogDamaged, PositionUnknown
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.piece import LogEnd
from eventlog.records import Checkpoint, Close, Fault, Genesis, Open, Tick
from eventlog.worldbytes import WorldBytes


def read_world(
    data: Path, world: str, *, from_tick: int = 0, to_tick: int | None = None, source: WorldBytes | None = None
) -> Iterator[StoredRecord]:
    """A world's records from the first that covers ``from_tick`` up to ``to_tick``, both included; else all.

    What stands behind that first one belongs to it, also if it speaks of a tick before: a late checkpoint does. Whole
    files before ``from_tick`` are left out, what is read is verified. Raises at once `UnknownWorld`, `JournalDamaged`,
    and while reading `LogDamaged`, `FormatTooNew`: records before the damage have been yielded then.
    ``source``: as it was looked at before; what has come since may not be seen.
    """
    source = source or WorldBytes.look(data, world)
    chain = Chain(world)
    return between(_read(data, source, chain, source.file_before(from_tick)), from_tick, to_tick)


def read_world_from(data: Path, position: LogEnd, *, source: WorldBytes | None = None) -> Iterator[StoredRecord]:
    """A world's records from a place on that was reached before; nothing before it is read, or need be there.

    Raises at once `UnknownWorld`, `JournalDamaged`, `FormatTooNew`, and `PositionUnknown` if this log does not have
    that place; while reading `LogDamaged`. ``source``: as for `read_world`.
    """
    source = source or WorldBytes.look(data, position.world)
    if not stands_in(source, position):
        raise PositionUnknown(position.world, source.path(position.file), position.offset)
    chain = Chain(position.world)
    chain.begin_at(position)
    return _read(data, source, chain, position.file)


def stands_in(source: WorldBytes, position: LogEnd) -> bool:
    """Whether the log has this place: the next record follows from it, or else what stands before it leads there."""
    if position.file > source.last_file:
        return False
    content = source.read(position.file)
    if position.offset > len(content):
        return False
    try:
        # A record that is just being written cannot say what it follows.
        if len(content) - position.offset >= frame.RECORD_HEADER_BYTES:
            frame.decode_record_header(content, position.offset, position.crc)
            return True
        if position.file < source.last_file:
            following, _ = frame.decode_file_header(source.read(position.file + 1, frame.FILE_HEADER_BYTES))
            expected = (position.world, position.crc, len(content))
            return (following.world, following.previous_crc, position.offset) == expected
        return _leads_to(content, position)
    except (BadBytes, UnknownVersion, Unfinished):
        return False


def _leads_to(content: bytes, position: LogEnd) -> bool:
    """Whether the headers of a file's records lead to this place. Raises `BadBytes`, `UnknownVersion`, `Unfinished`."""
    header, crc = frame.decode_file_header(content)
    offset = frame.FILE_HEADER_BYTES
    while offset < position.offset:
        length, _, _, _, crc = frame.decode_record_header(content, offset, crc)
        offset += frame.RECORD_HEADER_BYTES + length
    return (header.world, offset, crc) == (position.world, position.offset, position.crc)


def log_end(data: Path, world: str) -> LogEnd:
    """Where the log of a world ends, which nobody writes to now: what `WorldLog.resume` needs.

    Verifies its last file. Raises as `read_world`, at once.
    """
    source = WorldBytes.look(data, world)
    chain = Chain(world)
    for _ in _read(data, source, chain, source.file_before(sys.maxsize)):
        pass
    return chain.position


def follow_world(data: Path, world: str, *, wait: Callable[[], bool], from_tick: int = 0) -> Iterator[StoredRecord]:
    """As `read_world`, then go on with what a running server adds, until the world has ended (a close or fault record).

    When there is nothing new, ``wait()`` is called: it returns when it is time to look again (true) or to stop (false).
    New records come from the world's files, at most a second after they became durable.
    """
    source = WorldBytes.look(data, world)
    return between(_follow(data, source, Chain(world), source.file_before(from_tick), wait), from_tick, None)


def between(stored: Iterable[StoredRecord], from_tick: int, to_tick: int | None = None) -> Iterator[StoredRecord]:
    """The part of a log that `read_world` gives, of records that begin before it."""
    reached, is_begun = 0, False
    for each in stored:
        record = each.record
        first = reached if isinstance(record, Open) else 0 if isinstance(record, Genesis) else record.tick
        if to_tick is not None and first > to_tick and not isinstance(record, Checkpoint):
            return
        reached = records.last_tick_of(record, reached)
        last = reached if isinstance(record, Tick) else first
        is_begun = is_begun or last >= from_tick
        if is_begun and (to_tick is None or first <= to_tick):
            yield each


def _read(data: Path, source: WorldBytes, chain: Chain, file: int) -> Iterator[StoredRecord]:
    """All records from the beginning of ``file`` on."""
    torn_at: tuple[int, int] | None = None
    while file <= source.last_file:
        path = source.path(file)
        try:
            content = source.read(file)
            if chain.file != file:
                chain.begin_file(path, file, content)
            yield from chain.records(path, content)
            source.report_damage(file, chain.tick)
        except Unfinished:
            source.report_damage(file, chain.tick)
            place = (file, chain.offset if chain.file == file else 0)
            if place == torn_at or (file < source.last_file and source.size(file)):
                reason = "it ends inside a record" if source.size(file) else "the file is missing or empty"
                raise LogDamaged(chain.world, chain.tick, path, place[1], reason) from None
            if torn_at is not None and file == source.last_file:
                return  # written after our second look: the end, for now
            # A running server may be writing here, or removing the world. Whatever a file shows was durable in a
            # journal before: look again.
            torn_at = place
            source = WorldBytes.look(data, chain.world)
            continue
        file += 1


def _follow(
    data: Path, source: WorldBytes, chain: Chain, file: int, wait: Callable[[], bool]
) -> Iterator[StoredRecord]:
    ended = False
    new_records = _read(data, source, chain, file)
    while True:
        for stored in new_records:
            yield stored
            ended = ended or isinstance(stored.record, Close | Fault)
        if ended or not wait():
            return
        new_records = _new_records(source, chain)


def _new_records(source: WorldBytes, chain: Chain) -> Iterator[StoredRecord]:
    """What the world's files hold beyond the chain's end. Raises `UnknownWorld` when the world has been removed."""
    while True:
        following = chain.file + 1
        rotated = source.path(following).exists()  # asked before reading: then this file is complete
        try:
            yield from chain.records(
                source.path(chain.file), source.read_from(chain.file, chain.offset), base=chain.offset
            )
            source.report_damage(chain.file, chain.tick)
            if not rotated:
                source.check_there()
                return
            chain.begin_file(source.path(following), following, source.read(following, frame.FILE_HEADER_BYTES))
        except Unfinished:
            source.report_damage(chain.file, chain.tick)
            return  # the server is writing it, or has not begun to
