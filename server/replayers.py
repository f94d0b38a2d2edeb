"""The replayer processes of a server: started when somebody wants to see what has been, bounded in number.

They only read the data folder, so that one may die at any time, or hang in a world that does not come back, and nothing
is lost but what it was showing.

Not here: what they show (``server/replayer/``), and how a process is started (``server/children.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server import messages
from server.callpage import CallReader
from server.children import Child, spawn
from server.config import ServeConfig
from server.metrics import ProcessUse
from server.minding import mind
from server.process import cpu_seconds_of, resident_bytes
from server.slots import Slot

MOST: Final = 4
STOP_S: Final = 4.0  # it has nothing to save


def replayer_of(world: str, number: int) -> int:
    """Which of so many replayers shows a world: always the same, which has its keyframes."""
    return zlib.crc32(world.encode()) % number


def replayers() -> int:
    """How many replayers there may be: few enough that ticks never wait for what has been."""
    return max(1, min(MOST, len(os.sched_getaffinity(0)) // 4))


class Replayers:
    """The replayers of one server. ``tell(message)`` reaches the gateways; ``made`` hears of forks, ``died`` of the
    number of one that has not done what it was sent, and will not."""

    def __init__(
        self,
        config: ServeConfig,
        sockets: Path,
        *,
        fair_play: bool,
        tell: Callable[[messages.FromSupervisor], None],
        made: Callable[[messages.ForkMade], None],
        died: Callable[[int], None],
    ) -> None:
        self._config = config
        self._sockets = sockets
        self._fair_play = fair_play
        self._tell = tell
        self._made = made
        self._died = died
        self._slots: dict[int, Slot] = {}
        self._started = 0
        self._unsent: dict[int, list[messages.FromSupervisor]] = {}
        self._minding: set[asyncio.Task[None]] = set()

    def want(self, number: int, gone: str | None) -> None:
        """Somebody asks for this replayer: start it, or say where it is, if that is not where it has ``gone``."""
        slot = self._slots.get(number)
        if slot is None or slot.given_up:
            self._slots[number] = Slot(
                f"replayer slot {number}", functools.partial(self._start, number), self._given_up
            )
        elif slot.ready_child is not None and slot.ready_child.socket_path != gone:
            self._ready(number, slot.ready_child)

    def used(self) -> list[ProcessUse]:
        """What each of those that live has used, as the kernel tells: it may be too busy to be asked."""
        found = []
        for slot in self._slots.values():
            child = slot.ready_child
            with contextlib.suppress(OSError):  # it has just died
                if child is not None:
                    found.append(ProcessUse(child.name, cpu_seconds_of(child.pid), resident_bytes(child.pid)))
        return found

    def send(self, world: str, message: messages.FromSupervisor) -> int:
        """Send to the replayer of a world, as soon as it is ready. Return its number."""
        number = replayer_of(world, replayers())
        self.want(number, None)
        slot = self._slots[number]
        if slot.ready_child is not None:
            slot.ready_child.send(message)
        else:
            self._unsent.setdefault(number, []).append(message)
        return number

    async def stop(self) -> None:
        """End them all."""
        await asyncio.gather(*(slot.stop(STOP_S) for slot in self._slots.values()))
        await asyncio.gather(*self._minding)

    def kill(self) -> None:
        """End them all now."""
        for slot in self._slots.values():
            slot.kill()

    # --- inside --------------------------------------------------------------------------------------

    async def _start(self, number: int) -> Child:
        self._started += 1
        page_path = self._sockets / f"replayer-{self._started}.page"
        calls = CallReader(page_path)
        child = await spawn("replayer", number, self._on_message, self._lost)
        child.calls = calls
        child.socket_path = str(self._sockets / f"replayer-{self._started}.sock")
        self._minding.add(task := asyncio.create_task(self._mind(child, calls), name=f"mind {child.name}"))
        task.add_done_callback(self._minding.discard)
        child.send(
            messages.ConfigureReplayer(
                replayer=number,
                data=str(self._config.data.resolve()),
                socket_path=child.socket_path,
                call_page_path=str(page_path),
                fair_play=self._fair_play,
                log_format=self._config.log,
                log_level=self._config.log_level,
            )
        )
        return child

    def _on_message(self, child: Child, message: messages.ToSupervisor) -> None:
        if isinstance(message, messages.ReplayerReady):
            child.mark_ready()
            self._ready(child.number, child)
            for waiting in self._unsent.pop(child.number, []):
                child.send(waiting)
        elif isinstance(message, messages.ForkMade):
            self._made(message)

    def _ready(self, number: int, child: Child) -> None:
        self._tell(messages.ReplayerUp(replayer=number, socket_path=child.socket_path))

    def _lost(self, child: Child) -> None:
        self._tell(messages.ReplayerDown(replayer=child.number))
        self._drop(child.number)

    def _given_up(self, slot: Slot) -> None:
        for number, each in self._slots.items():
            if each is slot:
                self._tell(messages.ReplayerDown(replayer=number, given_up=True))
                self._drop(number)

    def _drop(self, number: int) -> None:
        """What waited for it is not sent to its successor: who asked is told that it was not done."""
        self._unsent.pop(number, None)
        self._died(number)

    async def _mind(self, child: Child, calls: CallReader) -> None:
        """Kill it if a world does not come back from a call: what hung a shard may hang here, too."""
        await mind(child, calls, self._config.tick_timeout_ms / 1000)
