"""The bytes of a replay file: one world's log, and the code and engines that it names, in one file that can be sent.

=========  ==============================================================================================
header     56 bytes: ``WRPL`` · version u16 · 2 zero bytes · length of the table u32 · where it begins u64 ·
           BLAKE2b-256 of the table · crc32 of all that
members    zlib streams without gaps, each a file
table      a MessagePack array: the world's id, and for each member in order: kind, group, name, length of the
           stream, length of the file, BLAKE2b-256 of the stream; it ends the file
=========  ==============================================================================================

All numbers are little-endian. The order of members is fixed, so equal worlds give equal bytes (with the same zlib).

Not here: what must be among the members, and how they get into and out of a data folder (``bundle.py``).

Invariant: no length is believed before the checksum over it, nothing is unpacked before its digest and never more than
the table says, and no name in a file can lead out of the folder that it is meant for.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import struct
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import msgspec

from eventlog import frame
from eventlog.errors import FormatTooNew
from eventlog.limits import MAX_SNAPSHOT_BYTES
from replays.errors import BundleDamaged, NotABundle

MAGIC: Final = b"WRPL"
VERSION: Final = 1
"""Readers refuse higher ones."""
HEADER: Final = struct.Struct("<4sHxxIQ32s")
HEADER_BYTES: Final = HEADER.size + frame.CRC.size
DIGEST_BYTES: Final = 32
MAX_TABLE_BYTES: Final = 16 * 1024 * 1024
"""About 100,000 members. Nobody reads more on a header's word."""
MAX_MEMBER_BYTES: Final = MAX_SNAPSHOT_BYTES + 1024
"""A file, unpacked: nothing in a data folder is longer than a snapshot may be."""
LEVEL: Final = 9
"""Of zlib: a file is packed once, and sent or kept in a repository."""
assert HEADER_BYTES == 56

LOG, SNAPSHOT, CODE, ENGINE = 1, 2, 3, 4
"""Kinds of members: a file of the world's log, one of its snapshots, a file of a game's code, one of an engine."""

_DIGEST: Final = re.compile(r"[0-9a-f]{8,128}", re.ASCII)
_LOG_NAME: Final = re.compile(r"\d{4,9}\.wlog", re.ASCII)
_SNAPSHOT_NAME: Final = re.compile(r"\d{10,19}\.snap", re.ASCII)
_MAX_NAME_BYTES: Final = 255


