"""Promise: no address and no agent has more connections than one may have, the gateway none too many, and who fails to
say who it is waits; each is told when to come again. Others are let in meanwhile."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from server import messages
from server.config import Guests
from server.gateway.entrance import affordable_connections
from server.gateway.limits import GatewayLimits
from server.gateway.visitors import Visitors, address_of
from server.tokens import create_token
from tests.server.gateway.stand_in import Edge, eventually, joined, running_edge, talking
from tests.system.edge_client import plain_http

FEW = GatewayLimits(max_connections=4, max_connections_per_address=2, max_connections_per_agent=2, failed_hellos=3)


def from_address(address: str) -> dict[str, str]:
    """What a proxy on this machine says about a visitor."""
    return {"X-Forwarded-For": address}


async def turned_away(edge: Edge, headers: dict[str, str] | None = None) -> tuple[int, int]:
    """The status with which a visitor is turned away, and when it may come again; fails if it is let in."""
    with pytest.raises(InvalidStatus) as refused:
        async with talking(edge, hello=False, additional_headers=headers or {}):
            pass
    response = refused.value.response
    assert response.body
    return response.status_code, int(response.headers["Retry-After"])


async def test_an_address_has_so_many_connections(tmp_path: Path) -> None:
    async with (
        running_edge(tmp_path, FEW, nobody_plays=True) as edge,
        talking(edge, additional_headers=from_address("192.0.2.1")),
    ):
        async with talking(edge, additional_headers=from_address("10.0.0.1, 192.0.2.1")):
            assert await turned_away(edge, from_address("192.0.2.1")) == (503, 5)
            async with talking(edge, additional_headers=from_address("192.0.2.2")):
                pass
        # One has gone: there is room again.
        await eventually(lambda: edge.gateway._entrance.connections == 1, "the others have gone")
        async with talking(edge, additional_headers=from_address("192.0.2.1")):
            pass


async def test_the_gateway_has_so_many_connections_and_still_says_how_it_is(tmp_path: Path) -> None:
    async with running_edge(tmp_path, FEW, nobody_plays=True) as edge, contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            await stack.enter_async_context(talking(edge))
        assert await turned_away(edge) == (503, 5)
        status, _, _ = await plain_http(edge.url, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status == 200


async def test_an_agent_has_so_many_connections(tmp_path: Path) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    limits = msgspec.structs.replace(FEW, max_connections=64)
    async with running_edge(tmp_path, limits, nobody_plays=True) as edge, talking(edge, hello=False) as third:
        hello = {"type": "hello", "id": 1, "token": token}
        async with talking(edge, hello=False) as first, talking(edge, hello=False) as second:
            welcome = await first.ask(**hello)
            assert (await second.ask(**hello))["type"] == "welcome"
            error = await third.ask(**hello)
            assert (error["code"], error["re"]) == ("overloaded", 1)
            assert error["retry_after_ms"] > 0
            # Going on with a session takes the place of its older connection, so it is never one too many.
            async with talking(edge, hello=False) as again:
                await again.send({**hello, "resume": welcome["resume"]})
                assert (await first.ended())[0] == 4001
        await eventually(lambda: len(edge.gateway.sessions) == 1, "the others have gone")
        assert (await third.ask(**hello))["type"] == "welcome"


async def test_the_connections_of_an_agent_share_its_rate(tmp_path: Path) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    limits = GatewayLimits(agent_burst=30, agent_rate_hz=5.0)
    async with running_edge(tmp_path, limits, nobody_plays=True) as edge, talking(edge) as guest:
        async with talking(edge, hello=False) as one, talking(edge, hello=False) as two:
            announced = (await one.ask(type="hello", id=0, token=token))["limits"]
            assert (announced["rate_hz"], announced["agent_rate_hz"]) == (10, 5)
            await two.ask(type="hello", id=0, token=token)
            accepted, refused = 0, []
            for client in (one, two):
                for number in range(1, 21):
                    reply = await client.ask(type="rules", id=number, game="no")
                    accepted += reply["code"] == "unknown_game"
                    refused += [reply] if reply["code"] == "rate_limited" else []
            assert 30 <= accepted <= 33
            assert "over all connections of your agent" in refused[0]["message"]
            assert refused[0]["retry_after_ms"] >= 100
        assert (await guest.ask(type="rules", id=1, game="no"))["code"] == "unknown_game"


@pytest.mark.parametrize(
    ("guests", "private", "limited"),
    [
        ("developer", True, False),
        ("developer", False, True),
        ("agent", True, True),
    ],
)
async def test_what_a_developer_asks_of_a_private_world_costs_nothing(
    tmp_path: Path, guests: Guests, private: bool, limited: bool
) -> None:
    async with running_edge(tmp_path, guests=guests) as edge, talking(edge) as client:
        await client.send({"type": "join", "id": 1, "world": "w_1"})
        place = await edge.asked(messages.AskPlace)
        edge.control.send(messages.Placed(request=place.request, world="w_1", game="echo", shard=0, private=private))
        join = await edge.told(messages.JoinWorld)
        edge.shard_link.send(messages.Answer(request=join.request, message=joined()))
        assert (await client.hear())["type"] == "joined"
        codes = []
        for number in range(2, 62):
            await client.send({"type": "leave", "id": number, "world": "w_1", "player": "nobody"})
            codes.append((await client.hear())["code"])
        assert ("rate_limited" in codes) is limited
        # Other requests cost what they always do.
        codes = [(await client.ask(type="rules", id=number, game="no"))["code"] for number in range(30)]
        assert "rate_limited" in codes


async def test_who_fails_to_say_who_it_is_waits_and_others_do_not(tmp_path: Path) -> None:
    _, token = create_token(tmp_path, "ada", "agent")
    limits = msgspec.structs.replace(FEW, max_connections=64)
    header = from_address("2001:db8:1:2::77")
    async with running_edge(tmp_path, limits, nobody_plays=True) as edge:
        for _ in range(3):
            async with talking(edge, hello=False, additional_headers=header) as client:
                await client.send({"type": "hello", "id": 1, "token": "wrong"})
                assert (await client.ended())[0] == 1008
        status, retry_after_s = await turned_away(edge, from_address("2001:db8:1:2:ffff::1"))  # the same network
        assert status == 429
        assert 50 <= retry_after_s <= 60
        async with talking(edge, hello=False, additional_headers=from_address("2001:db8:1:3::1")) as client:
            assert (await client.ask(type="hello", id=1, token=token))["type"] == "welcome"


def test_failures_are_forgotten() -> None:
    visitors = Visitors(FEW)
    for _ in range(3):
        visitors.failed("192.0.2.1", 100.0)
    turned = visitors.turned_away("192.0.2.1", 1, 130.0)
    assert turned is not None
    assert turned.retry_after_s == 30
    assert visitors.turned_away("192.0.2.1", 1, 160.0) is None
    assert visitors.remembered == 0


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "counted_by"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "10.0.0.1", "192.0.2.1"),  # not a proxy of this machine: what it says is its own word
        ("127.0.0.1", None, None),
        ("127.0.0.1", "", None),
        ("127.0.0.1", "nonsense", None),
        ("127.0.0.1", "10.9.9.9, 192.0.2.7", "192.0.2.7"),
        ("::1", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.1", None, "192.0.2.1"),
        ("2001:db8::5%eth0", None, "2001:db8::/64"),
        (None, None, None),
    ],
)
def test_by_what_a_visitor_is_counted(peer: str | None, forwarded_for: str | None, counted_by: str | None) -> None:
    assert address_of(peer, forwarded_for) == counted_by


def test_no_more_connections_than_files() -> None:
    assert affordable_connections(4) == 4
    assert affordable_connections(10**9) < 10**9
