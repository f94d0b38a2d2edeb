"""The promise that what was appended is durable.

Thread rules: tickets belong to the loop's thread; callbacks run there, in the order of groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from eventlog.errors import JournalFailed


class Ticket:
    """Stands for one group of a journal, shared by all that was appended to it.

    ``durable`` is true once the group is on stable storage (with durability ``written``: with the operating system).
    After a failure of the disk it never becomes true.
    """

    __slots__ = ("_callbacks", "_failure", "_loop", "_waiters", "durable", "number")

    def __init__(self, loop: asyncio.AbstractEventLoop, number: int) -> None:
        self._loop = loop
        self._callbacks: list[Callable[[Ticket], object]] = []
        self._waiters: list[asyncio.Future[None]] = []
        self._failure: JournalFailed | None = None
        self.number = number
        self.durable = False

    def __repr__(self) -> str:
        return f"<Ticket of group {self.number}: {'durable' if self.durable else 'not durable yet'}>"

    def add_done_callback(self, function: Callable[[Ticket], object]) -> None:
        """Have ``function(ticket)`` called on the loop when the group is durable, never before this call returns.

        Callbacks run in the order of groups, and of additions within one. After a failure none runs.
        """
        if self.durable:
            self._loop.call_soon(function, self)
        else:
            self._callbacks.append(function)

    async def wait(self) -> None:
        """Return when the group is durable. Raises `JournalFailed` if it never will be."""
        if self._failure is not None:
            raise self._failure
        if not self.durable:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def resolve(self) -> None:
        """For the journal: the group is durable."""
        self.durable = True
        callbacks, self._callbacks = self._callbacks, []
        for function in callbacks:
            # By way of the loop, so that an exception in one is reported and keeps no other from running.
            self._loop.call_soon(function, self)
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    def fail(self, failure: JournalFailed) -> None:
        """For the journal: the group will never be durable."""
        self._failure = failure
        self._callbacks.clear()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(failure)
        self._waiters.clear()
