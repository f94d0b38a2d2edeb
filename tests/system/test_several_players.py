"""Promise: an agent has as many players in a world as it may, over one connection, and gets them all back; its sessions
drive each player from one place, and take one over only when they say so."""

from __future__ import annotations

import os
import signal

import pytest

import worldline
from replays.replay import replay
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer, eventually
from tests.system.test_tokens import tokens
from worldline.errors import InvalidRequest, NotPossible


async def test_all_seats_of_a_private_world_are_driven_over_one_connection(serve: ServerFactory) -> None:
    server = serve("--shards", "1")
    async with worldline.connect(server.url, name="ada") as ada:
        made = await ada.create("echo", private=True)
        players = await ada.join_seats(world=made.world, seats=3, observe=True)
        assert [(me.player, me.seat) for me in players] == [("p_1", 1), ("p_2", 2), ("p_3", 3)]
        assert all(me.observation is not None and me.observation.player == me.player for me in players)
        assert await ada.join_seats(world=made.world, seats=3) == players, "joining again is safe"
        outcomes = [await me.input("count", by=number) for number, me in enumerate(players, 1)]
        assert [outcome.result["total"] for outcome in outcomes] == [1, 2, 3]
        (again,) = await ada.join_seats(world=made.world, seats=1)
        assert again is players[0]
        await players[1].leave()
        both = await ada.join_seats(world=made.world, seats=3)
        assert [me.player for me in both] == ["p_1", "p_3", "p_4"], "what is missing is seated anew"
        assert (both[2].seat, players[1].closed) == (2, "left")

        os.kill(server.shard_pids()[0], signal.SIGKILL)
        assert [(await me.input("count", by=1)).result["total"] for me in both] == [2, 4, 1]
    async with worldline.connect(server.url, resume=ada.resume) as back:
        assert [player for _, player in back.players] == ["p_1", "p_3", "p_4"]
        assert (await back.players[made.world, "p_4"].input("count", by=5)).result["total"] == 6
    assert server.terminate() == 0
    assert {player.seat for player in replay(server.data, made.world).run().world.players.values()} == {1, 2, 3}


async def test_a_request_says_which_player_it_means(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("create", game="echo", private=True))["world"]
    joined = await ada.ask("join", world=world, seats=2, observe=True)
    assert joined["player"] == "p_1"
    assert "observation" not in joined
    assert [seated["observation"]["player"] for seated in joined["players"]] == ["p_1", "p_2"]
    unclear = await ada.request("input", world=world, name="count", args={"by": 1})
    assert (unclear["code"], unclear["path"], unclear["valid"]) == ("invalid_args", "player", ["p_1", "p_2"])
    assert (await ada.ask("input", world=world, player="p_2", name="count", args={"by": 1}))["player"] == "p_2"


async def test_a_seat_is_taken_by_its_number(server: RunningServer, connect_agent: Connect) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    made = await ada.ask("create", game="echo", private=True)
    where = {"world": made["world"], "join_code": made["join_code"]}
    assert [(await ada.ask("join", **where, seat=seat))["player"] for seat in (5, 2, 5)] == ["p_1", "p_2", "p_1"]
    taken = await ben.request("join", **where, seat=5)
    assert (taken["code"], taken["path"], taken["valid"]) == ("invalid_args", "seat", ["1", "3", "4", "6", "7", "8"])
    assert (await ben.ask("join", **where, seat=int(taken["valid"][0])))["seat"] == 1
    nowhere = await ben.request("join", **where, seat=9)
    assert (nowhere["code"], nowhere["path"]) == ("invalid_args", "seat")
    full = await ben.request("join", **where, seats=8)
    assert full["code"] == "world_full"
    assert len((await ben.ask("worlds", mine=True))["worlds"][0]["players"]) == 3, "all of them or none"


