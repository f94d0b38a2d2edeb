"""Promise: what the client's screen shows is the world, live and as it was, over connections that break; with await and
without."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

import worldline
from tests.system.conftest import Connect
from tests.system.harness import Agent, RunningServer
from tests.system.page.playing import slow_line
from tests.system.test_replays_on_screen import played
from tests.system.test_watching import on_stage, put
from worldline import blocking


def things(nodes: dict[int, dict[str, object]]) -> dict[object, object]:
    """Where the things on the stage are, by name."""
    return {node["name"]: node["x"] for node in nodes.values() if node["kind"] == "thing"}


async def test_a_screen_shows_the_running_world_also_after_its_gateway_died(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    async with worldline.connect(server.url) as client:
        screen = await client.watch(world)
        assert screen.live
        assert screen.playing
        await put(ada, world, "chair", 1)
        async for frame in screen.frames():
            if frame.inputs:
                break
        assert things(screen.nodes) == {"chair": 1}
        assert screen.tick == frame.tick
        (gateway,) = server.gateway_pids()
        os.kill(gateway, signal.SIGKILL)
        bob = await reconnect(connect_agent, server, "bob")
        await bob.ask("join", world=world)
        await put(bob, world, "table", 2)
        async for _ in screen.frames():
            if "table" in things(screen.nodes):
                break
        assert things(screen.nodes) == {"chair": 1, "table": 2}
        await bob.ask("input", world=world, name="finish")
        async for _ in screen.frames():
            pass
        assert screen.ended == "finished"


async def reconnect(connect_agent: Connect, server: RunningServer, name: str) -> Agent:
    """Connect as soon as there is a gateway again."""
    while True:
        try:
            return await connect_agent(server.url, name)
        except OSError:
            await asyncio.sleep(0.05)


async def test_a_screen_goes_back_and_forth_in_what_was(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    async with worldline.connect(server.url) as client:
        screen = await client.watch(world, speed=64)
        inputs = [told async for frame in screen.frames() for told in frame.inputs]
        assert [told.tick for told in inputs if told.name == "put"] == sorted(shown)
        for tick in sorted(shown, reverse=True):
            await screen.seek(tick)
            async for _ in screen.frames():
                break
            assert (screen.tick, things(screen.nodes)) == (tick, shown[tick])
        with pytest.raises(worldline.InvalidRequest, match="can be seen from tick 0"):
            await screen.seek(10**9)
        records = [record async for record in client.log(world, kinds=["input"])]
        assert [record["tick"] for record in records][: len(shown)] == sorted(shown)
        stood = await client.state(world, tick=max(shown), path="state.puts")
        assert stood.state == len(shown)
        await screen.stop()
        assert screen.ended == "stopped"


async def test_a_screen_waits_for_its_picture_also_at_the_end_of_a_world(
    server: RunningServer, connect_agent: Connect
) -> None:
    world, shown = await played(await connect_agent(server.url, "ada"))
    async with (
        slow_line(server.url, bytes_per_s=1_500) as port,
        worldline.connect(f"ws://127.0.0.1:{port}/ws") as client,
    ):
        screen = await client.watch(world, from_tick=max(shown), speed=64)
        last = [frame.tick async for frame in screen.frames()][-1]
        for _ in range(3):
            await screen.seek(last)
            assert [frame.tick async for frame in screen.frames()] == [last]
            assert things(screen.nodes) == shown[max(shown)]


async def test_a_screen_without_await(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)

    def look() -> None:
        with blocking.connect(server.url) as client:
            screen = client.watch(world, from_tick=min(shown), speed=0.25)
            screen.pause()
            for frame in screen.frames():
                assert frame.tick == screen.tick
                break
            screen.seek(max(shown))
            next(screen.frames())
            assert things(screen.nodes) == shown[max(shown)]
            assert (screen.live, screen.playing, screen.world, screen.ended) == (False, False, world, None)
            assert [player.name for player in screen.players] == ["ada"]
            screen.speed(64)
            screen.play()
            assert list(screen.frames())[-1].tick == screen.last_tick
            screen.go_live()
            screen.view("p_1")
            next(screen.frames())
            assert screen.observation is None
            screen.stop()
            assert next(iter(client.log(world)))["record"] == "genesis"
            assert client.state(world).tick == screen.last_tick

    await asyncio.to_thread(look)
