"""Promise: a client that stops reading costs bounded memory and nobody else's time; it is ended by the rules, and the
server can stop while it is connected."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from websockets.asyncio.client import connect

from server import messages
from server.gateway.limits import GatewayLimits
from tests.server.gateway.stand_in import WITHIN_S, Edge, Talker, eventually, observation, running_edge, talking
from worldline import protocol

TEXT = "x" * 60_000
UNLIMITED = GatewayLimits(rate_limited=False)


@asynccontextmanager
async def deaf_client(edge: Edge) -> AsyncIterator[Talker]:
    """A client with a seat that will read nothing more once the test begins: its kernel buffers are small."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    host, port = edge.url.removeprefix("ws://").removesuffix("/ws").split(":")
    sock.connect((host, int(port)))
    sock.setblocking(False)
    async with connect(
        edge.url, sock=sock, compression=None, ping_interval=None, max_queue=1, proxy=None, close_timeout=0.1
    ) as connection:
        client = Talker(connection)
        assert (await client.ask(type="hello", id=0))["type"] == "welcome"
        await edge.seat(client)
        connection.transport.pause_reading()
        # The library must not read on by itself.
        connection.recv_messages.resume = lambda: None
        yield client
        connection.transport.abort()


async def stuff(edge: Edge, client: Talker, requests: int) -> list[messages.ObservePlayer]:
    """Send observes whose answers are large, and answer them."""
    questions = []
    for number in range(1, requests + 1):
        await client.send({"type": "observe", "id": number, "world": "w_1"})
    for _ in range(requests):
        question = await edge.told(messages.ObservePlayer)
        questions.append(question)
        edge.shard_link.send(messages.Answer(request=question.request, message=observation(text=TEXT)))
    return questions


async def test_what_waits_for_a_deaf_client_is_bounded_and_others_are_served(tmp_path: Path) -> None:
    async with running_edge(tmp_path, UNLIMITED) as edge, talking(edge) as other, deaf_client(edge) as deaf:
        await stuff(edge, deaf, 64)
        (session,) = [session for session in edge.gateway.sessions if session.seats()]
        began_s = time.monotonic()
        assert (await other.ask(type="ping", id=1))["type"] == "pong"
        assert time.monotonic() - began_s < 1
        connection = session.connection
        await eventually(lambda: connection.full, "the outbox is full")
        assert connection.waiting_bytes < UNLIMITED.outbox_bytes + UNLIMITED.write_buffer_bytes + 2 * len(TEXT)


async def test_no_further_request_is_read_from_a_full_client_and_it_goes_on_when_it_reads(tmp_path: Path) -> None:
    async with running_edge(tmp_path, UNLIMITED) as edge, deaf_client(edge) as deaf:
        await stuff(edge, deaf, 32)
        for number in range(100, 200):
            await deaf.send({"type": "ping", "id": number})
        (session,) = edge.gateway.sessions
        await eventually(lambda: session.connection.full, "the outbox is full")
        del deaf.connection.recv_messages.resume  # hears again
        deaf.connection.recv_messages.resume = deaf.connection.transport.resume_reading
        deaf.connection.transport.resume_reading()
        heard = [await deaf.hear() for _ in range(32 + 100)]
        assert sorted(message["re"] for message in heard) == [*range(1, 33), *range(100, 200)]
        # The same connection goes on as if nothing had been.
        await eventually(lambda: not session.connection.waiting_bytes, "everything is written")
        assert not session.connection.full


async def test_a_client_that_stays_full_is_cut_off(tmp_path: Path) -> None:
    limits = msgspec.structs.replace(UNLIMITED, full_s=0.2, sweep_every_s=0.05)
    async with running_edge(tmp_path, limits) as edge, deaf_client(edge) as deaf:
        await stuff(edge, deaf, 32)
        detached = await edge.told(messages.PlayerDetached)
        assert detached.player == "p_1"


async def test_a_client_that_pings_and_never_reads_is_cut_off(tmp_path: Path) -> None:
    async with running_edge(tmp_path) as edge, deaf_client(edge) as deaf:
        protocol = deaf.connection.protocol

        async def flood() -> None:
            while True:
                for _ in range(200):
                    protocol.send_ping(b"x" * 125)
                deaf.connection.send_data()
                await deaf.connection.drain()

        flooding = asyncio.create_task(flood())
        try:
            await asyncio.wait_for(edge.told(messages.PlayerDetached), WITHIN_S)
        finally:
            flooding.cancel()


