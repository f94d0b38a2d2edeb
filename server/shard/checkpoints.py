"""When a shard saves its worlds, and how: so that a shard that dies is back soon, however old its worlds are.

A world is due when what came after its last snapshot would cost too much to execute again, and when it ends. Saving
has four steps. The tick thread encodes the world between two ticks (that alone holds up ticks); the helper thread
hashes, compresses, writes and checks; when everything that the state has taken in is durable in the log, the helper
gives the file its name; then a checkpoint record goes into the log. One world after the other, the one that waits
longest first.

Not here: what is in a snapshot (``replays/standing.py``) and on disk (``eventlog/snapshots.py``).

Invariants: one snapshot at a time is on its way, so worlds are staggered by themselves; no name and no checkpoint
record is there before the state is durable; a disk that will not take a snapshot costs the snapshot, not the world.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

from eventlog.disk import Disk
from eventlog.errors import JournalFailed, SnapshotDamaged
from eventlog.piece import LogEnd, Piece
from eventlog.records import Genesis
from eventlog.snapshot_file import Snapshot
from eventlog.snapshots import Draft, Snapshots
from eventlog.ticket import Ticket
from games.code import Engine
from games.errors import StateNotSaveable, WorldFaulted
from games.runtime.snapshots import state_hash
from replays.standing import Standing, encode_standing
from server.callpage import CallPage
from server.histogram import Histogram
from server.shard.course import Course
from server.shard.history import History
from server.tasks import never_unheard

TAIL_S: Final = 0.05
"""A world is due when re-executing what came after its last snapshot would take so long …"""
TAILS_S: Final = 1.0
"""… or its share of this: all worlds of a shard are executed again one after the other."""
MANY_WORLDS: Final = 64
SHARE_OF_A_CORE: Final = 0.1
"""With more than `MANY_WORLDS` worlds, saving uses no more of a core; what that costs is time for recovery."""
RETRY_AFTER_S: Final = 10.0
"""How long a world is left alone whose snapshot the disk would not take."""
SLACK_WITHIN_S: Final = 1.0
"""An overloaded shard has no slack between ticks: after this long a snapshot is taken all the same."""
STOP_WITHIN_S: Final = 8.0
"""At a stop worlds are saved for so long; those that are left are computed again from further back."""
KEYFRAME_EVERY_S: Final = 120
"""For each so many seconds of ticks one snapshot is kept for the world's life, to seek by."""

_log = logging.getLogger("worldline.shard")


class Shot(NamedTuple):
    """A world as the tick thread encoded it, and what makes a snapshot of it."""

    tick: int
    position: LogEnd
    standing: Standing
    genesis: Genesis
    code: str
    engine: Engine
    durable: Ticket
    """Done when all that the state has taken in is durable."""
    tail_s: float
    """What the tail before it cost."""


class Written(NamedTuple):
    """A shot on disk; ``cpu_s`` is what that cost the helper."""

    draft: Draft
    hash: bytes
    cpu_s: float


class _Kept:
    """A world of this shard, and what its tail would cost."""

    __slots__ = ("course", "done", "history", "snapshots", "tail_s", "wait_until_s")

    def __init__(self, course: Course, history: History, snapshots: Snapshots, tail_s: float) -> None:
        self.course = course
        self.history = history
        self.snapshots = snapshots
        self.tail_s = tail_s
        self.wait_until_s = 0.0
        self.done: Callable[[], None] | None = None
        """The world has ended: called when nothing more of it will be written."""

    @property
    def has_state(self) -> bool:
        """Whether there is something to save: a faulted world has no state any more, an old engine cannot save it."""
        return self.course.world.can_save and self.course.world.faulted is None and self.course.status != "faulted"


def due_after_s(worlds: int) -> float:
    """How long the tail of each of so many worlds may take to execute again. Pure."""
    return min(TAIL_S, TAILS_S / max(1, worlds))


