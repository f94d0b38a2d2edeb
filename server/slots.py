"""A slot: one place in the server that a child process fills, and fills again when it has died; `Slots` are those for
one kind of child.

A child that lived well is replaced at once. One that dies right after its start is replaced too, but each time later,
and after `SHORT_LIVES_LIMIT` of them in a row no more: something is wrong that starting again does not cure. A death of
which the cause is known and is not the child's own - a world that hangs, somebody who kills it - never counts towards
that: such a child is always replaced.

Not here: how a process is started and watched (``server/children.py``), and what its death means for worlds and agents.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

from server.children import Child, Kind
from server.messages import Drain, FromSupervisor
from server.startup import StartError

SHORT_LIFE_S: Final = 5.0  # a child that was ready for less than this has failed at once
SHORT_LIVES_LIMIT: Final = 5  # so many in a row are replaced
FIRST_DELAY_S: Final = 0.1  # doubles with each short life in a row
EXCUSED_DELAY_S: Final = 1.0  # the longest for one whose death was not its own fault
START_ENDS_WITHIN_S: Final = 5.0  # a child that is told to stop while it starts, and does not get ready, is stuck
READY_WITHIN_S: Final = 60.0  # a child that is not ready by then is stuck; a loaded machine takes a few seconds

_log = logging.getLogger("worldline.supervisor")


class RestartPolicy:
    """When to start a child again after a death. No clock: the caller says how long the child was ready for work."""

    def __init__(self) -> None:
        self._short_lives = 0
        self._excused = 0

    def died(self, lived_s: float, *, excused: bool = False) -> float | None:
        """Return how long to wait before the next start, in seconds; None: give up.

        ``excused``: the death was not the child's own fault.
        """
        if lived_s >= SHORT_LIFE_S:
            self._short_lives = self._excused = 0
            return 0.0
        if excused:
            self._excused += 1
            return min(EXCUSED_DELAY_S, FIRST_DELAY_S * 2.0 ** (self._excused - 1))
        self._short_lives += 1
        if self._short_lives > SHORT_LIVES_LIMIT:
            return None
        return FIRST_DELAY_S * 2.0 ** (self._short_lives - 1)


class Slot:
    """Keeps one child running. ``start_child`` starts and configures one.

    `settled` is done once the first child is ready, or the slot has been given up.
    """

    def __init__(
        self,
        name: str,
        start_child: Callable[[], Awaitable[Child]],
        on_given_up: Callable[[Slot], None],
    ) -> None:
        self.name = name
        self.child: Child | None = None
        self.given_up = False
        self.last_ending = ""
        self._start_child = start_child
        self._on_given_up = on_given_up
        self._stopping = False
        self._killed = False
        self.settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._keeping = asyncio.create_task(self._keep(), name=f"keep {name}")

    @property
    def ready_child(self) -> Child | None:
        """The child, if it is ready for work."""
        return self.child if self.child is not None and self.child.is_ready else None

    async def stop(self, within_s: float) -> bool:
        """Drain the child; kill it when it has not ended within ``within_s``. Return whether it ended by itself."""
        self._stopping = True
        child = self.child
        if child is None or child.gone.done():
            await self._end_keeping()
            return not self._killed
        # One that is still starting would not hear it: it is told as soon as it is ready.
        await asyncio.wait([child.ready], timeout=min(within_s, START_ENDS_WITHIN_S))
        child.send(Drain())
        ended, _ = await asyncio.wait([child.gone], timeout=within_s if child.ready.done() else 0)
        if not ended:
            _log.error("%s did not stop within %g s: killing it", child.name, within_s)
            child.kill()
            await child.gone
        await self._end_keeping()
        return bool(ended) and child.exit_code == 0

    def kill(self) -> None:
        """Kill the child now, and start no other."""
        self._stopping = self._killed = True
        if self.child is not None:
            self.child.kill()

    async def _end_keeping(self) -> None:
        self._keeping.cancel()
        await asyncio.wait([self._keeping])

    async def _keep(self) -> None:
        policy = RestartPolicy()
        while True:
            lived_s, excused = 0.0, False
            try:
                child = self.child = await self._start_child()
                if self._stopping:  # killed while it started
                    child.kill()
            except OSError as error:
                self.last_ending = str(error)
                _log.error("%s could not be started: %s", self.name, error)
            else:
                lived_s, excused = await self._live(child)
            if self._stopping:
                return
            delay_s = policy.died(lived_s, excused=excused)
            if delay_s is None:
                self._give_up()
                return
            await asyncio.sleep(delay_s)

    async def _live(self, child: Child) -> tuple[float, bool]:
        """See a child through its life. Return how long it was ready for work, in s, and if its end is excused."""
        ready, _ = await asyncio.wait([child.ready], timeout=READY_WITHIN_S)
        if not ready:
            _log.error("%s is not ready after %g s: killing it", child.name, READY_WITHIN_S)
            child.kill()
        elif child.is_ready and not self.settled.done():
            self.settled.set_result(None)
        ready_at_s = time.monotonic() if child.is_ready else None
        await child.gone
        self.last_ending = child.ending
        if not self._stopping:
            _log.error("%s (pid %d) has died: %s", child.name, child.pid, child.ending)
        killed = child.exit_code == -signal.SIGKILL and bool(ready)  # not by us for not getting ready
        return 0.0 if ready_at_s is None else time.monotonic() - ready_at_s, killed or child.in_a_call

    def _give_up(self) -> None:
        self.given_up = True
        _log.error("%s died %d times right after its start: giving up", self.name, SHORT_LIVES_LIMIT + 1)
        if not self.settled.done():
            self.settled.set_result(None)
        self._on_given_up(self)


class Slots:
    """All slots for one kind of child.

    ``start_child`` starts the one of a slot's number; ``on_given_up`` is called when a slot stays empty.
    """

    def __init__(
        self,
        kind: Kind,
        number: int,
        start_child: Callable[[int], Awaitable[Child]],
        on_given_up: Callable[[Slots], None],
    ) -> None:
        self._kind = kind
        self._number = number
        self._start_child = start_child
        self._on_given_up = on_given_up
        self._slots: list[Slot] = []

    def __iter__(self) -> Iterator[Slot]:
        """The slots; none before `fill`."""
        return iter(self._slots)

    @property
    def ready(self) -> list[Child]:
        """The children that are ready for work."""
        return [slot.ready_child for slot in self._slots if slot.ready_child is not None]

    @property
    def all_settled(self) -> bool:
        """Whether every slot has a child that is ready for work, or has been given up."""
        return len(self.ready) + sum(slot.given_up for slot in self._slots) >= self._number

    @property
    def all_given_up(self) -> bool:
        """Whether there will never be a child again."""
        return all(slot.given_up for slot in self._slots)

    async def fill(self) -> None:
        """Start a child in every slot; return when they are ready. Raises StartError if none can run."""
        for number in range(self._number):
            start_child = functools.partial(self._start_child, number)
            self._slots.append(Slot(f"{self._kind} slot {number}", start_child, self._given_up))
        await asyncio.wait([slot.settled for slot in self._slots])
        if not self.ready:
            raise self.cannot_run()

    def cannot_run(self) -> StartError:
        """Why there is no such child."""
        endings = sorted({slot.last_ending for slot in self._slots})
        return StartError(
            f"no {self._kind} can run: each dies right after its start ({', '.join(endings)})",
            "see the log above; with --log-level debug it says more",
        )

    def send(self, message: FromSupervisor, *, but: Child | None = None) -> None:
        """Send to every child, ready or not yet, ``but`` this one."""
        for slot in self._slots:
            if slot.child is not None and slot.child is not but:
                slot.child.send(message)

    async def stop(self, within_s: float) -> bool:
        """Stop every child as `Slot.stop` does. Return whether all ended by themselves."""
        return all(await asyncio.gather(*(slot.stop(within_s) for slot in self._slots)))

    def kill(self) -> None:
        """Kill every child now, and start no other."""
        for slot in self._slots:
            slot.kill()

    def _given_up(self, _: Slot) -> None:
        self._on_given_up(self)
