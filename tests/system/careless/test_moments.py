"""Promise: what is right as such but comes at the wrong moment is refused with why, and what is proposed works then."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.gateway.hints import mended
from tests.system.edge_client import EdgeClient, edge_client
from tests.system.harness import RunningServer, agent, start_server

Reply = dict[str, Any]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for all moments."""
    folder: Path = tmp_path_factory.mktemp("moments")
    server = start_server(folder / "data", "--shards", "1", cwd=folder)
    yield server
    assert server.terminate() == 0
    server.clean_up()


class Table:
    """Two agents in a world of their own."""

    def __init__(self, ada: EdgeClient, bob: EdgeClient, world: str) -> None:
        self.ada, self.bob, self.world = ada, bob, world

    async def pick(self, who: EdgeClient, n: int = 1, **fields: Any) -> Reply:
        """Send an input and return its reply."""
        return await who.ask(self.picking(n, **fields))

    def picking(self, n: int = 1, **fields: Any) -> Reply:
        """The message of an input."""
        return {"type": "input", "id": 7, "world": self.world, "name": "pick", "args": {"n": n}, **fields}

    async def look(self, who: EdgeClient) -> Reply:
        """What one sees."""
        return await who.ask({"type": "observe", "id": 7, "world": self.world})


@contextlib.asynccontextmanager
async def table(url: str, game: str) -> AsyncIterator[Table]:
    """Ada and Bob sit in a new world of ``game``."""
    async with edge_client(url) as ada, edge_client(url) as bob:
        made = await ada.ask({"type": "create", "id": 1, "game": game})
        for who in (ada, bob):
            assert (await who.ask({"type": "join", "id": 2, "world": made["world"]}))["type"] == "joined"
        yield Table(ada, bob, made["world"])


async def both_pick(at: Table) -> tuple[Reply, Reply]:
    """One tick of a lockstep world."""
    one, other = await asyncio.gather(at.pick(at.ada), at.pick(at.bob))
    assert (one["status"], other["status"]) == ("applied", "applied")
    return one, other