class Checkpoints:
    """The snapshots of one shard's worlds. Used on the loop's thread."""

    def __init__(
        self,
        data: Path,
        journal: Callable[[Sequence[Piece]], Ticket],
        calls: CallPage,
        *,
        may_encode: Callable[[], bool],
        disk: Disk | None = None,
    ) -> None:
        """``may_encode`` says whether there is time between ticks now."""
        self._data = data
        self._journal = journal
        self._calls = calls
        self._may_encode = may_encode
        self._disk = disk
        self._loop = asyncio.get_running_loop()
        self._helper = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self._worlds: dict[str, _Kept] = {}
        self._due: dict[str, None] = {}
        self._ending: list[_Kept] = []
        self._awake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._stopped = False
        self._task = self._loop.create_task(self._run(), name="checkpoints")
        self._task.add_done_callback(never_unheard)
        self.hold_seconds = Histogram()
        """How long each snapshot held up the tick thread."""
        self.taken = 0
        self.taken_bytes = 0

    @property
    def tail_s(self) -> float:
        """About how long it would take to execute again what came after the last snapshots of all worlds."""
        return sum(kept.tail_s for kept in self._worlds.values())

    # --- worlds --------------------------------------------------------------------------------------

    def add(self, course: Course, history: History, *, tail_s: float) -> None:
        """Save this world from now on; ``tail_s`` is what its tail costs already."""
        snapshots = Snapshots(self._data, course.id, disk=self._disk)
        self._worlds[course.id] = _Kept(course, history, snapshots, tail_s)

    def ticked(self, course: Course, took_s: float) -> None:
        """A world has run a tick, which took so long."""
        kept = self._worlds[course.id]
        kept.tail_s += took_s
        if (
            kept.tail_s >= due_after_s(len(self._worlds))
            and course.id not in self._due
            and time.monotonic() >= kept.wait_until_s
            and kept.has_state
        ):
            self._due[course.id] = None
            self._awake.set()

    def ended(self, course: Course, done: Callable[[], None]) -> None:
        """A world has ended, its last record is in the journal. ``done`` is called once its last snapshot is there."""
        kept = self._worlds.pop(course.id)
        self._due.pop(course.id, None)
        kept.done = done
        if self._stopped:
            done()
        else:
            self._ending.append(kept)
            self._awake.set()

    async def stop(self) -> None:
        """Complete every world's log and save it as it stands now, as far as there is time; nothing is saved after.

        The worlds must not tick any more. Raises `JournalFailed`.
        """
        self._stopping.set()
        self._awake.set()
        await self._task
        self._stopped = True
        give_up_s = time.monotonic() + STOP_WITHIN_S
        waiting = sorted(self._worlds.values(), key=lambda kept: -kept.tail_s)
        for kept in waiting:
            piece = kept.history.last_outcomes()
            if piece is not None:
                self._journal([piece])
        while waiting and time.monotonic() < give_up_s:
            kept = waiting.pop(0)
            if kept.has_state:
                await self._save(kept)
        if waiting:
            _log.warning("%d worlds are not saved, there was no time: they come back from their logs", len(waiting))
        self._helper.shutdown()

    def abandon(self) -> None:
        """Save nothing any more: the process is about to end."""
        self._stopped = True
        self._task.cancel()
        self._helper.shutdown(wait=False, cancel_futures=True)

    # --- the work ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        with contextlib.suppress(JournalFailed):  # the process ends: what waits for a snapshot waits for that
            await self._save_while_running()

    async def _save_while_running(self) -> None:
        while True:
            await self._awake.wait()
            self._awake.clear()
            while self._ending or (self._due and not self._stopping.is_set()):
                if self._ending:
                    cost_s = await self._save_last(self._ending.pop(0))
                else:
                    world = next(iter(self._due))
                    del self._due[world]
                    cost_s = await self._save(self._worlds[world])
                if len(self._worlds) > MANY_WORLDS:
                    await self._rest(cost_s / SHARE_OF_A_CORE - cost_s)
            if self._stopping.is_set():
                return

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):  # the usual end of a rest
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _save_last(self, kept: _Kept) -> float:
        cost_s = await self._save(kept) if kept.has_state else 0.0
        assert kept.done is not None
        kept.done()
        return cost_s

    async def _save(self, kept: _Kept) -> float:
        """Take, write and record one snapshot; return the processor time it took. Raises `JournalFailed`."""
        await self._wait_for_slack()
        began_s = time.monotonic()
        shot = self._encode(kept)
        hold_s = time.monotonic() - began_s
        if shot is None:
            return hold_s
        self.hold_seconds.record(hold_s)
        try:
            written: Written = await self._on_helper(write, kept.snapshots, shot)
            await shot.durable.wait()
            name: str = await self._on_helper(kept.snapshots.publish, written.draft)
        except (OSError, SnapshotDamaged) as error:
            _log.error(
                "no snapshot of world %s at tick %d: %s; its log has it all",
                kept.course.id, shot.tick, error, extra={"world": kept.course.id},
            )  # fmt: skip
            kept.wait_until_s = time.monotonic() + RETRY_AFTER_S
            return hold_s
        self._journal([kept.history.checkpoint(shot.tick, written.hash, name, written.draft.size_bytes)])
        kept.tail_s -= shot.tail_s
        self.taken += 1
        self.taken_bytes += written.draft.size_bytes
        spacing_ticks = max(1, int(KEYFRAME_EVERY_S * kept.course.manifest.tick_hz))
        try:
            await self._on_helper(kept.snapshots.thin, spacing_ticks)
        except OSError as error:
            about = {"world": kept.course.id}
            _log.error("old snapshots of world %s cannot be removed: %s", kept.course.id, error, extra=about)
        return hold_s + written.cpu_s

    async def _wait_for_slack(self) -> None:
        give_up_s = time.monotonic() + SLACK_WITHIN_S
        while not self._may_encode() and time.monotonic() < give_up_s:
            await asyncio.sleep(0)

    def _encode(self, kept: _Kept) -> Shot | None:
        """On the tick thread, between two ticks. A world that cannot be saved is ended, and gives None."""
        course, world = kept.course, kept.course.world
        if not kept.has_state:  # since it became due
            return None
        try:
            with self._calls.during(course.id, world.tick, "save"):
                snapshot = world.snapshot()
        except StateNotSaveable as error:
            reason = f"its state cannot be saved: {error.path} {error.reason}"
            self._end(kept, WorldFaulted(course.id, world.tick, "not_saveable", reason))
            return None
        except WorldFaulted as fault:
            self._end(kept, fault)
            return None
        return Shot(
            tick=world.tick,
            position=kept.history.position(),
            standing=kept.history.standing(snapshot),
            genesis=kept.history.genesis,
            code=world.code.digest,
            engine=world.engine,
            durable=self._journal(()),
            tail_s=kept.tail_s,
        )

    def _end(self, kept: _Kept, fault: WorldFaulted) -> None:
        if not kept.course.ended:
            kept.course.end_faulted(fault)
        else:
            world, about = kept.course.id, {"world": kept.course.id}
            _log.error("world %s has ended, but there is no snapshot of its end: %s", world, fault.message, extra=about)

    async def _on_helper(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._helper, function, *arguments)


def write(snapshots: Snapshots, shot: Shot) -> Written:
    """Put a shot on disk. On the helper thread: system calls, compression and Lua, with a few calls around them."""
    began_s = time.thread_time()
    found = state_hash(shot.standing.snapshot, engine=shot.engine)
    draft = snapshots.write(
        Snapshot(
            tick=shot.tick,
            position=shot.position,
            code=shot.code,
            engine=shot.engine.digest,
            hash=found,
            genesis=shot.genesis,
            state=encode_standing(shot.standing),
        )
    )
    return Written(draft, found, time.thread_time() - began_s)
