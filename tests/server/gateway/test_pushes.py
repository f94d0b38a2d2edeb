"""Promise: what a world pushes reaches exactly those whom it concerns, once, in either encoding; and who has left, or
whose world has ended, is asked nothing more about it."""

from __future__ import annotations

from pathlib import Path

import msgspec
from websockets.typing import Subprotocol

from server import messages
from server.config import Guests
from tests.server.gateway.stand_in import Edge, Talker, observation, running_edge, talking
from worldline import protocol


async def hears_nothing(client: Talker) -> None:
    """What a ping hears next is its own answer."""
    assert (await client.ask(type="ping", id=999))["type"] == "pong"


async def test_a_push_for_a_world_reaches_all_who_play_there_and_nobody_else(tmp_path: Path) -> None:
    async with (
        running_edge(tmp_path) as edge,
        talking(edge) as ada,
        talking(edge) as bob,
        talking(edge) as eve,
    ):
        await edge.seat(ada, player="p_1")
        await edge.seat(bob, player="p_2")
        await edge.seat(eve, world="w_2", player="p_1")
        edge.shard_link.send(messages.Push(world="w_1", message=protocol.Started(world="w_1", tick=0)))
        slow = protocol.Notice(code="clock_slow", message="slow", world="w_1", rate=0.5)
        edge.shard_link.send(messages.Push(world="w_1", message=slow))
        for client in (ada, bob):
            assert [(await client.hear())["type"] for _ in range(2)] == ["started", "notice"]
            await hears_nothing(client)
        await hears_nothing(eve)


async def test_a_push_for_a_player_reaches_its_driver_and_frees_the_seat(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as ada, talking(edge) as bob:
        await edge.seat(ada, player="p_1")
        await edge.seat(bob, player="p_2")
        closed = protocol.Closed(world="w_1", player="p_2", reason="timeout")
        edge.shard_link.send(messages.Push(world="w_1", player="p_2", message=closed))
        heard = await bob.hear()
        assert (heard["type"], heard["player"], heard["reason"]) == ("closed", "p_2", "timeout")
        await hears_nothing(ada)
        await bob.send({"type": "observe", "id": 1, "world": "w_1"})
        question = await edge.asked(messages.AskWorld)  # its seat is gone: the lobby is asked, not the shard
        edge.control.send(messages.WorldFound(request=question.request, nearest=["w_1x"]))
        refused = await bob.hear()
        assert (refused["code"], refused["valid"]) == ("unknown_world", ["w_1x"])


async def test_after_leaving_nothing_comes_any_more(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as ada:
        await edge.seat(ada)
        await ada.send({"type": "leave", "id": 1, "world": "w_1"})
        question = await edge.told(messages.LeaveWorld)
        left = protocol.Left(world="w_1", player="p_1")
        edge.shard_link.send(messages.Answer(request=question.request, message=left))
        assert (await ada.hear())["type"] == "left"
        edge.shard_link.send(messages.Push(world="w_1", message=protocol.Closed(world="w_1", reason="idle")))
        await hears_nothing(ada)


async def test_a_world_that_diverged_is_told_to_developers_whatever_they_play(tmp_path: Path) -> None:
    diverged = messages.WorldDiverged(world="w_2", message="w_2@9 diverged → see the report")
    roles: tuple[tuple[Guests, bool], ...] = (("developer", True), ("agent", False))
    for guests, hear in roles:
        folder = tmp_path / guests
        folder.mkdir()
        async with running_edge(folder, guests=guests) as edge, talking(edge) as ada:
            await edge.seat(ada, player="p_1")
            edge.control.send(diverged)
            if hear:
                heard = await ada.hear()
                assert (heard["type"], heard["code"], heard["world"]) == ("notice", "world_diverged", "w_2")
                assert heard["message"] == diverged.message
            # What the supervisor sends after it arrives after it.
            edge.control.send(messages.WorldGone(world="w_1", status="closed", reason="idle"))
            assert (await ada.hear())["type"] == "closed"


async def test_each_client_hears_a_push_in_its_own_encoding(tmp_path: Path) -> None:
    packed = [Subprotocol(protocol.MSGPACK_SUBPROTOCOL)]
    async with (
        running_edge(tmp_path) as edge,
        talking(edge) as ada,
        talking(edge, hello=False, subprotocols=packed) as bob,
    ):
        await edge.seat(ada, player="p_1")
        for message in ({"type": "hello", "id": 1}, {"type": "join", "id": 2, "world": "w_1"}):
            await bob.connection.send(msgspec.msgpack.encode(message))
        await bob.connection.recv()
        await seat_by_answer(edge, "p_2")
        await bob.connection.recv()
        edge.shard_link.send(messages.Push(world="w_1", message=protocol.Started(world="w_1", tick=0)))
        expected = {"type": "started", "world": "w_1", "tick": 0}
        assert await ada.hear() == expected
        assert msgspec.msgpack.decode(await bob.connection.recv(decode=False)) == expected


async def seat_by_answer(edge: Edge, player: str) -> None:
    """Answer a join that is under way."""
    place = await edge.asked(messages.AskPlace)
    edge.control.send(messages.Placed(request=place.request, world="w_1", game="echo", shard=0))
    join = await edge.told(messages.JoinWorld)
    seen = observation(cursor=9)
    seen.player = player
    joined = protocol.Joined(
        world="w_1",
        game="echo",
        player=player,
        seat=2,
        next_seq=1,
        cursor=9,
        status="running",
        tick=3,
        clock="realtime",
        tick_hz=60,
        digest="d",
        observation=seen,
    )
    edge.shard_link.send(messages.Answer(request=join.request, message=joined))


async def test_who_drives_several_players_says_which(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as ada:
        await edge.seat(ada, player="p_1")
        await edge.seat(ada, player="p_4")
        refused = await ada.ask(type="observe", id=1, world="w_1")
        assert (refused["code"], refused["path"], refused["valid"]) == ("invalid_args", "player", ["p_1", "p_4"])
        unknown = await ada.ask(type="observe", id=1, world="w_1", player="p_5")
        assert (unknown["code"], sorted(unknown["valid"])) == ("unknown_player", ["p_1", "p_4"])
        await ada.send({"type": "observe", "id": 1, "world": "w_1", "player": "p_4"})
        assert (await edge.told(messages.ObservePlayer)).player == "p_4"


async def test_statistics_count_requests_refusals_and_connections(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as ada:
        await ada.ask(type="jion", id=1)
        edge.control.send(messages.AskStatistics(request=77))
        statistics = await edge.asked(messages.GatewayStatistics)
        assert (statistics.request, statistics.connections, statistics.requests) == (77, 1, 2)
        assert statistics.refusals == {"unknown_type": 1}
