"""Promise: one request lets several players act, all or none, and steps a manual world; sent again it is the same act,
whatever was cut or killed in between."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from typing import Any

import pytest

import worldline
from replays.replay import replay
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer
from worldline import blocking, protocol
from worldline.errors import InvalidRequest, NotPossible


async def manual_duel(ada: Agent, seats: int = 2, game: str = "duel") -> str:
    """A manual world of ada's, with so many seats of hers."""
    world: str = (await ada.ask("create", game=game, clock="manual"))["world"]
    await ada.ask("join", world=world, seats=seats)
    return world


def outcomes_of(acted: protocol.Acted) -> list[protocol.Outcome]:
    """Its outcomes, none of which is an error."""
    return [outcome for outcome in acted.outcomes if isinstance(outcome, protocol.Outcome)]


def picks(*numbers: int, seq: int | None = None) -> list[dict[str, Any]]:
    named = {} if seq is None else {"seq": seq}
    return [
        {"player": f"p_{place}", "name": "pick", "args": {"n": number}, **named}
        for place, number in enumerate(numbers, 1)
    ]


async def test_a_trainer_steps_all_players_in_one_round_trip(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--limits", "off")
    async with worldline.connect(server.url, name="trainer") as client:
        made = await client.create("duel", manual=True)
        one, two = await client.join_seats(world=made.world, seats=2)
        for number in range(1, 6):
            acted = await client.act(
                {one: ("pick", {"n": number}), two: ("pick", {"n": 9})},
                step=1,
                at_tick=number - 1,
                observe=True,
                notes={two: "nine again"},
            )
            assert acted.tick == number
            assert [(outcome.player, outcome.status, outcome.tick) for outcome in outcomes_of(acted)] == [
                ("p_1", "applied", number),
                ("p_2", "applied", number),
            ]
            assert acted.observations is not None
            assert [seen.player for seen in acted.observations] == ["p_1", "p_2"]
            assert acted.observations[0].data["picks"][-2:] == [f"{number}:p_1:{number}", f"{number}:p_2:9"]
            assert one.observation is acted.observations[0], "the players have seen it, too"
            assert [event.kind for event in acted.observations[0].events] == ["picked"], "each event once"
        acted = await client.act({one: ("pick", {"n": 5})}, step=3)
        assert acted.tick == 8
        acted = await client.act({}, world=made.world, step=2, observe=True)
        assert (acted.tick, acted.outcomes) == (10, [])
        assert (await one.input("pick", n=1, wait_s=0)).status == "pending"
        assert await client.step(made.world) == 11
        outcome = await one.input("pick", n=1)
        assert (outcome.seq, outcome.tick) == (7, 11), "inputs and acts count together"
    assert server.terminate() == 0
    assert replay(server.data, made.world).run().world.tick == 11


async def test_an_act_is_taken_as_a_whole_or_not_at_all(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await manual_duel(ada)
    act = {"world": world, "step": 1}
    good = picks(1, 2)
    for bad, code, path in (
        ({**good[1], "args": {"n": 10}}, "invalid_args", "inputs[1].args.n"),
        ({**good[1], "name": "pock"}, "unknown_input", "inputs[1].name"),
        ({**good[1], "player": "p_3"}, "unknown_player", "inputs[1].player"),
        ({**good[1], "player": "p_1"}, "invalid_args", "inputs[1].player"),
        ({**good[1], "seq": 2}, "seq_conflict", "inputs[1].seq"),
        ({"player": "p_2"}, "invalid_args", "inputs[1].name"),
        ({**good[1], "args": 1}, "invalid_args", "inputs[1].args"),
        ("pick", "invalid_args", "inputs[1]"),
    ):
        refused = await ada.request("act", inputs=[good[0], bad], **act)
        assert (refused["code"], refused["path"]) == (code, path), refused
    for wrong, path in (({"inputs": 1}, "inputs"), ({"inputs": []}, "inputs"), ({}, "inputs")):
        refused = await ada.request("act", world=world, **wrong)
        assert (refused["code"], refused["path"]) == ("invalid_args", path)
    acted = await ada.ask("act", inputs=good, **act)
    assert [(outcome["seq"], outcome["tick"]) for outcome in acted["outcomes"]] == [(1, 1), (1, 1)]
    unknown = await ada.ask("act", inputs=[{**good[0], "arg": {}}], **act)
    assert (unknown["ignored"], unknown["hint"]) == (["inputs[0].arg"], "did you mean args by arg?")


async def test_hints_of_a_refused_act_work(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await manual_duel(ada)
    wrong = picks(1, 10)
    refused = await ada.request("act", world=world, step=1, inputs=wrong)
    assert refused["path"] == "inputs[1].args.n"
    mended = json.loads(refused["hint"].split("`")[1])
    del mended["id"]
    assert (await ada.ask(mended.pop("type"), **mended))["tick"] == 1


async def test_hints_of_what_is_no_act_work(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await manual_duel(ada)
    one, two = picks(1, 2)
    for wrong, path in (([], "inputs"), ([one, one], "inputs[1].player"), ([one, two, one], "inputs")):
        refused = await ada.request("act", world=world, inputs=wrong, wait_ms=0)
        assert (refused["code"], refused["path"]) == ("invalid_args", path)
        value = json.loads(refused["hint"].split("`")[1])
        mended = value if path == "inputs" else [one, {**one, "player": value}]
        acted = await ada.request("act", world=world, inputs=mended, step=1)
        assert acted["type"] == "acted", acted


async def test_only_the_owner_of_a_manual_world_steps_it(server: RunningServer, connect_agent: Connect) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    world = await manual_duel(ada)
    await ben.ask("join", world=world)
    theirs = [{"player": "p_3", "name": "pick", "args": {"n": 3}}]
    assert (await ben.request("act", world=world, inputs=theirs, step=1))["code"] == "not_owner"
    waiting = asyncio.create_task(ben.ask("act", world=world, inputs=theirs))
    acted = await ada.ask("act", world=world, inputs=picks(1, 2), step=1)
    assert [outcome["player"] for outcome in acted["outcomes"]] == ["p_1", "p_2"]
    late = await ben.request("act", world=world, inputs=theirs, at_tick=0)
    assert (late["code"], late["data"]["tick"]) == ("wrong_tick", 1)
    await ada.ask("step", world=world, ticks=1)
    assert (await waiting)["outcomes"][0]["status"] == "applied"
    assert (await ada.request("act", world=world, inputs=[], step=1, at_tick=1))["code"] == "wrong_tick"
    live = await ada.ask("join", game="echo")
    count = [{"player": live["player"], "name": "count", "args": {"by": 1}}]
    running = await ada.request("act", world=live["world"], inputs=count, step=1)
    assert (running["code"], running["path"]) == ("invalid_args", "world"), "it runs by itself"
    nobody = await ben.request("act", world=live["world"], inputs=count)
    assert nobody["code"] == "not_joined"


async def test_in_a_running_world_an_act_waits_for_its_tick(server: RunningServer, connect_agent: Connect) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    made = await ada.ask("create", game="duel", private=True)
    world = made["world"]
    await ada.ask("join", world=world, seats=2)
    await ben.ask("join", world=world, join_code=made["join_code"])
    pending = await ada.ask("act", world=world, inputs=picks(1, 2, seq=1), wait_ms=0)
    assert [outcome["status"] for outcome in pending["outcomes"]] == ["pending", "pending"]
    again = asyncio.create_task(ada.ask("act", world=world, inputs=picks(1, 2, seq=1), observe=True))
    twice = await ada.request("act", world=world, inputs=picks(3, 3))
    assert (twice["code"], twice["path"]) == ("already_acted", "inputs[0]")
    assert (await ben.ask("input", world=world, name="pick", args={"n": 3}))["tick"] == 1
    acted = await again
    assert [(outcome["status"], outcome["tick"]) for outcome in acted["outcomes"]] == [("applied", 1)] * 2
    assert [seen["player"] for seen in acted["observations"]] == ["p_1", "p_2"]


async def test_a_player_that_goes_leaves_its_part_of_the_act_undone(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    made = await ada.ask("create", game="duel", private=True)
    await ada.ask("join", world=made["world"], seats=3)
    act = asyncio.create_task(ada.ask("act", world=made["world"], inputs=picks(1, 2), wait_ms=20_000))
    await ada.ask("ping")
    await ada.ask("leave", world=made["world"], player="p_1")
    await ada.ask("input", world=made["world"], player="p_3", name="pick", args={"n": 1})
    first, second = (await act)["outcomes"]
    assert (first["type"], first["code"]) == ("error", "not_joined")
    assert (second["type"], second["player"], second["status"]) == ("outcome", "p_2", "applied")


async def test_the_end_of_the_game_ends_the_ticks_of_an_act(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await manual_duel(ada)
    inputs = [{"player": "p_1", "name": "stop"}, *picks(1, 1)[1:]]
    later = asyncio.create_task(ada.request("act", world=world, inputs=[], step=5))
    await later
    ending, behind = await asyncio.gather(
        ada.request("act", world=world, inputs=inputs, step=100, observe=True),
        ada.request("act", world=world, inputs=picks(1, 1), step=1),
    )
    assert (ending["tick"], [outcome["status"] for outcome in ending["outcomes"]]) == (6, ["applied", "applied"])
    assert [seen["ended"] for seen in ending["observations"]] == ["terminated"] * 2
    assert behind["code"] == "world_closed"


async def test_acts_that_overlap_run_one_after_the_other(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await manual_duel(ada)
    acts = [ada.ask("act", world=world, inputs=picks(number, number), step=2) for number in range(1, 5)]
    acted = await asyncio.gather(*acts)
    assert [reply["tick"] for reply in acted] == [2, 4, 6, 8]
    assert [reply["outcomes"][0]["tick"] for reply in acted] == [1, 3, 5, 7]


async def test_an_act_that_is_sent_again_is_done_once(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = await manual_duel(ada)
    first = await ada.ask("act", world=world, inputs=picks(1, 2, seq=1), step=3)
    assert first["tick"] == 3
    again = await ada.ask("act", world=world, inputs=picks(1, 2, seq=1), step=3, observe=True)
    assert (again["tick"], [outcome["duplicate"] for outcome in again["outcomes"]]) == (3, [True, True])
    assert len(again["observations"]) == 2
    more = await ada.ask("act", world=world, inputs=picks(1, 2, seq=1), step=5, at_tick=0)
    assert more["tick"] == 5, "what is missing of its ticks is run"
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    again = await ada.ask("act", world=world, inputs=picks(1, 2, seq=1), step=5)
    assert (again["tick"], [outcome["tick"] for outcome in again["outcomes"]]) == (5, [1, 1])
    other = await ada.request("act", world=world, inputs=picks(2, 2, seq=1), step=1)
    assert (other["code"], other["path"]) == ("seq_conflict", "inputs[0].seq")


async def test_acts_go_on_over_killed_shards(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--limits", "off")
    async with worldline.connect(server.url, name="trainer") as client:
        made = await client.create("duel", manual=True)
        one, two = await client.join_seats(world=made.world, seats=2)
        for number in range(1, 31):
            acting = asyncio.create_task(client.act({one: ("pick", {"n": 1}), two: ("pick", {"n": 2})}, step=2))
            if number % 10 == 0:
                os.kill(server.shard_pids()[0], signal.SIGKILL)
            acted = await acting
            assert acted.tick == 2 * number
            assert [outcome.seq for outcome in outcomes_of(acted)] == [number, number]
    assert server.terminate() == 0
    assert replay(server.data, made.world).run().world.tick == 60


async def test_the_client_refuses_what_is_no_act(server: RunningServer) -> None:
    async with worldline.connect(server.url, name="ada") as client:
        here = await client.join("echo")
        there = await client.join("bouncer")
        with pytest.raises(InvalidRequest, match="one world"):
            await client.act({here: "count", there: "count"})
        with pytest.raises(InvalidRequest, match="one world"):
            await client.act({}, step=1)
        with pytest.raises(NotPossible) as refused:
            await client.act({here: ("count", {"by": 1})}, at_tick=10**9)
        assert refused.value.code == "wrong_tick"
        (outcome,) = outcomes_of(await client.act({here: ("count", {"by": 1})}))
        assert outcome.seq == 1, "a refusal leaves the seq free"


def test_the_blocking_client_acts_for_several_players(server: RunningServer) -> None:
    with blocking.connect(server.url, name="trainer") as client:
        made = client.create("duel", manual=True)
        one, two = client.join_seats(world=made.world, seats=2)
        acted = client.act({one: ("pick", {"n": 1}), two: ("pick", {"n": 2})}, step=1, notes={one: "why not"})
        assert (acted.tick, [outcome.result for outcome in outcomes_of(acted)]) == (1, [{"n": 1}, {"n": 2}])