async def test_acting_twice_in_a_tick(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at:
        await at.ada.send(at.picking(1))
        refused = await at.ada.ask(at.picking(2, id=8))
        assert (refused["code"], refused["data"]) == ("already_acted", {"tick": 1})
        assert refused["hint"]
        assert (await at.pick(at.bob))["status"] == "applied"
        assert (await at.ada.hear())["tick"] == 1
        again, _ = await both_pick(at)
        assert again["tick"] == 2, "in the next tick one may act again"


async def test_acting_out_of_turn(shared: RunningServer) -> None:
    async with table(shared.url, "rounds") as at:
        refused = await at.pick(at.bob)
        assert (refused["code"], refused["data"]["waiting_for"]) == ("not_your_turn", ["p_1"])
        assert (await at.pick(at.ada))["status"] == "applied"
        seen = await at.bob.ask({"type": "observe", "id": 7, "world": at.world, "until": "turn"})
        assert seen["your_turn"] is True
        assert (await at.pick(at.bob))["status"] == "applied"


async def test_a_move_decided_on_an_old_board(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at:
        seen = await at.look(at.ada)
        await both_pick(at)
        refused = await at.pick(at.ada, seen_tick=seen["tick"])
        assert (refused["code"], refused["path"]) == ("too_late", "expires_tick")
        assert "observe" in refused["hint"]
        seen = await at.look(at.ada)
        late, other = await asyncio.gather(at.pick(at.ada, seen_tick=seen["tick"]), at.pick(at.bob))
        assert (late["status"], other["status"]) == ("applied", "applied")


async def test_acting_when_out(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at:
        retired, _ = await asyncio.gather(
            at.ada.ask({"type": "input", "id": 7, "world": at.world, "name": "retire"}), at.pick(at.bob)
        )
        assert retired["status"] == "applied"
        refused = await at.pick(at.ada)
        assert refused["code"] == "not_your_turn"
        assert (await at.look(at.ada))["ended"] == "terminated", "looking is still possible"


async def test_a_seq_with_another_move(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at:
        first, _ = await asyncio.gather(at.pick(at.ada, 1, seq=1), at.pick(at.bob))
        again = await at.pick(at.ada, 1, seq=1)
        assert (again["duplicate"], again["tick"], again["result"]) == (True, first["tick"], first["result"])
        refused = await at.pick(at.ada, 2, seq=1)
        assert (refused["code"], refused["data"]["expected_seq"]) == ("seq_conflict", 2)
        right, _ = await asyncio.gather(at.pick(at.ada, 2, seq=refused["data"]["expected_seq"]), at.pick(at.bob))
        assert right["status"] == "applied"


async def test_a_world_that_has_not_begun(shared: RunningServer) -> None:
    async with edge_client(shared.url) as ada, edge_client(shared.url) as bob:
        made = await ada.ask({"type": "create", "id": 1, "game": "duel"})
        await ada.ask({"type": "join", "id": 2, "world": made["world"]})
        at = Table(ada, bob, made["world"])
        refused = await at.pick(ada)
        assert (refused["code"], refused["retry_after_ms"] > 0) == ("not_started", True)
        await bob.ask({"type": "join", "id": 2, "world": made["world"]})
        await both_pick(at)


async def test_a_world_that_has_ended(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at:
        ended, _ = await asyncio.gather(
            at.ada.ask({"type": "input", "id": 7, "world": at.world, "name": "stop"}), at.pick(at.bob)
        )
        assert ended["status"] == "applied"
        for kind in ("observe", "leave", "join"):
            message = {"type": kind, "id": 7, "world": at.world}
            refused = await at.ada.ask(message)
            assert (refused["code"], refused["path"], refused["data"]["reason"]) == (
                "world_closed",
                "world",
                "finished",
            )
        assert (await at.ada.ask(mended(message, refused)))["type"] == "joined", "another world"


async def test_a_full_world(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at, edge_client(shared.url) as cyd, edge_client(shared.url) as dee:
        message = {"type": "join", "id": 7, "world": at.world}
        assert (await cyd.ask(message))["type"] == "joined"
        refused = await dee.ask(message)
        assert refused["code"] == "world_full"
        assert (await dee.ask(mended(message, refused)))["type"] == "joined", "another world"


async def test_a_private_world(shared: RunningServer) -> None:
    async with edge_client(shared.url) as ada, edge_client(shared.url) as bob:
        made = await ada.ask({"type": "create", "id": 1, "game": "echo", "private": True})
        for code in (None, "", "abcdef", made["join_code"][:-1]):
            refused = await bob.ask({"type": "join", "id": 2, "world": made["world"], "join_code": code})
            assert (refused["code"], refused["path"]) == ("forbidden", "join_code")
            assert "join_code" in refused["hint"]
        joined = await bob.ask({"type": "join", "id": 2, "world": made["world"], "join_code": made["join_code"]})
        assert joined["type"] == "joined"


async def test_one_world_too_many(shared: RunningServer) -> None:
    async with edge_client(shared.url) as client:
        for _ in range(4):
            assert (await client.ask({"type": "create", "id": 1, "game": "duel"}))["type"] == "created"
        refused = await client.ask({"type": "create", "id": 1, "game": "duel"})
        assert (refused["code"], refused["retry_after_ms"] > 0) == ("too_many_worlds", True)
        assert "idle" in refused["hint"] or "ended" in refused["hint"]


async def test_leaving_twice(shared: RunningServer) -> None:
    async with table(shared.url, "duel") as at:
        message = {"type": "leave", "id": 7, "world": at.world}
        assert (await at.ada.ask(message))["type"] == "left"
        refused = await at.ada.ask(message)
        assert refused["code"] == "not_joined"
        assert (await at.ada.ask(mended(message, refused)))["type"] == "joined", "the way back in"


async def test_coming_back_twice_at_once(shared: RunningServer) -> None:
    async with agent(shared.url, "ada") as first:
        resume = first.welcome["resume"]
        joined = await first.ask("join", game="echo")
        async with agent(shared.url, None) as second, agent(shared.url, None) as third:
            welcomes = await asyncio.gather(
                second.request("hello", resume=resume), third.request("hello", resume=resume), return_exceptions=True
            )
            living = [welcome for welcome in welcomes if isinstance(welcome, dict) and welcome["type"] == "welcome"]
            assert living, welcomes
            assert await first.closed() == 4001
            codes = []
            for connection in (second, third):
                with contextlib.suppress(Exception):
                    answer = await connection.request("input", world=joined["world"], name="count", args={"by": 1})
                    codes.append(answer["type"])
            assert codes == ["outcome"], "one of the two speaks for the player, the other is closed"


async def test_half_a_message_then_a_whole_one(shared: RunningServer) -> None:
    async with edge_client(shared.url) as client:
        for half in ('{"type":"join","id":7,"ga', "[1,2", '"join', "{'type': 'join'}", "", "null", "[]", "7"):
            refused = await client.ask(half)
            assert refused["code"] in ("malformed", "invalid_args")
            assert refused["hint"]
        assert (await client.ask({"type": "join", "id": 7, "game": "echo"}))["type"] == "joined"


async def test_a_session_of_another_server_is_somebody_new(shared: RunningServer) -> None:
    async with agent(shared.url, None) as client:
        welcome = await client.ask("hello", name="ada", resume="lgKsc18yYWI5NzNzeHN6rGFfOG02MXJtODM1YqpndWVzdC04.xyz")
        assert (welcome["resumed"], welcome["players"], welcome["lost"]) == (False, [], [])
        assert (await client.ask("join", game="echo"))["world"]


async def test_a_token_that_nobody_gave_out(shared: RunningServer) -> None:
    async with agent(shared.url, None) as client:
        refused = await client.request("hello", token="let me in")
        assert refused["code"] == "unauthorized"
        assert "operator" in refused["hint"] or "token" in refused["hint"]
        assert await client.closed() == 1008
    async with agent(shared.url, "without one"):
        pass
