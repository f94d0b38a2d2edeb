"""What recovery decides, without touching a disk: which bytes go where, and what a bad last group means.

Not here: reading journals (``overlay.py``), reading and writing world files (``recovery.py``).

Invariant: everything here is a function of its arguments.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from eventlog import frame, records
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.piece import Piece
from eventlog.records import Open

Verdict = Literal["fine", "torn", "damaged"]


class LastGroup(NamedTuple):
    """What is known of the place behind a journal's last intact group."""

    something: bool
    """It holds bytes other than zero."""
    good_behind: bool
    """Behind it is an intact group, or a segment that follows a group which is not here."""
    in_world_log: bool
    """A world log holds records that came from a later group."""


VERDICTS: Final[dict[LastGroup, Verdict]] = {
    # Nothing was begun, and nobody knows of more.
    LastGroup(something=False, good_behind=False, in_world_log=False): "fine",
    # Group g+1 is written after g was synced, and world files after that: this one was never acknowledged.
    LastGroup(something=True, good_behind=False, in_world_log=False): "torn",
    # Somebody built on it: it was synced, so what is missing here was acknowledged.
    LastGroup(something=False, good_behind=False, in_world_log=True): "damaged",
    LastGroup(something=True, good_behind=False, in_world_log=True): "damaged",
    LastGroup(something=False, good_behind=True, in_world_log=False): "damaged",
    LastGroup(something=True, good_behind=True, in_world_log=False): "damaged",
    LastGroup(something=False, good_behind=True, in_world_log=True): "damaged",
    LastGroup(something=True, good_behind=True, in_world_log=True): "damaged",
}
"""Every case there is, each with one verdict: ``fine`` and ``torn`` journals are redone, ``damaged`` ones refused."""


class Run(msgspec.Struct, frozen=True):
    """Adjacent bytes of one world file: one write."""

    file: int
    offset: int
    data: bytes


class WorldRedo(msgspec.Struct, frozen=True):
    """What a journal says of one world: its runs in order, which are contiguous across files."""

    world: str
    epoch: int
    runs: list[Run]
    crc: int
    """Behind the last record of the last run."""

    @property
    def end(self) -> tuple[int, int]:
        """File and byte behind the last run."""
        last = self.runs[-1]
        return last.file, last.offset + len(last.data)


def plan(world: str, pieces: list[Piece]) -> WorldRedo:
    """Merge a world's pieces, which all count, into runs.

    Raises `BadBytes` if they do not follow each other, or the last one is not whole records in a chain.
    """
    last = pieces[-1]
    return WorldRedo(world, last.epoch, _runs(pieces), crc_behind(Run(last.file, last.offset, last.data)))


def _runs(pieces: list[Piece]) -> list[Run]:
    runs: list[Run] = []
    first, parts = pieces[0], [pieces[0].data]
    file, end = first.file, first.offset + len(first.data)
    for piece in pieces[1:]:
        if piece.file == file + 1 and piece.offset == 0:
            runs.append(Run(file, first.offset, b"".join(parts)))
            first, parts, file, end = piece, [], piece.file, 0
        elif (piece.file, piece.offset) != (file, end):
            raise BadBytes(f"{piece.world}: {piece.file}@{piece.offset} stands where {file}@{end} belongs")
        parts.append(piece.data)
        end += len(piece.data)
    runs.append(Run(file, first.offset, b"".join(parts)))
    return runs


def crc_behind(run: Run) -> int:
    """The crc that a record behind ``run`` chains from. Raises `BadBytes` if the run is not whole records in a chain.

    What the first record follows is believed: the group's checksum covers it. Bodies are covered by that, too.
    """
    position, crc = 0, None
    try:
        if run.offset == 0:
            _, crc = frame.decode_file_header(run.data)
            position = frame.FILE_HEADER_BYTES
        while position < len(run.data):
            if crc is None:
                if len(run.data) < frame.RECORD_HEADER_BYTES:
                    raise Unfinished
                length, _, _, _, crc = frame.RECORD_HEADER.unpack_from(run.data)
            else:
                length, _, _, _, crc = frame.decode_record_header(run.data, position, crc)
            position += frame.RECORD_HEADER_BYTES + length
    except (Unfinished, UnknownVersion):
        position = -1
    if position != len(run.data) or crc is None:
        raise BadBytes(f"{run.file}@{run.offset} does not hold whole records")
    return crc


class Beyond(msgspec.Struct, frozen=True):
    """What a world file holds behind a place."""

    chained_bytes: int
    """Of records that continue the log."""
    crc: int
    """Behind those."""
    highest_epoch: int
    """That an open record among them names; 0 if there is none."""


def look_beyond(data: bytes, crc: int) -> Beyond:
    """Follow the chain through ``data``, which stands behind a record whose crc is ``crc``."""
    position, highest = 0, 0
    while position < len(data):
        try:
            kind, _, payload, following = frame.decode_record(data, position, crc)
        except (BadBytes, Unfinished):
            break
        if kind == records.KIND_OF[Open]:
            try:
                record = records.decode(payload)
            except msgspec.DecodeError:
                break
            if isinstance(record, Open):
                highest = max(highest, record.epoch)
        crc = following
        position += frame.RECORD_HEADER_BYTES + len(payload)
    return Beyond(position, crc, highest)
