"""Adding a whole world to a data folder: one that was imported, or forked from another.

It is written under a name that is no world's (``worlds/.import-…``), synced, and renamed. No lock is needed for a world
that is new to everybody.

Invariant: a world appears whole or not at all, and durable.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from eventlog.disk import Disk, write_new
from eventlog.snapshots import FOLDER


def add_world(disk: Disk, data: Path, world: str, files: Iterable[tuple[str, bytes]]) -> None:
    """Write the files of ``world``, by their names in its folder, and give them their place. Raises OSError."""
    worlds = data / "worlds"
    disk.make_folder(worlds)
    temporary = Path(tempfile.mkdtemp(prefix=".import-", dir=worlds))
    try:
        for name, content in files:
            path = temporary / name
            disk.make_folder(path.parent)
            write_new(disk, path, content)
        for folder in (temporary / FOLDER, temporary):
            if folder.is_dir():
                folder.chmod(0o755)  # mkdtemp makes it private
                disk.sync_folder(folder)
        disk.rename(temporary, worlds / world)
        for folder in (worlds, data):
            disk.sync_folder(folder)
    except OSError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
