"""Promise: a server that finds a forked world serves it: whoever joins goes on as one of its players, it is stepped,
plays, and survives crashes and restarts like any other."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import worldline
from replays.replay import replay
from replays.verify import verify_world
from tests.system.harness import RunningServer, eventually
from worldline.errors import NotPossible

Start = Callable[..., RunningServer]


def fork(data: Path, address: str, *options: str) -> str:
    """Fork a world with the command; return the new world's id."""
    command = [sys.executable, "-m", "server.commands", "fork", address, "--json", "--data", str(data), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said: dict[str, Any] = json.loads(done.stdout)
    world: str = said["world"]
    return world


async def step_when_all_have_picked(client: worldline.Client, world: str) -> int:
    """Step a duel once nobody is awaited any more; return the tick."""

    async def nobody_is_awaited() -> bool:
        (listed,) = [each for each in await client.worlds("duel") if each.world == world]
        return listed.waiting_for == []

    await eventually(nobody_is_awaited, "everybody has picked")
    return await client.step(world)


async def a_duel(server: RunningServer) -> str:
    """Play three ticks of a duel, end the server, and return the world."""
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        made = await ada.create("duel", seed=5, manual=True)
        players = [await ada.join(world=made.world), await ben.join(world=made.world)]
        for n in (1, 2, 3):
            picks = [asyncio.create_task(player.input("pick", n=n)) for player in players]
            await step_when_all_have_picked(ada, made.world)
            await asyncio.gather(*picks)
    assert server.terminate() == 0
    return made.world


async def test_a_forked_world_is_played_on_by_others(serve: Start) -> None:
    server = serve()
    data, parent = server.data, await a_duel(server)
    world = fork(data, f"{parent}@2")
    shutil.rmtree(data / "worlds" / parent)

    server = serve(data=data)
    async with worldline.connect(server.url, name="cleo") as cleo, worldline.connect(server.url, name="dan") as dan:
        (listed,) = await cleo.worlds("duel")
        assert (listed.world, listed.status, listed.tick, listed.clock) == (world, "running", 2, "manual")
        assert (listed.ranked, listed.owner, listed.players, listed.seats_free) == (False, None, [], 3)
        with pytest.raises(NotPossible, match="whoever plays in it says when it ticks"):
            await cleo.step(world)
        assert (await cleo.join("duel")).world != world, "joining the game leads to no fork"

        second = await dan.join(world=world, seat=2)
        first = await cleo.join(world=world)
        assert [(player.player, player.seat) for player in (first, second)] == [("p_1", 1), ("p_2", 2)]
        seen = await first.observe()
        assert seen.data["picks"] == ["1:p_1:1", "1:p_2:1", "2:p_1:2", "2:p_2:2"]
        picks = [asyncio.create_task(player.input("pick", n=7)) for player in (first, second)]
        assert await step_when_all_have_picked(cleo, world) == 3
        assert [(await pick).tick for pick in picks] == [3, 3], "seqs begin anew, whatever the parent's players sent"

        for pid in server.shard_pids():
            os.kill(pid, signal.SIGKILL)
        assert await dan.step(world, at_tick=3) == 4, "who plays there is known after a crash"
        assert await cleo.play(world) == 4
    assert server.terminate() == 0

    server = serve(data=data)
    async with worldline.connect(server.url, name="eve") as eve:
        mine = [each for each in await eve.worlds("duel") if each.world == world]
        assert [player.name for player in mine[0].players] == ["cleo", "dan"]
        assert (await eve.join(world=world)).player == "p_3", "no seat is vacant any more, but one is free"
    assert server.terminate() == 0
    assert verify_world(data, world).status == "verified"
    again = replay(data, world).run()
    assert again.genesis.forked_from == (parent, 2)
    assert again.world.players["p_1"].name == "cleo"
    again.close()


async def test_a_forked_realtime_world_plays_by_its_games_clock_again(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada:
        player = await ada.join("tsunami")
        tick = (await player.observe(until="tick", wait_s=20)).tick
    assert server.terminate() == 0
    world = fork(server.data, f"{player.world}@{tick}", "--owner", ada.agent)

    server = serve(data=server.data)
    async with worldline.connect(server.url, name="ben") as ben:
        again = await ben.join(world=world)
        assert (again.player, again.clock) == ("p_1", "manual")
        assert (await again.observe()).tick == tick, "it stands still"
        with pytest.raises(NotPossible) as refused:
            await ben.play(world)
        assert refused.value.code == "not_owner"
    assert server.terminate() == 0
    assert verify_world(server.data, world).status == "verified"
