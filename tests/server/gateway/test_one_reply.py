"""Promise: every request gets exactly one reply, whatever dies or is late; and a player whose client is gone is
undriven, also if the client went while it was joining."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from server import messages
from server.gateway.holding import repeatable
from server.gateway.limits import GatewayLimits
from tests.server.gateway.stand_in import joined, observation, running_edge, talking
from worldline import protocol


async def test_open_requests_are_asked_again_when_their_world_is_back(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await edge.seat(client)
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        await client.send({"type": "leave", "id": 2, "world": "w_1"})
        await edge.told(messages.ObservePlayer)
        await edge.told(messages.LeaveWorld)
        edge.shard_link.close()
        edge.control.send(messages.ShardDown(shard=0, worlds=["w_1"]))
        notice = await client.hear()
        assert (notice["type"], notice["code"], notice["world"]) == ("notice", "world_recovering", "w_1")
        await client.send({"type": "observe", "id": 3, "world": "w_1"})  # sent while it is away: it waits, too
        assert (await client.ask(type="ping", id=4))["re"] == 4
        edge.control.send(messages.WorldGone(world="w_1", status="damaged", reason="a flipped bit"))
        heard = [await client.hear() for _ in range(4)]
        assert [(message["type"], message.get("re")) for message in heard] == [
            ("error", 1),
            ("error", 2),
            ("error", 3),
            ("closed", None),
        ]
        assert {message["data"]["reason"] for message in heard[:3]} == {"a flipped bit"}
        assert heard[0]["code"] == "world_damaged"
        assert heard[3]["reason"] == "a flipped bit"


def test_only_an_input_without_seq_cannot_be_asked_again() -> None:
    without = messages.PlayerInput(request=1, world="w_1", player="p_1", name="say", args={})
    assert not repeatable(without)
    assert repeatable(messages.PlayerInput(request=1, world="w_1", player="p_1", name="say", args={}, seq=1))
    assert repeatable(messages.ObservePlayer(request=1, world="w_1", player="p_1", since=1))


async def test_the_end_of_a_world_is_known_before_the_lobby_knows(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await edge.seat(client)
        edge.shard_link.send(messages.Push(world="w_1", message=protocol.Closed(world="w_1", reason="idle")))
        assert (await client.hear())["type"] == "closed"
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        question = await edge.asked(messages.AskWorld)
        summary = protocol.WorldSummary(
            world="w_1",
            game="echo",
            status="running",
            tick=3,
            clock="realtime",
            players=[],
            seats_free=8,
            digest="d",
        )
        edge.control.send(messages.WorldFound(request=question.request, world=summary))
        reply = await client.hear()
        assert (reply["re"], reply["code"], reply["data"]) == (1, "world_closed", {"reason": "idle"})


async def test_a_client_that_vanishes_leaves_its_players_undriven(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        async with talking(edge) as client:
            await edge.seat(client)
            client.connection.transport.abort()
        detached = await edge.told(messages.PlayerDetached)
        assert (detached.world, detached.player) == ("w_1", "p_1")


async def test_a_client_that_vanishes_while_it_joins_gets_no_driven_player(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        async with talking(edge) as client:
            await client.send({"type": "join", "id": 1, "world": "w_1"})
            place = await edge.asked(messages.AskPlace)
            client.connection.transport.abort()
        async with talking(edge) as other:  # the gateway has read the end of the first one by the time it says hello
            edge.control.send(messages.Placed(request=place.request, world="w_1", game="echo", shard=0))
            join = await edge.told(messages.JoinWorld)
            edge.shard_link.send(messages.Answer(request=join.request, message=joined()))
            detached = await edge.told(messages.PlayerDetached)
            assert (detached.world, detached.player) == ("w_1", "p_1")
            assert (await other.ask(type="ping", id=1))["type"] == "pong"


async def test_a_shard_that_is_not_connected_yet_is_asked_when_it_is(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await client.send({"type": "join", "id": 1, "world": "w_1"})
        place = await edge.asked(messages.AskPlace)
        edge.control.send(messages.ShardUp(shard=5, socket_path=str(tmp_path / "shard.sock")))
        edge.control.send(messages.Placed(request=place.request, world="w_1", game="echo", shard=5))
        assert (await edge.told(messages.JoinWorld)).world == "w_1"


async def test_a_join_waits_for_a_world_that_is_away(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await client.send({"type": "join", "id": 1, "world": "w_1"})
        place = await edge.asked(messages.AskPlace)
        edge.control.send(messages.Placed(request=place.request, world="w_1", game="echo", shard=9))
        assert (await client.ask(type="ping", id=2))["re"] == 2
        edge.control.send(messages.WorldMoved(world="w_1", shard=0))
        assert (await edge.told(messages.JoinWorld)).world == "w_1"


async def test_replies_may_overtake_each_other_and_ids_are_free_afterwards(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await edge.seat(client)
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        await client.send({"type": "observe", "id": 2, "world": "w_1"})
        first = await edge.told(messages.ObservePlayer)
        second = await edge.told(messages.ObservePlayer)
        in_use = await client.ask(type="ping", id=1)
        assert (in_use["code"], in_use["path"]) == ("invalid_args", "id")
        edge.shard_link.send(messages.Answer(request=second.request, message=observation()))
        assert (await client.hear())["re"] == 2
        edge.shard_link.send(messages.Answer(request=first.request, message=observation()))
        assert (await client.hear())["re"] == 1
        assert (await client.ask(type="ping", id=1))["type"] == "pong"


async def test_at_most_64_requests_are_open(tmp_path: Path) -> None:
    async with running_edge(tmp_path, GatewayLimits(rate_limited=False)) as edge, talking(edge) as client:
        await edge.seat(client)
        for number in range(1, 65):
            await client.send({"type": "observe", "id": number, "world": "w_1"})
        questions = [await edge.told(messages.ObservePlayer) for _ in range(64)]
        refused = await client.ask(type="observe", id=65, world="w_1")
        assert (refused["code"], refused["re"]) == ("too_many_open", 65)
        assert refused["retry_after_ms"] > 0
        edge.shard_link.send(messages.Answer(request=questions[0].request, message=observation()))
        assert (await client.hear())["re"] == 1
        await client.send({"type": "observe", "id": 65, "world": "w_1"})
        assert (await edge.told(messages.ObservePlayer)).world == "w_1"


async def test_the_cursor_follows_what_this_connection_has_seen(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await edge.seat(client)
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        question = await edge.told(messages.ObservePlayer)
        assert question.since == 1  # everything that is kept
        edge.shard_link.send(messages.Answer(request=question.request, message=observation(cursor=42)))
        await client.hear()
        await client.send({"type": "observe", "id": 2, "world": "w_1", "since": 7})
        question = await edge.told(messages.ObservePlayer)
        assert question.since == 7
        edge.shard_link.send(messages.Answer(request=question.request, message=observation(cursor=42)))
        await client.hear()
        await client.send({"type": "observe", "id": 3, "world": "w_1"})
        assert (await edge.told(messages.ObservePlayer)).since == 42


async def test_what_cannot_be_written_is_an_internal_error_with_a_reference(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as client:
        await edge.seat(client)
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        question = await edge.told(messages.ObservePlayer)
        seen = observation()
        seen.data = msgspec.msgpack.Ext(5, b"no game's data holds this")
        edge.shard_link.send(messages.Answer(request=question.request, message=seen))
        reply = await client.hear()
        assert (reply["re"], reply["code"]) == (1, "internal")
        assert reply["retry_after_ms"] > 0
        assert reply["data"]["reference"] in caplog.text
        assert (await client.ask(type="ping", id=1))["type"] == "pong"
