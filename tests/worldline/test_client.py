"""Promise: the client hands every reply to its request, sends each input with its seq exactly in order, raises what can
be done about a refusal, and waits by itself only as it says. (What it does about a lost connection: test_reconnect.)"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import msgspec
import pytest

import worldline
from tests.worldline.scripted import Script, ScriptedServer, observation, scripted_server
from worldline import protocol


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as scripted:
        yield scripted


@contextlib.asynccontextmanager
async def connected(
    server: ScriptedServer, *, patient: bool = True, think_s: tuple[float, float] | None = None
) -> AsyncIterator[tuple[worldline.Client, Script]]:
    greeting = asyncio.create_task(_greet(server))
    async with worldline.connect(server.url, name="ada", patient=patient, think_s=think_s) as client:
        yield client, await greeting


async def _greet(server: ScriptedServer) -> Script:
    script = await server.script()
    assert (await script.greet()).name == "ada"
    return script


@contextlib.asynccontextmanager
async def seated(server: ScriptedServer, *, patient: bool = True) -> AsyncIterator[tuple[worldline.Player, Script]]:
    async with connected(server, patient=patient) as (client, script):
        joining = asyncio.create_task(client.join("echo"))
        join = await script.seat()
        assert (join.game, join.world) == ("echo", None)
        yield await joining, script


def refusal(code: str, retry_after_ms: int | None = None) -> protocol.Error:
    return protocol.Error(
        code=code,
        message="no",
        hint="do this",
        path="args.x",
        valid=["a"],
        data={"n": 1},
        retry_after_ms=retry_after_ms,
    )


async def test_who_one_is(server: ScriptedServer) -> None:
    async with connected(server) as (client, _):
        assert (client.agent, client.name, client.welcome.limits.burst) == ("a_1", "ada", 20)


async def test_an_input_is_an_outcome(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        asking = asyncio.create_task(player.input("move", to="home", observe=True, note="wave"))
        asked = await script.hear(protocol.Input)
        assert (asked.world, asked.player, asked.name, asked.args, asked.note) == (
            "w_1",
            "p_1",
            "move",
            {"to": "home"},
            "wave",
        )
        assert (asked.seq, asked.observe, asked.seen_tick) == (1, True, None)
        outcome = protocol.Outcome(
            world="w_1", player="p_1", seq=1, status="applied", tick=9, observation=observation(tick=9)
        )
        await script.say(outcome, asked.id)
        got = await asking
        assert (got.ok, got.tick, got.status) == (True, 9, "applied")
        assert got.observation is not None
        assert player.tick == 9
        assert player.observation == got.observation
        # The next input says what was seen when it was decided.
        asking = asyncio.create_task(player.input("say", {"note": "an arg of this name", "text": "x"}, observe=False))
        asked = await script.hear(protocol.Input)
        assert (asked.seq, asked.seen_tick, asked.note) == (2, 9, None)
        assert asked.args == {"note": "an arg of this name", "text": "x"}
        await script.apply(asked, tick=10)
        assert (await asking).tick == 10


async def test_a_rejection_by_the_game_is_an_outcome_and_not_raised(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        asking = asyncio.create_task(player.input("collect"))
        asked = await script.hear(protocol.Input)
        rejected = protocol.Outcome(
            world="w_1", player="p_1", seq=1, status="rejected", tick=4, code="too_far", message="3 away"
        )
        await script.say(rejected, asked.id)
        outcome = await asking
        assert (outcome.ok, outcome.code, outcome.message) == (False, "too_far", "3 away")
        asyncio.create_task(player.input("collect")).add_done_callback(lambda done: done.exception())
        assert (await script.hear(protocol.Input)).seq == 2  # a rejection is in the log: its seq is used up


async def test_inputs_go_one_after_the_other_and_replies_may_overtake(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        inputs = [asyncio.create_task(player.input("count", by=n)) for n in (1, 2, 3)]
        first = await script.hear(protocol.Input)
        looking = asyncio.create_task(player.observe())
        look = await script.hear(protocol.Observe)
        await script.say(observation(), look.id)
        assert (await looking).tick == 5
        assert not any(task.done() for task in inputs)
        await script.apply(first)
        for seq in (2, 3):
            asked = await script.hear(protocol.Input)
            assert (asked.seq, asked.args) == (seq, {"by": seq})
            await script.apply(asked)
        assert [(await task).seq for task in inputs] == [1, 2, 3]


async def test_a_refused_input_leaves_its_seq_free(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        asking = asyncio.create_task(player.input("fly"))
        asked = await script.hear(protocol.Input)
        await script.say(refusal("unknown_input"), asked.id)
        with pytest.raises(worldline.InvalidRequest) as refused:
            await asking
        error = refused.value
        assert (error.code, error.message, error.hint, error.path) == ("unknown_input", "no", "do this", "args.x")
        assert (error.valid, error.data, error.retry_after_ms) == (["a"], {"n": 1}, None)
        again = asyncio.create_task(player.input("walk"))
        asked = await script.hear(protocol.Input)
        assert asked.seq == 1
        await script.apply(asked)
        assert (await again).ok


async def test_a_cancelled_input_is_not_forgotten(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        asking = asyncio.create_task(player.input("one"))
        first = await script.hear(protocol.Input)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        later = asyncio.create_task(player.input("two"))
        await script.apply(first)
        second = await script.hear(protocol.Input)
        assert (first.seq, second.seq, second.name) == (1, 2, "two")
        await script.apply(second)
        assert (await later).ok


async def test_a_patient_client_waits_as_long_as_it_is_told(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        asking = asyncio.create_task(player.input("move", x=1))
        asked = await script.hear(protocol.Input)
        refused_at_s = time.monotonic()
        await script.say(refusal("rate_limited", 120), asked.id)
        again = await script.hear(protocol.Input)
        assert time.monotonic() - refused_at_s >= 0.12
        assert (again.seq, again.args) == (1, {"x": 1})
        await script.apply(again)
        assert (await asking).ok


async def test_patience_ends(server: ScriptedServer) -> None:
    async with connected(server) as (client, script):
        asking = asyncio.create_task(client.games())
        for _ in range(5):
            await script.say(refusal("overloaded", 1), (await script.hear(protocol.Games)).id)
        with pytest.raises(worldline.TryLater):
            await asking
        asking = asyncio.create_task(client.games())
        await script.say(refusal("too_many_worlds", 60_000), (await script.hear(protocol.Games)).id)
        with pytest.raises(worldline.TryLater) as refused:
            await asking
        assert refused.value.retry_after_ms == 60_000


async def test_an_impatient_client_is_told_at_once(server: ScriptedServer) -> None:
    async with connected(server, patient=False) as (client, script):
        asking = asyncio.create_task(client.games())
        await script.say(refusal("rate_limited", 1), (await script.hear(protocol.Games)).id)
        with pytest.raises(worldline.TryLater):
            await asking


@pytest.mark.parametrize(
    ("code", "retry_after_ms", "raised"),
    [
        ("invalid_args", None, worldline.InvalidRequest),
        ("world_closed", None, worldline.NotPossible),
        ("rate_limited", 20_000, worldline.TryLater),
        ("a_code_of_tomorrow", None, worldline.InvalidRequest),
        ("a_code_of_tomorrow", 20_000, worldline.TryLater),
    ],
)
async def test_each_refusal_raises_what_can_be_done_about_it(
    server: ScriptedServer, code: str, retry_after_ms: int | None, raised: type[worldline.WorldlineError]
) -> None:
    async with connected(server) as (client, script):
        asking = asyncio.create_task(client.ping())
        await script.say(refusal(code, retry_after_ms), (await script.hear(protocol.Ping)).id)
        with pytest.raises(raised) as refused:
            await asking
        assert type(refused.value) is raised


async def test_where_no_server_is_the_error_says_what_to_do() -> None:
    with pytest.raises(worldline.Disconnected, match="worldline serve"):
        async with worldline.connect("ws://127.0.0.1:9/ws"):
            pass
    with pytest.raises(worldline.Disconnected, match="WebSocket address"):
        async with worldline.connect("http://127.0.0.1:9/ws"):
            pass


async def test_the_address_may_come_from_the_environment(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLDLINE_URL", server.url)
    greeting = asyncio.create_task(_greet(server))
    async with worldline.connect(name="ada") as client:
        await greeting
        assert client.url == server.url


async def test_pushes_tell_the_player_and_unknown_ones_do_no_harm(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        await script.connection.send(msgspec.msgpack.encode({"type": "comet", "world": "w_1"}))
        await script.connection.send(msgspec.msgpack.encode({"type": "notice", "code": "of_tomorrow", "message": "m"}))
        await script.say(protocol.Notice(code="clock_slow", message="slow", world="w_1", rate=0.5))
        await script.say(protocol.Closed(world="w_other", reason="idle"))
        asking = asyncio.create_task(player.client.ping())
        ping = await script.hear(protocol.Ping)
        await script.connection.send(
            msgspec.msgpack.encode({"type": "pong", "re": ping.id, "server_time_ms": 7, "news": [1]})
        )
        assert await asking == 7
        assert [notice.code for notice in player.client.notices] == ["clock_slow"]
        ending: tuple[str | None, object] = (player.closed, player.result)
        assert ending == (None, None)
        await script.say(protocol.Closed(world="w_1", reason="finished", result={"won": True}))
        with pytest.raises(worldline.NotPossible):
            looking = asyncio.create_task(player.observe())
            await script.say(refusal("world_closed"), (await script.hear(protocol.Observe)).id)
            await looking
        ending = (player.closed, player.result)
        assert ending == ("finished", {"won": True})


async def test_leaving_closes_the_player(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        leaving = asyncio.create_task(player.leave())
        leave = await script.hear(protocol.Leave)
        assert (leave.world, leave.player) == ("w_1", "p_1")
        await script.say(protocol.Left(world="w_1", player="p_1"), leave.id)
        await leaving
        assert player.closed == "left"


async def test_joining_again_is_the_same_player(server: ScriptedServer) -> None:
    async with seated(server) as (player, script):
        joining = asyncio.create_task(player.client.join(world="w_1"))
        await script.seat()
        assert await joining is player


async def test_worlds_come_page_by_page(server: ScriptedServer) -> None:
    async with connected(server) as (client, script):
        asking = asyncio.create_task(client.worlds("echo", mine=True))
        asked = await script.hear(protocol.Worlds)
        assert (asked.game, asked.mine, asked.next) == ("echo", True, None)
        await script.say(protocol.WorldsReply(worlds=[], next="w_5"), asked.id)
        asked = await script.hear(protocol.Worlds)
        assert asked.next == "w_5"
        await script.say(protocol.WorldsReply(worlds=[]), asked.id)
        assert await asking == []


async def test_thinking_takes_its_time_and_none_takes_none(server: ScriptedServer) -> None:
    async with seated(server) as (player, _):
        began_s = time.monotonic()
        for _ in range(1000):
            await player.think()
        assert time.monotonic() - began_s < 1
        player.client.think_s = (0.1, 0.15)
        began_s = time.monotonic()
        await player.think()
        assert time.monotonic() - began_s >= 0.1
