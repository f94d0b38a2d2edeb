"""Reading a world's log: verified record by record, from its files and from what is still in journals only.

Needs no server and disturbs none. Every checksum, the chain through records and files, kinds, ticks and epochs are
checked; what does not fit raises `LogDamaged`.

Order of looking: journals first, then files. Bytes leave a journal only when a file holds them, so nothing that was
durable at the beginning can be missed. A record that a running server is just writing is the end, not damage; on a log
at rest the same cut-off record is damage.

Not seen here: a log whose last records are missing altogether, cut at the boundary of a record, unless it is
followed by another file.
"""

from __future__ import annotations

import contextlib
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from eventlog import archivefile, frame, limits, records
from eventlog.errors import FormatTooNew, LogDamaged, PositionUnknown, UnknownWorld
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.overlay import read_overlay
from eventlog.piece import LogEnd, Piece
from eventlog.records import Checkpoint, Close, Fault, Genesis, Open, Origin, Record, Tick

ARCHIVED: Final = ".wlogz"
"""The suffix of an archived file; its stem is that of the file."""


class StoredRecord(msgspec.Struct, frozen=True):
    """A record and its place: the file's number, the byte where its frame begins, and the frame's size in bytes.

    ``crc`` is what the next record chains from.
    """

    record: Record
    file: int
    offset: int
    bytes: int
    crc: int


class WorldBytes:
    """A world's files, archived or not, with what journals add to them."""

    def __init__(self, data: Path, world: str, pieces: dict[int, list[Piece]]) -> None:
        """``pieces`` are what journals held of this world *before* this call; see `look`."""
        self.world = world
        self.folder = data / "worlds" / world
        self._pieces = pieces
        self._damage: dict[int, tuple[int, str]] = {}
        on_disk = {int(path.stem) for path in self.folder.glob("[0-9]*.wlog*") if _is_world_file(path)}
        self.last_file = max(on_disk | pieces.keys(), default=0)
        self._was_there = bool(on_disk)

    @classmethod
    def look(cls, data: Path, world: str) -> WorldBytes:
        """Look at the journals, then at the files. Raises `UnknownWorld`, `JournalDamaged`, `FormatTooNew`."""
        found = cls(data, world, read_overlay(data, world=world).worlds.get(world, {}))
        if not found.last_file:
            raise UnknownWorld(world, data)
        return found

    def path(self, file: int) -> Path:
        """Where a file of this world is, archived or not, or will be."""
        path, archived = self.folder / frame.file_name(file), self.folder / frame.archive_name(file)
        return archived if not path.exists() and archived.exists() else path

    def is_archived(self, file: int) -> bool:
        """Whether a file is there in its archived form only."""
        return self.path(file).suffix == ARCHIVED

    def read(self, file: int, limit: int | None = None) -> bytes:
        """The first ``limit`` bytes of a file, or all; what journals hold of it comes before what the disk shows.

        Of a damaged archive: what comes before the damage, which `report_damage` tells. Raises `FormatTooNew`.
        """
        data = self._read_disk(file, 0, limit)
        pieces = self._pieces.get(file)
        if not pieces or (limit is not None and pieces[0].offset >= limit):
            return data
        end = pieces[0].offset
        parts = [data[:end]]
        if len(data) < end:
            raise LogDamaged(self.world, 0, self.path(file), len(data), f"bytes up to {end} are missing")
        for piece in pieces:
            if piece.offset != end:
                raise LogDamaged(self.world, 0, self.path(file), end, f"the journal goes on at byte {piece.offset}")
            parts.append(piece.data)
            end += len(piece.data)
        parts.append(data[end:])
        return b"".join(parts)

    def read_from(self, file: int, offset: int) -> bytes:
        """What the disk shows of a file from byte ``offset`` on."""
        return self._read_disk(file, offset, None)

    def report_damage(self, file: int, tick: int) -> None:
        """Raise `LogDamaged` if the archive of ``file``, which was read, is damaged. ``tick`` is the last good one."""
        if file in self._damage:
            offset, reason = self._damage[file]
            raise LogDamaged(self.world, tick, self.path(file), offset, reason)

    def check_there(self) -> None:
        """Raise `UnknownWorld` if the world's folder was there and is no more: the world has been removed."""
        is_there = self.folder.is_dir()
        if self._was_there and not is_there:
            raise UnknownWorld(self.world, self.folder.parent.parent)
        self._was_there = is_there

    def size(self, file: int) -> int:
        """How many bytes a file has, or will have when it holds what journals have of it; before it was compressed."""
        on_disk = self._plain_size(file)
        pieces = self._pieces.get(file)
        return max(on_disk, pieces[-1].offset + len(pieces[-1].data)) if pieces else on_disk

    def disk_bytes(self) -> int:
        """How many bytes the world takes on the disk, snapshots included, and what only journals hold of it."""
        sizes = {path: _size(path) for path in self.folder.rglob("*")}  # looked at once: a server may write them
        for file, pieces in self._pieces.items():
            path = self.folder / frame.file_name(file)
            sizes[path] = max(sizes.get(path, 0), pieces[-1].offset + len(pieces[-1].data))
        return sum(sizes.values())

    def file_before(self, tick: int) -> int:
        """The last file that begins before any record spoke of ``tick``: reading from ``tick`` may begin with it."""
        for file in range(self.last_file, 1, -1):
            try:
                header, _ = frame.decode_file_header(self.read(file, frame.FILE_HEADER_BYTES))
            except (BadBytes, Unfinished, UnknownVersion, FormatTooNew):
                continue  # the reading will come to this file and report it
            if header.tick < tick - 1:  # behind a tick that broke or was taken back a file says the tick before it
                return file
        return 1

    def _plain_size(self, file: int) -> int:
        """The size of a file on the disk, before it was compressed."""
        if size := _size(self.folder / frame.file_name(file)):
            return size
        path = self.folder / frame.archive_name(file)
        try:
            return archivefile.decode_header(path.read_bytes()).length
        except FileNotFoundError:
            return 0
        except (BadBytes, UnknownVersion):
            return _size(path)  # whoever reads it will report it

    def _read_disk(self, file: int, offset: int, limit: int | None) -> bytes:
        """What the disk has of a file. An archive is complete before the file goes: so this order of looking."""
        with contextlib.suppress(FileNotFoundError), (self.folder / frame.file_name(file)).open("rb") as opened:
            opened.seek(offset)
            return opened.read(-1 if limit is None else limit)
        path = self.folder / frame.archive_name(file)
        try:
            with path.open("rb") as opened:
                found = opened.read(-1 if limit is None else archivefile.prefix_bytes(limit))
                inflated = archivefile.decode(found, self.world, file, limit)
                if inflated.damage and limit is not None:
                    inflated = archivefile.decode(found + opened.read(), self.world, file, limit)
        except FileNotFoundError:
            return b""
        except UnknownVersion as unknown:
            raise FormatTooNew(path, unknown.version, limits.ARCHIVE_VERSION) from None
        if inflated.damage:
            self._damage[file] = inflated.damage
        return inflated.data[offset:]


