"""The bytes of a shard's journal: segment headers, groups and their entries. No I/O.

A journal is a row of segment files ``0000000042.journal``. A segment begins with a header page; then come groups,
each on a 4 KiB boundary and followed by zeros up to the next; the rest of the file is zeros. Little-endian.

==============  =========================================================================================
segment header  48 bytes of a 4,096-byte page: ``WJNL`` · version u16 · 2 zero bytes · shard u32 · salt u32 ·
                segment u64 · number u64 and crc u32 of the last group before it · 8 zero bytes ·
                crc32 of the 44 bytes before
group           32 bytes: ``WGRP`` · entries u32 · group number u64 · body length u32 · crc u32 of the group before ·
                body_crc u32 · header_crc u32; then the body: the entries without gaps
entry           24 bytes: kind u8 · length of the world's id u8 · 2 zero bytes · epoch u32 · file u32 ·
                data length u32 · offset u64; then the id, then the data. Kind 1: bytes of a world's log; kind 2: the
                world is released, no data, its log ends at that offset
==============  =========================================================================================

``body_crc = crc32(body, salt)``, ``header_crc = crc32(first 28 bytes, salt)``; a *group's crc* is its header_crc, which
covers everything. The salt is random in each segment, so no stale page can pass for a group of it.

Invariant: group g+1 is written only after g has been synced. A bad group with a good one behind it is therefore
damage to acknowledged data, a bad one with nothing behind it was never acknowledged.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterator
from typing import Final
from zlib import crc32

import msgspec

from eventlog import limits
from eventlog.frame import BadBytes, Unfinished, UnknownVersion, is_world_id
from eventlog.piece import Piece, Release

SEGMENT_MAGIC: Final = b"WJNL"
GROUP_MAGIC: Final = b"WGRP"
SEGMENT_HEADER: Final = struct.Struct("<4sHxxIIQQI8x")
GROUP_HEADER: Final = struct.Struct("<4sIQIII")
ENTRY_HEADER: Final = struct.Struct("<BBxxIIIQ")
CRC: Final = struct.Struct("<I")
GROUP_HEADER_BYTES: Final = GROUP_HEADER.size + CRC.size
ENTRY_HEADER_BYTES: Final = ENTRY_HEADER.size
assert SEGMENT_HEADER.size + CRC.size == 48
assert GROUP_HEADER_BYTES == 32
assert ENTRY_HEADER_BYTES == 24

ENTRY_BYTES: Final = 1
"""The kind of an entry that holds bytes of a world's log."""
ENTRY_RELEASED: Final = 2
"""The kind of an entry without data: the world has left this journal; its log ends at the entry's file and offset."""


class SegmentHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The first page of a segment: whose it is, and which group it follows."""

    shard: int
    segment: int
    """1, 2, 3 …"""
    salt: int
    last_group: int
    """The number of the last group before this segment; 0 if there was none."""
    last_crc: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A group as it was found in a segment."""

    number: int
    crc: int
    previous_crc: int
    entries: int
    body: bytes


def segment_name(segment: int) -> str:
    """The name of a segment's file by its number."""
    return f"{segment:010d}.journal"


