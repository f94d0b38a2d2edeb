"""Promise: who watches a world sees it as it is: the frames are the scene, whoever else watches, however slowly, and
whatever becomes of the processes behind it. Nobody sees what they may not."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import Encoding, edge_client
from tests.system.harness import Agent, RunningServer, eventually
from tests.system.screen import Screen


async def put(agent: Agent, world: str, name: str, x: float, **more: Any) -> dict[str, Any]:
    """Put a thing on the stage."""
    return await agent.ask("input", world=world, name="put", args={"name": name, "x": x}, **more)


async def on_stage(agent: Agent) -> str:
    """Join a world of its own, and return it."""
    world: str = (await agent.ask("create", game="stage"))["world"]
    await agent.ask("join", world=world)
    return world


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_the_frames_are_the_scene(server: RunningServer, connect_agent: Connect, encoding: Encoding) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    await put(ada, world, "chair", 3)
    async with edge_client(server.url, encoding) as client:
        screen = Screen(client)
        watching = await screen.open(world)
        assert (watching["world"], watching["game"], watching["live"], watching["hz"]) == (world, "stage", True, 10)
        assert screen.size == {"x": 2000}
        assert screen.things() == {"chair": 3}
        await put(ada, world, "table", -7.5, note="it needs a table")
        await put(ada, world, "chair", 4)
        await screen.until(lambda: screen.things() == {"chair": 4, "table": -7.5})
        await ada.ask("input", world=world, name="take", args={"name": "chair"})
        refused = await ada.ask("input", world=world, name="take", args={"name": "chair"})
        await screen.until(lambda: len(screen.inputs) == 4)
        assert screen.things() == {"table": -7.5}
    (player,) = screen.players
    assert (player["player"], player["name"], player["seat"], player["score"]) == ("p_1", "ada", 1, 3)
    assert [(event["kind"], event["data"], event["players"]) for event in screen.events] == [
        ("put", {"name": "table"}, ["p_1"]),
        ("put", {"name": "chair"}, ["p_1"]),
    ]
    first, *_, last = screen.inputs
    assert first["note"] == "it needs a table"
    assert first["args"] == {"name": "table", "x": -7.5}
    assert (last["seq"], last["status"], last["code"], last["tick"]) == (5, "rejected", "not_there", refused["tick"])
    assert screen.whole_frames == 1


async def test_all_who_watch_alike_get_the_same_bytes(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    async with edge_client(server.url) as one, edge_client(server.url) as other:
        early, late = Screen(one), Screen(other)
        await early.open(world)
        await put(ada, world, "chair", 1)
        await early.until(lambda: early.things() == {"chair": 1})
        await late.open(world)
        assert late.watch == early.watch
        assert late.nodes == early.nodes, "who comes later sees what is there"
        for x in range(2, 6):
            await put(ada, world, "chair", x)
        for screen in (early, late):
            await screen.until(lambda screen=screen: screen.things() == {"chair": 5})  # type: ignore[misc]
        with_base = [frame for frame in late.raw if b"base_tick" in frame]
        assert with_base
        assert set(with_base) <= set(early.raw)
        await eventually(lambda: _spectators(ada, world, 2), "both are counted")
        assert (await early.ask(type="control", watch=early.watch, action="stop"))["playing"] is False
        await eventually(lambda: _spectators(ada, world, 1), "one has stopped")
    await eventually(lambda: _spectators(ada, world, 0), "both have gone")


async def test_who_has_several_streams_of_a_world_is_one_spectator(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    await put(ada, world, "chair", 1)
    async with edge_client(server.url) as one, edge_client(server.url) as other:
        live, past = [
            await one.ask({"id": number, "type": "watch", "world": world} | more)
            for number, more in enumerate(({}, {"from_tick": 0}))
        ]
        assert live["watch"] != past["watch"]
        looking_on = await other.ask({"id": 1, "type": "watch", "world": world})
        await eventually(lambda: _spectators(ada, world, 2), "two clients have three streams")
        stop = {"id": 2, "type": "control", "action": "stop"}
        await other.ask(stop | {"watch": looking_on["watch"]})
        await eventually(lambda: _spectators(ada, world, 1), "one of them watches on")
        await one.ask(stop | {"watch": past["watch"]})
        assert await _spectators(ada, world, 1), "it has one of its streams left"
    await eventually(lambda: _spectators(ada, world, 0), "both have gone")


async def _spectators(agent: Agent, world: str, number: int) -> bool:
    worlds = (await agent.ask("worlds", mine=True))["worlds"]
    found: int = next(each.get("spectators", 0) for each in worlds if each["world"] == world)
    return found == number


async def test_a_scene_too_large_for_one_message_comes_in_several(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    fill = {"count": 2000, "label": 300, "x": 1}
    await ada.ask("input", world=world, name="fill", args=fill)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        watching = await screen.open(world)
        assert 0 < len(watching["static"]["nodes"]) < 2000
        assert len(screen.things()) == 2000
        await ada.ask("input", world=world, name="fill", args={**fill, "x": 2})
        await screen.until(lambda: set(screen.things().values()) == {2})
        assert max(map(len, screen.raw)) < 2**20
        assert screen.whole_frames == 1


async def test_what_is_wrong_with_a_request_is_said(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    refused = await ada.request("watch", world="w_nothing")
    assert refused["code"] == "unknown_world"
    assert world in refused["valid"]
    refused = await ada.request("watch", world=world, hz=50)
    assert (refused["code"], refused["path"]) == ("invalid_args", "hz")
    assert "a number from 0.1 to 10" in refused["message"]
    refused = await ada.request("control", watch="v_nothing", action="stop")
    assert (refused["code"], refused["valid"]) == ("unknown_watch", [])
    watching = await ada.ask("watch", world=world, hz=7)
    assert watching["hz"] == 5
    refused = await ada.request("control", watch="v_nothing", action="stop")
    assert (refused["code"], refused["valid"]) == ("unknown_watch", [watching["watch"]])
    refused = await ada.request("control", watch=watching["watch"], action="dance")
    assert (refused["code"], refused["path"]) == ("invalid_args", "action")
    await ada.ask("control", watch=watching["watch"], action="stop")
    refused = await ada.request("control", watch=watching["watch"], action="stop")
    assert refused["code"] == "unknown_watch"


async def test_a_connection_watches_eight_streams_at_most(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--limits", "off")
    agents = [await connect_agent(server.url, f"agent {number}") for number in range(3)]
    worlds = [(await agents[number // 3].ask("create", game="stage"))["world"] for number in range(9)]
    spectator = await connect_agent(server.url, "eve")
    watches = [(await spectator.ask("watch", world=world))["watch"] for world in worlds[:8]]
    refused = await spectator.request("watch", world=worlds[8])
    assert (refused["code"], sorted(refused["valid"])) == ("too_many_open", sorted(watches))
    await spectator.ask("control", watch=watches[0], action="stop")
    await spectator.ask("watch", world=worlds[8])


async def test_a_view_that_raises_is_no_harm_and_shows_again_when_it_does_not(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await screen.open(world)
        await ada.ask("input", world=world, name="tear", args={"torn": True})
        refused = await ada.request("watch", world=world, hz=1)
        assert (refused["code"], "the view is torn" in refused["message"]) == ("internal", True)
        await put(ada, world, "chair", 1)
        await ada.ask("input", world=world, name="tear", args={"torn": False})
        await screen.until(lambda: screen.things() == {"chair": 1})
        assert screen.whole_frames == 1
    assert "the view is torn" in server.stderr()


async def test_the_end_of_the_world_is_seen(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await screen.open(world)
        ended = await ada.ask("input", world=world, name="finish")
        await screen.until(lambda: bool(screen.heard("closed")))
        (closed,) = screen.heard("closed")
        assert (closed["world"], closed["reason"], closed["result"]) == (world, "finished", {"done": True})
        assert screen.tick == ended["tick"], "the last tick was shown"


async def test_a_dead_shard_is_a_pause_for_those_who_watch(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await screen.open(world)
        await put(ada, world, "chair", 1)
        await screen.until(lambda: screen.things() == {"chair": 1})
        shown, stream = screen.tick, screen.watch
        (shard,) = server.shard_pids()
        os.kill(shard, signal.SIGKILL)
        await screen.until(lambda: screen.watch != stream and screen.frames > 0)
        assert screen.tick >= shown, "time never runs back"
        assert screen.things() == {"chair": 1}
        told = [notice["code"] for notice in screen.heard("notice") if notice["code"] != "clock_slow"]
        assert told == ["world_recovering", "world_resumed"]
        await put(ada, world, "chair", 2)
        await screen.until(lambda: screen.things() == {"chair": 2})


async def test_a_player_may_not_watch_its_own_world_nor_one_that_it_has_left(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent")
    ada, bob, eve = [await connect_agent(server.url, name) for name in ("ada", "bob", "eve")]
    world = (await ada.ask("join", game="stage"))["world"]
    await bob.ask("join", world=world)
    await bob.ask("leave", world=world)
    for agent in (ada, bob):
        assert (await agent.request("watch", world=world))["code"] == "live_world"
    assert (await eve.ask("watch", world=world))["live"] is True
    for pid in server.shard_pids():
        os.kill(pid, signal.SIGKILL)
    await ada.push("notice", code="world_resumed")
    for agent in (ada, bob):
        refused = await agent.request("watch", world=world)
        assert refused["code"] == "live_world", "another shard knows who had a seat"


async def test_games_say_who_may_watch_and_fair_play_may_be_off(serve: ServerFactory, connect_agent: Connect) -> None:
    fair = serve("--shards", "1", "--fair-play", "on", "--guests", "agent")
    ada = await connect_agent(fair.url, "ada")
    hidden = (await ada.ask("join", game="parley"))["world"]
    eve = await connect_agent(fair.url, "eve")
    refused = await eve.request("watch", world=hidden)
    assert (refused["code"], "not shown before the end" in refused["message"]) == ("live_world", True)
    assert fair.terminate() == 0
    unfair = serve("--shards", "1")
    bob = await connect_agent(unfair.url, "bob")
    own = (await bob.ask("join", game="parley"))["world"]
    assert (await bob.ask("watch", world=own))["watch"]
