"""The bytes of a world's files, archived or not, and what journals hold beyond them: all that a reader has to go by.

Order of looking: journals first, then files. Bytes leave a journal only when a file holds them, so nothing that was
durable at the beginning can be missed.

Not here: what the bytes say, and whether they fit (``chain.py``). Nothing is written.

Invariant: a file reads as it was before it was compressed, wherever its bytes are kept; damage to an archive is kept
until somebody has read up to it.
"""

from __future__ import annotations

import contextlib
import stat
from pathlib import Path
from typing import Final

from eventlog import archivefile, frame, limits
from eventlog.errors import FormatTooNew, LogDamaged, UnknownWorld
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.overlay import read_overlay
from eventlog.piece import Piece

ARCHIVED: Final = ".wlogz"
"""The suffix of an archived file; its stem is that of the file."""


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
