"""Kills a tick worker of the demo's own server, and finds out what that has cost.

How long: until every world that ran there has run a tick again, in another process. What: each outcome that a bot was
told before is looked for in the logs.

Not here: how worlds come back (``server/recovery.py``), and which key does this (``run.py``).
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from server.audit import Audit, audit, read_lines
from server.messages import ShardStatistics
from server.supervisor import Supervisor

LOOK_EVERY_S: Final = 0.02
BACK_WITHIN_S: Final = 60.0  # of a world that is not back by then, the server's log says why
ACCOUNT_WAITS_S: Final = 5.0  # for the first outcome after the kill: bots think for up to five seconds


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """One kill. ``back_s`` and ``account`` are None as long as they are not known."""

    shard: int
    worlds: int
    passed_s: float
    back_s: float | None = None
    account: Audit | None = None
    failed: str = ""
    """Why there is no account."""

    @property
    def done(self) -> bool:
        """Whether nothing more will come."""
        return self.account is not None or bool(self.failed)


class Killer:
    """Kills one shard at a time. ``told`` is the file in which the bots write down what they were told."""

    def __init__(self, supervisor: Supervisor, data: Path, told: Path) -> None:
        self._supervisor = supervisor
        self._data = data
        self._told = told
        self._kill: Kill | None = None
        self._began_s = 0.0
        self._running: asyncio.Task[None] | None = None

    @property
    def kill(self) -> Kill | None:
        """The latest kill, as far as it is."""
        if self._kill is None or self._kill.back_s is not None or self._kill.done:
            return self._kill
        return msgspec.structs.replace(self._kill, passed_s=time.monotonic() - self._began_s)

    @property
    def busy(self) -> bool:
        """Whether a kill is under way."""
        return self._running is not None and not self._running.done()

    @property
    def told(self) -> bool:
        """Whether a kill has come to its end."""
        return self._kill is not None and not self.busy

    def start(self) -> None:
        """Kill the shard with the most worlds that tick; nothing happens while another kill is under way."""
        if not self.busy:
            self._running = asyncio.create_task(self._run(), name="kill a shard")

    async def close(self) -> None:
        """Give up what is under way."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        shards = (await self._supervisor.statistics()).shards
        victim = max(shards, key=lambda shard: len(ticking(shard)), default=None)
        worlds = set() if victim is None else ticking(victim)
        if victim is None or not worlds:
            return
        self._began_s = time.monotonic()
        self._kill = Kill(shard=victim.shard, worlds=len(worlds), passed_s=0.0)
        try:
            back_s = await kill_and_wait(self._supervisor, {victim.pid}, worlds)
        except TimeoutError:
            self._kill = msgspec.structs.replace(
                self.kill or self._kill, failed=f"not all of them are back after {BACK_WITHIN_S:g} s"
            )
            return
        self._kill = msgspec.structs.replace(self._kill, passed_s=back_s, back_s=back_s)
        try:
            account = await self._account()
        except (OSError, msgspec.DecodeError) as error:
            self._kill = msgspec.structs.replace(self._kill, failed=f"what the bots were told cannot be read: {error}")
            return
        self._kill = msgspec.structs.replace(self._kill, account=account)

    async def _account(self) -> Audit:
        """Wait a little until a bot has been told something since the kill, and account for all that was told."""
        before = len(await asyncio.to_thread(read_lines, self._told))
        until_s = time.monotonic() + ACCOUNT_WAITS_S
        while time.monotonic() < until_s and len(await asyncio.to_thread(read_lines, self._told)) == before:
            await asyncio.sleep(0.2)
        # First what was told, then the logs: what is acknowledged meanwhile is not missed in them.
        told = await asyncio.to_thread(read_lines, self._told)
        return await asyncio.to_thread(audit, self._data, told, all_worlds=False)


def ticking(shard: ShardStatistics) -> set[str]:
    """The worlds of a shard that have run a tick since they were opened there."""
    return {world.world for world in shard.worlds if world.ticks_run > 0}


async def kill_and_wait(supervisor: Supervisor, pids: Collection[int], worlds: Collection[str]) -> float:
    """Kill these shards with SIGKILL; return how many seconds it took until each of ``worlds`` ticked elsewhere.

    Raises TimeoutError if that takes too long.
    """
    began_s = time.monotonic()
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            shards = (await supervisor.statistics()).shards
            back = {world for shard in shards if shard.pid not in pids for world in ticking(shard)}
            running = {world.world for world in supervisor.worlds() if world.status in ("running", "recovering")}
            if back.issuperset(running & set(worlds)):
                return time.monotonic() - began_s
            await asyncio.sleep(LOOK_EVERY_S)
