"""The journal's writer thread: it makes the system calls that may block, one job after the other.

Jobs are prepared on the loop's thread, bytes and all; here they only wait for the disk, without the interpreter's
lock. A `GroupWrite` goes before everything else, because replies wait for it; the rest (world files, old segments) is
done in the order in which it was submitted, in the gaps, and a little of it after each group so that it never starves.

Thread rules: the loop's thread makes jobs and files and submits them; from then on their descriptors and flags belong
to the writer thread. It talks back only through ``call_soon_threadsafe``.

Invariant: after the first failure nothing more is done, so nothing after it can be acknowledged.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
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
    """A journal segment on disk, to be filled up to about ``size_bytes``."""

    __slots__ = ("descriptor", "filled", "header", "path", "size_bytes")

    def __init__(self, path: Path, header: bytes, size_bytes: int) -> None:
        self.path = path
        self.header = header
        self.size_bytes = size_bytes
        self.descriptor = -1
        self.filled = 0

    def begin(self, disk: Disk) -> None:
        """Make the file, with its header, and make its name durable."""
        self.descriptor = disk.create(self.path)
        disk.write(self.descriptor, self.header, 0)
        self.filled = len(self.header)
        self.fill(disk)
        disk.sync(self.descriptor)
        disk.sync_folder(self.path.parent)

    def fill(self, disk: Disk) -> None:
        """Write one more step of zeros behind those that are there."""
        step = limits.FILL_STEP_BYTES - self.filled % limits.FILL_STEP_BYTES
        disk.write(self.descriptor, _ZEROS[:step], self.filled)
        self.filled += step


class WorldFile:
    """A world's file on disk. ``exists``: a resumed world's file, to be opened instead of made."""

    __slots__ = ("descriptor", "exists", "path")

    def __init__(self, path: Path, *, exists: bool) -> None:
        self.path = path
        self.exists = exists
        self.descriptor = -1


class GroupWrite:
    """Write one group and sync it. ``sync_s`` is how long the sync took."""

    __slots__ = ("data", "durable", "on_done", "position", "segment", "sync_s")

    def __init__(
        self, segment: SegmentFile, position: int, data: bytes, *, durable: bool, on_done: Callable[[float], None]
    ) -> None:
        self.segment = segment
        self.position = position
        self.data = data
        self.durable = durable
        self.on_done = on_done
        self.sync_s = 0.0

    def run(self, disk: Disk) -> None:
        segment = self.segment
        if segment.descriptor < 0:
            segment.begin(disk)
        while segment.filled < self.position + len(self.data):
            segment.fill(disk)
        disk.write(segment.descriptor, self.data, self.position)
        if self.durable:
            began = time.perf_counter()
            disk.sync(segment.descriptor)
            self.sync_s = time.perf_counter() - began

    def fill_ahead(self, disk: Disk) -> None:
        """After the group: have zeros ready, and synced, for the next ones."""
        left = self.segment.filled - self.position - len(self.data)
        if left < limits.FILL_STEP_BYTES // 2 and self.segment.filled < self.segment.size_bytes:
            self.segment.fill(disk)
            disk.sync(self.segment.descriptor)


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
    """Remove a segment whose bytes are all durable in world files."""

    __slots__ = ("segment",)

    def __init__(self, segment: SegmentFile) -> None:
        self.segment = segment

    def run(self, disk: Disk) -> None:
        disk.close(self.segment.descriptor)
        disk.remove(self.segment.path)
        disk.sync_folder(self.segment.path.parent)


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


class Writer:
    """The thread. ``on_failure`` is called on the loop, once, with whatever a job raised."""

    def __init__(
        self, disk: Disk, loop: asyncio.AbstractEventLoop, *, name: str, on_failure: Callable[[Exception], None]
    ) -> None:
        self._disk = disk
        self._loop = loop
        self._on_failure = on_failure
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        # A daemon: a process that has to end at once does not wait for its disk.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Have ``job`` done. It belongs to the writer from here on."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Have the thread end when all jobs are done, and wait for that. Call it when a `Signal` has said so."""
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        try:
            self._work_until_stopped()
        except Exception as error:  # whatever it is, it must end the process, not only this thread
            self._tell(self._on_failure, error)

    def _work_until_stopped(self) -> None:
        background: deque[Job] = deque()
        while True:
            try:
                job = self._jobs.get(block=not background)
            except queue.Empty:
                self._do(background.popleft())
                continue
            if job is None:
                break
            if isinstance(job, GroupWrite):
                self._write_group(job)
                for _ in range(min(limits.BACKGROUND_JOBS_PER_GROUP, len(background))):
                    self._do(background.popleft())
            else:
                background.append(job)
        for job in background:
            self._do(job)

    def _write_group(self, job: GroupWrite) -> None:
        job.run(self._disk)
        self._tell(job.on_done, job.sync_s)
        job.fill_ahead(self._disk)

    def _do(self, job: Job) -> None:
        job.run(self._disk)
        if isinstance(job, Signal):
            self._tell(job.on_done)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop is closed: its process is ending without having closed the journal, and nobody is left to tell.
            self._jobs.put(None)
