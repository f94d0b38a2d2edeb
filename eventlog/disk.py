"""What the log does to disks: the seam where tests put slow, full and failing ones.

`Disk` names the calls that write; each returns when the operating system has done it, or raises OSError. Reading
goes straight to the file system: a reader has to cope with whatever it finds.

Invariant: journals and world files are changed only through a `Disk`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from typing import Final, Protocol

from eventlog import limits
from eventlog.errors import DiskFull, LogLocked

NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What a disk says that is full, or that has no room left for this user."""


class Disk(Protocol):
    """The calls by which the log changes a disk. Paths are absolute or relative to the working directory; a file
    descriptor belongs to the disk that opened it. All may raise OSError; none is retried."""

    def create(self, path: Path) -> int:
        """Make a new, empty file for writing and return its descriptor. It must not exist (FileExistsError)."""

    def open(self, path: Path) -> int:
        """Open an existing file for writing and return its descriptor."""

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        """Write all of ``data`` at byte ``offset``."""

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file off behind its first ``size`` bytes."""

    def sync(self, descriptor: int) -> None:
        """Return when the file's bytes and size are on stable storage."""

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it, where they are missing."""

    def sync_folder(self, path: Path) -> None:
        """Return when the folder's entries are on stable storage."""

    def rename(self, source: Path, target: Path) -> None:
        """Give a file or folder another name; an existing file of that name is replaced."""

    def remove(self, path: Path) -> None:
        """Remove a file."""

    def remove_folder(self, path: Path) -> None:
        """Remove an empty folder."""


def write_new(disk: Disk, path: Path, content: bytes) -> None:
    """Make a file of ``content``, durable but for its name: that takes `Disk.sync_folder`. Raises OSError."""
    descriptor = disk.create(path)
    try:
        disk.write(descriptor, content, 0)
        disk.sync(descriptor)
    finally:
        disk.close(descriptor)


class RealDisk:
    """The file system of this machine."""

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)

    def open(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        written = os.pwrite(descriptor, data, offset)
        while written < len(data):  # a signal or a nearly full disk: go on where it stopped, or hear why not
            more = os.pwrite(descriptor, memoryview(data)[written:], offset + written)
            if more == 0:
                raise OSError(errno.EIO, "the disk takes no more bytes")
            written += more

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def sync(self, descriptor: int) -> None:
        os.fdatasync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def make_folder(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)

    def sync_folder(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.rename(target)

    def remove(self, path: Path) -> None:
        path.unlink()

    def remove_folder(self, path: Path) -> None:
        path.rmdir()


class FullTellingDisk:
    """Another disk, whose calls raise `DiskFull` where they find no room, and OSError for everything else.

    What was refused for want of room has changed nothing that counts and may be done again. A failed sync is never
    that: what it should have made durable may be gone, whatever the reason.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.truncate = disk.truncate
        self.sync = disk.sync
        self.close = disk.close
        self.sync_folder = disk.sync_folder

    def create(self, path: Path) -> int:
        try:
            return self._disk.create(path)
        except OSError as error:
            raise _told(error) from error

    def open(self, path: Path) -> int:
        try:
            return self._disk.open(path)
        except OSError as error:
            raise _told(error) from error

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        try:
            self._disk.write(descriptor, data, offset)
        except OSError as error:
            raise _told(error) from error

    def make_folder(self, path: Path) -> None:
        try:
            self._disk.make_folder(path)
        except OSError as error:
            raise _told(error) from error

    def rename(self, source: Path, target: Path) -> None:
        try:
            self._disk.rename(source, target)
        except OSError as error:
            raise _told(error) from error

    def remove(self, path: Path) -> None:
        try:
            self._disk.remove(path)
        except OSError as error:
            raise _told(error) from error

    def remove_folder(self, path: Path) -> None:
        try:
            self._disk.remove_folder(path)
        except OSError as error:
            raise _told(error) from error


def _told(error: OSError) -> Exception:
    return DiskFull(error) if error.errno in NO_ROOM else error


def lock(path: Path) -> int:
    """Take the exclusive flock of a file or folder; return the descriptor that holds it until it is closed.

    A file is made if it is missing. Raises `LogLocked` if another process keeps it for half a second.
    """
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o644)
    give_up = time.monotonic() + limits.LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                os.close(descriptor)
                raise LogLocked(path) from None
            time.sleep(0.02)
        else:
            return descriptor