async def test_draining_ends_within_its_time_with_a_deaf_client_connected(tmp_path: Path) -> None:
    async with running_edge(tmp_path, UNLIMITED) as edge, talking(edge) as other, deaf_client(edge) as deaf:
        await stuff(edge, deaf, 32)
        began_s = time.monotonic()
        edge.control.send(messages.Drain())
        await asyncio.wait_for(asyncio.shield(edge.gateway.stopped), WITHIN_S)
        assert time.monotonic() - began_s < 2.0
        notice = await other.hear()
        assert (notice["type"], notice["code"]) == ("notice", "draining")
        code, reason = await other.ended()
        assert code == 1012
        assert reason.startswith("retry_after_ms=")


async def test_while_draining_requests_and_connections_are_refused_with_a_time(tmp_path: Path) -> None:
    limits = GatewayLimits(drain_s=5.0)
    async with running_edge(tmp_path, limits) as edge, talking(edge) as client:
        await edge.seat(client)
        await client.send({"type": "observe", "id": 1, "world": "w_1"})
        question = await edge.told(messages.ObservePlayer)
        edge.control.send(messages.Drain())
        assert (await client.hear())["type"] == "notice"
        refused = await client.ask(type="games", id=2)
        assert (refused["code"], refused["re"]) == ("draining", 2)
        assert refused["retry_after_ms"] > 0
        reader, writer = await asyncio.open_connection(*_address(edge))
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head, _, body = (await asyncio.wait_for(reader.read(), WITHIN_S)).partition(b"\r\n\r\n")
        writer.close()
        assert head.startswith(b"HTTP/1.1 503")
        assert json.loads(body)["status"] == "draining"
        # What was asked before is still answered, and then it ends.
        edge.shard_link.send(messages.Answer(request=question.request, message=observation()))
        assert (await client.hear())["re"] == 1
        assert (await client.ended())[0] == 1012


def _address(edge: Edge) -> tuple[str, int]:
    host, port = edge.url.removeprefix("ws://").removesuffix("/ws").split(":")
    return host, int(port)


async def test_pushed_events_that_are_not_read_are_bounded_and_named_once(tmp_path: Path) -> None:
    async with running_edge(tmp_path, UNLIMITED) as edge, talking(edge) as client:
        await edge.seat(client)
        await client.send({"type": "subscribe", "id": 1, "world": "w_1", "events": True})
        question = await edge.told(messages.SubscribePlayer)
        subscribed = protocol.Subscribed(world="w_1", player="p_1", events=True, cursor=1)
        edge.shard_link.send(messages.Answer(request=question.request, message=subscribed))
        assert (await client.hear())["cursor"] == 1
        (session,) = edge.gateway.sessions
        client.connection.transport.pause_reading()
        for sent in range(1, 401):  # far more than the kernel's buffers and ours
            event = protocol.Event(world="w_1", player="p_1", n=sent, tick=sent, kind="said", data=TEXT[:30_000])
            edge.shard_link.send(messages.Push(world="w_1", player="p_1", message=event))
        await eventually(lambda: session.seats()[0].next_event == 401, "all have come to the gateway")
        assert session.connection.full
        assert session.connection.waiting_bytes < UNLIMITED.outbox_bytes + UNLIMITED.write_buffer_bytes + 40_000
        client.connection.transport.resume_reading()
        heard = []
        while (message := await client.hear())["type"] == "event":
            heard.append(message["n"])
        assert heard == list(range(1, len(heard) + 1))
        assert (message["type"], message["code"]) == ("notice", "events_skipped")
        assert (message["player"], message["from"], message["to"]) == ("p_1", len(heard) + 1, 400)
        assert message["retry_after_ms"] > 0
        one_more = protocol.Event(world="w_1", player="p_1", n=401, tick=1, kind="said")
        edge.shard_link.send(messages.Push(world="w_1", player="p_1", message=one_more))
        assert (await client.hear())["n"] == 401