def _size(path: Path) -> int:
    """Of a file, in bytes; 0 if it is not there (any more) or no file."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0
    return found.st_size if stat.S_ISREG(found.st_mode) else 0


def _is_world_file(path: Path) -> bool:
    return path.stem.isdigit() and path.suffix in (".wlog", ARCHIVED)


class Chain:
    """Where a reader stands in a world's log, and what must come next."""

    def __init__(self, world: str) -> None:
        self.world = world
        self.file = 0
        self.offset = 0
        self.crc = 0
        self.epoch = 0
        self.tick = 0
        self._origin: Origin | None = None
        """The last part of the origin of a fork that was read."""

    def begin_at(self, position: LogEnd) -> None:
        """Stand at a place in the middle, which is known from elsewhere."""
        self.file, self.offset, self.crc = position.file, position.offset, position.crc
        self.epoch, self.tick = position.epoch, position.tick

    @property
    def position(self) -> LogEnd:
        """Where this stands."""
        return LogEnd(
            world=self.world, epoch=self.epoch, file=self.file, offset=self.offset, crc=self.crc, tick=self.tick
        )

    def begin_file(self, path: Path, file: int, data: bytes) -> None:
        """Read a file's header: it must continue the file before, if that was read.

        Raises `Unfinished`, `LogDamaged`, `FormatTooNew`.
        """
        try:
            header, crc = frame.decode_file_header(data)
        except BadBytes as bad:
            raise LogDamaged(self.world, self.tick, path, 0, str(bad)) from None
        except UnknownVersion as unknown:
            raise FormatTooNew(path, unknown.version, limits.FORMAT_VERSION) from None
        if (header.world, header.file) != (self.world, file):
            reason = f"this is file {header.file} of {header.world}"
            raise LogDamaged(self.world, self.tick, path, 0, reason)
        link = (header.epoch, header.tick, header.previous_crc)
        if (self.file or file == 1) and link != (self.epoch, self.tick, self.crc):
            raise LogDamaged(self.world, self.tick, path, 0, "it does not continue the file before")
        self.file, self.offset, self.crc = file, frame.FILE_HEADER_BYTES, crc
        self.epoch, self.tick = header.epoch, header.tick

    def records(self, path: Path, data: bytes, *, base: int = 0) -> Iterator[StoredRecord]:
        """The records from where this stands to the end of ``data``, whose first byte is byte ``base`` of the file.

        Raises `Unfinished` where a record is cut off, `LogDamaged` where something is wrong.
        """
        while self.offset - base < len(data):
            try:
                kind, tick, payload, crc = frame.decode_record(data, self.offset - base, self.crc)
                record = records.decode(payload)
                reached = self._check(record, kind, tick)
            except BadBytes as bad:
                raise LogDamaged(self.world, self.tick, path, self.offset, str(bad)) from None
            except msgspec.DecodeError as error:
                reason = f"the payload is no record: {error}"
                raise LogDamaged(self.world, self.tick, path, self.offset, reason) from None
            size = frame.RECORD_HEADER_BYTES + len(payload)
            stored = StoredRecord(record, self.file, self.offset, size, crc)
            self.offset += size
            self.crc = crc
            self.tick = reached
            yield stored

    def whole_file(self, source: WorldBytes, file: int) -> Iterator[StoredRecord]:
        """The records of the next file of a log that nobody writes to. Raises `LogDamaged`, `FormatTooNew`."""
        path = source.path(file)
        content = source.read(file)
        try:
            self.begin_file(path, file, content)
            yield from self.records(path, content)
            source.report_damage(file, self.tick)
        except Unfinished:
            source.report_damage(file, self.tick)
            reason = "it ends inside a record" if content else "the file is missing or empty"
            raise LogDamaged(self.world, self.tick, path, self.offset if self.file == file else 0, reason) from None

    def _check(self, record: Record, kind: int, tick: int) -> int:
        """The tick that the log has reached with ``record``. Raises `BadBytes` if it cannot stand here."""
        if records.KIND_OF[type(record)] != kind:
            raise BadBytes("the frame names another kind of record than the payload")
        first = self.file == 1 and self.offset == frame.FILE_HEADER_BYTES
        if first != isinstance(record, Genesis):
            raise BadBytes("a log begins with its genesis, and has no other")
        if not (first or self.epoch or isinstance(record, Open | Origin)):
            raise BadBytes("an open record follows the genesis")
        if isinstance(record, Open | Origin):
            self._check_origin(record)
        match record:
            case Genesis():
                if record.world != self.world:
                    raise BadBytes(f"this is the genesis of {record.world}")
                expected = 0
            case Open():
                if record.epoch <= self.epoch:
                    raise BadBytes(f"epoch {record.epoch} is opened after epoch {self.epoch}")
                self.epoch = record.epoch
                expected = self.tick
            case _:
                expected = record.tick
                lowest = self.tick - 1 if records.goes_back_to(record) is not None else self.tick
                if expected < lowest and not isinstance(record, Checkpoint):
                    raise BadBytes(f"tick {expected} comes after tick {self.tick}")
        if tick != expected:
            raise BadBytes(f"the frame says tick {tick}, its record {expected}")
        return records.last_tick_of(record, self.tick)

    def _check_origin(self, record: Open | Origin) -> None:
        """The parts of an origin are complete, in order, and before the first open record. Raises `BadBytes`."""
        before = self._origin
        if isinstance(record, Open):
            if before is not None and before.part != before.parts:
                raise BadBytes(f"of the origin only {before.part} of {before.parts} parts are there")
            self._origin = None
            return
        if self.epoch:
            raise BadBytes("an origin stands behind the first open record")
        expected = 1 if before is None else before.part + 1
        # Whoever reads a later file by itself has not seen the parts before.
        unseen = before is None and self.file > 1
        if record.part > record.parts or (record.part != expected and not unseen):
            raise BadBytes(f"part {record.part} of {record.parts} of the origin stands where part {expected} belongs")
        if before is not None and (before.tick, before.parts, before.code, before.hash) != (
            record.tick, record.parts, record.code, record.hash,
        ):  # fmt: skip
            raise BadBytes(f"part {record.part} of the origin does not belong to the one before it")
        self._origin = record


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
