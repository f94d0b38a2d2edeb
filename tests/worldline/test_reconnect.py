"""Promise: a client whose connection is lost comes back, resumes, and sends again what was not answered, with the same
seq; it heeds close codes and the time it is told; it gives up when it says it does; and it says what was lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

import worldline
from tests.worldline.scripted import WITHIN_S, Script, ScriptedServer, observation, scripted_server
from worldline import conversation, protocol


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        yield scripted


@contextlib.asynccontextmanager
async def seated(
    server: ScriptedServer, *, give_up_after_s: float = WITHIN_S
) -> AsyncIterator[tuple[worldline.Player, Script]]:
    async def greet() -> Script:
        script = await server.script()
        assert (await script.greet()).resume is None
        return script

    greeting = asyncio.create_task(greet())
    async with worldline.connect(server.url, name="ada", give_up_after_s=give_up_after_s) as client:
        script = await greeting
        joining = asyncio.create_task(client.join("echo"))
        await script.seat()
        yield await joining, script


def driven(next_seq: int = 1, tick: int = 30) -> protocol.ResumedPlayer:
    return protocol.ResumedPlayer(
        world="w_1",
        game="echo",
        player="p_1",
        seat=1,
        status="running",
        tick=tick,
        next_seq=next_seq,
        cursor=1,
        driven=True,
    )


async def back(server: ScriptedServer) -> Script:
    """Welcome the client that comes back, with its player."""
    script = await server.script()
    assert (await script.greet(resumed=True, players=[driven()])).resume == "s_1.signed"
    return script


def cut(script: Script) -> None:
    script.connection.transport.abort()


def events(*numbers: int, cursor: int, missed: int = 0) -> protocol.Observation:
    seen = observation()
    seen.events = [protocol.EventItem(n=n, tick=n, kind="said") for n in numbers]
    seen.cursor, seen.missed = cursor, missed
    return seen


async def test_unanswered_requests_are_sent_again_with_the_same_seq(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        looking = asyncio.create_task(player.observe())
        await script.hear(protocol.Observe)
        acting = asyncio.create_task(player.input("count", by=5))
        first = await script.hear(protocol.Input)
        cut(script)
        script = await back(server)
        look = await script.hear(protocol.Observe)
        again = await script.hear(protocol.Input)
        assert (again.seq, again.name, again.args, again.id) == (first.seq, "count", {"by": 5}, first.id)
        await script.say(observation(tick=31), look.id)
        await script.apply(again, tick=29)
        assert ((await acting).tick, (await looking).tick) == (29, 31)
        assert player.tick == 31


async def test_what_was_answered_is_not_sent_again(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        acting = asyncio.create_task(player.input("count", by=5))
        await script.apply(await script.hear(protocol.Input))
        assert (await acting).ok
        cut(script)
        script = await back(server)
        acting = asyncio.create_task(player.input("count", by=6))
        asked = await script.hear(protocol.Input)
        assert (asked.seq, asked.args) == (2, {"by": 6})
        await script.apply(asked)
        assert (await acting).ok


async def test_requests_made_without_a_connection_wait_for_the_next(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        cut(script)
        newer = await server.script()  # it is connected, and not yet welcome
        assert not player.client.connected
        pinging = asyncio.create_task(player.client.ping())
        await newer.greet(resumed=True, players=[driven()])
        await newer.say(protocol.Pong(server_time_ms=5), (await newer.hear(protocol.Ping)).id)
        assert await pinging == 5
        assert player.client.connected


async def test_a_cancelled_request_is_not_sent_again(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        pinging = asyncio.create_task(player.client.ping())
        await script.hear(protocol.Ping)
        pinging.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pinging
        cut(script)
        script = await back(server)
        asking = asyncio.create_task(player.client.games())
        asked = await script.hear(protocol.Games)  # and no ping before it
        await script.say(protocol.GamesReply(games=[]), asked.id)
        assert await asking == []


@pytest.mark.parametrize("code", [1001, 1011, 1012, 4008, 4029])
async def test_it_comes_back_when_it_was_told_to(server: ScriptedServer, code: int) -> None:
    async with seated(server) as (player, script):
        closed_at_s = time.monotonic()
        await script.connection.close(code, "retry_after_ms=300; later")
        script = await back(server)
        assert time.monotonic() - closed_at_s >= 0.3
        assert player.closed is None


@pytest.mark.parametrize("code", [1000, 1008, 1009, 4001])
async def test_it_stays_away_when_it_shall(server: ScriptedServer, code: int) -> None:
    async with seated(server) as (player, script):
        looking = asyncio.create_task(player.observe())
        await script.hear(protocol.Observe)
        await script.connection.close(code, "enough")
        for _ in range(2):
            with pytest.raises(worldline.Disconnected) as lost:
                await looking
            assert lost.value.close_code == code
            looking = asyncio.create_task(player.observe())
        with pytest.raises(worldline.Disconnected):
            await looking
        assert server.scripts.empty()


async def test_it_gives_up_after_the_time_that_it_was_given(server: ScriptedServer) -> None:
    async with seated(server, give_up_after_s=0.4) as (player, script):
        acting = asyncio.create_task(player.input("count", by=1))
        await script.hear(protocol.Input)
        await server.stop()
        began_s = time.monotonic()
        with pytest.raises(worldline.Disconnected, match=r"for 0\.4 s it could not be taken up again"):
            await acting
        assert 0.1 < time.monotonic() - began_s < 5
        with pytest.raises(worldline.Disconnected):
            await player.observe()


async def test_it_need_not_come_back_at_all(server: ScriptedServer) -> None:
    async with seated(server, give_up_after_s=0) as (player, script):
        waiting = [asyncio.create_task(player.observe()), asyncio.create_task(player.input("move"))]
        await script.hear(protocol.Observe)
        await script.hear(protocol.Input)
        await script.connection.close(1012, "retry_after_ms=1500; the server restarts")
        for task in waiting:
            with pytest.raises(worldline.Disconnected) as lost:
                await task
            assert (lost.value.close_code, lost.value.retry_after_ms) == (1012, 1500)


async def test_a_server_that_hangs_up_again_and_again_is_given_up_too(server: ScriptedServer) -> None:
    async with seated(server, give_up_after_s=1.0) as (player, script):
        acting = asyncio.create_task(player.input("poison"))
        await script.hear(protocol.Input)
        cut(script)
        returns = 0
        while not acting.done():
            with contextlib.suppress(TimeoutError):
                script = await asyncio.wait_for(server.scripts.get(), 1.5)
                await script.greet(resumed=True, players=[driven()])
                await script.hear(protocol.Input)
                returns += 1
                cut(script)
        with pytest.raises(worldline.Disconnected):
            await acting
        assert 2 <= returns < 10  # it waits longer each time


async def test_what_was_lost_meanwhile_is_said(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        acting = asyncio.create_task(player.input("move"))
        await script.hear(protocol.Input)
        cut(script)
        script = await server.script()
        lost = protocol.LostPlayer(world="w_1", player="p_1", reason="timeout", tick=99)
        await script.greet(resumed=True, lost=[lost])
        with pytest.raises(worldline.NotPossible, match="timeout") as refused:
            await acting
        assert (refused.value.code, player.closed) == ("not_joined", "timeout")


@pytest.mark.parametrize(("resumed", "reason"), [(True, "gone"), (False, "session_lost")])
async def test_a_server_that_knows_the_player_no_more_has_lost_it(
    server: ScriptedServer, resumed: bool, reason: str
) -> None:
    async with seated(server) as (player, script):
        leaving = asyncio.create_task(player.leave())
        await script.hear(protocol.Leave)
        cut(script)
        script = await server.script()
        await script.greet(resumed=resumed)
        await leaving  # there is nothing left to leave
        assert player.closed == reason
        # The conversation itself goes on.
        pinging = asyncio.create_task(player.client.ping())
        await script.say(protocol.Pong(server_time_ms=5), (await script.hear(protocol.Ping)).id)
        assert await pinging == 5


async def test_a_leave_that_had_already_happened_has_happened(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        leaving = asyncio.create_task(player.leave())
        await script.hear(protocol.Leave)
        cut(script)
        script = await back(server)
        refusal = protocol.Error(code="not_joined", message="no seat")
        await script.say(refusal, (await script.hear(protocol.Leave)).id)
        await leaving
        assert player.closed == "left"


async def test_each_event_comes_once_and_what_was_missed_is_counted(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):

        async def look(answer: protocol.Observation, since: int | None = None) -> tuple[list[int], int]:
            looking = asyncio.create_task(player.observe(since=since))
            await script.say(answer, (await script.hear(protocol.Observe)).id)
            seen = await looking
            return [event.n for event in seen.events], seen.missed

        assert await look(events(3, 4, cursor=5, missed=2)) == ([3, 4], 2)
        cut(script)
        script = await back(server)
        assert await look(events(2, 3, 4, 5, 6, cursor=7, missed=1)) == ([5, 6], 0)
        assert await look(events(cursor=7)) == ([], 0)
        cut(script)
        script = await back(server)
        assert await look(events(10, 11, cursor=12, missed=9)) == ([10, 11], 3)
        assert await look(events(10, 11, cursor=12), since=10) == ([10, 11], 0)


async def test_another_process_goes_on_with_the_token(server: ScriptedServer) -> None:
    async def greet() -> Script:
        script = await server.script()
        hello = await script.greet(resumed=True, players=[driven(next_seq=4)])
        assert hello.resume == "a token"
        await script.seat(next_seq=4)
        return script

    greeting = asyncio.create_task(greet())
    async with worldline.connect(server.url, resume="a token") as client:
        script = await greeting
        assert client.resume == "s_1.signed"
        player = client.players["w_1", "p_1"]
        acting = asyncio.create_task(player.input("count", by=1))
        asked = await script.hear(protocol.Input)
        assert asked.seq == 4
        await script.apply(asked)
        assert (await acting).ok


async def test_a_message_that_is_too_big_is_refused_before_it_costs_the_connection(server: ScriptedServer) -> None:
    async with seated(server) as (player, _):
        with pytest.raises(worldline.InvalidRequest) as refused:
            await player.input("say", text="x" * 70_000)
        assert (refused.value.code, refused.value.data) == ("too_large", {"limit_bytes": 65536})


async def test_closing_ends_the_wait_for_a_connection(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        looking = asyncio.create_task(player.observe())
        await script.hear(protocol.Observe)
        await server.stop()
        await player.client.close()
        with pytest.raises(worldline.Disconnected):
            await looking


def test_delays_grow_with_jitter_up_to_a_limit_and_never_undercut_the_server() -> None:
    for attempt in range(100):
        longest = min(conversation.LONGEST_DELAY_S, conversation.FIRST_DELAY_S * 2**attempt)
        waits = {conversation.delay_s(attempt, None) for _ in range(50)}
        assert len(waits) > 1
        assert all(longest / 2 <= wait <= longest for wait in waits)
        told = {conversation.delay_s(attempt, 7000) for _ in range(50)}
        assert len(told) > 1, "whom a server has told the same does not come back at the same moment"
        assert all(7 + longest / 2 <= wait <= 7 + longest for wait in told)
