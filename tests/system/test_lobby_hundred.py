"""Promise: agents that join at once are seated together: a hundred of them in a game of eight make thirteen worlds."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer, eventually


async def test_a_hundred_agents_at_once_make_thirteen_worlds_twelve_full_and_one_of_four(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "2")
    agents = await asyncio.gather(*(connect_agent(server.url, f"agent {number}") for number in range(100)))
    joined = await asyncio.gather(*(one.ask("join", game="tsunami") for one in agents))

    seated = Counter(reply["world"] for reply in joined)
    assert sorted(seated.values()) == [4] + [8] * 12
    for world in seated:
        seats = sorted(reply["seat"] for reply in joined if reply["world"] == world)
        assert seats == list(range(1, len(seats) + 1)), "no seat is given twice"
    assert len({(reply["world"], reply["player"]) for reply in joined}) == 100

    async def listing() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await agents[0].ask("worlds", game="tsunami", limit=100))["worlds"]
        return found

    async def all_are_listed() -> bool:
        return sorted(len(world["players"]) for world in await listing()) == [4] + [8] * 12

    await eventually(all_are_listed, "thirteen worlds with a hundred players are listed")
    worlds = await listing()
    assert [world["world"] for world in worlds] == sorted(seated, reverse=True), "newest first"
    assert sorted(world["seats_free"] for world in worlds) == [0] * 12 + [4]
    (tsunami,) = [game for game in (await agents[0].ask("games"))["games"] if game["game"] == "tsunami"]
    assert (tsunami["players"], tsunami["worlds"]) == (100, 13)


async def test_joining_again_gives_the_same_seat(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    first = await ada.ask("join", game="echo")
    by_game = await ada.ask("join", game="echo")
    by_world = await ada.ask("join", world=first["world"])
    for again in (by_game, by_world):
        assert {key: again[key] for key in ("world", "player", "seat")} == {
            key: first[key] for key in ("world", "player", "seat")
        }


async def test_a_seat_that_is_left_is_given_to_the_next(server: RunningServer, connect_agent: Connect) -> None:
    players = [await connect_agent(server.url, f"player {number}") for number in range(4)]
    joined = [await player.ask("join", game="short_lived") for player in players]
    assert len({reply["world"] for reply in joined}) == 1
    world = joined[0]["world"]
    full = await (await connect_agent(server.url, "too late")).request("join", world=world)
    assert full["code"] == "world_full" and '"game":"short_lived"' in full["hint"]
    await players[1].ask("leave", world=world)
    late = await connect_agent(server.url, "next")

    async def seated() -> bool:
        reply = await late.request("join", world=world)
        return bool(reply["type"] == "joined" and reply["seat"] == joined[1]["seat"])

    await eventually(seated, "the free seat is given away")


async def test_more_worlds_than_allowed_are_to_be_tried_later(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--max-worlds", "1")
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    await ada.ask("join", game="echo")
    refused = await bob.request("join", game="short_lived")
    assert refused["code"] == "too_many_worlds" and refused["retry_after_ms"] > 0
    await bob.ask("join", game="echo")  # where there is room, there is no limit


async def test_unknown_names_are_answered_with_names_that_work(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    unknown = await ada.request("join", game="ecko")
    assert unknown["code"] == "unknown_game" and unknown["valid"][0] == "echo"
    joined = await ada.ask("join", game=unknown["valid"][0])
    lost = await ada.request("join", world=joined["world"][:-1] + "!")
    assert lost["code"] == "unknown_world" and lost["valid"] == [joined["world"]]
    assert (await ada.ask("join", world=lost["valid"][0]))["world"] == joined["world"]


async def test_pages_of_worlds_follow_each_other(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    agents = [await connect_agent(server.url, f"agent {number}") for number in range(9)]
    made = {(await one.ask("join", game="short_lived"))["world"] for one in agents}
    assert len(made) == 3
    first = await agents[0].ask("worlds", game="short_lived", limit=2)
    second = await agents[0].ask("worlds", game="short_lived", limit=2, next=first["next"])
    assert len(first["worlds"]) == 2 and "next" not in second
    assert {world["world"] for page in (first, second) for world in page["worlds"]} == made
    mine = await agents[8].ask("worlds", mine=True)
    assert [world["world"] for world in mine["worlds"]] == [max(made)]