def aligned(size: int) -> int:
    """``size`` in bytes, rounded up to the next 4 KiB boundary."""
    return -(-size // limits.GROUP_ALIGNMENT_BYTES) * limits.GROUP_ALIGNMENT_BYTES


def encode_segment_header(header: SegmentHeader) -> bytes:
    """The first page of a segment."""
    data = SEGMENT_HEADER.pack(
        SEGMENT_MAGIC,
        limits.FORMAT_VERSION,
        header.shard,
        header.salt,
        header.segment,
        header.last_group,
        header.last_crc,
    )
    return (data + CRC.pack(crc32(data))).ljust(limits.SEGMENT_HEADER_BYTES, b"\0")


def decode_segment_header(page: bytes) -> SegmentHeader:
    """The header at the start of ``page``.

    Raises `Unfinished` if it is not all there, `BadBytes` if it is not intact, `UnknownVersion` if it is of a later
    format.
    """
    if len(page) < limits.SEGMENT_HEADER_BYTES:
        raise Unfinished
    data = page[: SEGMENT_HEADER.size]
    if data[:4] != SEGMENT_MAGIC:
        raise BadBytes("not a journal segment: it does not begin with WJNL")
    if CRC.unpack_from(page, SEGMENT_HEADER.size)[0] != crc32(data):
        raise BadBytes("the segment header's checksum does not match")
    _, version, shard, salt, segment, last_group, last_crc = SEGMENT_HEADER.unpack(data)
    if version != limits.FORMAT_VERSION:
        raise UnknownVersion(version)
    return SegmentHeader(shard=shard, segment=segment, salt=salt, last_group=last_group, last_crc=last_crc)


def encode_entry_header(world: bytes, epoch: int, file: int, offset: int, length: int) -> bytes:
    """What stands before the bytes of an entry: its header and the world's id."""
    return ENTRY_HEADER.pack(ENTRY_BYTES, len(world), epoch, file, length, offset) + world


def encode_release(release: Release) -> bytes:
    """An entry that lets a world go."""
    world = release.world.encode("ascii")
    return ENTRY_HEADER.pack(ENTRY_RELEASED, len(world), release.epoch, release.file, 0, release.offset) + world


def group_size(parts: list[bytes]) -> int:
    """How many bytes of a segment a group with these parts takes."""
    return aligned(GROUP_HEADER_BYTES + sum(map(len, parts)))


def encode_group(number: int, entries: int, parts: list[bytes], *, salt: int, previous_crc: int) -> tuple[bytes, int]:
    """A group ready to be written, padded to a whole number of pages, and its crc.

    ``parts`` are its entries' headers and data in order.
    """
    body = b"".join(parts)
    header = GROUP_HEADER.pack(GROUP_MAGIC, entries, number, len(body), previous_crc, crc32(body, salt))
    crc = crc32(header, salt)
    size = GROUP_HEADER_BYTES + len(body)
    return b"".join((header, CRC.pack(crc), body, bytes(aligned(size) - size))), crc


def decode_group(segment: bytes, position: int, salt: int) -> Group | None:
    """The group at byte ``position`` of a segment's bytes, or None if there is no intact one."""
    if segment[position : position + 4] != GROUP_MAGIC or len(segment) - position < GROUP_HEADER_BYTES:
        return None
    _, entries, number, length, previous_crc, body_crc = GROUP_HEADER.unpack_from(segment, position)
    (crc,) = CRC.unpack_from(segment, position + GROUP_HEADER.size)
    if crc32(segment[position : position + GROUP_HEADER.size], salt) != crc:
        return None
    start = position + GROUP_HEADER_BYTES
    body = segment[start : start + length]
    if len(body) != length or crc32(body, salt) != body_crc:
        return None
    return Group(number=number, crc=crc, previous_crc=previous_crc, entries=entries, body=body)


@functools.lru_cache(maxsize=10_000)
def _world_of(key: bytes) -> str:
    """The world's id that an entry names, or an empty text if it is none. A journal names few worlds very often."""
    world = key.decode("ascii", "replace")
    return world if is_world_id(world) else ""


def decode_entries(group: Group) -> Iterator[Piece | Release]:
    """The entries of a group. Raises `BadBytes` if they are not what its header promises."""
    body, position = group.body, 0
    for _ in range(group.entries):
        if len(body) - position < ENTRY_HEADER_BYTES:
            raise BadBytes(f"group {group.number} holds fewer entries than it says")
        kind, world_length, epoch, file, length, offset = ENTRY_HEADER.unpack_from(body, position)
        start = position + ENTRY_HEADER_BYTES + world_length
        position = start + length
        if len(body) < position:
            raise BadBytes(f"an entry of group {group.number} is longer than the group")
        world = _world_of(body[start - world_length : start])
        if not world:
            raise BadBytes(f"an entry of group {group.number} names no world")
        check_kind(kind, length, group)
        if kind == ENTRY_BYTES:
            yield Piece(world, epoch, file, offset, body[start:position])
        else:
            yield Release(world, epoch, file, offset)
    if position != len(body):
        raise BadBytes(f"group {group.number} holds bytes after its last entry")


def check_kind(kind: int, length: int, group: Group) -> None:
    """Raises `BadBytes` if there is no such kind of entry, or none with so many bytes."""
    if kind != ENTRY_BYTES and (kind != ENTRY_RELEASED or length):
        raise BadBytes(f"group {group.number} holds an entry of the unknown kind {kind}")


def guess_entries(body: bytes) -> Iterator[Piece]:
    """What may have been the entries of a group whose checksums do not match, as far as they look like entries.

    Believe nothing of it that does not agree with something else.
    """
    position = 0
    while len(body) - position >= ENTRY_HEADER_BYTES:
        kind, world_length, epoch, file, length, offset = ENTRY_HEADER.unpack_from(body, position)
        start = position + ENTRY_HEADER_BYTES + world_length
        world = _world_of(body[start - world_length : start])
        if kind not in (ENTRY_BYTES, ENTRY_RELEASED) or not world or len(body) - start < length:
            return
        if kind == ENTRY_BYTES:
            yield Piece(world, epoch, file, offset, body[start : start + length])
        position = start + length
