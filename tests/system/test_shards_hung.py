"""Promise: a world that never comes back from a call ends, within seconds; no other one loses a thing."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from eventlog.reader import read_world
from eventlog.records import Fault
from replays.verify import verify_world
from server.process import cpu_seconds_of
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, eventually

HANGS_IN_JOIN = """
local game = {}
function game.setup(world) end
function game.join(world, player)
  while true do
  end
end
function game.observe(world, player)
  return {}
end
return game
"""
HANGS_AT_TICK_100 = """
local game = {}
function game.setup(world) end
function game.tick(world, dt)
  while world.tick >= 100 do
  end
end
function game.observe(world, player)
  return {}
end
return game
"""
MANIFEST = """
title = "Hangs"
summary = "Never comes back, sooner or later."
max_players = 2
clock = "realtime"
tick_hz = 60
"""


def write_game(tmp_path: Path, code: str) -> Path:
    """A folder of games with the game ``hangs`` in it."""
    folder = tmp_path / "games" / "hangs"
    folder.mkdir(parents=True)
    (folder / "main.lua").write_text(code)
    (folder / "game.toml").write_text(MANIFEST)
    (folder / "SKILL.md").write_text("# hangs\n")
    return folder.parent


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


async def test_a_game_that_nobody_can_join_without_hanging_ends_no_server(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    """Each join ends a shard; however often they come, the shard is replaced, and its other worlds go on."""
    server = serve("--shards", "1", "--tick-timeout-ms", "100", games=write_game(tmp_path, HANGS_IN_JOIN))
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    world = (await bob.ask("join", game="tsunami"))["world"]
    for seq in range(1, 10):
        refused = await ada.request("join", game="hangs")
        assert refused["type"] == "error"
        moved = await bob.ask("input", world=world, name="move", args={"to": "home"}, seq=seq)
        assert moved["seq"] == seq
    assert server.stderr().count("does not come back from entries") >= 9
    assert server.process.poll() is None


async def test_a_world_is_not_faulted_because_its_shard_was_killed_in_the_same_tick_again_and_again(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    """Only the watch knows a hang: who kills a process from outside proves nothing against the world that ran."""
    server = serve("--shards", "1", "--tick-timeout-ms", "100000", games=write_game(tmp_path, HANGS_AT_TICK_100))
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="hangs"))["world"]
    killed: set[int] = set()
    for _ in range(4):
        (shard,) = await computing(server, killed)
        os.kill(shard, signal.SIGKILL)
        killed.add(shard)
    await computing(server, killed)
    assert "goes on" not in server.stderr(), "it has not come back from that tick"
    server.kill()
    assert not [stored for stored in read_world(server.data, world) if isinstance(stored.record, Fault)]


async def computing(server: RunningServer, killed: set[int]) -> list[int]:
    """Wait for a shard, other than those killed before, that has computed for longer than it takes to start."""

    def found() -> list[int]:
        return [pid for pid in server.shard_pids() if pid not in killed and cpu_seconds_of(pid) > 2.0]

    await eventually(lambda: bool(found()), "the world is in its endless tick")
    return found()


async def test_a_heavy_world_may_take_its_time_to_be_restored(serve: ServerFactory, connect_agent: Connect) -> None:
    """One record may stand for many ticks: together they may take far longer than one tick may."""
    server = serve("--shards", "1", "--tick-timeout-ms", "1500")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="slow"))["world"]  # 300 ms a tick, and one record for ten ticks

    async def old_enough() -> bool:
        return bool((await ada.ask("observe", world=world))["tick"] > 25)

    await eventually(old_enough, "25 ticks", within_s=60.0)
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    outcome = await ada.ask("input", world=world, name="nudge", args={}, seq=1)
    assert outcome["status"] == "applied"
    assert "does not come back" not in server.stderr()


async def test_who_comes_back_while_a_world_is_being_restored_waits_for_it(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    """Its shard does not know the player yet: that must not be taken for a player that is gone."""
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="slow"))["world"]

    async def old_enough() -> bool:
        return bool((await ada.ask("observe", world=world))["tick"] > 25)

    await eventually(old_enough, "25 ticks", within_s=60.0)
    (shard,) = server.shard_pids()
    os.kill(shard, signal.SIGKILL)
    await computing(server, {shard})
    assert "goes on" not in server.stderr(), "it is still being restored"
    again = await connect_agent(server.url, resume=ada.welcome["resume"])
    assert [(mine["world"], mine["player"]) for mine in again.welcome["players"]] == [(world, "p_1")]
    assert again.welcome["lost"] == []
