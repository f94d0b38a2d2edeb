"""Promise: a viewer that reads slowly, or goes, costs nothing that grows: frames are left out for it, never kept, and
when it has room it gets a whole one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from server import messages, refusals
from server.gateway.limits import GatewayLimits
from tests.server.gateway.stand_in import Edge, Talker, eventually, running_edge, talking
from tests.server.gateway.test_slow_readers import deaf_client
from worldline import protocol

FRAMES = 300
FRAME_BYTES = 50_000
SUMMARY = protocol.WorldSummary(
    world="w_1", game="echo", status="running", tick=3, clock="realtime", players=[], seats_free=1, digest="d"
)
WATCHING = protocol.Watching(
    watch="v_1",
    world="w_1",
    game="echo",
    live=True,
    playing=True,
    speed=1,
    tick=3,
    first_tick=0,
    last_tick=3,
    tick_hz=60,
    hz=10,
    players=[],
    marks=[],
    static=protocol.Scene(),
)


async def watch(edge: Edge, client: Talker, number: int = 60) -> None:
    """Let a client watch ``w_1``, a stream that is called ``v_1``."""
    await client.send({"type": "watch", "id": number, "world": "w_1"})
    asked = await edge.asked(messages.AskWorld)
    edge.control.send(messages.WorldFound(request=asked.request, world=SUMMARY, shard=0))
    question = await edge.told(messages.WatchWorld)
    edge.shard_link.send(messages.Watched(request=question.request, watching=WATCHING, pages=[], opening=1))
    assert (await edge.asked(messages.WorldSpectators)).world == "w_1"


def framed(number: int, *, whole: bool = False, size_bytes: int = 0) -> messages.Framed:
    """Frame ``number`` of the stream."""
    frame = protocol.Frame(
        watch="v_1",
        tick=number,
        base_tick=None if whole else number - 1,
        scene=protocol.Scene(nodes=[{"id": 1, "label": "x" * size_bytes}]),
        events=[],
        inputs=[],
    )
    return messages.Framed(
        watch="v_1",
        number=number,
        tick=number,
        base=None if whole else number - 1,
        frames=[msgspec.msgpack.encode(frame)],
    )


async def catch_up(client: Talker) -> dict[str, Any]:
    """Read up to the frame of the tick after `FRAMES`; return that."""
    last = -1
    while True:
        heard = await client.hear()
        if heard["type"] == "frame":
            assert heard.get("base_tick", last) == last, "it has what the frame builds on"
            last = heard["tick"]
            if last == FRAMES + 1:
                return heard


async def test_frames_are_left_out_for_a_slow_reader_and_then_it_gets_a_whole_one(tmp_path: Path) -> None:
    limits = GatewayLimits(rate_limited=False)
    async with running_edge(tmp_path, limits) as edge, talking(edge) as quick, deaf_client(edge) as deaf:
        (session,) = [each for each in edge.gateway.sessions if each.seats()]
        await watch(edge, quick)
        assert (await quick.hear())["type"] == "watching"
        await watch(edge, deaf)
        edge.shard_link.send(framed(0, whole=True))
        assert (await quick.hear())["tick"] == 0
        for number in range(1, FRAMES + 1):
            edge.shard_link.send(framed(number, size_bytes=FRAME_BYTES))
            heard = await quick.hear()
            assert (heard["tick"], heard["base_tick"]) == (number, number - 1)
            assert session.connection.waiting_bytes <= limits.write_buffer_bytes + 2 * FRAME_BYTES
            assert not session.connection.full
        assert len(edge.gateway._watches) == 2
        assert edge.shard.empty(), "nothing is asked for while it has no room"
        deaf.connection.recv_messages.resume = deaf.connection.transport.resume_reading
        deaf.connection.transport.resume_reading()
        catching_up = asyncio.create_task(catch_up(deaf))
        assert (await edge.told(messages.NeedWhole)).watch == "v_1"
        edge.shard_link.send(framed(FRAMES + 1))  # it has room, but not what this builds on
        assert (await quick.hear())["tick"] == FRAMES + 1
        edge.shard_link.send(framed(FRAMES + 1, whole=True))
        assert "base_tick" not in await catching_up
        edge.shard_link.send(framed(FRAMES + 2))
        for client in (quick, deaf):
            heard = await client.hear()
            assert (heard["tick"], heard["base_tick"]) == (FRAMES + 2, FRAMES + 1)


async def test_nothing_is_remembered_of_viewers_who_have_gone(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        for _ in range(3):
            async with talking(edge) as ada, talking(edge) as bob:
                await watch(edge, ada)
                await watch(edge, bob)
                await bob.hear()
                assert (await bob.ask(type="control", id=9, watch="v_1", action="stop"))["playing"] is False
                assert (await edge.asked(messages.WorldSpectators)).viewers == 1
                assert edge.shard.empty(), "another still watches"
            assert (await edge.told(messages.StopWatching)).watch == "v_1"
            assert (await edge.asked(messages.WorldSpectators)).viewers == 0
        watches = edge.gateway._watches
        await eventually(lambda: not edge.gateway.sessions, "all have gone")
        assert (watches._streams, watches._by_session, watches._by_world) == ({}, {}, {})


async def test_who_goes_before_the_answer_comes_is_not_watched_for(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge:
        async with talking(edge) as ada:
            await ada.send({"type": "watch", "id": 1, "world": "w_1"})
            asked = await edge.asked(messages.AskWorld)
        await eventually(lambda: not edge.gateway.sessions, "it has gone")
        edge.control.send(messages.WorldFound(request=asked.request, world=SUMMARY, shard=0))
        question = await edge.told(messages.WatchWorld)
        edge.shard_link.send(messages.Watched(request=question.request, watching=WATCHING, pages=[], opening=1))
        assert (await edge.told(messages.StopWatching)).watch == "v_1"
        assert len(edge.gateway._watches) == 0


@pytest.mark.parametrize("status", ["finished", "faulted"])
async def test_a_world_that_ended_before_the_lobby_heard_of_it_is_shown_as_it_was(tmp_path: Path, status: str) -> None:
    async with running_edge(tmp_path) as edge, talking(edge) as ada:
        await ada.send({"type": "watch", "id": 1, "world": "w_1"})
        asked = await edge.asked(messages.AskWorld)
        edge.control.send(messages.WorldFound(request=asked.request, world=SUMMARY, shard=0))
        question = await edge.told(messages.WatchWorld)
        refused = refusals.world_ended("w_1", "echo", status, None)
        edge.shard_link.send(messages.Answer(request=question.request, message=refused))
        assert (await edge.asked(messages.AskReplayer)).replayer >= 0
