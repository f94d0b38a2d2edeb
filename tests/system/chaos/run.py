"""One run: agents join, faults fall until time is over and enough have fired, then everything is counted."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tests.system.chaos.account import Account, compare
from tests.system.chaos.agents import Agent, Memory
from tests.system.chaos.faults import Victim, draw_fault

SHARDS: Final = 2
GAMES_IN_TURN: Final = ("echo", "echo", "tsunami")
SHARD_KILL_EVERY_S: Final = 4.0
GATEWAY_KILL_EVERY_S: Final = 30.0
SERVER_KILL_EVERY_S: Final = 20.0
PATIENCE: Final = 5.0
"""A slow machine may take this many times the run's seconds until enough faults have fired."""
QUIET_WITHIN_S: Final = 180.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What to do."""

    seconds: float
    agents: int
    seed: int
    folder: Path
    """For the data folder and the servers' logs."""

    @property
    def data(self) -> Path:
        """Where the worlds are."""
        return self.folder / "data"

    def meant(self) -> dict[str, int]:
        """How many faults of each kind must fire at least."""
        return {
            "shard": int(self.seconds / SHARD_KILL_EVERY_S),
            "gateway": int(self.seconds / GATEWAY_KILL_EVERY_S),
            "server": int(self.seconds / SERVER_KILL_EVERY_S),
        }


class Result(msgspec.Struct, frozen=True):
    """What became of it."""

    account: Account
    memory: Memory
    fired: dict[str, int]
    missing: dict[str, int]
    """Faults that were meant to fire and did not."""


async def run(plan: Run, say: Callable[[str], None]) -> Result:
    """Play, kill and count. Raises AssertionError if a server does not come back."""
    victim = Victim(plan.folder, plan.data, SHARDS)
    memory, stop = Memory(), asyncio.Event()
    await victim.start()
    agents = [
        Agent(number, victim.url, GAMES_IN_TURN[number % len(GAMES_IN_TURN)], plan.seed, memory, stop)
        for number in range(plan.agents)
    ]
    playing = [asyncio.create_task(agent.play(), name=agent.name) for agent in agents]
    try:
        async with asyncio.timeout(QUIET_WITHIN_S):
            await asyncio.gather(*(agent.playing.wait() for agent in agents))
        await _hurt(victim, plan, say)
        stop.set()
        async with asyncio.timeout(QUIET_WITHIN_S):
            await asyncio.gather(*playing)
    finally:
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        fired = dict(sorted(victim.fired.items()))  # the last kill is no part of the schedule
        victim.kill_server()
    # Once more up and down in order: what the last inputs came to is noted by the record after them.
    await victim.start()
    code = await asyncio.to_thread(victim.stop)
    result = compare(plan.data, memory)
    if code:
        result.problems.append(f"the last server ended with {code}")
    meant = plan.meant()
    missing = {kind: count - fired.get(kind, 0) for kind, count in meant.items() if fired.get(kind, 0) < count}
    return Result(result, memory, fired, missing)


async def _hurt(victim: Victim, plan: Run, say: Callable[[str], None]) -> None:
    rng = random.Random(plan.seed)
    began_s = time.monotonic()
    meant = plan.meant()
    while True:
        passed_s = time.monotonic() - began_s
        enough = all(victim.fired[kind] >= count for kind, count in meant.items())
        if passed_s >= plan.seconds * (1 if enough else PATIENCE):
            return
        fault = draw_fault(rng)
        await asyncio.sleep(fault.pause_s)
        say(f"{time.monotonic() - began_s:6.1f} s  kill -9 {fault.kind}")
        await victim.suffer(fault)


def lines(result: Result, seed: int) -> list[str]:
    """The account for people."""
    account, memory = result.account, result.memory
    faults = ", ".join(
        f"{count} {kind}{'' if kind == 'standstill' else ' kill'}s" for kind, count in result.fired.items()
    )
    refused = ", ".join(f"{count} {code}" for code, count in sorted(memory.refusals.items())) or "none"
    return [
        f"seed {seed} · {faults}",
        f"{account.worlds} worlds, opened {account.openings} times · {len(memory.joined)} joins · "
        f"{memory.observations} observations, {memory.events} events · told to try later: {refused}",
        f"{account.acknowledged} acknowledged · {account.lost} lost · {account.doubled} doubled · "
        f"{account.found} found at their tick with their status, {account.repeated} of them told after a crash",
        f"{len(account.faulted)} worlds faulted · {len(account.problems)} problems",
        *account.problems,
        *(f"too few faults: {count} more {kind} kills were meant to fire" for kind, count in result.missing.items()),
    ]
