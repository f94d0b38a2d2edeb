"""The bytes of an archived world file: one world file of an ended world, compressed in frames. No I/O.

``0001.wlogz`` stands for ``0001.wlog``, byte for byte. Little-endian:

=================  ======================================================================================
header             76 bytes: ``WLGZ`` · version u16 · 2 zero bytes · file number u32 · frames u32 · length of the
                   world file u64 · its crc32 u32 · crc32 of the table u32 · world id, 40 bytes, zero-padded ·
                   crc32 of all that
table              8 bytes for each frame: its length u32 · its crc32 u32
frames             without gaps, to the end of the file: each a zlib stream that holds 64 KiB of the world file, the
                   last one what is left
=================  ======================================================================================

The table stands in front, so a reader finds any byte by inflating one frame, and a damaged frame hides no other.

Invariant: what `encode` made, `decode` gives back, or it says which bytes cannot be what was written.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final
from zlib import crc32

import msgspec

from eventlog import limits
from eventlog.frame import BadBytes, UnknownVersion, is_world_id

MAGIC: Final = b"WLGZ"
HEADER: Final = struct.Struct("<4sHxxIIQII40s")
CRC: Final = struct.Struct("<I")
ROW: Final = struct.Struct("<II")
HEADER_BYTES: Final = HEADER.size + CRC.size
_TABLE_BYTES: Final = 4096
"""Enough for the table of nearly every file."""
_GROWTH_BYTES: Final = 64
"""A frame of bytes that cannot be compressed is longer than they are, by less than this."""
_FRAME_BEGINS: Final = zlib.compress(b"", limits.ARCHIVE_LEVEL)[:2]
assert HEADER_BYTES == 76
assert ROW.size == 8


class ArchiveHeader(msgspec.Struct, frozen=True, kw_only=True):
    """What an archived file says of itself, checked."""

    world: str
    file: int
    length: int
    """Of the world file, in bytes."""
    crc: int
    """Of the world file."""
    rows: list[tuple[int, int]]
    """For each frame: its length in bytes and its crc."""

    @property
    def frames_at(self) -> int:
        """The byte where the first frame begins."""
        return HEADER_BYTES + ROW.size * len(self.rows)


class Inflated(msgspec.Struct, frozen=True):
    """What an archived file holds: all of it, or what comes before the first damage."""

    data: bytes
    damage: tuple[int, str] | None
    """The byte of the archived file where the damaged piece begins, and what is wrong."""


def encode(world: str, file: int, content: bytes) -> bytes:
    """The archived form of ``content``, which is the whole world file number ``file``."""
    assert is_world_id(world), world
    assert content, "a world file has a header at least"
    step = limits.ARCHIVE_FRAME_BYTES
    frames = [zlib.compress(content[at : at + step], limits.ARCHIVE_LEVEL) for at in range(0, len(content), step)]
    table = b"".join(ROW.pack(len(frame), crc32(frame)) for frame in frames)
    header = HEADER.pack(
        MAGIC,
        limits.ARCHIVE_VERSION,
        file,
        len(frames),
        len(content),
        crc32(content),
        crc32(table),
        world.encode("ascii"),
    )
    return b"".join((header, CRC.pack(crc32(header)), table, *frames))


def decode_header(data: bytes) -> ArchiveHeader:
    """The header and table at the start of ``data``.

    Raises `BadBytes` if they are not intact or not all there, `UnknownVersion` if they are of a later format.
    """
    head = data[: HEADER.size]
    if head[:4] != MAGIC:
        raise BadBytes("not an archived world file: it does not begin with WLGZ")
    if len(data) < HEADER_BYTES or CRC.unpack_from(data, HEADER.size)[0] != crc32(head):
        raise BadBytes("the archive's header does not match its checksum")
    _, version, file, frames, length, crc, table_crc, world = HEADER.unpack(head)
    if version != limits.ARCHIVE_VERSION:
        raise UnknownVersion(version)
    table = data[HEADER_BYTES : HEADER_BYTES + ROW.size * frames]
    if len(table) != ROW.size * frames or crc32(table) != table_crc:
        raise BadBytes("the archive's table of frames does not match its checksum")
    if frames != -(-length // limits.ARCHIVE_FRAME_BYTES):
        raise BadBytes(f"the archive has {frames} frames for {length} bytes")
    return ArchiveHeader(
        world=world.rstrip(b"\0").decode("ascii", "replace"),
        file=file,
        length=length,
        crc=crc,
        rows=list(ROW.iter_unpack(table)),
    )


def decode(data: bytes, world: str, file: int, limit: int | None = None) -> Inflated:
    """The world file in ``data``, of which only the first ``limit`` bytes are wanted, if given.

    Never raises for damage: it is in the answer, with all bytes before it. Raises `UnknownVersion`.
    """
    try:
        header = decode_header(data)
    except BadBytes as bad:
        return Inflated(b"", (0, str(bad)))
    if (header.world, header.file) != (world, file):
        return Inflated(b"", (0, f"this is file {header.file} of {header.world}"))
    parts: list[bytes] = []
    position = header.frames_at
    for number, (length, crc) in enumerate(header.rows):
        if limit is not None and number * limits.ARCHIVE_FRAME_BYTES >= limit:
            return Inflated(b"".join(parts)[:limit], None)
        part = inflate(data[position : position + length], crc, plain_bytes(header, number))
        if part is None:
            reason = f"frame {number + 1} of {len(header.rows)} of the archive is damaged or cut off"
            return Inflated(b"".join(parts), (position, reason))
        parts.append(part)
        position += length
    content = b"".join(parts)
    if position != len(data):
        return Inflated(content, (position, "bytes follow the archive's last frame"))
    if crc32(content) != header.crc:
        return Inflated(content, (0, "the whole file does not match the archive's checksum"))
    return Inflated(content if limit is None else content[:limit], None)


def prefix_bytes(limit: int) -> int:
    """How many bytes of an archived file are enough to read the first ``limit`` bytes of a world file, as a rule."""
    frames = -(-limit // limits.ARCHIVE_FRAME_BYTES)
    return HEADER_BYTES + _TABLE_BYTES + frames * (limits.ARCHIVE_FRAME_BYTES + _GROWTH_BYTES)


def plain_bytes(header: ArchiveHeader, number: int) -> int:
    """How many bytes of the world file frame ``number`` (0, 1, 2 …) holds."""
    return min(limits.ARCHIVE_FRAME_BYTES, header.length - number * limits.ARCHIVE_FRAME_BYTES)


def inflate(frame: bytes, crc: int, size: int) -> bytes | None:
    """The ``size`` bytes in a frame, or None if it is not intact."""
    if crc32(frame) != crc:
        return None
    inflater = zlib.decompressobj()
    try:
        content = inflater.decompress(frame, size + 1)  # never more, whatever the stream says
    except zlib.error:
        return None
    return content if len(content) == size and inflater.eof and not inflater.unused_data else None


def intact_runs(data: bytes, world: str, file: int) -> list[tuple[int, bytes]]:
    """What can be had of a damaged archive: where each run of intact frames begins in the world file, and its bytes.

    Without an intact header nobody knows where: then runs follow each other from 0 on. Raises `UnknownVersion`.
    """
    try:
        header = decode_header(data)
    except BadBytes:
        return _runs_by_search(data)
    if (header.world, header.file) != (world, file):
        return []
    runs: list[tuple[int, bytes]] = []
    position = header.frames_at
    for number, (length, crc) in enumerate(header.rows):
        part = inflate(data[position : position + length], crc, plain_bytes(header, number))
        at = number * limits.ARCHIVE_FRAME_BYTES
        if part is not None and runs and runs[-1][0] + len(runs[-1][1]) == at:
            runs[-1] = (runs[-1][0], runs[-1][1] + part)
        elif part is not None:
            runs.append((at, part))
        position += length
    return runs


def _runs_by_search(data: bytes) -> list[tuple[int, bytes]]:
    """Frames found by the two bytes with which they begin; their own checksums say whether they are good."""
    runs: list[tuple[int, bytes]] = []
    at, end = 0, -1
    position = data.find(_FRAME_BEGINS)
    while position >= 0:
        inflater = zlib.decompressobj()
        try:
            part = inflater.decompress(data[position:], limits.ARCHIVE_FRAME_BYTES)
            part += inflater.decompress(inflater.unconsumed_tail, 1)  # nothing more comes, but the end is seen
        except zlib.error:
            part = b""
        if not part or not inflater.eof:
            position = data.find(_FRAME_BEGINS, position + 1)
            continue
        if position == end:
            runs[-1] = (runs[-1][0], runs[-1][1] + part)
        else:
            runs.append((at, part))
        at += len(part)
        end = len(data) - len(inflater.unused_data)
        position = data.find(_FRAME_BEGINS, end)
    return runs
