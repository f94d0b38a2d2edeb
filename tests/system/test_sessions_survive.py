"""Promise: a session survives its connections. Cut anywhere, killed gateway or taken over: the player is kept for its
grace, no input is lost or doubled, no event is missed, time never runs back, and what was lost is said."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from pathlib import Path

import pytest

import worldline
from tests.faults_tried import Tried
from tests.system.conftest import Connect
from tests.system.cutting import (
    CuttingProxy,
    Direction,
    cut_at_random,
    cut_once,
    cutting_proxy,
    logged_inputs,
    logged_joins,
    pass_all,
)
from tests.system.harness import Agent, RunningServer, eventually


async def resume(agent: Agent, token: str) -> dict[str, object]:
    """Say hello with a token."""
    agent.welcome = await agent.ask("hello", resume=token)
    return agent.welcome


async def test_within_grace_the_player_its_seat_and_its_seqs_are_kept(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    joined = await ada.ask("join", game="echo")
    world, player = joined["world"], joined["player"]
    await bob.ask("join", world=world)
    await ada.ask("input", world=world, name="count", args={"by": 3}, seq=1)
    await ada.vanish()
    spoken = await bob.ask("input", world=world, name="say", args={"text": "where are you?"})

    again = await connect_agent(server.url, None)
    welcome = await resume(again, ada.welcome["resume"])
    assert welcome["resumed"] is True
    assert (welcome["session"], welcome["agent"], welcome["name"]) == (
        ada.welcome["session"],
        ada.welcome["agent"],
        "ada",
    )
    (mine,) = again.welcome["players"]
    assert (mine["world"], mine["player"], mine["seat"]) == (world, player, joined["seat"])
    assert (mine["next_seq"], mine["cursor"], mine["status"], mine["driven"]) == (2, 2, "running", True)
    assert mine["tick"] >= spoken["tick"]
    assert again.welcome["lost"] == []
    repeated = await again.ask("input", world=world, name="count", args={"by": 3}, seq=1)
    assert (repeated["duplicate"], repeated["result"]) == (True, {"total": 3})
    seen = await again.ask("observe", world=world)
    assert [(event["n"], event["data"]["text"]) for event in seen["events"]] == [(1, "where are you?")]
    assert seen["missed"] == 0


async def test_after_grace_the_welcome_says_what_was_lost(server: RunningServer, connect_agent: Connect) -> None:
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    joined = await ada.ask("join", game="short_lived")  # grace_s = 1
    world, player = joined["world"], joined["player"]
    await bob.ask("join", world=world)
    await ada.vanish()

    async def alone() -> bool:
        (listed,) = (await bob.ask("worlds", mine=True))["worlds"]
        return len(listed["players"]) == 1

    await eventually(alone, "ada's player leaves")
    again = await connect_agent(server.url, None)
    await resume(again, ada.welcome["resume"])
    assert (again.welcome["resumed"], again.welcome["players"]) == (True, [])
    (lost,) = again.welcome["lost"]
    assert (lost["world"], lost["player"], lost["reason"]) == (world, player, "timeout")
    assert lost["tick"] > 0
    assert (await again.request("observe", world=world))["code"] == "not_joined"


async def test_a_newer_connection_takes_over(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    joined = await ada.ask("join", game="echo")
    newer = await connect_agent(server.url, None)
    await resume(newer, ada.welcome["resume"])
    assert await ada.closed() == 4001
    outcome = await newer.ask("input", world=joined["world"], name="count", args={"by": 1})
    assert (outcome["player"], outcome["result"]) == (joined["player"], {"total": 1})


async def test_a_client_that_was_taken_over_stays_away(server: RunningServer) -> None:
    async with worldline.connect(server.url, name="ada") as ada:
        me = await ada.join("echo")
        await me.input("count", by=2)
        async with worldline.connect(server.url, resume=ada.resume) as newer:
            assert newer.agent == ada.agent
            mine = newer.players[me.world, me.player]
            assert (await mine.input("count", by=3)).result == {"total": 5}
            with pytest.raises(worldline.Disconnected) as lost:
                await me.observe()
            assert lost.value.close_code == 4001
            assert (await mine.input("count", by=1)).result == {"total": 6}


async def test_another_servers_token_makes_somebody_new(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    token = ada.welcome["resume"]
    for changed in ("foreign." + token.partition(".")[2], token[:-2], "", "x" * 3000):
        bob = await connect_agent(server.url, None)
        welcome = await bob.ask("hello", resume=changed, name="bob")
        assert (welcome["resumed"], welcome["name"], welcome["players"], welcome["lost"]) == (False, "bob", [], [])
        assert welcome["agent"] != ada.welcome["agent"]
    assert ada.close_code is None


async def test_the_secret_outlives_the_server(server: RunningServer, serve: object, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    joined = await ada.ask("join", game="echo")
    assert server.terminate() == 0
    assert (server.data / "secret.key").stat().st_mode & 0o777 == 0o600
    assert callable(serve)
    later = serve("--shards", "1")
    again = await connect_agent(later.url, None)
    await resume(again, ada.welcome["resume"])
    assert (again.welcome["resumed"], again.welcome["agent"]) == (True, ada.welcome["agent"])
    (mine,) = again.welcome["players"]
    assert (mine["world"], mine["player"], mine["seat"]) == (joined["world"], joined["player"], joined["seat"])


# --- cut anywhere -----------------------------------------------------------------------------------------


async def scripted_game(proxy: CuttingProxy, data: Path) -> int:
    """Play a short game through the proxy, and check that it went as if nothing had been cut.

    Returns how many inputs were answered a second time because the first answer was lost.
    """
    async with worldline.connect(proxy.url, name="ada") as client:
        agent = client.agent
        me = await client.join("echo", observe=True)
        assert me.observation is not None
        ticks, heard = [me.tick], [event.n for event in me.observation.events]
        duplicates = 0
        for number, by in enumerate((1, 2, 3), 1):
            outcome = await me.input("count", by=by, observe=True)
            assert (outcome.seq, outcome.status, outcome.result) == (number, "applied", {"total": by * (by + 1) // 2})
            assert outcome.observation is not None
            duplicates += outcome.duplicate
            ticks += [outcome.tick, outcome.observation.tick]
            heard += [event.n for event in outcome.observation.events]
        duplicates += (await me.input("say", text="done")).duplicate
        seen = await me.observe()
        assert seen.missed == 0
        ticks.append(seen.tick)
        heard += [event.n for event in seen.events]
        await me.leave()
        assert me.closed in ("left", "gone")
        assert ticks == sorted(ticks), "time ran back"
        assert heard == [1], "the one event, once"
        proxy.may_pass = pass_all
        await client.ping()
    logged = logged_inputs(data, me.world, me.player)
    assert [(seq, name) for seq, _, name, _ in logged] == [(1, "count"), (2, "count"), (3, "count"), (4, "say")]
    assert logged_joins(data, me.world, agent) == [me.player], "one seat, however often it was asked for"
    return duplicates


async def test_a_game_can_be_cut_at_every_point(server: RunningServer, tried: Tried) -> None:
    async with cutting_proxy(server.url) as proxy:
        pieces: dict[Direction, int] = {"up": 0, "down": 0}
        proxy.may_pass = cut_once("up", -1, 0, pieces)
        await scripted_game(proxy, server.data)
        assert (proxy.cuts, min(pieces.values()) > 8) == (0, True)
        points = duplicates = 0
        for direction in pieces:
            # The first two pieces are the upgrade and the hello: a client that never was welcome has nothing to resume.
            for number in range(3, pieces[direction] + 1):
                share = random.Random(number).choice((0.0, 0.5))
                proxy.may_pass = cut_once(direction, number, share, {"up": 0, "down": 0})
                duplicates += await scripted_game(proxy, server.data)
                points += 1
        tried("a connection cut at a byte", proxy.cuts)
        # The farewell of a connection may be cut too, which nobody notices.
        assert proxy.cuts >= points - 2 > 10
        assert duplicates >= 4, "each of the four outcomes was lost once, and the input sent again"


async def play(url: str, data: Path, name: str, inputs: int, told: list[int]) -> None:
    """Count and speak, as fast as allowed; then compare what was acknowledged with the log, and what was heard."""
    async with worldline.connect(url, name=name) as client:
        me = await client.join("echo")
        acknowledged, heard, missed, total, tick = [], [], 0, 0, 0
        for number in range(1, inputs + 1):
            if number % 5 == 0:
                outcome = await me.input("say", text=f"{name} {number}", observe=True)
            else:
                outcome = await me.input("count", by=number, observe=True)
                total += number
                assert outcome.result == {"total": total}, "an input was lost or doubled"
            assert outcome.seq == number
            acknowledged.append((outcome.seq, outcome.tick))
            seen = outcome.observation
            assert seen is not None
            assert seen.tick >= tick, "time ran back"
            tick = seen.tick
            heard += [event.n for event in seen.events]
            missed += seen.missed
            told.append(number)
        assert [(seq, at) for seq, at, _, _ in logged_inputs(data, me.world, me.player)] == acknowledged
        assert logged_joins(data, me.world, client.agent) == [me.player]
        assert (heard, missed) == (list(range(heard[0], heard[0] + len(heard))), 0), "each event once, in order"


async def test_cut_at_random_three_agents_lose_nothing(server: RunningServer, tried: Tried) -> None:
    async with cutting_proxy(server.url) as proxy:
        async with asyncio.timeout(60):
            told: list[int] = []
            playing = [asyncio.create_task(play(proxy.url, server.data, f"agent {n}", 30, told)) for n in range(3)]
            await eventually(lambda: len(told) >= 3, "all three play")
            proxy.may_pass = cut_at_random(random.Random(3), cuts=20, probability=0.2)
            await asyncio.gather(*playing)
        tried("a connection cut at a byte", proxy.cuts)
        assert proxy.cuts == 20
        assert len(told) == 90


async def test_a_killed_gateway_costs_its_agents_nothing(server: RunningServer, tried: Tried) -> None:
    told: list[int] = []
    playing = [asyncio.create_task(play(server.url, server.data, f"agent {n}", 30, told)) for n in range(8)]
    for so_many in (40, 140):
        await eventually(lambda so_many=so_many: len(told) >= so_many, "the agents play")
        (gateway,) = server.gateway_pids()
        os.kill(gateway, signal.SIGKILL)
        tried("a gateway killed under playing agents")
        killed_at_s = time.monotonic()
        count = len(told)
        await eventually(lambda count=count: len(told) > count + 8, "they play on")
        assert time.monotonic() - killed_at_s < 20
        await eventually(lambda gateway=gateway: server.gateway_pids() not in ([], [gateway]), "a new gateway")
    await asyncio.gather(*playing)
    assert len(told) == 240
    assert server.terminate() == 0
