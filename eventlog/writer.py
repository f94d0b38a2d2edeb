"""The journal's writer thread: it makes the system calls that may block, one job after the other.

A `GroupWrite` goes before everything else, because replies wait for it; the rest (world files, old segments) is done in
the order in which it was submitted, in the gaps, and a little of it after each group so that it never starves.

A full disk is no failure: the job that found no room is kept and tried again each ``retry_room_s``, groups also
whenever something new comes. Nothing overtakes it in its queue, and nothing is given up. ``on_full`` is told once,
``on_room`` when everything that waited has been done and zeros are laid by again.

Thread rules: the loop's thread makes jobs and files and submits them; from then on their descriptors and flags belong
to the writer thread. It talks back only through ``call_soon_threadsafe``.

Invariant: after the first failure nothing more is done, so nothing after it can be acknowledged. A failed sync is
always a failure, whatever its reason.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections import deque
from collections.abc import Callable

from eventlog import limits
from eventlog.disk import Disk, FullTellingDisk
from eventlog.errors import DiskFull
from eventlog.jobs import GroupWrite, Job, Signal


class Writer:
    """The thread. ``on_failure`` is called on the loop, once, with whatever a job raised; ``on_full`` and ``on_room``
    are called there, too, in turn."""

    def __init__(
        self,
        disk: Disk,
        loop: asyncio.AbstractEventLoop,
        *,
        name: str,
        on_failure: Callable[[Exception], None],
        on_full: Callable[[DiskFull], None],
        on_room: Callable[[], None],
        retry_room_s: float,
    ) -> None:
        self._disk = FullTellingDisk(disk)
        self._loop = loop
        self._on_failure = on_failure
        self._on_full = on_full
        self._on_room = on_room
        self._retry_room_s = retry_room_s
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._group: GroupWrite | None = None
        self._to_lay_by: GroupWrite | None = None
        self._background: deque[Job] = deque()
        self._look_at_s: float | None = None
        """While the disk is full: when to look for room again."""
        # A daemon: a process that has to end at once does not wait for its disk.
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Have ``job`` done. It belongs to the writer from here on."""
        self._jobs.put(job)

    def stop(self) -> None:
        """Have the thread end, and wait for that. Call it when a `Signal` has said that all jobs are done."""
        self._jobs.put(None)
        self._thread.join()

    # --- on the writer's thread ----------------------------------------------------------------------

    def _work(self) -> None:
        try:
            while self._receive():
                if self._look_at_s is None:
                    self._go_on()
                elif time.monotonic() >= self._look_at_s:
                    self._look_for_room()
                elif self._group is not None:
                    self._tries(self._write_group)  # it may fit into what was laid by
        except Exception as error:  # whatever it is, it must end the process, not only this thread
            self._tell(self._on_failure, error)

    def _receive(self) -> bool:
        """Take the next job if there is one; wait for it if there is nothing else to do. False: end the thread."""
        wait_s: float | None = None
        if self._look_at_s is not None:
            wait_s = max(0.0, self._look_at_s - time.monotonic())
        elif self._group is not None or self._to_lay_by is not None or self._background:
            wait_s = 0.0
        try:
            job = self._jobs.get(block=wait_s != 0.0, timeout=wait_s or None)
        except queue.Empty:
            return True
        if job is None:
            return False
        if isinstance(job, GroupWrite):
            assert self._group is None, "one group at a time"
            self._group = job
        else:
            self._background.append(job)
        return True

    def _go_on(self) -> None:
        """Do the group, if there is one, and a little of the rest. The first thing without room makes the disk full."""
        try:
            jobs = 1
            if self._group is not None:
                self._write_group()
                jobs = limits.BACKGROUND_JOBS_PER_GROUP
            self._lay_by()
            for _ in range(min(jobs, len(self._background))):
                self._do_first()
        except DiskFull as full:
            self._look_at_s = time.monotonic() + self._retry_room_s
            self._tell(self._on_full, full)

    def _look_for_room(self) -> None:
        """Try everything that waits. What is in the background comes first: removing a segment makes room."""
        done = [self._tries(attempt) for attempt in (self._do_background, self._write_group, self._lay_by)]
        if all(done):
            self._look_at_s = None
            self._tell(self._on_room)
        else:
            self._look_at_s = time.monotonic() + self._retry_room_s

    def _tries(self, attempt: Callable[[], None]) -> bool:
        try:
            attempt()
        except DiskFull:
            return False
        return True

    def _write_group(self) -> None:
        job = self._group
        if job is not None:
            job.run(self._disk)
            self._group, self._to_lay_by = None, job
            self._tell(job.on_done, job.sync_s)

    def _lay_by(self) -> None:
        if self._to_lay_by is not None:
            self._to_lay_by.lay_by(self._disk)
            self._to_lay_by = None

    def _do_background(self) -> None:
        while self._background:
            self._do_first()

    def _do_first(self) -> None:
        job = self._background[0]
        job.run(self._disk)
        self._background.popleft()
        if isinstance(job, Signal):
            self._tell(job.on_done)

    def _tell(self, function: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError:
            # The loop is closed: its process is ending without having closed the journal, and nobody is left to tell.
            self._jobs.put(None)
