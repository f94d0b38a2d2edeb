"""Promise: both subprotocols say the same, the client plays through the real edge, and a hundred connections at once
are everyday life."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

import worldline
from tests.system.edge_client import edge_client, plain_http
from tests.system.harness import RunningServer

VOLATILE = {"session", "agent", "server_time_ms", "tick", "game_time_s", "ticks", "text", "player", "players", "seat"}


def without_volatile(value: Any) -> Any:
    """A reply without what differs from client to client and from tick to tick."""
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [without_volatile(item) for item in value]
    return value


async def test_both_subprotocols_say_the_same(server: RunningServer) -> None:
    async with edge_client(server.url, "json") as plain, edge_client(server.url, "msgpack") as packed:
        world = (await plain.ask({"type": "join", "id": 1, "game": "echo"}))["world"]
        await packed.ask({"type": "join", "id": 1, "world": world})
        for message in (
            {"type": "games", "id": 2},
            {"type": "rules", "id": 2, "game": "tsunami"},
            {"type": "input", "id": 2, "world": world, "name": "say", "args": {"text": "żółw 🐢"}, "observe": True},
            {"type": "input", "id": 2, "world": world, "name": "count", "args": {"by": 101}},
            {"type": "observe", "id": 2, "world": world, "since": 1, "format": "data"},
            {"type": "observe", "id": 2, "world": world, "format": "xml"},
            {"type": "worlds", "id": 2, "status": "waiting"},
            {"type": "leave", "id": 2, "world": world},
        ):
            said, packed_said = await plain.ask(message), await packed.ask(message)
            if said["type"] in ("outcome", "observation"):
                for reply in (said, packed_said):
                    seen = reply.get("observation", reply)
                    # How many have spoken by now differs: the last of them is the one of this client's own.
                    seen["events"] = seen.get("events", [])[:1]
                    seen["cursor"] = 0
            assert without_volatile(said) == without_volatile(packed_said)


async def test_whole_numbers_are_written_without_a_fraction(server: RunningServer) -> None:
    async with edge_client(server.url) as client:
        world = (await client.ask({"type": "join", "id": 1, "game": "tsunami"}))["world"]
        move = {"type": "input", "id": 2, "world": world, "name": "move", "args": {"x": 300.5, "z": 0}, "observe": True}
        await client.send(move)
        text = await client.connection.recv(decode=True)
        fractions: list[str] = []

        def note(number: str) -> float:
            fractions.append(number)
            return float(number)

        json.loads(text, parse_float=note)
        assert "300.5" in fractions
        assert not [number for number in fractions if float(number).is_integer()]
        worlds = await client.ask({"type": "worlds", "id": 3})
        assert isinstance(worlds["worlds"][0]["players"][0]["score"], int)
        games = await client.ask({"type": "games", "id": 2})
        assert all(isinstance(game["tick_hz"], int) for game in games["games"])


async def test_offering_no_subprotocol_means_json(server: RunningServer) -> None:
    async with connect(server.url, compression=None, proxy=None) as connection:
        assert connection.subprotocol is None
        await connection.send('{"type":"hello","id":1}')
        assert json.loads(await connection.recv())["type"] == "welcome"


async def test_only_unknown_subprotocols_are_400_naming_the_known_ones(server: RunningServer) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.url, subprotocols=[Subprotocol("worldline.v9.json")], proxy=None):
            pass
    assert refused.value.response.status_code == 400
    body = refused.value.response.body or b""
    assert b"worldline.v1.json" in body
    assert b"worldline.v1.msgpack" in body


async def test_the_client_plays(server: RunningServer) -> None:
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="bob") as bob:
        me = await ada.join("echo", observe=True)
        other = await bob.join(world=me.world)
        assert (me.seat, other.seat, me.game, me.tick_hz) == (1, 2, "echo", 60)
        assert me.observation is not None
        outcomes = await asyncio.gather(*(me.input("count", by=n) for n in range(1, 11)))
        assert [outcome.seq for outcome in outcomes] == list(range(1, 11))
        assert outcomes[-1].result == {"total": 55}
        assert (await me.input("count", by=101)).code == "too_much"
        spoken = await other.input("say", text="hello", observe=True, note="be polite")
        assert spoken.ok
        seen = await me.observe()
        assert [(event.n, event.kind, event.data) for event in seen.events] == [
            (1, "said", {"by": other.player, "text": "hello"})
        ]
        assert (await me.observe()).events == []
        assert [event.n for event in (await me.observe(since=1)).events] == [1]
        with pytest.raises(worldline.InvalidRequest) as refused:
            await me.input("shout")
        assert refused.value.valid
        (mine,) = await ada.worlds("echo", mine=True)
        assert [player.name for player in mine.players] == ["ada", "bob"]
        assert (await ada.rules("echo")).inputs.keys() == {"say", "count"}
        await me.leave()
        with pytest.raises(worldline.NotPossible) as gone:
            await me.observe()
        assert gone.value.code == "not_joined"


async def test_a_hundred_connections_at_once(server: RunningServer) -> None:
    async def play(number: int) -> str:
        async with worldline.connect(server.url, name=f"agent {number}") as client:
            me = await client.join("echo")
            total = 0
            for _ in range(5):
                outcome = await me.input("count", by=2, observe=True)
                total += 2
                assert outcome.result == {"total": total}
            return me.world

    worlds = await asyncio.gather(*(play(number) for number in range(100)))
    assert len(set(worlds)) >= 13


async def test_health_and_what_else_there_is_over_plain_http(server: RunningServer) -> None:
    status, headers, body = await plain_http(server.url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, headers["content-type"]) == (200, "application/json")
    health = json.loads(body)
    assert (health["status"], health["durability"]) == ("ok", "durable")
    assert health["server"].startswith("worldline/")
    status, headers, body = await plain_http(server.url, b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0
    for path in (b"/index.html", b"/../etc/passwd", b"/healthz/x", b"/ws/"):
        status, _, body = await plain_http(server.url, b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status == 404
        assert b"/ws" in body
    status, _, body = await plain_http(server.url, b"GET /ws HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 426
    assert b"worldline.v1.json" in body


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS", b"BREW"])
@pytest.mark.parametrize("path", [b"/healthz", b"/ws", b"/nowhere"])
async def test_other_methods_are_405_with_or_without_a_body(server: RunningServer, method: bytes, path: bytes) -> None:
    for rest in (b"Host: localhost\r\n\r\n", b"Host: x\r\nContent-Length: 5\r\n\r\nhello"):
        status, headers, body = await plain_http(server.url, method + b" " + path + b" HTTP/1.1\r\n" + rest)
        assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert body
