"""The chain through a world's records and files: what must come next, checked record by record.

Every checksum, the link from each record and file to the one before, kinds, ticks, epochs and the parts of an origin
are checked; what does not fit raises `LogDamaged` with its place.

Not here: which files are read, and whether somebody is still writing them (``reader.py``).

Invariant: `Chain` stands behind the last record that fitted, and moves over nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from eventlog import frame, limits, records
from eventlog.errors import FormatTooNew, LogDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.piece import LogEnd
from eventlog.records import Checkpoint, Genesis, Open, Origin, Record
from eventlog.worldbytes import WorldBytes


class StoredRecord(msgspec.Struct, frozen=True):
    """A record and its place: the file's number, the byte where its frame begins, and the frame's size in bytes.

    ``crc`` is what the next record chains from.
    """

    record: Record
    file: int
    offset: int
    bytes: int
    crc: int


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
