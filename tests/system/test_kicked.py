"""Promise: who is kicked by a game is told so, loses the seat, and harms nobody; a recovered world knows it too."""

from __future__ import annotations

import os
import signal

from tests.system.conftest import Connect
from tests.system.harness import RunningServer, eventually


async def test_a_kicked_player_is_told_and_its_seat_is_free(server: RunningServer, connect_agent: Connect) -> None:
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    world = (await ada.ask("join", game="bouncer"))["world"]
    joined = await bob.ask("join", world=world)
    outcome = await ada.ask(
        "input", world=world, name="kick", args={"player": joined["player"], "reason": "too loud"}, observe=True
    )
    assert outcome["status"] == "applied"
    assert outcome["observation"]["data"]["left"] == [f"{joined['player']} kicked"]
    closed = await bob.push("closed")
    assert (closed["world"], closed["player"], closed["reason"]) == (world, joined["player"], "kicked")
    assert closed["result"] == {"message": "too loud"}
    assert (await bob.request("input", world=world, name="count"))["code"] == "not_joined"
    again = await bob.ask("join", world=world)
    assert (again["player"], again["seat"]) == ("p_3", joined["seat"])


async def test_who_kicks_itself_gets_the_outcome_and_what_waits_behind_it_is_refused(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    joined = await ada.ask("join", game="bouncer")
    world = joined["world"]
    await bob.ask("join", world=world)
    for _ in range(5):
        outcome = await ada.ask(
            "input", world=world, name="kick", args={"player": joined["player"], "reason": ""}, observe=True
        )
        assert outcome["status"] == "applied"
        assert "observation" not in outcome, "there is nothing to see without a seat"
        assert (await ada.request("input", world=world, name="count"))["code"] == "not_joined"
        joined = await ada.ask("join", world=world)
    assert (await bob.ask("input", world=world, name="count"))["result"] == {"counted": 1}


async def test_who_is_sent_away_at_the_door_gets_no_seat(server: RunningServer, connect_agent: Connect) -> None:
    ada, troll = await connect_agent(server.url, "ada"), await connect_agent(server.url, "troll")
    world = (await ada.ask("join", game="bouncer"))["world"]
    for _ in range(6):  # more often than there are seats
        refused = await troll.request("join", world=world)
        assert refused["code"] == "not_joined"
    assert (await ada.ask("observe", world=world))["data"]["left"][0] == "p_2 kicked"
    assert (await (await connect_agent(server.url, "bob")).ask("join", world=world))["seat"] == 2


async def test_after_a_crash_the_kicked_are_still_gone(server: RunningServer, connect_agent: Connect) -> None:
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    world = (await ada.ask("join", game="bouncer"))["world"]
    joined = await bob.ask("join", world=world)
    await ada.ask("input", world=world, name="kick", args={"player": joined["player"], "reason": "out"})
    await bob.push("closed")
    os.kill(server.shard_pids()[0], signal.SIGKILL)

    async def is_back() -> bool:
        reply = await ada.request("input", world=world, name="count")
        return bool(reply["type"] == "outcome")

    await eventually(is_back, "the world is back")
    (listed,) = (await ada.ask("worlds", game="bouncer"))["worlds"]
    assert [player["name"] for player in listed["players"]] == ["ada"]
    assert (await bob.request("observe", world=world))["code"] == "not_joined"
    assert (await bob.ask("join", world=world))["player"] == "p_3"
