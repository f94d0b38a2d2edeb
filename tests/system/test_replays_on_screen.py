"""Promise: what has been can be watched as it was: from any tick, at any speed, with any player's eyes; by a process
that live worlds do not feel, whether it hangs, dies, or has a damaged log before it."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import edge_client
from tests.system.harness import Agent, RunningServer
from tests.system.screen import Screen
from tests.system.test_watching import on_stage, put


def replayer_pids(server: RunningServer) -> list[int]:
    """The process ids of the replayers."""
    return sorted(pid for pid, command in server.family().items() if "-m server.replayer" in command)


async def played(agent: Agent, *, end: bool = True) -> tuple[str, dict[int, dict[str, float]]]:
    """A world that has been played; and what lay on the stage after each of its inputs, by tick."""
    world = await on_stage(agent)
    shown: dict[int, dict[str, float]] = {}
    things: dict[str, float] = {}
    for number in range(8):
        name = f"thing {number % 3}"
        outcome = await put(agent, world, name, number, note=f"step {number}")
        things[name] = number
        shown[outcome["tick"]] = dict(things)
    if end:
        await agent.ask("input", world=world, name="finish")
        await agent.push("closed", world=world)
    return world, shown


async def test_a_world_that_has_ended_is_watched_as_it_went(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        watching = await screen.open(world, speed=64)
        assert (watching["live"], watching["playing"], watching["speed"], watching["tick"]) == (False, True, 64, 0)
        assert [mark["kind"] for mark in watching["marks"]] == ["joined", "ended"]
        await screen.until(lambda: screen.tick == watching["last_tick"])
        assert screen.things() == shown[max(shown)]
        told = [(told["tick"], told["args"], told["note"]) for told in screen.inputs if told["name"] == "put"]
        assert [tick for tick, _, _ in told] == sorted(shown)
        assert told[3] == (sorted(shown)[3], {"name": "thing 0", "x": 3}, "step 3")
        assert len(screen.events) == 8
        for tick in sorted(shown, key=lambda tick: tick % 5):  # back and forth
            sought = await screen.ask(type="control", watch=screen.watch, action="seek", tick=tick)
            assert (sought["type"], sought["playing"], sought["tick"]) == ("watching", False, tick)
            await screen.until(lambda: screen.frames > 0)
            assert screen.things() == shown[tick]
            before = await screen.ask(type="control", watch=screen.watch, action="seek", tick=tick - 1)
            await screen.until(lambda: screen.frames > 0)
            assert before["tick"] == tick - 1
            assert screen.things() == shown.get(max((each for each in shown if each < tick), default=-1), {})


async def test_pause_play_speed_live_and_stop(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    async with edge_client(server.url, "msgpack") as client:
        screen = Screen(client)
        await screen.open(world)

        async def control(action: str, **fields: Any) -> dict[str, Any]:
            reply = await screen.ask(type="control", watch=screen.watch, action=action, **fields)
            assert reply["type"] == "watching", reply
            return reply

        paused = await control("pause")
        assert (paused["playing"], paused["tick"]) == (False, screen.tick if screen.frames else paused["tick"])
        faster = await control("speed", speed=64)
        assert (faster["speed"], faster["playing"], faster["tick"]) == (64, False, paused["tick"])
        playing = await control("play")
        assert (playing["playing"], playing["speed"]) == (True, 64)
        await screen.until(lambda: screen.tick == playing["last_tick"])
        await control("seek", tick=0)
        ended = await control("live")
        assert (ended["live"], ended["tick"]) == (False, ended["last_tick"])
        await screen.until(lambda: screen.frames > 0)
        assert screen.things() == shown[max(shown)]
        stopped = await screen.ask(type="control", watch=screen.watch, action="stop")
        assert stopped["playing"] is False
        assert (await screen.ask(type="control", watch=screen.watch, action="play"))["code"] == "unknown_watch"


async def test_a_running_world_is_stopped_on_the_screen_only(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada, end=False)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        live = await screen.open(world)
        paused = await screen.ask(type="control", watch=screen.watch, action="pause")
        assert (paused["live"], paused["playing"]) == (False, False)
        assert paused["tick"] >= live["tick"], "time does not run back"
        await put(ada, world, "late", 1)
        await screen.until(lambda: screen.frames > 0)
        assert "late" not in screen.things()
        first = min(shown)
        await screen.ask(type="control", watch=screen.watch, action="seek", tick=first)
        await screen.until(lambda: screen.frames > 0)
        assert screen.things() == shown[first]
        again = await screen.ask(type="control", watch=screen.watch, action="live")
        assert (again["live"], again["playing"], again["watch"] != paused["watch"]) == (True, True, True)
        await screen.until(lambda: screen.things().get("late") == 1)
        await put(ada, world, "late", 2)
        await screen.until(lambda: screen.things().get("late") == 2)


async def test_a_replay_of_a_running_world_goes_on_as_it_does(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, _ = await played(ada, end=False)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await screen.open(world, from_tick=0, speed=64)
        await put(ada, world, "late", 5)
        await screen.until(lambda: screen.things().get("late") == 5)
        await ada.ask("input", world=world, name="finish")
        await ada.push("closed", world=world)
        await screen.until(lambda: any(told["name"] == "finish" for told in screen.inputs))


async def test_one_sees_what_a_player_was_sent(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    await put(ada, world, "chair", 1)
    sent = await ada.ask("observe", world=world)
    first = await put(ada, world, "table", 2)
    sent_later = await ada.ask("observe", world=world, after_tick=first["tick"])
    last = await put(ada, world, "lamp", 3)
    await ada.ask("input", world=world, name="finish")
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await eventually_ended(ada, world)
        for tick, observation in ((first["tick"], sent), (last["tick"], sent_later)):
            await screen.open(world, from_tick=tick, **{"as": "p_1"}, id=5)
            await screen.ask(type="control", watch=screen.watch, action="pause")
            await screen.until(lambda: screen.frames > 0)
            seen = screen.observation
            assert (seen["tick"], seen["data"], seen["text"]) == (
                observation["tick"],
                observation["data"],
                observation["text"],
            )
        await screen.ask(type="control", watch=screen.watch, action="seek", tick=0)
        await screen.until(lambda: screen.frames > 0)
        assert screen.observation is None
        await screen.ask(type="control", watch=screen.watch, action="speed", speed=64)
        await screen.ask(type="control", watch=screen.watch, action="play")
        await screen.until(lambda: screen.tick == last["tick"] + 1)
        assert screen.observed_tick() == sent_later["tick"]
        spectator = await screen.ask(type="control", watch=screen.watch, action="view")
        assert spectator["type"] == "watching"
        await screen.until(lambda: screen.frames > 0)
        assert screen.observation is None


async def eventually_ended(agent: Agent, world: str) -> None:
    """Return when a world has ended."""
    await agent.push("closed", world=world)


async def test_a_newer_control_overtakes_an_older_and_both_are_answered(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    ticks = sorted(shown)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await screen.open(world)
        for number, tick in enumerate(ticks, 100):
            seek = {"type": "control", "id": number, "watch": screen.watch, "action": "seek", "tick": tick}
            await client.send(seek)
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < len(ticks):
            heard, raw = await screen.next()
            if "re" in heard:
                answers[heard["re"]] = heard
                if heard["re"] == 100 + len(ticks) - 1:
                    screen.begin(heard)
            elif heard.get("watch") == screen.watch:
                screen.take(heard, raw)
        assert sorted(answers) == list(range(100, 100 + len(ticks)))
        assert {answer["type"] for answer in answers.values()} == {"watching"}
        assert answers[100 + len(ticks) - 1]["tick"] == ticks[-1]
        await screen.until(lambda: screen.frames > 0)
        assert screen.things() == shown[ticks[-1]]


async def test_what_cannot_be_shown_is_said(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    refused = await ada.request("watch", world=world, from_tick=10**9)
    last = refused["data"]["last_tick"]
    assert (refused["code"], refused["data"]) == ("tick_out_of_range", {"first_tick": 0, "last_tick": last})
    assert refused["path"] == "from_tick"
    assert last > max(shown)
    refused = await ada.request("watch", world=world, **{"as": "p_7"})
    assert (refused["code"], refused["valid"]) == ("unknown_player", ["p_1"])
    refused = await ada.request("watch", world="../../etc")
    assert refused["code"] == "unknown_world"
    watching = await ada.ask("watch", world=world, from_tick=3)
    refused = await ada.request("control", watch=watching["watch"], action="seek")
    assert (refused["code"], refused["path"]) == ("invalid_args", "tick")
    refused = await ada.request("control", watch=watching["watch"], action="seek", tick=last + 1)
    assert (refused["code"], refused["path"]) == ("tick_out_of_range", "tick")
    assert refused["data"] == {"first_tick": 0, "last_tick": last}
    assert f"from 0 to `{last}`" in refused["hint"]
    refused = await ada.request("control", watch=watching["watch"], action="speed", speed=100)
    assert "a number from 0.25 to 64" in refused["message"]
    moved = await ada.ask("control", watch=watching["watch"], action="seek", tick=last)
    assert moved["tick"] == last, "what was refused has changed nothing"


async def test_a_replayer_that_dies_is_a_blink(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    running = await on_stage(ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        await screen.open(world, from_tick=max(shown))
        await screen.ask(type="control", watch=screen.watch, action="pause")
        await screen.until(lambda: screen.frames > 0)
        shards, (replayer,) = server.shard_pids(), replayer_pids(server)
        assert os.getpriority(os.PRIO_PROCESS, replayer) > os.getpriority(os.PRIO_PROCESS, shards[0])
        before = screen.watch
        os.kill(replayer, signal.SIGKILL)
        await screen.until(lambda: screen.watch != before and screen.frames > 0)
        assert screen.things() == shown[max(shown)]
        assert screen.watching["playing"] is False
        assert replayer_pids(server) != [replayer]
    assert server.shard_pids() == shards
    assert (await put(ada, running, "chair", 1))["status"] == "applied"


async def test_a_delayed_game_is_shown_late_and_to_all_alike(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="late"))["world"]
    async with edge_client(server.url) as one, edge_client(server.url) as other:
        screen, second = Screen(one), Screen(other)
        watching = await screen.open(world)
        assert watching["live"] is False
        await put(ada, world, "chair", 1)
        while "chair" not in screen.things():
            frames = screen.frames
            await screen.until(lambda: screen.frames > frames)  # noqa: B023
            shown = screen.tick
            now = (await ada.ask("observe", world=world))["tick"]
            assert now - shown >= 2 * 30, "nobody sees it sooner than the game says"
        await second.open(world)
        assert second.watch == screen.watch
        refused = await screen.ask(type="control", watch=screen.watch, action="seek", tick=now)
        assert refused["code"] == "tick_out_of_range"
        assert (await ada.request("watch", world=world, from_tick=0))["code"] == "live_world"
        refused = await second.ask(type="watch", world=world, **{"as": "p_1"})
        assert refused["code"] == "live_world"


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
async def test_nothing_is_left_of_a_replayer_when_the_server_ends(
    serve: ServerFactory, connect_agent: Connect, signal_number: int
) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world, _ = await played(ada)
    await ada.ask("watch", world=world)
    assert len(replayer_pids(server)) == 1
    os.kill(server.pid, signal_number)
    await asyncio.to_thread(server.process.wait)
    assert not server.orphans()
