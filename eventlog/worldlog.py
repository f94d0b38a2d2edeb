"""A world's log while it is written: frames records in memory, chains them, rotates files. No I/O.

The bytes leave as `Piece`s, which a `Journal` makes durable and then writes to the world's files. Reading them is
``reader.py``.

Invariant: pieces are contiguous. Each begins at the byte where the one before ended, or at byte 0 of the next file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eventlog import frame, limits, records
from eventlog.errors import RecordInvalid, RecordTooLarge
from eventlog.piece import LogEnd, Piece
from eventlog.records import Beat, Checkpoint, Close, Fault, Genesis, Open, Origin, Record, Tick

_TICK: Final = records.KIND_OF[Tick]
_CLOSE: Final = records.KIND_OF[Close]


class WorldLog:
    """The writing end of one world's log, owned by the shard that opened the world. Used on one thread: the loop's.

    ``file``, ``offset`` and ``crc`` say where the next record goes and what it chains from; ``last_tick`` is the tick
    that the log has reached.
    """

    __slots__ = ("_file_bytes", "crc", "epoch", "file", "head", "last_tick", "offset", "world")

    head: Piece
    """The first bytes of a new log: file header, genesis and open record; of a resumed one: the open record. They go to
    the journal before any other piece (it insists); when their ticket is done the world exists, or is this shard's."""

    def __init__(self, world: str, *, epoch: int, file_bytes: int) -> None:
        """Not for callers: use `create` or `resume`."""
        self.world = world
        self.epoch = epoch
        self.file = 0
        self.offset = 0
        self.crc = 0
        self.last_tick = 0
        self._file_bytes = file_bytes

    @classmethod
    def create(
        cls, genesis: Genesis, *, shard: int, epoch: int = 1, file_bytes: int = limits.WORLD_FILE_BYTES
    ) -> WorldLog:
        """Begin the log of a new world, written by ``shard``; its files grow up to ``file_bytes``.

        Raises `RecordTooLarge`, `RecordInvalid` if the genesis (its settings) is.
        """
        log = cls(genesis.world, epoch=epoch, file_bytes=file_bytes)
        first_bytes = log._begin_file(epoch_before=0)
        first_bytes += log._frame(genesis, records.KIND_OF[Genesis], 0, log._encode(genesis, 0))
        opening = Open(epoch, shard, genesis.engine)
        first_bytes += log._frame(opening, records.KIND_OF[Open], 0, log._encode(opening, 0))
        log.head = Piece(log.world, epoch, 1, 0, first_bytes)
        return log

    @classmethod
    def found(
        cls, genesis: Genesis, origin: Iterable[Origin], *, file_bytes: int = limits.WORLD_FILE_BYTES
    ) -> dict[int, bytes]:
        """The files, by number, of a world that begins with a state, to be written without a journal; `resume` goes on.

        They look as if shard 0 had opened the world and died. Raises as `create`.
        """
        log = cls(genesis.world, epoch=1, file_bytes=file_bytes)
        files = {1: log._begin_file(epoch_before=0)}
        first_records: list[Genesis | Origin | Open] = [genesis, *origin, Open(1, 0, genesis.engine)]
        for record in first_records:
            kind, tick = records.KIND_OF[type(record)], record.tick if isinstance(record, Origin) else log.last_tick
            payload = log._encode(record, tick)
            if log.offset + frame.RECORD_HEADER_BYTES + len(payload) > file_bytes:
                header = log._begin_file(epoch_before=0)
                files[log.file] = header
            files[log.file] += log._frame(record, kind, tick, payload)
        return files

    @classmethod
    def resume(cls, end: LogEnd, *, shard: int, engine: str, file_bytes: int = limits.WORLD_FILE_BYTES) -> WorldLog:
        """Go on with a log that ends at ``end`` (`log_end` says where), in the next epoch, written by ``shard``.

        ``engine`` is the digest of the engine that runs the world. All bytes up to there must be in the world's files,
        durable: after recovery they are.
        """
        log = cls(end.world, epoch=end.epoch + 1, file_bytes=file_bytes)
        log.file, log.offset, log.crc, log.last_tick = end.file, end.offset, end.crc, end.tick
        opening = Open(log.epoch, shard, engine)
        kind = records.KIND_OF[Open]
        payload = log._encode(opening, end.tick)
        first_bytes = b""
        if end.offset + frame.RECORD_HEADER_BYTES + len(payload) > file_bytes:
            first_bytes = log._begin_file(epoch_before=end.epoch)
        file, offset = log.file, log.offset - len(first_bytes)
        log.head = Piece(log.world, log.epoch, file, offset, first_bytes + log._frame(opening, kind, end.tick, payload))
        return log

    def append(self, record: Tick | Beat | Checkpoint | Fault | Close) -> Piece:
        """Frame ``record`` as the next one. The piece holds a file header, too, when a new file begins with it.

        Raises `RecordTooLarge` and `RecordInvalid`, and then nothing has changed. A tick that goes back, a second
        genesis or an open are mistakes of the caller (AssertionError).
        """
        kind = records.KIND_OF[type(record)]
        assert _TICK <= kind <= _CLOSE, "genesis, open and origin are written by create, resume and found"
        tick = record.tick
        lowest = self.last_tick - 1 if records.goes_back_to(record) is not None else self.last_tick
        assert tick >= lowest or type(record) is Checkpoint, (self.world, tick, self.last_tick)
        payload = self._encode(record, tick)
        if self.offset + frame.RECORD_HEADER_BYTES + len(payload) > self._file_bytes:
            header = self._begin_file(epoch_before=self.epoch)
            return Piece(self.world, self.epoch, self.file, 0, header + self._frame(record, kind, tick, payload))
        offset = self.offset
        return Piece(self.world, self.epoch, self.file, offset, self._frame(record, kind, tick, payload))

    def _encode(self, record: Record, tick: int) -> bytes:
        try:
            payload = records.encode(record)
            # What a reader would refuse must never be written: a world that cannot be read again is lost.
            records.decode(payload)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:  # msgspec's own are ValueErrors
            raise RecordInvalid(self.world, tick, str(error)) from error
        if len(payload) > limits.MAX_RECORD_BYTES:
            raise RecordTooLarge(self.world, tick, len(payload), limits.MAX_RECORD_BYTES)
        return payload

    def _frame(self, record: Record, kind: int, tick: int, payload: bytes) -> bytes:
        """The record's bytes; moves the log's end behind them."""
        data, self.crc = frame.encode_record(kind, tick, payload, self.crc)
        self.offset += len(data)
        self.last_tick = records.last_tick_of(record, self.last_tick)
        return data

    def _begin_file(self, *, epoch_before: int) -> bytes:
        """The next file's header; moves the log's end behind it."""
        header = frame.FileHeader(
            world=self.world, file=self.file + 1, epoch=epoch_before, tick=self.last_tick, previous_crc=self.crc
        )
        data, self.crc = frame.encode_file_header(header)
        self.file += 1
        self.offset = len(data)
        return data
