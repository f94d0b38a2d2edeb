"""Removing a world for good, so that a crash leaves all of it or nothing, and nothing brings it back.

Before: the world has ended or is damaged, and no journal carries it any more, as for archiving (``archive.py``): else
the next redo would make its files again.

The folder gets a name that is no world's, which is durable before anything in it goes. What a crash leaves under such
a name is nobody's: `finish_removals` clears it away.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from eventlog.disk import Disk, RealDisk
from eventlog.errors import UnknownWorld

REMOVED: Final = ".removed-"
"""What stands before the id in the folder's name while it is being removed. No world's id begins with a dot."""


def remove_world(data: Path, world: str, *, disk: Disk | None = None) -> None:
    """Remove a world with all its files; on return it is gone for good.

    The caller holds the data folder's lock and knows that no journal carries the world. Raises `UnknownWorld`, and
    OSError if the disk will not: then the world is there, or its removal is finished by `finish_removals`.
    """
    disk = disk or RealDisk()
    folder = data / "worlds" / world
    if not folder.is_dir():
        raise UnknownWorld(world, data)
    doomed = folder.with_name(REMOVED + world)
    if doomed.exists():
        _delete(doomed, disk)
    disk.rename(folder, doomed)
    disk.sync_folder(folder.parent)
    _delete(doomed, disk)
    disk.sync_folder(folder.parent)


def finish_removals(data: Path, *, disk: Disk | None = None) -> int:
    """Clear away what crashes have left of worlds that were being removed; return of how many. Raises OSError.

    The caller holds the data folder's lock.
    """
    disk = disk or RealDisk()
    left = sorted((data / "worlds").glob(f"{REMOVED}*"))
    for folder in left:
        _delete(folder, disk)
    if left:
        disk.sync_folder(data / "worlds")
    return len(left)


def _delete(folder: Path, disk: Disk) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            _delete(path, disk)
        else:
            disk.remove(path)
    disk.remove_folder(folder)
