"""The bytes around a record: file headers, record frames, and the chain of checksums through them. No I/O.

A world's log is a row of files. Each begins with a header; records follow without gaps. All numbers are
little-endian; ``crc32(data, seed)`` is zlib's (the seed is the running value, 0 if not given).

=================  ======================================================================================
file header        72 bytes: ``WLOG`` · version u16 · 2 zero bytes · file number u32 · epoch u32 · tick u64 ·
                   crc u32 of the last record before this file · world id, 40 bytes, zero-padded · crc32 of all that
record             24 bytes: payload length u32 · kind u8 · 3 zero bytes · tick u64 · header_crc u32 · body_crc u32;
                   then the payload
=================  ======================================================================================

``header_crc = crc32(first 16 bytes, crc before)`` and ``body_crc = crc32(payload, header_crc)``. The *crc before* is
the body_crc of the record before, or the file header's crc for a file's first record.

Invariant: no length is believed before its crc, and a record that is lost, doubled, swapped, or from another world or
file breaks the chain at its place.
"""

from __future__ import annotations

import re
import struct
from typing import Final
from zlib import crc32

import msgspec

from eventlog import limits

MAGIC: Final = b"WLOG"
FILE_HEADER: Final = struct.Struct("<4sHxxIIQI40s")
CRC: Final = struct.Struct("<I")
RECORD_HEAD: Final = struct.Struct("<IB3xQ")
RECORD_CRCS: Final = struct.Struct("<II")
RECORD_HEADER: Final = struct.Struct("<IB3xQII")
FILE_HEADER_BYTES: Final = FILE_HEADER.size + CRC.size
RECORD_HEAD_BYTES: Final = RECORD_HEAD.size
RECORD_HEADER_BYTES: Final = RECORD_HEADER.size
assert FILE_HEADER_BYTES == 72
assert RECORD_HEAD_BYTES == 16
assert RECORD_HEADER_BYTES == RECORD_HEAD_BYTES + RECORD_CRCS.size == 24

_WORLD_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}", re.ASCII)


class FileHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first bytes of a world file: who it belongs to and what it follows."""

    world: str
    file: int
    """1, 2, 3 …"""
    epoch: int = 0
    """The epoch in force at the end of the file before; 0 in file 1."""
    tick: int = 0
    """The tick that the log had reached at the end of the file before."""
    previous_crc: int = 0
    """The last record's crc in the file before; 0 in file 1."""


class Unfinished(Exception):
    """The bytes end inside a header or a payload: a torn tail, or one that is just being written."""


class BadBytes(Exception):
    """The bytes are complete and cannot be what the writer wrote. Says why."""


class UnknownVersion(Exception):
    """An intact header of a format version that this program does not know."""

    def __init__(self, version: int) -> None:
        super().__init__(version)
        self.version = version


def is_world_id(world: str) -> bool:
    """Whether ``world`` may name a world: letters, digits, ``_`` and ``-``, at most 40, safe as a folder's name."""
    return _WORLD_ID.fullmatch(world) is not None


def file_name(file: int) -> str:
    """The name of a world's file by its number: ``0001.wlog``."""
    return f"{file:04d}.wlog"


def archive_name(file: int) -> str:
    """The name of the archived form of a world's file: ``0001.wlogz``."""
    return f"{file:04d}.wlogz"


def encode_file_header(header: FileHeader) -> tuple[bytes, int]:
    """The 72 bytes of a file header, and the crc that the file's first record chains from."""
    assert is_world_id(header.world), header.world
    data = FILE_HEADER.pack(
        MAGIC,
        limits.FORMAT_VERSION,
        header.file,
        header.epoch,
        header.tick,
        header.previous_crc,
        header.world.encode("ascii"),
    )
    crc = crc32(data)
    return data + CRC.pack(crc), crc


def decode_file_header(data: bytes) -> tuple[FileHeader, int]:
    """The header at the start of ``data`` and its crc.

    Raises `Unfinished` for fewer than 72 bytes, `BadBytes` if they are not an intact header, `UnknownVersion` if they
    are one of a later format.
    """
    if len(data) < FILE_HEADER_BYTES:
        raise Unfinished
    head = data[: FILE_HEADER.size]
    (crc,) = CRC.unpack_from(data, FILE_HEADER.size)
    if head[:4] != MAGIC:
        raise BadBytes("not a world log: it does not begin with WLOG")
    if crc32(head) != crc:
        raise BadBytes("the file header's checksum does not match")
    _, version, file, epoch, tick, previous_crc, world = FILE_HEADER.unpack(head)
    if version != limits.FORMAT_VERSION:
        raise UnknownVersion(version)
    header = FileHeader(
        world=world.rstrip(b"\0").decode("ascii", "replace"),
        file=file,
        epoch=epoch,
        tick=tick,
        previous_crc=previous_crc,
    )
    return header, crc


def encode_record(kind: int, tick: int, payload: bytes, crc_before: int) -> tuple[bytes, int]:
    """A framed record and the crc that the next one chains from. The caller keeps ``payload`` within its limit."""
    head = RECORD_HEAD.pack(len(payload), kind, tick)
    header_crc = crc32(head, crc_before)
    crc = crc32(payload, header_crc)
    return head + RECORD_CRCS.pack(header_crc, crc) + payload, crc


def decode_record_header(data: bytes, offset: int, crc_before: int) -> tuple[int, int, int, int, int]:
    """Payload length, kind, tick, header_crc and body_crc of the record at ``offset``.

    Raises `Unfinished` if the header is not all there, `BadBytes` if it is not the successor of ``crc_before``.
    """
    if len(data) - offset < RECORD_HEADER_BYTES:
        raise Unfinished
    length, kind, tick, header_crc, body_crc = RECORD_HEADER.unpack_from(data, offset)
    if crc32(data[offset : offset + RECORD_HEAD_BYTES], crc_before) != header_crc:
        raise BadBytes("the record header's checksum does not match, or it does not follow the record before")
    if not 0 < length <= limits.MAX_RECORD_BYTES:
        raise BadBytes(f"the record claims {length} bytes, allowed are 1 to {limits.MAX_RECORD_BYTES}")
    return length, kind, tick, header_crc, body_crc


def decode_record(data: bytes, offset: int, crc_before: int) -> tuple[int, int, bytes, int]:
    """Kind, tick, payload and crc of the record at ``offset``.

    Raises `Unfinished` if it is not all there, `BadBytes` if a checksum does not match or it does not follow
    ``crc_before``.
    """
    length, kind, tick, header_crc, body_crc = decode_record_header(data, offset, crc_before)
    start = offset + RECORD_HEADER_BYTES
    if len(data) - start < length:
        raise Unfinished
    payload = data[start : start + length]
    if crc32(payload, header_crc) != body_crc:
        raise BadBytes("the record body's checksum does not match")
    return kind, tick, payload, body_crc
