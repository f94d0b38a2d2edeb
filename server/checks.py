"""The always-on check: worlds are re-executed on spare processor time, from checkpoint to checkpoint and to their end.

`Checks` hears of every world that a shard plays. From time to time it looks which of them have a new snapshot, or have
ended, and has the stretch since the last look re-executed by a process of its own (``server/checker/``), one stretch
after the other. The first divergence of a world is logged, counted and told to the developers who are connected; its
report is in ``reports/`` in the data folder. After that the world is let be, and so is one that cannot be checked.

Worlds that had ended before this server began are checked too, the newest first and one at each look, unless a server
has done that before: what came of it is noted in the data folder. So is how far worlds were checked that are played,
when the server stops, for who asks the next one.

Not here: re-execution (``replays/``), and what a report says (``replays/report.py``).

Invariant: no world depends on this. There is at most one checker, it only reads, and it may be killed at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from eventlog.snapshots import Snapshots
from server import messages
from server.children import Child, spawn
from server.config import ServeConfig
from server.metrics import Metrics
from server.notebook import Notebook
from server.tasks import never_unheard

_log = logging.getLogger("worldline.checks")

STEP_TIMEOUTS: Final = 10
"""A record with the empty ticks before it, a second of game time, may take as much processor time as so many calls that
a shard is killed for."""
_LOST: Final = "lost"
FILE_NAME: Final = "checks.jsonl"


class Noted(msgspec.Struct, frozen=True):
    """How far a world was checked, and how it came out. ``settled``: it need not be checked again."""

    world: str
    status: str
    tick: int
    settled: bool = True


class Checks:
    """What is checked in one server. ``tell`` reaches the gateways; ``found`` hears how each stretch came out."""

    def __init__(
        self,
        config: ServeConfig,
        metrics: Metrics,
        tell: Callable[[messages.FromSupervisor], None],
        found: Callable[[messages.WorldChecked], None],
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._tell = tell
        self._found = found
        self._checked_to: dict[str, int] = {}  # world → the tick up to which it was checked
        self._held: set[str] = set()  # worlds that a shard has
        self._at_rest: deque[str] = deque()  # worlds that are to be checked to their end
        self._earlier: deque[str] = deque()  # worlds that had ended before this server began
        self._let_be: set[str] = set()
        self._notes = Notebook(config.data / FILE_NAME, Noted)
        self._checker: Child | None = None
        self._answer: asyncio.Future[messages.WorldChecked] | None = None
        self._started = 0
        self._running: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The checker's process id, while there is one."""
        return None if self._checker is None else self._checker.pid

    @property
    def waiting(self) -> int:
        """How many worlds are played, or wait to be checked to their end."""
        return len(self._held) + len(self._at_rest) + len(self._earlier)

    def begin(self, ended: Iterable[str] = (), unfinished: Iterable[str] = ()) -> list[Noted]:
        """Look for something to check from now on, unless the server was told not to. ``ended``: the worlds that had
        ended before; ``unfinished``: those that are to come back. Returns what is known of them."""
        to_check = set(ended)
        worlds = to_check.union(unfinished)
        notes = self._notes.take_over(lambda notes: _latest(notes, worlds))
        for note in notes:
            if note.status == "diverged":
                self._drop(note.world)
        if self._config.check_every_s:
            settled = {note.world for note in notes if note.settled}
            self._earlier = deque(sorted(to_check - settled, reverse=True))
            self._running = asyncio.create_task(self._run(), name="check worlds")
            self._running.add_done_callback(never_unheard)
        return notes

    async def stop(self) -> None:
        """Check nothing any more. Safe before `begin`."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        await self._end_checker()
        for world, tick in self._checked_to.items():
            if tick:
                self._note(Noted(world, "verified", tick, settled=False))
        self._checked_to.clear()

    def kill(self) -> None:
        """End the checker now."""
        if self._checker is not None:
            self._checker.kill()

    # --- what happens to worlds ----------------------------------------------------------------------

    def held(self, world: str) -> None:
        """A shard plays this world, a new one or one that came back."""
        if self._config.check_every_s and world not in self._let_be:
            self._checked_to.setdefault(world, 0)
            self._held.add(world)

    def at_rest(self, world: str) -> None:
        """A world has ended, and all of its log is in its files: maybe with its shard, or as it came back."""
        if self._config.check_every_s and world not in self._let_be:
            self._held.discard(world)
            self._checked_to.setdefault(world, 0)
            self._at_rest.append(world)

    # --- the loop ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._config.check_every_s)
            checked_to = {world: self._checked_to[world] for world in self._held}
            found = await loop.run_in_executor(None, self._with_new_snapshots, checked_to)
            if not found and not self._at_rest and not self._earlier:
                await self._end_checker()
            for world, tick in found.items():
                await self._check(world, tick)
            while self._at_rest:
                world = self._at_rest.popleft()
                if world not in self._held:  # else it has come back
                    await self._check(world, None)
                    if world not in self._held:
                        self._checked_to.pop(world, None)
            if self._earlier:
                world = self._earlier.popleft()
                if world not in self._let_be:
                    self._checked_to[world] = 0
                    await self._check(world, None)
                    self._checked_to.pop(world, None)

    def _with_new_snapshots(self, checked_to: dict[str, int]) -> dict[str, int]:
        """Worlds that can be checked further, and up to where. On another thread: it looks into their folders."""
        ticks = {world: Snapshots(self._config.data, world).ticks() for world in checked_to}
        return {world: found[-1] for world, found in ticks.items() if found and found[-1] > checked_to[world]}

    async def _check(self, world: str, to_tick: int | None) -> None:
        """Check a world from where it was checked to before."""
        if world not in self._checked_to:
            return
        order = messages.CheckWorld(world=world, from_tick=self._checked_to[world], to_tick=to_tick)
        try:
            answer = await self._asked(order)
        except OSError as error:
            _log.warning("nothing is checked now: no process can be started: %s", error)
            return
        if answer is None:
            self._cannot(order.world, _LOST, f"its check ended the process that did it, behind tick {order.from_tick}")
            return
        self._found(answer)
        if answer.status == "diverged" or (to_tick is None and answer.status in ("verified", "damaged")):
            self._note(Noted(answer.world, answer.status, answer.tick))
        match answer.status:
            case "verified":
                self._metrics.world_checked(max(0, answer.tick - order.from_tick))
                self._checked_to[world] = answer.tick
            case "diverged":
                self._diverged(answer)
            case "cannot" if not (self._config.data / "worlds" / order.world).is_dir():
                pass  # removed meanwhile
            case status:
                self._cannot(order.world, status, answer.problem or "")

    def _note(self, note: Noted) -> None:
        try:
            self._notes.add(note, durable=False)
        except OSError as error:
            _log.warning("world %s will be checked again after a restart: %s", note.world, error)

    def _diverged(self, answer: messages.WorldChecked) -> None:
        self._drop(answer.world)
        self._metrics.world_diverged()
        what = (answer.problem or "").partition(" → ")[0]
        command = "verify " + answer.world if answer.report is None else "explain " + answer.report
        said = f"{'; '.join([what, *answer.differs])} → see `worldline replay {command}`"
        _log.error("%s", said)
        self._tell(messages.WorldDiverged(world=answer.world, message=said))

    def _cannot(self, world: str, cause: str, problem: str) -> None:
        self._drop(world)
        self._metrics.check_failed(cause)
        _log.warning("world %s is not checked any more: %s", world, problem)

    def _drop(self, world: str) -> None:
        self._let_be.add(world)
        self._held.discard(world)
        self._checked_to.pop(world, None)

    # --- the process ---------------------------------------------------------------------------------

    async def _asked(self, order: messages.CheckWorld) -> messages.WorldChecked | None:
        """Have something checked; None if the checker died of it, or was killed. Raises OSError."""
        checker = await self._ready_checker()
        answer = self._answer = asyncio.get_running_loop().create_future()
        checker.send(order)
        await asyncio.wait([answer, checker.gone], return_when=asyncio.FIRST_COMPLETED)
        return answer.result() if answer.done() else None

    async def _ready_checker(self) -> Child:
        if self._checker is None or self._checker.gone.done():
            self._started += 1
            self._checker = await spawn("checker", self._started, self._on_message, _lost)
            self._checker.send(
                messages.ConfigureChecker(
                    data=str(self._config.data.resolve()),
                    priority=self._config.check_priority,
                    step_cpu_s=STEP_TIMEOUTS * self._config.tick_timeout_ms / 1000,
                    log_format=self._config.log,
                    log_level=self._config.log_level,
                )
            )
        return self._checker

    async def _end_checker(self) -> None:
        """It has nothing to save."""
        if self._checker is not None:
            self._checker.kill()
            with contextlib.suppress(asyncio.CancelledError):
                await self._checker.gone
            self._checker = None

    def _on_message(self, _: Child, message: messages.ToSupervisor) -> None:
        if isinstance(message, messages.WorldChecked) and self._answer is not None and not self._answer.done():
            self._answer.set_result(message)


def _latest(notes: list[Noted], worlds: set[str]) -> list[Noted]:
    """The last note of each of these worlds."""
    return list({note.world: note for note in notes if note.world in worlds}.values())


def _lost(_: Child) -> None:
    """Whoever waits for its answer sees that it is gone."""