class Member(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A file in a replay file."""

    kind: int
    group: str
    """Of code and engines: the digest of the folder that the file belongs to; else empty."""
    name: str
    stored_bytes: int
    plain_bytes: int
    """When it is unpacked."""
    digest: bytes
    """BLAKE2b-256 of the stored bytes."""

    @property
    def place(self) -> tuple[int, str, int, str]:
        """What members are ordered by: files of the log and snapshots by number."""
        return self.kind, self.group, len(self.name) if self.kind in (LOG, SNAPSHOT) else 0, self.name


class _Table(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    world: str
    members: list[Member]


_encode: Final = msgspec.msgpack.Encoder().encode
_table_decoder: Final = msgspec.msgpack.Decoder(_Table)


class BundleWriter:
    """Writes a replay file of ``world`` into an empty file; `add` what belongs in it in order, then `finish`."""

    def __init__(self, file: BinaryIO, world: str) -> None:
        assert frame.is_world_id(world), world
        self._file = file
        self._world = world
        self._members: list[Member] = []
        file.write(bytes(HEADER_BYTES))

    def add(self, kind: int, name: str, content: bytes, *, group: str = "") -> None:
        """Pack one more file."""
        stored = zlib.compress(content, LEVEL)
        member = Member(kind, group, name, len(stored), len(content), _digest(stored))
        problem = _problem_of(member)
        assert problem is None, problem
        assert not self._members or self._members[-1].place < member.place, member.place
        self._file.write(stored)
        self._members.append(member)

    def finish(self) -> None:
        """Write the table, then the header over its place."""
        table = _encode(_Table(self._world, self._members))
        at = self._file.tell()
        self._file.write(table)
        head = HEADER.pack(MAGIC, VERSION, len(table), at, _digest(table))
        self._file.seek(0)
        self._file.write(head + frame.CRC.pack(zlib.crc32(head)))


class BundleReader:
    """An open replay file whose header and table are intact; its members are checked as they are read.

    ``world`` is the world's id, ``members`` what is in it, in order. A context manager, which closes the file.
    """

    def __init__(self, path: Path) -> None:
        """Raises `NotABundle`, `BundleDamaged`, `FormatTooNew`, and OSError if the file cannot be read."""
        self.path: Final = path
        self._file = path.open("rb")
        try:
            table = self._read_table()
        except BaseException:
            self._file.close()
            raise
        self.world: Final = table.world
        self.members: Final = table.members
        self._begins: dict[tuple[int, str, int, str], int] = {}
        at = HEADER_BYTES
        for member in self.members:
            self._begins[member.place] = at
            at += member.stored_bytes

    def __enter__(self) -> BundleReader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._file.close()

    def of_kind(self, kind: int) -> list[Member]:
        """The members of one kind, in order."""
        return [member for member in self.members if member.kind == kind]

    def offset(self, member: Member) -> int:
        """The byte of the file where a member begins."""
        return self._begins[member.place]

    def read(self, member: Member) -> bytes:
        """A file as it was packed. Raises `BundleDamaged`."""
        at = self.offset(member)
        self._file.seek(at)
        stored = self._file.read(member.stored_bytes)
        if _digest(stored) != member.digest:
            raise BundleDamaged(self.path, at, f"{member.name} does not match its digest")
        inflater = zlib.decompressobj()
        try:
            content = inflater.decompress(stored, member.plain_bytes + 1)
        except zlib.error as error:
            raise BundleDamaged(self.path, at, f"{member.name} cannot be unpacked: {error}") from None
        if len(content) != member.plain_bytes or not inflater.eof or inflater.unused_data:
            raise BundleDamaged(self.path, at, f"{member.name} has another length than the table says")
        return content

    def _read_table(self) -> _Table:
        size = os.fstat(self._file.fileno()).st_size
        head = self._file.read(HEADER_BYTES)
        if head[: len(MAGIC)] != MAGIC[: len(head)] or not head:
            raise NotABundle(self.path)
        if len(head) < HEADER_BYTES:
            raise BundleDamaged(self.path, size, "it is cut off inside its header")
        if frame.CRC.unpack_from(head, HEADER.size) != (zlib.crc32(head[: HEADER.size]),):
            raise BundleDamaged(self.path, 0, "the header does not match its checksum")
        _, version, length, at, digest = HEADER.unpack_from(head)
        if version != VERSION:
            raise FormatTooNew(self.path, version, VERSION)
        if size < at + length:
            raise BundleDamaged(self.path, size, f"it is cut off: {at + length} bytes were written, {size} are there")
        if size > at + length:
            raise BundleDamaged(self.path, at + length, f"{size - at - length} bytes follow its end")
        if length > MAX_TABLE_BYTES:
            raise BundleDamaged(self.path, at, f"its table has {length} bytes, allowed are {MAX_TABLE_BYTES}")
        self._file.seek(at)
        content = self._file.read(length)
        if _digest(content) != digest:
            raise BundleDamaged(self.path, at, "the table does not match its digest")
        try:
            table = _table_decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BundleDamaged(self.path, at, f"the table is none: {error}") from None
        problem = _problem_in(table, at)
        if problem is not None:
            raise BundleDamaged(self.path, at, problem)
        return table


def _problem_in(table: _Table, table_at: int) -> str | None:
    """What in a table cannot be what a writer wrote, or None."""
    if not frame.is_world_id(table.world):
        return f"{table.world!r} is no id of a world"
    for member in table.members:
        problem = _problem_of(member)
        if problem is not None:
            return problem
    places = [member.place for member in table.members]
    if any(before >= after for before, after in itertools.pairwise(places)):
        return "the files in it are not in order"
    if HEADER_BYTES + sum(member.stored_bytes for member in table.members) != table_at:
        return "the files in it have other lengths than the table says"
    return None


def _problem_of(member: Member) -> str | None:
    """What of a member cannot be, or None. After this its name is the name of a file and nothing more."""
    if member.kind in (LOG, SNAPSHOT):
        pattern = _LOG_NAME if member.kind == LOG else _SNAPSHOT_NAME
        fits = not member.group and pattern.fullmatch(member.name) is not None
    elif member.kind in (CODE, ENGINE):
        fits = _DIGEST.fullmatch(member.group) is not None and _is_plain_name(member.name)
    else:
        return f"there are no members of kind {member.kind}"
    if not fits:
        return f"{member.group!r}, {member.name!r} is no name for a file of kind {member.kind}"
    if not (member.stored_bytes > 0 and 0 <= member.plain_bytes <= MAX_MEMBER_BYTES):
        return f"{member.name} claims {member.plain_bytes} bytes in {member.stored_bytes}"
    return None


def _is_plain_name(name: str) -> bool:
    """Whether a name is that of a file in a folder, on every system that this runs on."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return False
    return 0 < size <= _MAX_NAME_BYTES and name not in (".", "..") and name.isprintable() and not set(name) & set("/\\")


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES).digest()
