"""What recovery decides, without touching a disk: which bytes go where, and what a bad last group means.

Not here: reading journals (``overlay.py``), reading and writing world files (``recovery.py``).

Invariant: everything here is a function of its arguments.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from eventlog import frame, records
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
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
    """Adjacent bytes of one world file."""

    file: int
    offset: int
    size: int

    @property
    def end(self) -> int:
        """The byte behind it."""
        return self.offset + self.size


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
        return last.file, last.end


def crc_behind(file: int, offset: int, data: bytes) -> int:
    """The crc that a record behind these bytes of a world file chains from. Raises `BadBytes` if they are not whole
    records in a chain.

    What the first record follows is believed: the group's checksum covers it. Bodies are covered by that, too.
    """
    position, crc = 0, None
    try:
        if offset == 0:
            _, crc = frame.decode_file_header(data)
            position = frame.FILE_HEADER_BYTES
        while position < len(data):
            if crc is None:
                if len(data) < frame.RECORD_HEADER_BYTES:
                    raise Unfinished
                length, _, _, _, crc = frame.RECORD_HEADER.unpack_from(data)
            else:
                length, _, _, _, crc = frame.decode_record_header(data, position, crc)
            position += frame.RECORD_HEADER_BYTES + length
    except (Unfinished, UnknownVersion):
        position = -1
    if position != len(data) or crc is None:
        raise BadBytes(f"{file}@{offset} does not hold whole records")
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
