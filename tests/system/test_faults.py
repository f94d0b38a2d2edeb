"""Promise: a game that breaks hurts only itself: its own world says how, its neighbours tick on, all logs stay whole.

Every kind of fault is made over a real server, beside a world that shares its shard. Endless loops: test_shards_hung.
"""

from __future__ import annotations

from typing import Any

import pytest

from eventlog.reader import read_world
from eventlog.records import Fault
from replays.verify import verify_world
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, eventually


class Table:
    """One agent in the faulty world, one in a quiet world on the same shard."""

    def __init__(self, server: RunningServer, ada: Agent, neighbour: Agent) -> None:
        self.server = server
        self.ada = ada
        self.neighbour = neighbour
        self.world = ""
        self.quiet = ""
        self.quiet_tick = 0

    async def sit(self) -> None:
        """Both take their seats; the neighbour counts to 3."""
        self.world = (await self.ada.ask("join", game="faulty"))["world"]
        self.quiet = (await self.neighbour.ask("join", game="echo"))["world"]
        counted = await self.neighbour.ask("input", world=self.quiet, name="count", args={"by": 3}, seq=1)
        self.quiet_tick = counted["tick"]

    async def input(self, name: str, **args: Any) -> dict[str, Any]:
        """An input to the faulty world, whatever comes of it."""
        return await self.ada.request("input", world=self.world, name=name, args=args)

    async def faulted(self) -> dict[str, Any]:
        """The news that the world has stopped."""
        return await self.ada.push("closed", world=self.world)

    async def check_neighbour(self) -> None:
        """It ticks on, and has lost nothing."""
        counted = await self.neighbour.ask("input", world=self.quiet, name="count", args={"by": 4}, seq=2)
        assert counted["result"] == {"total": 7}
        assert counted["tick"] > self.quiet_tick
        assert self.neighbour.close_code is None

    def check_logs(self, kind: str | None) -> None:
        """Both logs re-execute to the same; that of the faulty world ends with this fault, or with none."""
        assert self.server.terminate() == 0
        for world in (self.world, self.quiet):
            assert verify_world(self.server.data, world).status == "verified"
        last = list(read_world(self.server.data, self.world))[-1].record
        assert (last.kind if isinstance(last, Fault) else None) == kind


async def table(serve: ServerFactory, connect_agent: Connect) -> Table:
    """A server with one shard, and both agents seated."""
    server = serve("--shards", "1")
    seated = Table(server, await connect_agent(server.url, "ada"), await connect_agent(server.url, "neighbour"))
    await seated.sit()
    return seated


@pytest.mark.parametrize(("name", "n"), [("raise", 1), ("nest", 0)])
async def test_a_handler_that_raises_rejects_its_input_and_the_world_goes_on(
    serve: ServerFactory, connect_agent: Connect, name: str, n: int
) -> None:
    both = await table(serve, connect_agent)
    outcome = await both.input(name)
    assert (outcome["type"], outcome["status"], outcome["code"]) == ("outcome", "rejected", "game_error")
    assert "as I was told" not in str(outcome), "an agent is not told about the game's inside"
    seen = await both.ada.ask("observe", world=both.world)
    assert (seen["status"], seen["data"]["n"]) == ("running", n), "what it changed before stays"
    await both.check_neighbour()
    both.check_logs(None)


async def test_ticks_that_raise_now_and_then_do_not_end_a_world(serve: ServerFactory, connect_agent: Connect) -> None:
    both = await table(serve, connect_agent)
    assert (await both.input("fail", ticks=99))["status"] == "applied"

    async def recovered() -> bool:
        seen = await both.ada.ask("observe", world=both.world)
        return bool(seen["data"]["failed"] == 99)

    await eventually(recovered, "99 ticks have raised")
    assert (await both.input("raise"))["status"] == "rejected", "it takes inputs as before"
    await both.check_neighbour()
    both.check_logs(None)


async def test_a_hundred_raising_ticks_in_a_row_end_the_world(serve: ServerFactory, connect_agent: Connect) -> None:
    both = await table(serve, connect_agent)
    assert (await both.input("fail", ticks=1000))["status"] == "applied"
    closed = await both.faulted()
    assert "game.tick raised 100 times in a row" in closed["reason"]
    refused = await both.input("raise")
    assert (refused["code"], refused["data"]["reason"]) == ("world_faulted", closed["reason"])
    await both.check_neighbour()
    both.check_logs("tick_failed")


async def test_a_stack_overflow_ends_the_world_even_if_the_game_tries_to_catch_it(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    both = await table(serve, connect_agent)
    refused = await both.input("recurse")
    assert (refused["type"], refused["code"]) == ("error", "world_faulted")
    assert (await both.faulted())["reason"] == refused["data"]["reason"]
    await both.check_neighbour()
    both.check_logs("resource")


async def test_a_world_that_takes_too_much_memory_ends(serve: ServerFactory, connect_agent: Connect) -> None:
    both = await table(serve, connect_agent)
    assert (await both.input("grow", mebibytes=20))["status"] == "applied", "so much it may have"
    refused = await both.input("grow", mebibytes=60)
    assert (refused["type"], refused["code"]) == ("error", "world_faulted")
    assert "64 MiB" in (await both.faulted())["reason"]
    await both.check_neighbour()
    both.check_logs("memory")
