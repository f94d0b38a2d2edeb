"""Group commit: what is appended while a group is written and synced is the next group, one strictly after the other.

The *pending group* takes what comes. It is framed and handed to the writer when the group before it is durable, or at
the end of a turn of the loop, so that all worlds that append in that turn share it. After a while without any an empty
group is written, which seals the last.

Used on the loop's thread; only the writer makes system calls. Not here: what is appended and for which world, and what
becomes of it once it is durable (``journal.py``); which segment takes a group (``segments.py``).

Invariant: at most one group is in flight, and group g + 1 is not written before g is durable. After a failure nothing
is written and no ticket is done any more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from eventlog import groups
from eventlog.errors import JournalFailed
from eventlog.jobs import SegmentRemoval
from eventlog.piece import Piece
from eventlog.segments import Segments
from eventlog.ticket import Ticket
from eventlog.worldfiles import OpenWorld
from eventlog.writer import Writer


class Group:
    """What was appended since the last group was framed."""

    __slots__ = ("count", "entries", "parts", "size", "ticket")

    def __init__(self, ticket: Ticket) -> None:
        self.ticket = ticket
        self.parts: list[bytes] = []
        self.entries: list[tuple[OpenWorld, Piece]] = []
        self.count = 0
        """Of entries: the pieces and the releases."""
        self.size = 0


class GroupCommit:
    """The groups of one journal."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        writer: Writer,
        segments: Segments,
        *,
        durable: bool,
        seal_after_s: float,
        segments_per_retirement: int,
        on_durable: Callable[[Sequence[tuple[OpenWorld, Piece]]], object],
        before_retirement: Callable[[], object],
        on_sync: Callable[[float], object] | None,
    ) -> None:
        """``on_durable(entries)`` is called for each group, before its ticket is done; ``before_retirement()`` before
        all full segments are removed: then their bytes have to be on their way to synced world files; ``on_sync`` with
        the seconds that each sync took, if groups are synced at all (``durable``)."""
        self._loop = loop
        self._writer = writer
        self._segments = segments
        self._durable = durable
        self._seal_after_s = seal_after_s
        self._segments_per_retirement = segments_per_retirement
        self._on_durable = on_durable
        self._before_retirement = before_retirement
        self._on_sync = on_sync
        self._pending: deque[Group] = deque()
        self._in_flight: Group | None = None
        self._submission_scheduled = False
        self._last_ticket = Ticket(loop, 0)
        self._last_ticket.resolve()
        self._begun = 0
        self._last_crc = 0
        self._sealed = True
        self._last_group_s = 0.0
        self._seal_timer: asyncio.TimerHandle | None = None
        self._is_draining = False
        self._failure: JournalFailed | None = None

    @property
    def handed_over(self) -> int:
        """How many groups, seals included, the writer has been given."""
        return self._begun - len(self._pending)

    def pending(self) -> Group:
        """The group that takes what is appended now."""
        return self._pending[-1] if self._pending else self.begin()

    def begin(self) -> Group:
        """A new pending group, behind those that there are."""
        self._begun += 1
        group = Group(Ticket(self._loop, self._begun))
        self._pending.append(group)
        if self._in_flight is None and not self._submission_scheduled:
            # At the end of this turn of the loop, so that all worlds that append in it share the group.
            self._submission_scheduled = True
            self._loop.call_soon(self._submit_next)
        return group

    def latest_ticket(self) -> Ticket:
        """The ticket of what was appended last."""
        if self._pending:
            return self._pending[-1].ticket
        if self._in_flight is not None and self._in_flight.count:
            return self._in_flight.ticket
        return self._last_ticket

    async def drain(self) -> None:
        """Return when all that has been appended is durable; no seal is begun any more. Raises `JournalFailed`."""
        self._is_draining = True
        await self.latest_ticket().wait()
        while self._in_flight is not None:  # a seal
            await self._in_flight.ticket.wait()
        if self._seal_timer is not None:
            self._seal_timer.cancel()

    def fail(self, failure: JournalFailed) -> None:
        """The journal has failed: nothing that is not durable yet will ever be."""
        self._failure = failure
        for group in (self._in_flight, *self._pending):
            if group is not None:
                group.ticket.fail(failure)

    def _submit_next(self) -> None:
        self._submission_scheduled = False
        if self._failure is None and self._in_flight is None and self._pending:
            self._submit(self._pending.popleft())

    def _submit(self, group: Group) -> None:
        """Frame a group and hand it to the writer."""
        self._in_flight = group
        if not self._segments.fits(groups.group_size(group.parts)):
            if len(self._segments) >= self._segments_per_retirement:
                self._retire_segments()
            self._segments.begin(last_group=group.ticket.number - 1, last_crc=self._last_crc)
        data, self._last_crc = groups.encode_group(
            group.ticket.number, group.count, group.parts, salt=self._segments.salt, previous_crc=self._last_crc
        )
        group.parts.clear()
        self._writer.submit(self._segments.write(data, durable=self._durable, on_done=self._done))

    def _done(self, sync_s: float) -> None:
        group = self._in_flight
        assert group is not None
        if self._failure is not None:
            return
        self._in_flight = None
        self._sealed = not group.count
        self._last_group_s = self._loop.time()
        self._on_durable(group.entries)
        if group.count:
            self._last_ticket = group.ticket
        group.ticket.resolve()
        self._submit_next()
        if self._seal_timer is None and not self._sealed:
            self._seal_timer = self._loop.call_later(self._seal_after_s, self._seal)
        if self._on_sync is not None and self._durable:
            self._on_sync(sync_s)

    def _seal(self) -> None:
        """After a while without a group: write an empty one, if the last was not one already."""
        self._seal_timer = None
        if self._failure is not None or self._is_draining:
            return
        idle_s = self._loop.time() - self._last_group_s
        if self._in_flight is not None or self._pending or idle_s < self._seal_after_s:
            left_s = max(0.001, self._seal_after_s - idle_s)
            self._seal_timer = self._loop.call_later(left_s, self._seal)
            return
        self._begun += 1
        self._submit(Group(Ticket(self._loop, self._begun)))

    def _retire_segments(self) -> None:
        """Have all segments, which are full, removed. Their groups are durable: what files lack is in their buffers."""
        self._before_retirement()
        for segment in self._segments.retire():
            self._writer.submit(SegmentRemoval(segment))
