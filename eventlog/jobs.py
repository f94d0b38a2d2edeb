"""What a journal's writer does to the disk: one class for each kind of job.

Jobs are made on the loop's thread, bytes and all, and run on the writer's (``writer.py``). A job that finds no room
raises `DiskFull` and is run again, from its beginning, when there may be some; so each is written such that doing again
what was done already changes nothing.

Invariant: a group's bytes overwrite zeros that the disk has given room for, in a segment whose header and name are
durable. So a full disk is noticed before anything of a group is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from eventlog import limits
from eventlog.disk import Disk

_ZEROS: Final = bytes(limits.FILL_STEP_BYTES)


class Job(Protocol):
    """Something for the writer to do."""

    def run(self, disk: Disk) -> None:
        """Do it, on the writer's thread. Raises OSError if the disk will not."""


class SegmentFile:
    """A journal segment on disk, filled with zeros ahead of its groups, up to about ``size_bytes``."""

    __slots__ = ("descriptor", "durable_name", "filled", "has_header", "path", "removed", "size_bytes")

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self.descriptor = -1
        self.filled = 0
        self.durable_name = False
        self.has_header = False
        self.removed = False

    def make_room(self, disk: Disk, size: int) -> None:
        """Have at least ``size`` bytes of zeros, or of what has overwritten them; make the file if it is missing."""
        if self.descriptor < 0:
            self.descriptor = disk.create(self.path)
        while self.filled < size:
            step = limits.FILL_STEP_BYTES - self.filled % limits.FILL_STEP_BYTES
            disk.write(self.descriptor, _ZEROS[:step], self.filled)
            self.filled += step

    def make_durable(self, disk: Disk) -> None:
        """Sync what was written, and the file's name if it is new."""
        disk.sync(self.descriptor)
        if not self.durable_name:
            disk.sync_folder(self.path.parent)
            self.durable_name = True


class WorldFile:
    """A world's file on disk. ``exists``: a resumed world's file, to be opened instead of made."""

    __slots__ = ("descriptor", "exists", "path")

    def __init__(self, path: Path, *, exists: bool) -> None:
        self.path = path
        self.exists = exists
        self.descriptor = -1


class GroupWrite:
    """Write one group and sync it. ``sync_s`` is how long that sync took.

    ``header``: the first page of its segment, if it is the first group there. ``following``: the segment after this
    one, which is made ready before it is needed.
    """

    __slots__ = ("data", "durable", "following", "header", "on_done", "position", "segment", "sync_s")

    def __init__(
        self,
        segment: SegmentFile,
        position: int,
        data: bytes,
        *,
        header: bytes | None,
        following: SegmentFile,
        durable: bool,
        on_done: Callable[[float], None],
    ) -> None:
        self.segment = segment
        self.position = position
        self.data = data
        self.header = header
        self.following = following
        self.durable = durable
        self.on_done = on_done
        self.sync_s = 0.0

    def run(self, disk: Disk) -> None:
        segment = self.segment
        segment.make_room(disk, self.position + len(self.data))
        if not segment.durable_name:
            segment.make_durable(disk)
        if self.header is not None and not segment.has_header:
            # Synced before the group is written: a bad header before a good group is damage, never a torn write.
            disk.write(segment.descriptor, self.header, 0)
            disk.sync(segment.descriptor)
            segment.has_header = True
        disk.write(segment.descriptor, self.data, self.position)
        if self.durable:
            began = time.perf_counter()
            disk.sync(segment.descriptor)
            self.sync_s = time.perf_counter() - began

    def lay_by(self, disk: Disk) -> None:
        """After the group: have zeros ready, and synced, for the next ones; when this segment has all its own, have the
        following one ready. What has no room here stops the worlds before it stops a group."""
        segment, following, end = self.segment, self.following, self.position + len(self.data)
        low = max(limits.FILL_STEP_BYTES // 2, limits.GROUPS_LAID_BY * len(self.data))
        high = max(limits.FILL_STEP_BYTES, limits.GROUPS_FILLED_AT_ONCE * len(self.data))
        if segment.filled < segment.size_bytes:
            if segment.filled < end + low and not segment.removed:
                segment.make_room(disk, min(end + high, segment.size_bytes))
                segment.make_durable(disk)
        elif following.filled < low and not following.removed:
            following.make_room(disk, min(high, following.size_bytes))
            following.make_durable(disk)


class WorldWrite:
    """Write a world's durable bytes to its file, which is made if they are its first, opened if they go on with it."""

    __slots__ = ("data", "file", "offset")

    def __init__(self, file: WorldFile, offset: int, data: bytes) -> None:
        self.file = file
        self.offset = offset
        self.data = data

    def run(self, disk: Disk) -> None:
        if self.file.descriptor < 0 and self.file.exists:
            self.file.descriptor = disk.open(self.file.path)
        elif self.file.descriptor < 0:
            disk.make_folder(self.file.path.parent)
            self.file.descriptor = disk.create(self.file.path)
        disk.write(self.file.descriptor, self.data, self.offset)


class WorldSync:
    """Make a world's file durable, and close it if nothing more will be written."""

    __slots__ = ("close", "file")

    def __init__(self, file: WorldFile, *, close: bool) -> None:
        self.file = file
        self.close = close

    def run(self, disk: Disk) -> None:
        disk.sync(self.file.descriptor)
        if self.close:
            disk.close(self.file.descriptor)
            self.file.descriptor = -1


class FolderSync:
    """Make the names in a folder durable."""

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, disk: Disk) -> None:
        disk.sync_folder(self.folder)


class SegmentRemoval:
    """Remove a segment whose bytes are all durable in world files, or one that was made ready and is not needed."""

    __slots__ = ("_is_there", "segment")

    def __init__(self, segment: SegmentFile) -> None:
        self.segment = segment
        self._is_there = False

    def run(self, disk: Disk) -> None:
        segment = self.segment
        segment.removed = True
        if segment.descriptor >= 0:
            disk.close(segment.descriptor)
            segment.descriptor = -1
            self._is_there = True
        if self._is_there:
            disk.remove(segment.path)
            disk.sync_folder(segment.path.parent)


class FolderRemoval:
    """Remove a shard's empty journal folder."""

    __slots__ = ("folder",)

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, disk: Disk) -> None:
        disk.remove_folder(self.folder)
        disk.sync_folder(self.folder.parent)


class Signal:
    """Nothing to write: tells the loop that everything submitted before it has been done."""

    __slots__ = ("on_done",)

    def __init__(self, on_done: Callable[[], None]) -> None:
        self.on_done = on_done

    def run(self, disk: Disk) -> None:
        """Nothing: the writer calls ``on_done`` on the loop."""
