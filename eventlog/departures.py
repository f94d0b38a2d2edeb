"""Worlds that leave a journal: their last bytes are written to their files, and these synced, before anybody is told.

Used on the loop's thread. Invariant: a ticket given here is done only when all that was appended for its world is
durable in the world's own files; it fails with the journal.

Not here: which worlds leave, and what the journal writes down about it (``journal.py``).
"""

from __future__ import annotations

import asyncio
import functools

from eventlog.errors import JournalFailed
from eventlog.jobs import Signal
from eventlog.ticket import Ticket
from eventlog.worldfiles import OpenWorld, WorldFiles
from eventlog.writer import Writer


class Departures:
    """The departures of one journal."""

    def __init__(self, loop: asyncio.AbstractEventLoop, files: WorldFiles, writer: Writer) -> None:
        self._loop = loop
        self._files = files
        self._writer = writer
        self._retiring: dict[OpenWorld, Ticket] = {}
        """Worlds whose last records are not durable yet."""
        self._open: set[Ticket] = set()
        """All tickets given here that are not done."""

    def retire(self, world: OpenWorld, last: Ticket) -> Ticket:
        """Complete and close the world's file once ``last``, the ticket of its last record, is done."""
        done = self._retiring[world] = self.ticket(last)
        last.add_done_callback(lambda _: self._finish(world))
        return done

    def ticket(self, last: Ticket) -> Ticket:
        """A ticket to be given to `resolve`; until then it fails with the journal."""
        ticket = Ticket(self._loop, last.number)
        self._open.add(ticket)
        return ticket

    def resolve(self, ticket: Ticket) -> None:
        """What ``ticket`` stands for is done."""
        self._open.discard(ticket)
        ticket.resolve()

    def finish_all(self) -> None:
        """Complete the files of all that are about to leave: everything is durable by now."""
        for world in list(self._retiring):
            self._finish(world)

    def fail(self, failure: JournalFailed) -> None:
        """The journal has failed."""
        for ticket in self._open:
            ticket.fail(failure)

    def _finish(self, world: OpenWorld) -> None:
        done = self._retiring.pop(world, None)
        if done is not None:
            self._files.finish(world)
            self._files.sync_folders()
            self._writer.submit(Signal(functools.partial(self.resolve, done)))