async def test_a_game_says_how_many_seats_an_agent_has(server: RunningServer, connect_agent: Connect) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    assert (await ada.ask("rules", game="twins"))["seats_per_agent"] == 2
    joined = await ada.ask("join", game="twins", seats=2)
    world = joined["world"]
    assert [seated["player"] for seated in joined["players"]] == ["p_1", "p_2"]
    beyond = await ada.request("join", world=world, seats=3)
    assert (beyond["code"], beyond["data"]) == ("already_joined", {"player": "p_1", "seats_per_agent": 2})
    never = await ben.request("join", game="twins", seats=3)
    assert (never["code"], never["path"], never["data"]) == ("invalid_args", "seats", {"seats_per_agent": 2})

    async def two_are_free() -> bool:
        (found,) = (await ada.ask("worlds", mine=True))["worlds"]
        return bool(found["seats_free"] == 2)

    await eventually(two_are_free, "the seats that were refused are kept for nobody")
    assert [seated["player"] for seated in (await ben.ask("join", game="twins", seats=2))["players"]] == ["p_3", "p_4"]
    elsewhere = await ben.ask("join", game="echo")
    one_more = await ben.request("join", world=elsewhere["world"], seat=3)
    assert (one_more["code"], one_more["data"]["player"]) == ("already_joined", "p_1")
    assert (await ben.ask("join", world=elsewhere["world"], seat=1))["player"] == "p_1"


async def test_the_owner_of_a_manual_world_has_all_its_seats_and_others_one(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    world = (await ada.ask("create", game="duel", clock="manual"))["world"]
    assert len((await ada.ask("join", world=world, seats=2))["players"]) == 2
    assert (await ben.request("join", world=world, seats=2))["code"] == "world_full"
    assert (await ben.request("join", world=world, seat=1))["path"] == "seat"
    assert (await ben.ask("join", world=world))["seat"] == 3


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ({"game": "echo", "seat": 1}, "seat"),
        ({"game": "echo", "player": "p_1"}, "player"),
        ({"world": "w_1", "player": "p_1", "seat": 1}, "seat"),
        ({"world": "w_1", "seats": 2, "seat": 1}, "seats"),
        ({"game": "echo", "seats": 0}, "seats"),
        ({"game": "echo", "seats": 257}, "seats"),
    ],
)
async def test_seats_that_make_no_sense_are_refused(
    server: RunningServer, connect_agent: Connect, wish: dict[str, object], path: str
) -> None:
    ada = await connect_agent(server.url, "ada")
    refused = await ada.request("join", **wish)
    assert (refused["code"], refused["path"]) == ("invalid_args", path)


# --- sessions of one agent ---------------------------------------------------------------------------


async def test_another_session_takes_a_player_over_only_when_it_says_so(serve: ServerFactory) -> None:
    server = serve("--shards", "1")
    token = tokens(server.data, "create", "ada")
    async with worldline.connect(server.url, token=token) as first, worldline.connect(server.url) as stranger:
        old = await first.join("echo")
        assert (await old.input("count", by=1)).ok
        async with worldline.connect(server.url, token=token) as second:
            (listed,) = second.welcome.players
            assert (listed.world, listed.player, listed.yours, listed.driven) == (old.world, old.player, False, True)
            assert second.players == {}
            for game, world, player in (("echo", None, None), (None, old.world, None), (None, old.world, old.player)):
                with pytest.raises(NotPossible) as refused:
                    await second.join(game, world=world, player=player)
                assert (refused.value.code, refused.value.data) == (
                    "already_joined",
                    {"player": old.player, "driven": True},
                )
            with pytest.raises(InvalidRequest) as unknown:
                await stranger.join(world=old.world, player=old.player, take=True)
            assert unknown.value.code == "unknown_player"
            assert (await old.input("count", by=1)).ok, "nothing has happened to it"

            new = await second.join(world=old.world, player=old.player, take=True)
            assert (new.player, new.seat, new._next_seq) == (old.player, old.seat, 3)
            with pytest.raises(NotPossible) as lost:
                await old.input("count", by=1)
            assert (lost.value.code, old.closed) == ("not_joined", "taken_over")
            assert (await new.input("count", by=1)).result["total"] == 3
            resume = second.resume
        async with worldline.connect(server.url, resume=first.resume) as again:
            assert [(player.yours, player.driven) for player in again.welcome.players] == [(False, False)]
            assert [lost.reason for lost in again.welcome.lost] == ["taken_over"]
        async with worldline.connect(server.url, resume=resume) as back:
            assert [player for _, player in back.players] == [old.player], "it belongs to the session that took it"


async def test_a_player_that_nobody_drives_is_taken_without_more_ado(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    token = tokens(server.data, "create", "ada")
    first, second = await connect_agent(server.url, None), await connect_agent(server.url, None)
    await first.ask("hello", token=token)
    joined = await first.ask("join", game="echo")
    await first.vanish()
    await second.ask("hello", token=token)
    again = await second.ask("join", game="echo")
    assert (again["world"], again["player"]) == (joined["world"], joined["player"])
    assert (await second.ask("input", world=again["world"], name="count", args={"by": 7}))["result"] == {"total": 7}
