"""Promise: a slow world delays only its own shard; there clocks run slower, skip nothing, and players are told."""

from __future__ import annotations

import asyncio
import time

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, eventually

WINDOW_S = 5.0
ECHO_HZ, SLOW_HZ = 60.0, 10.0


async def tick_and_time(agent: Agent, world: str) -> tuple[int, float]:
    """A world's tick, and when it was looked at (the middle between asking and hearing)."""
    asked_s = time.monotonic()
    seen = await agent.ask("observe", world=world, format="data")
    return seen["tick"], (asked_s + time.monotonic()) / 2


async def test_a_slow_world_leaves_other_shards_at_their_rate_and_says_that_it_is_slow(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "2")
    slow, echo = await connect_agent(server.url, "slow"), await connect_agent(server.url, "echo")
    slow_world = (await slow.ask("join", game="slow"))["world"]
    echo_world = (await echo.ask("join", game="echo"))["world"]  # the other shard has fewer worlds

    await slow.push("notice", code="clock_slow", world=slow_world)
    echo_from, slow_from = await tick_and_time(echo, echo_world), await tick_and_time(slow, slow_world)
    await asyncio.sleep(WINDOW_S)  # the window that is measured
    echo_to, slow_to = await tick_and_time(echo, echo_world), await tick_and_time(slow, slow_world)

    echo_rate = (echo_to[0] - echo_from[0]) / (echo_to[1] - echo_from[1]) / ECHO_HZ
    slow_rate = (slow_to[0] - slow_from[0]) / (slow_to[1] - slow_from[1]) / SLOW_HZ
    print(f"rate beside a slow world on another shard: {echo_rate:.4f}; the slow world's own: {slow_rate:.2f}")
    assert echo_rate >= 0.99
    assert slow_rate < 0.8, "the game for this test is not slow enough on this machine"
    notices = [push for push in slow.pushes if push["type"] == "notice"]
    assert all(0 < notice["rate"] < 0.95 for notice in notices)
    assert not any(push["type"] == "notice" for push in echo.pushes)

    # No tick was skipped: the game has counted every one.
    async def counts_every_tick() -> bool:
        seen = await slow.ask("observe", world=slow_world, format="data")
        return bool(seen["data"]["ticks"] == seen["tick"])

    await eventually(counts_every_tick, "the game has run every tick that its world counts")


async def test_worlds_of_an_overloaded_shard_still_answer(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    slow, echo = await connect_agent(server.url, "slow"), await connect_agent(server.url, "echo")
    slow_world = (await slow.ask("join", game="slow"))["world"]
    echo_world = (await echo.ask("join", game="echo"))["world"]
    for number in range(1, 4):
        outcome = await echo.ask("input", world=echo_world, name="count", args={"by": 1}, seq=number)
        assert outcome["result"] == {"total": number}
        assert (await slow.ask("input", world=slow_world, name="nudge", seq=number))["status"] == "applied"
    await echo.push("notice", code="clock_slow", world=echo_world)
