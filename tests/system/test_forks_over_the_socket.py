"""Promise: on a running server one plays on from any tick of any log, in a world of one's own; the other one does not
notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import worldline
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer, eventually
from tests.system.test_replays_on_screen import played
from tests.system.test_watching import on_stage, put


async def test_a_fork_begins_where_its_parent_stood_and_goes_its_own_way(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    log = server.data / "worlds" / world / "0001.wlog"
    await eventually(lambda: log.exists() and b"finished" in log.read_bytes(), "its log is at rest")
    before = log.read_bytes()
    tick = sorted(shown)[3]
    parent = await ada.ask("state", world=world, tick=tick, path="scene")
    forked = await ada.ask("fork", world=world, tick=tick)
    fork = forked["world"]
    assert "join_code" not in forked
    (listed,) = [each for each in (await ada.ask("worlds"))["worlds"] if each["world"] == fork]
    assert (listed["clock"], listed["ranked"], listed["players"], listed["tick"]) == ("manual", False, [], tick)
    assert (await ada.ask("state", world=fork, path="scene"))["state"] == parent["state"]
    joined = await ada.ask("join", world=fork)
    assert (joined["next_seq"], joined["tick"]) == (1, tick)
    refused = await ada.request("step", world=fork, ticks=1, at_tick=tick + 5)
    assert refused["code"] == "wrong_tick"
    assert (await ada.ask("step", world=fork, ticks=3))["tick"] == tick + 3
    await ada.ask("play", world=fork)
    await put(ada, fork, "otherwise", 9)
    watching = await ada.ask("watch", world=fork)
    assert (watching["live"], watching["first_tick"]) == (True, tick)
    refused = await ada.request("control", watch=watching["watch"], action="seek", tick=tick - 1)
    assert (refused["code"], refused["data"]["first_tick"]) == ("tick_out_of_range", tick)
    sought = await ada.ask("control", watch=watching["watch"], action="seek", tick=tick)
    assert (sought["tick"], sought["first_tick"]) == (tick, tick)
    genesis = (await ada.ask("log", world=fork, limit=1))["records"][0]
    assert genesis["forked_from"] == [world, tick]
    assert log.read_bytes() == before


async def test_a_running_world_is_forked_and_does_not_notice(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    outcome = await put(ada, world, "chair", 1)
    forked = await ada.ask("fork", world=world, tick=outcome["tick"], private=True)
    assert forked["join_code"]
    assert (await put(ada, world, "chair", 2))["status"] == "applied"
    bob = await connect_agent(server.url, "bob")
    assert (await bob.request("join", world=forked["world"]))["code"] == "forbidden"
    await bob.ask("join", world=forked["world"], join_code=forked["join_code"])


async def test_a_key_gives_the_same_fork(server: RunningServer, connect_agent: Connect) -> None:
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    world, shown = await played(ada)
    tick = min(shown)
    first = await ada.ask("fork", world=world, tick=tick, key="one")
    assert (await ada.ask("fork", world=world, tick=tick, key="one"))["world"] == first["world"]
    assert (await ada.ask("fork", world=world, tick=tick, key="two"))["world"] != first["world"]
    assert (await bob.ask("fork", world=world, tick=tick, key="one"))["world"] != first["world"]


async def test_a_key_gives_the_same_fork_also_after_the_server_was_killed(serve: ServerFactory) -> None:
    server = serve("--shards", "1")
    async with worldline.connect(server.url, name="ada", give_up_after_s=0) as client:
        resume = client.resume
        parent = (await client.create("stage", manual=True)).world
        await client.join(world=parent)
        await client.step(parent, 5)
        before = await client.fork(parent, 3, key="one")
    server.kill()
    again = serve("--shards", "1")
    async with worldline.connect(again.url, resume=resume) as client, worldline.connect(again.url) as other:
        assert client.welcome.resumed
        assert (await client.fork(parent, 3, key="one")).world == before.world
        assert (await client.step(before.world, 2)) == 5, "it is there, and goes on"
        assert (await client.fork(parent, 3, key="two")).world != before.world
        assert (await other.fork(parent, 3, key="one")).world != before.world, "a key is its agent's"


async def test_the_command_has_a_running_server_make_a_fork(server: RunningServer, connect_agent: Connect) -> None:
    world, shown = await played(await connect_agent(server.url, "ada"))
    tick = min(shown)

    def fork(*words: str) -> subprocess.CompletedProcess[str]:
        words = ("fork", *words, "--url", server.url)
        return subprocess.run(
            [sys.executable, "-m", "server.commands", *words], capture_output=True, text=True, timeout=60, check=False
        )

    made = fork(f"{world[:8]}@{tick}", "--play", "--private", "--json")
    assert made.returncode == 0, made.stderr
    said = json.loads(made.stdout)
    assert (said["forked_from"], said["tick"]) == (f"{world}@{tick}", tick)
    async with worldline.connect(server.url) as client:
        me = await client.join(world=said["world"], join_code=said["join_code"])
        assert (await me.observe(after_tick=tick + 3, wait_s=20)).tick > tick + 3, "it plays"
    told = fork(f"{world}@{tick}", "--play")
    assert told.stdout.endswith(f" forked from {world}@{tick}: it plays\n")
    for address, says in [
        (f"{world}@99999999", "error: tick_out_of_range: "),
        (f"w_zzzzzzzzzz@{tick}", "error: unknown_world: "),
    ]:
        refused = fork(address, "--play")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(says) and " → " in refused.stderr
    for address in (world, f"game.replay@{tick}"):
        assert fork(address, "--play").returncode == 2


async def test_what_cannot_be_forked_is_said(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="stage"))["world"]
    assert (await ada.request("fork", world=world, tick=1))["code"] == "live_world"
    assert (await ada.request("fork", world="w_none", tick=1))["code"] == "unknown_world"
    await ada.ask("input", world=world, name="finish")
    await ada.push("closed", world=world)
    refused = await ada.request("fork", world=world, tick=10**9)
    assert (refused["code"], refused["data"]["first_tick"]) == ("tick_out_of_range", 0)
    assert refused["data"]["last_tick"] > 0
    refused = await ada.request("fork", world=world, tick=refused["data"]["last_tick"])
    assert (refused["code"], refused["path"]) == ("invalid_args", "tick")
    for _ in range(4):
        await ada.ask("fork", world=world, tick=0)
    assert (await ada.request("fork", world=world, tick=0))["code"] == "too_many_worlds"


async def test_a_fork_lives_through_the_death_of_its_shard(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    async with worldline.connect(server.url) as client:
        forked = await client.fork(world, min(shown))
        me = await client.join(world=forked.world)
        assert await client.step(forked.world, 2) == min(shown) + 2
        (shard,) = server.shard_pids()
        os.kill(shard, signal.SIGKILL)
        seen = await me.observe()
        assert seen.tick == min(shown) + 2
