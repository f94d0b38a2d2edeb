"""What a replayer keeps of worlds: their logs as they were read, replays that nobody uses, and keyframes.

Replays of streams that have ended are kept for a while: who seeks back and forth finds the world near.

Bounded: `IDLE_KEPT` idle replays, the chronicles of `WORLDS_KEPT` worlds and of those that are shown, and
`KEYFRAMES_BYTES` of keyframes, of which those of the world that was asked for longest ago go first.

Not here: who asks (worker), and how keyframes come to be (ahead).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from eventlog.store import Store
from replays.keyframes import Keyframes
from replays.replay import Replay, replay
from replays.shelf import Shelf
from server import refusals
from server.callpage import CallPage
from server.replayer import sight
from server.replayer.chronicle import Chronicle

IDLE_KEPT: Final = 4
WORLDS_KEPT: Final = 8
KEYFRAMES_BYTES: Final = 192 * 2**20
"""Of all worlds together: half an hour of Tsunami, 2,000 nodes, takes 42 MiB; one world at most 64 MiB."""


class Kept:
    """What is kept of the worlds in the data folder ``data``."""

    def __init__(self, data: Path, calls: CallPage) -> None:
        self._data = data
        self._calls = calls
        self._store = Store.read_only(data)
        self.shelf = Shelf(self._store)
        self._chronicles: OrderedDict[str, Chronicle] = OrderedDict()
        self._keyframes: OrderedDict[str, Keyframes] = OrderedDict()
        self._idle: OrderedDict[Replay, str] = OrderedDict()

    async def chronicle(self, world: str, shown: int) -> Chronicle:
        """The log of a world, read up to its end, while ``shown`` are on screens.

        Raises `sight.NotShown`, and the errors of ``eventlog``."""
        chronicle = self._chronicles.get(world)
        if chronicle is None:
            if world not in self._store.world_ids():
                raise sight.NotShown(refusals.unknown_world(world, []))
            chronicle = self._chronicles[world] = Chronicle(self._data, world)
        self._chronicles.move_to_end(world)
        try:
            await chronicle.refresh(now=True)
        except BaseException:
            self._chronicles.pop(world, None)
            raise
        while len(self._chronicles) > WORLDS_KEPT + shown:
            self._chronicles.popitem(last=False)
        return chronicle

    @contextlib.contextmanager
    def lent(self, chronicle: Chronicle, tick: int) -> Iterator[Replay]:
        """A replay of this world for as long as the block runs, near ``tick`` if there is one. Raises what `replay`
        raises."""
        with self.taken(chronicle, tick) as replaying:
            yield replaying
        self.give_back(replaying, chronicle.world)

    @contextlib.contextmanager
    def taken(self, chronicle: Chronicle, tick: int) -> Iterator[Replay]:
        """As `lent`, but it is the caller's once the block has come to its end. Where that is only cancelled or
        refused it is given back; what broke is not lent again."""
        replaying = self.take_replay(chronicle, tick)
        try:
            yield replaying
        except (asyncio.CancelledError, sight.NotShown):
            self.give_back(replaying, chronicle.world)
            raise
        except BaseException:
            replaying.close()
            raise

    def take_replay(self, chronicle: Chronicle, tick: int) -> Replay:
        """An idle replay of this world, the nearest; or a new one. Raises what `replay` raises."""
        world = chronicle.world
        idle = [each for each, name in self._idle.items() if name == world]
        if idle:
            nearest = min(idle, key=lambda each: (each.world.tick > tick, abs(each.world.tick - tick)))
            del self._idle[nearest]
            return nearest
        with self._calls.during(world, 0, "restore"):
            made = replay(self._data, world, start=tick, shelf=self.shelf, known=chronicle.outline)
        made.keyframes = self.keyframes(world)
        return made

    def keyframes(self, world: str) -> Keyframes:
        """Those of a world, which all its replays share."""
        found = self._keyframes.setdefault(world, Keyframes())
        self._keyframes.move_to_end(world)
        return found

    def give_back(self, replaying: Replay, world: str) -> None:
        """Keep a replay for whoever asks for its world next."""
        replaying.listener = None
        self._idle[replaying] = world
        while len(self._idle) > IDLE_KEPT:
            oldest, _ = self._idle.popitem(last=False)
            oldest.close()
        self._keep_to_budget()

    def _keep_to_budget(self) -> None:
        while len(self._keyframes) > 1 and sum(each.size_bytes for each in self._keyframes.values()) > KEYFRAMES_BYTES:
            _, oldest = self._keyframes.popitem(last=False)
            oldest.clear()  # also for those who still look at that world
