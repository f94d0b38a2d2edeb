"""Archiving: the world files of an ended world are replaced by their compressed form, which every reader reads alike.

Before: the world has ended, and no journal carries it any more. Its shard has synced its files and said durably that it
let the world go (`Journal.release_world`), or recovery has redone and removed the journal. So no redo touches these
files again. The steps:

1. Read the whole log. A damaged one is left alone (`LogDamaged`), one that has not ended too (`NotEnded`).
2. For each file: compress into a temporary file, sync it, read it again and compare every byte, give it its name.
3. Sync the folder. Only then remove the originals, and sync the folder again.

A crash anywhere leaves a log that reads the same; doing it all again completes it. Where a file is there in both forms,
readers take the original.

Invariant: an original goes only after its archived form, proved equal, is durable under its name.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from eventlog import archivefile, frame
from eventlog.chain import Chain
from eventlog.disk import Disk, RealDisk, write_new
from eventlog.errors import NotEnded, UnknownWorld
from eventlog.frame import UnknownVersion
from eventlog.records import Close, Fault
from eventlog.worldbytes import WorldBytes


def archive_steps(data: Path, world: str, *, disk: Disk | None = None) -> Iterator[None]:
    """Archive a world; after each step, which reads or writes one file at most, the caller may take a break, or stop.

    The caller holds the data folder's lock and knows that no journal carries the world. Raises `UnknownWorld`,
    `NotEnded`, `LogDamaged`, `FormatTooNew`, and OSError if the disk will not.
    """
    disk = disk or RealDisk()
    source = WorldBytes(data, world, {})
    if not source.last_file:
        raise UnknownWorld(world, data)
    yield from _check(source)
    present = [file for file in range(1, source.last_file + 1) if not source.is_archived(file)]
    for file in present:
        _archive_file(source.folder, world, file, disk)
        yield
    if present:
        disk.sync_folder(source.folder)
        for file in present:
            disk.remove(source.folder / frame.file_name(file))
        disk.sync_folder(source.folder)


def archive_world(data: Path, world: str, *, disk: Disk | None = None) -> None:
    """All steps of `archive_steps` at once. Raises likewise."""
    for _ in archive_steps(data, world, disk=disk):
        pass


def _check(source: WorldBytes) -> Iterator[None]:
    """Read every record of a log that is at rest. Raises `LogDamaged`, `NotEnded`."""
    chain = Chain(source.world)
    ended = False
    for file in range(1, source.last_file + 1):
        for stored in chain.whole_file(source, file):
            ended = ended or isinstance(stored.record, Close | Fault)
        yield
    if not ended:
        raise NotEnded(source.world)


def _archive_file(folder: Path, world: str, file: int, disk: Disk) -> None:
    """Make the archived form of one file, if it is not there; on return its bytes are durable, its name not yet."""
    content = (folder / frame.file_name(file)).read_bytes()
    target = folder / frame.archive_name(file)
    temporary = target.with_name(f"{target.name}.new")
    if target.exists() and _holds(target, world, file, content):
        return  # made before a crash
    if temporary.exists():
        disk.remove(temporary)
    try:
        write_new(disk, temporary, archivefile.encode(world, file, content))
        if not _holds(temporary, world, file, content):
            raise OSError(errno.EIO, "the disk gives back other bytes than were written", str(temporary))
        disk.rename(temporary, target)
    except OSError:
        with contextlib.suppress(OSError):  # the disk has failed already, and says so
            temporary.unlink(missing_ok=True)
        raise


def _holds(path: Path, world: str, file: int, content: bytes) -> bool:
    """Whether an archived file, read from the disk, gives exactly these bytes."""
    try:
        inflated = archivefile.decode(path.read_bytes(), world, file)
    except UnknownVersion:
        return False
    return inflated.damage is None and inflated.data == content
