"""Worlds that agents make for themselves: manual ones step as told, private ones open by code, all survive a crash."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import pytest

import worldline
from replays.replay import replay
from tests.system.harness import RunningServer, agent, eventually
from worldline.errors import InvalidRequest, NotPossible, TryLater

Start = Callable[..., RunningServer]


async def test_a_manual_world_is_stepped_by_its_owner_and_plays_on_after_a_crash(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        made = await ada.create("duel", settings={"start": 3}, seed=5, manual=True)
        me, other = await ada.join(world=made.world), await ben.join(world=made.world)
        assert (me.clock, other.clock) == ("manual", "manual")
        first = asyncio.create_task(me.input("pick", n=1))

        async def only_ben_is_awaited() -> bool:
            return (await ada.worlds("duel"))[0].waiting_for == ["p_2"]

        await eventually(only_ben_is_awaited, "the listing shows that p_1 has acted")
        assert await ada.step(made.world, 3, at_tick=0) == 3
        assert (await first).tick == 1
        with pytest.raises(NotPossible, match="tick 3"):
            await ada.step(made.world, at_tick=0)
        with pytest.raises(NotPossible) as refused:
            await ben.step(made.world)
        assert refused.value.code == "not_owner"

        os.kill(server.shard_pids()[0], signal.SIGKILL)
        assert await ada.step(made.world, 2, at_tick=3) == 5, "the owner is known after the crash, and the clock"
        assert await ada.play(made.world) == 5
        outcomes = await asyncio.gather(me.input("pick", n=2), other.input("pick", n=4))
        assert [outcome.tick for outcome in outcomes] == [6, 6]

        os.kill(server.shard_pids()[0], signal.SIGKILL)
        outcomes = await asyncio.gather(me.input("pick", n=5), other.input("pick", n=6))
        assert [outcome.tick for outcome in outcomes] == [7, 7], "it plays by its game's clock, also after a crash"
        seen = await me.observe()
        (listed,) = await ada.worlds("duel")
        assert (listed.owner, listed.ranked, listed.clock) == (ada.agent, False, "lockstep")
        with pytest.raises(InvalidRequest, match="runs by its lockstep clock"):
            await ada.step(made.world)
    assert server.terminate() == 0
    again = replay(server.data, made.world).run()
    assert again.world.tick == 7
    assert (again.genesis.seed, again.genesis.settings, again.genesis.owner) == (5, {"start": 3}, ada.agent)
    assert seen.data["picks"][0].startswith("start:3:")
    assert seen.data["picks"][1:] == [
        *("1:p_1:1", "1:p_2:0", "2:p_1:0", "2:p_2:0", "3:p_1:0", "3:p_2:0", "4:p_1:0", "4:p_2:0", "5:p_1:0", "5:p_2:0"),
        *("6:p_1:2", "6:p_2:4", "7:p_1:5", "7:p_2:6"),
    ]
    again.close()


async def test_a_lockstep_world_goes_on_after_a_crash_with_a_new_deadline(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        players = [await ada.join("duel"), await ben.join("duel")]
        waiting = asyncio.create_task(players[0].input("pick", n=1))
        os.kill(server.shard_pids()[0], signal.SIGKILL)
        other = await players[1].input("pick", n=2)
        assert ((await waiting).tick, other.tick) == (1, 1), "the input that waited is there again, once"
        seen = await players[0].observe()
        assert seen.data["picks"] == ["1:p_1:1", "1:p_2:2"]
        assert seen.time_left_ms is not None
        assert seen.time_left_ms > 3_000_000
        assert seen.your_turn


async def test_private_worlds_open_by_their_code_and_joining_the_game_leads_to_none_of_them(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        made = await ada.create("echo", private=True)
        seeded = await ada.create("echo", seed=7)
        assert seeded.join_code is None
        for code in (None, "wrong"):
            with pytest.raises(InvalidRequest) as refused:
                await ben.join(world=made.world, join_code=code)
            assert refused.value.code == "forbidden"
        elsewhere = await ben.join("echo")
        assert elsewhere.world not in (made.world, seeded.world)
        assert (await ben.join(world=made.world, join_code=made.join_code)).world == made.world
        assert (await ada.join(world=made.world)).world == made.world, "its owner needs no code"
        listed = {world.world: (world.owner, world.ranked, world.private) for world in await ben.worlds("echo")}
        assert listed[made.world] == (ada.agent, False, True)
        assert listed[seeded.world] == (ada.agent, False, False)
        assert listed[elsewhere.world] == (None, True, False)


async def test_wrong_wishes_are_refused_with_what_would_work(serve: Start) -> None:
    server = serve()
    async with agent(server.url) as guest:
        for fields, code, path in (
            ({"game": "chess"}, "unknown_game", "game"),
            ({"game": "duel", "settings": {"start": 99}}, "invalid_args", "settings.start"),
            ({"game": "duel", "settings": {"begin": 1}}, "invalid_args", "settings.begin"),
            ({"game": "duel", "clock": "lockstep"}, "invalid_args", "clock"),
            ({"game": "duel", "seed": -1}, "invalid_args", "seed"),
        ):
            reply = await guest.request("create", **fields)
            assert (reply["type"], reply["code"], reply["path"]) == ("error", code, path)
            assert reply["hint"]
        assert (await guest.request("step", world="w_nowhere", ticks=1))["code"] == "unknown_world"
        assert (await guest.request("play", world="w_nowhere"))["code"] == "unknown_world"


async def test_in_a_private_world_a_developer_steps_as_fast_as_it_can_and_still_does_after_a_cut(serve: Start) -> None:
    server = serve()  # limits are on: ten requests a second
    async with agent(server.url) as trainer:
        made = await trainer.ask("create", game="duel", clock="manual", private=True)
        await trainer.ask("join", world=made["world"])
        for tick in range(1, 61):
            assert (await trainer.ask("step", world=made["world"], ticks=1))["tick"] == tick
        await trainer.vanish()
        async with agent(server.url, resume=trainer.welcome["resume"]) as again:
            for tick in range(61, 121):
                assert (await again.ask("step", world=made["world"], ticks=1))["tick"] == tick


async def test_an_agent_has_four_worlds_of_its_own(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, patient=False) as ada, worldline.connect(server.url) as ben:
        worlds = [(await ada.create("duel", manual=True)).world for _ in range(4)]
        with pytest.raises(TryLater) as refused:
            await ada.create("duel")
        assert refused.value.code == "too_many_worlds"
        assert all(world in str(refused.value) for world in worlds)
        await ben.create("duel")


async def test_an_unused_world_closes_and_makes_room(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url) as ada:
        made = await ada.create("short_lived", manual=True)

        async def closed() -> bool:
            return (await ada.worlds("short_lived"))[0].status == "closed"

        await eventually(closed, f"world {made.world} closes")
