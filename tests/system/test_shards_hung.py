"""Promise: a world that never comes back from a call costs its shard, within seconds, and no other one a thing."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer


async def other_shard(server: RunningServer, connect_agent: Connect, beside: str) -> tuple[Agent, str]:
    """An agent in a world on the shard that does not run ``beside``: new worlds go where the fewest are."""
    agent = await connect_agent(server.url, "neighbour")
    world = (await agent.ask("join", game="echo"))["world"]
    assert world != beside
    return agent, world


@pytest.mark.parametrize("where", ["input", "tick", "observe"])
async def test_an_endless_loop_is_ended_and_named(serve: ServerFactory, connect_agent: Connect, where: str) -> None:
    server = serve("--shards", "2", "--tick-timeout-ms", "300")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="endless"))["world"]
    neighbour, quiet_world = await other_shard(server, connect_agent, world)

    reply = await ada.request("input", world=world, name="spin", args={"where": where}, observe=True)
    if reply["type"] == "outcome":  # the loop begins in a later tick
        reply = await ada.request("observe", world=world)
    assert (reply["type"], reply["code"]) == ("error", "world_closed")
    assert reply["data"] == {"reason": "shard_lost"}
    assert ada.close_code is None, "the connection never dropped"

    (line,) = [line for line in server.stderr().splitlines() if "does not come back" in line]
    assert world in line
    assert {"input": "tick", "tick": "tick", "observe": "observe"}[where] in line
    counted = await neighbour.ask("input", world=quiet_world, name="count", args={"by": 3})
    assert counted["result"] == {"total": 3}
    assert [push for push in neighbour.pushes if push["type"] == "closed"] == []
    assert server.terminate() == 0


async def test_a_shard_that_is_paused_is_not_killed(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--tick-timeout-ms", "1000")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="slow"))["world"]  # it is in a call nearly all of the time
    (shard,) = server.shard_pids()
    os.kill(shard, signal.SIGSTOP)
    await asyncio.sleep(2.5)  # the pause itself: longer than the limit by the clock, nothing in processor time
    os.kill(shard, signal.SIGCONT)
    outcome = await ada.ask("input", world=world, name="nudge", args={})
    assert outcome["status"] == "applied"
    assert server.shard_pids() == [shard]
    assert "does not come back" not in server.stderr()
