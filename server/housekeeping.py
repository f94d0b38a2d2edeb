"""Housekeeping of a running server: ended worlds are archived, and removed when the operator's limits say so.

The `Housekeeper` does what ``server/retention.py`` decides, one small step after the other on a thread of its own, and
keeps the index of the data folder up to date. A crash at any moment is made good by the next start, which finds what is
left and decides again. What cannot be done (a full disk) is tried again later.

Not here: how a world is archived or removed so that no crash hurts it (``eventlog/archive.py``,
``eventlog/removal.py``).

Invariant: a world's files are touched only when no shard and no journal has it any more: its shard has said so
(`WorldReleased`), or is dead and its journal redone.

Thread rules: methods run on the loop's thread. A step runs on the other one while the loop's side waits for it, so it
has all that is known of the worlds to itself; who holds a world it only reads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from eventlog.archive import archive_steps
from eventlog.errors import EventLogError, FormatTooNew, LogDamaged
from eventlog.index import Index, IndexBroken, WorldListing, folder_facts
from eventlog.listing import listing_steps
from eventlog.removal import remove_world
from eventlog.summary import WorldInfo
from server.checks import Checks
from server.directory import Directory
from server.retention import KeptWorld, Retention, what_to_do

LOOK_EVERY_S: Final = 60.0  # what could not be done is due again without any news
PAUSE_S: Final = 0.02  # between two steps: agents, who are placed by the same process, come first
RETRY_AFTER_S: Final = 600.0  # a world with which something could not be done is left alone so long
FACTS_AT_A_TIME: Final = 50  # folders that are compared with the index in one step

_log = logging.getLogger("worldline.housekeeping")

Steps = Iterator[object]
"""Work in small pieces: each `next` is one step on the other thread."""


class Housekeeper:
    """Looks after the worlds in the data folder ``data``, whose lock this process holds."""

    def __init__(
        self, data: Path, wanted: Retention, checks: Checks | None = None, directory: Directory | None = None
    ) -> None:
        """``checks`` hears which worlds are held, and which are at rest; the ``directory`` what their logs say."""
        self._checks = checks
        self._directory = directory
        self._data = data
        self._wanted = wanted
        self._worlds: dict[str, KeptWorld] = {}
        self._holders: dict[str, int | None] = {}  # world → its shard, or None while it has not come back
        self._to_look_at: deque[str] = deque()
        self._to_remove: deque[tuple[str, str]] = deque()
        self._to_archive: deque[str] = deque()
        self._not_before_s: dict[str, float] = {}
        self._news = asyncio.Event()
        self._stopping = False
        self._running: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="housekeeping")

    def begin(self, infos: Sequence[WorldInfo]) -> None:
        """Begin with these worlds, found after all journals were redone and before a shard opened any."""
        for info in infos:
            if info.status == "open":
                self._holders[info.world] = None
            self._know(info)
        self._running = asyncio.create_task(self._run(), name="housekeeping")

    async def stop(self) -> None:
        """End after the step that is being done. Safe before `begin`."""
        self._stopping = True
        self._news.set()
        if self._running is not None:
            await self._running
        self._thread.shutdown()

    # --- what happens to worlds ----------------------------------------------------------------------

    def held(self, world: str, shard: int) -> None:
        """A shard has opened a new world, or goes on with one."""
        self._holders[world] = shard
        if self._checks is not None:
            self._checks.held(world)

    def at_rest(self, world: str) -> None:
        """A world is not played any more, and neither a shard nor a journal has it."""
        self._holders.pop(world, None)
        if self._checks is not None:
            self._checks.at_rest(world)
        self._to_look_at.append(world)
        self._news.set()

    def journal_redone(self, shard: int, recovering: Iterable[str]) -> None:
        """A dead shard's journal is gone; its worlds ``recovering`` are to come back, its others have ended."""
        will_return = set(recovering)
        for world in [world for world, holder in self._holders.items() if holder == shard]:
            if world in will_return:
                self._holders[world] = None
            else:
                self.at_rest(world)

    def _know(self, info: WorldInfo) -> None:
        self._worlds[info.world] = KeptWorld(
            world=info.world,
            status=info.status,
            at_rest=info.world not in self._holders,
            ended_ms=info.ended_ms,
            bytes=info.bytes,
            archived=info.archived,
        )

    # --- the loop ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._do("compare the index with the worlds", None, self._compare_index())
            while not self._stopping:
                self._news.clear()
                if self._to_look_at:
                    world = self._to_look_at.popleft()
                    await self._do("look at", world, self._look(world))
                elif self._to_remove:
                    world, why = self._to_remove.popleft()
                    await self._do("remove", world, self._remove(world, why))
                    if self._directory is not None and world not in self._worlds:
                        self._directory.removed(world)
                elif self._to_archive:
                    world = self._to_archive.popleft()
                    await self._do("archive", world, self._archive(world))
                elif (sleep_s := await loop.run_in_executor(self._thread, self._decide)) > 0:
                    await self._sleep(sleep_s)
        except Exception:  # a mistake of ours: worlds are played on, and somebody must hear of it
            _log.exception("nothing is archived or removed any more until the next start")

    def _decide(self) -> float:
        """Find out what is due; return for how many seconds nothing is. A step as well: there may be many worlds."""
        now_s, now_ms = time.monotonic(), int(time.time() * 1000)
        self._not_before_s = {world: until_s for world, until_s in self._not_before_s.items() if until_s > now_s}
        todo = what_to_do(self._worlds.values(), now_ms, self._wanted)
        self._to_remove.extend((world, why) for world, why in todo.remove if world not in self._not_before_s)
        self._to_archive.extend(world for world in todo.archive if world not in self._not_before_s)
        if self._to_remove or self._to_archive:
            return 0.0
        return LOOK_EVERY_S if todo.next_ms is None else min(LOOK_EVERY_S, max(0.05, (todo.next_ms - now_ms) / 1000))

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._news.wait(), seconds)
        except TimeoutError:
            return  # something may be due

    async def _do(self, what: str, world: str | None, steps: Steps) -> None:
        """Have all steps of one piece of work done, unless the server stops meanwhile."""
        loop = asyncio.get_running_loop()
        end = object()
        try:
            while not self._stopping:
                done = await loop.run_in_executor(self._thread, next, steps, end)
                if done is end:
                    break
                if isinstance(done, WorldListing) and self._directory is not None:
                    self._directory.read_again(done)
                await asyncio.sleep(PAUSE_S)
        except (EventLogError, IndexBroken, OSError) as problem:
            about = {} if world is None else {"world": world}
            _log.warning("cannot %s %s: %s", what, world or "", problem, extra=about)
            if world is not None:
                self._not_before_s[world] = time.monotonic() + RETRY_AFTER_S

    # --- work: on the other thread -------------------------------------------------------------------

    def _compare_index(self) -> Steps:
        """Have every world at rest looked at that the index does not know as it is."""
        with Index.create(self._data) as index:
            known = index.worlds()
            index.forget(*(known.keys() - self._worlds.keys()))
        for number, world in enumerate([each.world for each in self._worlds.values() if each.at_rest]):
            if number % FACTS_AT_A_TIME == 0:
                yield None
            row = known.get(world)
            if row is None or row.facts != folder_facts(self._data, world):
                self._to_look_at.append(world)

    def _look(self, world: str) -> Steps:
        """Read a world's log, and tell the index; whoever does the steps hears what it says."""
        for found in listing_steps(self._data, world):
            if found is not None:
                self._know(found.listing.info)
                with Index.create(self._data, check=False) as index:
                    index.put(found)
            yield None if found is None else found.listing

    def _archive(self, world: str) -> Steps:
        before_bytes = self._worlds[world].bytes
        try:
            yield from archive_steps(self._data, world)
        except (LogDamaged, FormatTooNew) as damaged:
            about = {"world": world}
            _log.error("the log of world %s, which has ended, is damaged: %s", world, damaged, extra=about)
            self._worlds[world] = msgspec.structs.replace(self._worlds[world], status="damaged")
            return
        yield from self._look(world)
        after_bytes = self._worlds[world].bytes
        _log.info("world %s is archived: %d bytes became %d", world, before_bytes, after_bytes, extra={"world": world})

    def _remove(self, world: str, why: str) -> Steps:
        remove_world(self._data, world)
        del self._worlds[world]
        _log.info("world %s is removed: %s", world, why, extra={"world": world})
        yield None
        with Index.create(self._data, check=False) as index:
            index.forget(world)
