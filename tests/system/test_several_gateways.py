"""Promise: however many gateways serve the port, it is one server: players in one world meet through any of them, a
session goes on through whichever takes its next connection, and is driven from one place at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, agent, eventually

ROUNDS = 10


@pytest.fixture
def server(serve: ServerFactory) -> RunningServer:
    """A server with two gateways."""
    return serve("--shards", "1", "--gateways", "2", "--limits", "off")


@contextlib.contextmanager
def only(server: RunningServer, gateway: int) -> Iterator[None]:
    """Who connects meanwhile is served by this gateway: the others stand still."""
    others = [pid for pid in server.gateway_pids() if pid != gateway]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


@contextlib.asynccontextmanager
async def through(server: RunningServer, gateway: int, name: str | None) -> AsyncIterator[Agent]:
    """An agent whose connection this gateway has."""
    async with contextlib.AsyncExitStack() as stack:
        with only(server, gateway):
            connected = await stack.enter_async_context(agent(server.url, name))
        yield connected


async def test_players_in_one_world_meet_through_different_gateways(server: RunningServer) -> None:
    first, second = server.gateway_pids()
    async with through(server, first, "ada") as ada, through(server, second, "bob") as bob:
        world = (await ada.ask("join", game="echo"))["world"]
        assert (await bob.ask("join", game="echo"))["world"] == world
        await bob.ask("input", world=world, name="say", args={"text": "hello"}, seq=1)
        seen = await ada.ask("observe", world=world, until="event", wait_ms=10_000)
        assert [event["data"]["text"] for event in seen["events"]] == ["hello"]


async def test_a_session_that_goes_on_through_another_gateway_takes_its_players_along(server: RunningServer) -> None:
    first, second = server.gateway_pids()
    async with through(server, first, "ada") as ada, through(server, second, None) as again:
        joined = await ada.ask("join", game="echo")
        world, player = joined["world"], joined["player"]
        await ada.ask("input", world=world, name="count", args={"by": 3}, seq=1)
        waiting = asyncio.create_task(ada.request("observe", world=world, until="event", wait_ms=20_000))
        await ada.ask("ping")  # behind the other: it has been read

        welcome = await again.hello(resume=ada.welcome["resume"])
        assert [(mine["player"], mine["next_seq"], mine["driven"]) for mine in welcome["players"]] == [
            (player, 2, True)
        ]
        assert await ada.closed() == 4001
        with pytest.raises(ConnectionError):
            await waiting
        outcome = await again.ask("input", world=world, name="count", args={"by": 4}, seq=2)
        assert outcome["result"] == {"total": 7}
        repeated = await again.ask("input", world=world, name="count", args={"by": 3}, seq=1)
        assert (repeated["duplicate"], repeated["result"]) == (True, {"total": 3})


async def test_of_two_that_resume_a_session_at_once_through_two_gateways_one_has_it(server: RunningServer) -> None:
    first, second = server.gateway_pids()
    async with through(server, first, "ada") as ada:
        world = (await ada.ask("join", game="echo"))["world"]
        token = ada.welcome["resume"]
        total = 0
        for number in range(1, ROUNDS + 1):
            async with through(server, first, None) as left, through(server, second, None) as right:
                welcomes = await asyncio.gather(
                    left.hello(resume=token), right.hello(resume=token), return_exceptions=True
                )
                assert any(isinstance(welcome, dict) for welcome in welcomes), welcomes
                gone, _ = await asyncio.wait(
                    [asyncio.create_task(left.closed()), asyncio.create_task(right.closed())],
                    return_when=asyncio.FIRST_COMPLETED,
                )
                assert {task.result() for task in gone} == {4001}
                (stays,) = [each for each in (left, right) if each.close_code is None]
                total += number
                outcome = await stays.ask("input", world=world, name="count", args={"by": number}, seq=number)
                assert outcome["result"] == {"total": total}
                await stays.ask("ping")
                assert stays.close_code is None


async def test_the_sessions_of_a_killed_gateway_go_on_through_the_other(
    server: RunningServer, connect_agent: Connect
) -> None:
    first, second = server.gateway_pids()
    async with through(server, first, "ada") as ada, through(server, second, "bob") as bob:
        world = (await ada.ask("join", game="echo"))["world"]
        await bob.ask("join", world=world)
        await ada.ask("input", world=world, name="count", args={"by": 5}, seq=1)
        os.kill(first, signal.SIGKILL)
        await ada.closed()
        again = await connect_agent(server.url, None)
        (mine,) = (await again.hello(resume=ada.welcome["resume"]))["players"]
        assert (mine["world"], mine["next_seq"]) == (world, 2)
        outcome = await again.ask("input", world=world, name="count", args={"by": 1}, seq=2)
        assert outcome["result"] == {"total": 6}
        assert bob.close_code is None
        await bob.ask("observe", world=world)
        await eventually(lambda: len(server.gateway_pids()) == 2, "another gateway takes its place")


async def test_connections_are_counted_over_all_gateways(server: RunningServer) -> None:
    first, second = server.gateway_pids()
    async with through(server, first, "ada") as ada, through(server, second, "bob"):
        world = (await ada.ask("join", game="echo"))["world"]
        async with through(server, second, "eve") as eve, through(server, first, "sam") as sam:
            await eve.ask("watch", world=world)
            await sam.ask("watch", world=world)

            async def both_counted() -> bool:
                (listed,) = (await ada.ask("worlds", game="echo"))["worlds"]
                return bool(listed["spectators"] == 2)

            await eventually(both_counted, "the spectators of both gateways are counted")
