"""The data folder: its lock, its worlds, and the code and engines that their logs name by digest.

    worlds/<id>/0001.wlog …   journal/shard-03/0000000042.journal   code/<digest>/…   engine/<digest>/…   LOCK

One server at a time holds LOCK. Its child processes use `Store.attach`; whoever only reads uses `Store.read_only` and
needs no server.

Not here: archiving and removing worlds (``archive.py``, ``removal.py``).

Invariant: nothing of a world is ever deleted or changed here. A folder in ``code/`` or ``engine/`` is complete from the
moment it has its name, and never changes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from eventlog import frame
from eventlog.disk import RealDisk, lock, write_new
from eventlog.errors import (
    AmbiguousWorld,
    DigestConflict,
    LogLocked,
    StoreInUse,
    StoreNotWritable,
    UnknownDigest,
    UnknownWorld,
)
from eventlog.overlay import Overlay, read_overlay
from eventlog.summary import WorldInfo, summarise
from eventlog.worldbytes import WorldBytes

_FOLDERS: Final = ("worlds", "journal", "code", "engine")
_HEX: Final = frozenset("0123456789abcdef")
_DISK: Final = RealDisk()


class Store:
    """A data folder. Make one with `open`, `attach` or `read_only`."""

    def __init__(self, data: Path, *, writable: bool, lock_descriptor: int | None = None) -> None:
        """Not for callers: use `open`, `attach` or `read_only`."""
        self.data: Final = data
        self._writable = writable
        self._lock_descriptor = lock_descriptor

    @classmethod
    def open(cls, data: Path) -> Store:
        """Make the data folder if it is missing, and lock it until `close` or the end of the process.

        Raises `StoreInUse` if another server has it, `StoreNotWritable`. What a crashed server left in its journals is
        not touched here: recover it (``recovery.py``) before anything is written.
        """
        try:
            _DISK.make_folder(data)
            descriptor = lock(data / "LOCK")
        except LogLocked:
            raise StoreInUse(data) from None
        except OSError as error:
            raise StoreNotWritable(data, error) from error
        try:
            for name in _FOLDERS:
                _DISK.make_folder(data / name)
            _DISK.sync_folder(data)
        except OSError as error:
            os.close(descriptor)
            raise StoreNotWritable(data, error) from error
        return cls(data, writable=True, lock_descriptor=descriptor)

    @classmethod
    def attach(cls, data: Path) -> Store:
        """For a child of the process that holds the lock: may add code and engines, takes no lock."""
        return cls(data, writable=True)

    @classmethod
    def read_only(cls, data: Path) -> Store:
        """For readers: needs no lock, changes nothing; the folder may be in use, unclean, or not be there."""
        return cls(data, writable=False)

    def close(self) -> None:
        """Give the lock back."""
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    # --- worlds ---------------------------------------------------------------------------------------

    def world_ids(self, overlay: Overlay | None = None) -> list[str]:
        """The ids of all worlds, in order, also of those whose first bytes are still in a journal only.

        ``overlay``: what journals hold, if they have been read just before. Raises `JournalDamaged`, `FormatTooNew`.
        """
        overlay = overlay or read_overlay(self.data)
        return sorted(overlay.worlds.keys() | self._folders_of_worlds())

    def worlds(self) -> list[WorldInfo]:
        """All worlds in the order of their ids. A log that cannot be read is listed as ``damaged`` with the reason.

        Reads each world's last file: checksums of headers, not of bodies. Raises `JournalDamaged`, `FormatTooNew`.
        """
        in_journals = read_overlay(self.data).worlds
        ids = sorted(in_journals.keys() | self._folders_of_worlds())
        found = (WorldBytes(self.data, world, in_journals.get(world, {})) for world in ids)
        # A folder without a file: its journal was not read yet when its first bytes arrived, or is being removed.
        return [summarise(source) for source in found if source.last_file]

    def resolve_world(self, prefix: str) -> str:
        """The one world whose id is ``prefix`` or begins so.

        Raises `UnknownWorld`, or `AmbiguousWorld` with the candidates.
        """
        ids = self.world_ids()
        if prefix in ids:
            return prefix
        candidates = [world for world in ids if world.startswith(prefix)] if prefix else ids
        if not candidates:
            raise UnknownWorld(prefix, self.data, ids)
        if len(candidates) > 1:
            raise AmbiguousWorld(prefix, candidates)
        return candidates[0]

    def _folders_of_worlds(self) -> set[str]:
        folder = self.data / "worlds"
        if not folder.is_dir():
            return set()
        return {path.name for path in folder.iterdir() if frame.is_world_id(path.name) and path.is_dir()}

    # --- code and engines -----------------------------------------------------------------------------

    def put_code(self, digest: str, files: dict[str, bytes]) -> None:
        """Keep a game's files, by their names (with ``/`` for folders), under their digest; durable on return.

        Keeping the same again changes nothing. Raises `DigestConflict` if other files have this digest, OSError if the
        disk will not.
        """
        self._put("code", digest, files)

    def put_engine(self, digest: str, files: dict[str, bytes]) -> None:
        """Keep an engine's files; as `put_code`."""
        self._put("engine", digest, files)

    def get_code(self, digest: str) -> dict[str, bytes]:
        """The files of a game by their names. Raises `UnknownDigest`."""
        return self._get("code", digest)

    def get_engine(self, digest: str) -> dict[str, bytes]:
        """The files of an engine by their names. Raises `UnknownDigest`."""
        return self._get("engine", digest)

    def _get(self, kind: Literal["code", "engine"], digest: str) -> dict[str, bytes]:
        folder = self.data / kind / digest
        if not _is_digest(digest) or not folder.is_dir():
            raise UnknownDigest(digest, self.data / kind)
        return {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }

    def _put(self, kind: Literal["code", "engine"], digest: str, files: dict[str, bytes]) -> None:
        assert self._writable, "a read-only store takes nothing"
        assert _is_digest(digest), digest
        assert files, "nothing to keep"
        parent = self.data / kind
        target = parent / digest
        if not target.is_dir():
            _DISK.make_folder(parent)
            temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
            try:
                _write_files(temporary, files)
                _DISK.rename(temporary, target)
            except OSError:
                shutil.rmtree(temporary, ignore_errors=True)
                if not target.is_dir():  # else another process kept the same files at the same moment
                    raise
        kept = self._get(kind, digest)
        if kept != files:
            wrong = sorted(name for name in kept.keys() | files.keys() if kept.get(name) != files.get(name))
            raise DigestConflict(digest, target, wrong)
        _DISK.sync_folder(parent)


def _write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Write ``files`` durably into a new folder."""
    folders = {folder}
    for name, content in files.items():
        parts = PurePosixPath(name).parts
        assert parts, "a file needs a name"
        assert not name.startswith("/"), name
        assert ".." not in parts, name
        path = folder.joinpath(*parts)
        _DISK.make_folder(path.parent)
        folders.update(parent for parent in path.parents if parent.is_relative_to(folder))
        write_new(_DISK, path, content)
    folder.chmod(0o755)  # mkdtemp makes it private; these files are not secret
    for each in folders:
        _DISK.sync_folder(each)


def _is_digest(digest: str) -> bool:
    return 8 <= len(digest) <= 128 and _HEX.issuperset(digest)
