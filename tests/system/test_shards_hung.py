"""Promise: a world that never comes back from a call ends, within seconds; no other one loses a thing."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from eventlog.reader import read_world
from eventlog.records import Fault
from replays.verify import verify_world
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer


async def beside(server: RunningServer, connect_agent: Connect, other: str) -> tuple[Agent, str]:
    """An agent in another world on the only shard."""
    agent = await connect_agent(server.url, "neighbour")
    world = (await agent.ask("join", game="echo"))["world"]
    assert world != other
    return agent, world


@pytest.mark.parametrize("where", ["input", "tick", "observe"])
async def test_an_endless_loop_ends_its_world_and_no_other(
    serve: ServerFactory, connect_agent: Connect, where: str
) -> None:
    server = serve("--shards", "1", "--tick-timeout-ms", "300")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="endless"))["world"]
    neighbour, quiet_world = await beside(server, connect_agent, world)
    await neighbour.ask("input", world=quiet_world, name="count", args={"by": 3}, seq=1)

    reply = await ada.request("input", world=world, name="spin", args={"where": where}, seq=1, observe=True)
    if reply["type"] == "outcome":  # the loop begins in a later tick
        reply = await ada.request("observe", world=world)
    assert (reply["type"], reply["code"]) == ("error", "world_faulted")
    assert (await ada.push("closed", world=world))["reason"] == reply["data"]["reason"]
    assert ada.close_code is None, "the connection never dropped"
    (line,) = [line for line in server.stderr().splitlines() if "does not come back" in line and "killed" in line]
    assert world in line

    counted = await neighbour.ask("input", world=quiet_world, name="count", args={"by": 4}, seq=2)
    assert counted["result"] == {"total": 7}, "its neighbour on the same shard is as it was"
    assert server.terminate() == 0
    assert isinstance(list(read_world(server.data, world))[-1].record, Fault)
    assert verify_world(server.data, world).status == "verified", "that tick is never run again, in replays neither"


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
