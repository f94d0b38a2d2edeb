"""Ticks: wakes when a world's deadline has come, and runs the passes.

In one pass every world that is due ticks once, and all their records go to the journal as one group. Between two
passes the loop reads and writes.

Not here: when each world is due (scheduler), and what a tick does in its world (course).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from eventlog.piece import Piece
from eventlog.ticket import Ticket
from server.callpage import CallPage
from server.shard.course import Course
from server.shard.scheduler import Scheduler


class Ticker:
    """The ticks of one shard. ``journal`` takes the records of a pass, ``ticked`` hears of each tick and of the seconds
    that it took. Used on the loop's thread."""

    def __init__(
        self,
        calls: CallPage,
        journal: Callable[[Sequence[Piece]], Ticket],
        ticked: Callable[[Course, float], None],
    ) -> None:
        self._calls = calls
        self._journal = journal
        self._ticked = ticked
        self._loop = asyncio.get_running_loop()
        self._scheduler = Scheduler()
        self._courses: dict[str, Course] = {}
        self._passing = False
        self._timer: asyncio.TimerHandle | None = None

    def add(self, course: Course) -> None:
        """Tick this world from now on, by its clock. One without a rate ticks when it is woken."""
        now_s = time.monotonic()
        course.meters.started_at_s = now_s
        self._courses[course.id] = course
        if course.pace.realtime:
            self._scheduler.add(course.id, course.manifest.tick_hz, now_s)
            self._set_timer()

    def wake(self, course: Course, at_s: float | None) -> None:
        """This world is due at ``at_s``, and not before; None: not at all."""
        self._courses[course.id] = course
        self._scheduler.wake(course.id, at_s)
        if not self._passing:
            self._set_timer()

    def remove(self, world: str) -> None:
        """Tick this world no more. Nothing happens if it did not."""
        self._courses.pop(world, None)
        self._scheduler.remove(world)

    def is_due(self) -> bool:
        """Whether a tick is due now: everything else can wait."""
        deadline_s = self._scheduler.next_deadline_s()
        return deadline_s is not None and time.monotonic() >= deadline_s

    def stop(self) -> None:
        """Tick nothing any more."""
        for world in list(self._courses):
            self.remove(world)
        self._set_timer()

    # --- inside --------------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline_s = self._scheduler.next_deadline_s()
        if deadline_s is not None:
            self._timer = self._loop.call_later(max(0.0, deadline_s - time.monotonic()), self._run_due)

    def _run_due(self) -> None:
        """One pass: every world that is due ticks once. Then the loop may read and write before the next pass."""
        self._timer = None
        self._passing = True
        now_s = time.monotonic()
        due = [(self._courses[world], deadline_s) for world, deadline_s in self._scheduler.take_due(now_s)]
        due = [(course, deadline_s) for course, deadline_s in due if course.is_ready(now_s)]
        self._write_ahead([course for course, _ in due])
        for course, deadline_s in due:
            began_s, cpu_s = time.monotonic(), time.thread_time()
            with self._calls.during(course.id, course.world.tick + 1, "tick"):
                course.next_tick.run()
            ended_s = time.monotonic()
            course.meters.tick_cpu_s += time.thread_time() - cpu_s
            course.meters.ticked(
                lateness_s=began_s - deadline_s, took_s=ended_s - began_s, period_s=1.0 / course.manifest.tick_hz
            )
            course.audience.ticked(ended_s - began_s)
            self._ticked(course, ended_s - began_s)
            course.meters.dilated_s += self._scheduler.ran(course.id, deadline_s, ended_s)
        for course, _ in due:
            cpu_s = time.thread_time()
            with self._calls.during(course.id, course.world.tick, "observe"):
                course.answer()
            course.meters.tick_cpu_s += time.thread_time() - cpu_s
        self._passing = False
        self._set_timer()

    def _write_ahead(self, courses: Sequence[Course]) -> None:
        """Put the records of the ticks that are about to run into one group."""
        time_ms = time.time_ns() // 1_000_000
        pieces: list[Piece] = []
        writers: list[Course] = []
        for course in courses:
            ahead = course.next_tick.write_ahead(time_ms)
            if ahead:
                pieces.extend(ahead)
                writers.append(course)
        if pieces:
            ticket = self._journal(pieces)
            for course in writers:
                course.ticket = ticket
