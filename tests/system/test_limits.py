"""Promise: every limit holds on a whole server, at its very edge: what is within it works, what is beyond it is refused
with what to do, nothing is dropped silently, and who exceeds it costs nobody else anything."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from eventlog.reader import read_world
from eventlog.records import InputEntry, Tick
from server.shard.inbox import INBOX_LIMIT
from tests.system.conftest import Connect, ServerFactory
from tests.system.cutting import logged_inputs
from tests.system.edge_client import EdgeClient, edge_client, stop_reading
from tests.system.harness import RunningServer

MIB = 2**20


# --- the inbox of a world ---------------------------------------------------------------------------------


async def test_a_full_inbox_refuses_and_what_it_has_taken_is_applied(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("create", game="echo", clock="manual"))["world"]
    player = (await ada.ask("join", world=world))["player"]
    for seq in range(1, INBOX_LIMIT + 1):
        outcome = await ada.ask("input", world=world, name="count", args={"by": 1}, seq=seq, wait_ms=0)
        assert (outcome["status"], outcome["seq"]) == ("pending", seq)
    beyond = {"world": world, "name": "count", "args": {"by": 2}, "seq": INBOX_LIMIT + 1}
    refused = await ada.request("input", **beyond, wait_ms=0)
    assert refused["code"] == "overloaded"
    assert refused["retry_after_ms"] > 0
    assert str(INBOX_LIMIT) in refused["message"]
    # A tick makes room: nothing that was taken was dropped, and the refused one is taken now, with the same seq.
    await ada.ask("step", world=world, ticks=1)
    assert (await ada.ask("input", **beyond, wait_ms=0))["status"] == "pending"
    assert (await ada.ask("step", world=world, ticks=1))["tick"] == 2
    assert (await ada.ask("input", **beyond))["result"] == {"total": INBOX_LIMIT + 2}
    assert server.terminate() == 0
    expected = [(seq, 1, "count", {"by": 1}) for seq in range(1, INBOX_LIMIT + 1)]
    assert logged_inputs(server.data, world, player) == [*expected, (INBOX_LIMIT + 1, 2, "count", {"by": 2})]


# --- sizes ------------------------------------------------------------------------------------------------


def logged_notes(data: Path, world: str) -> list[str | None]:
    return [
        entry.note
        for stored in read_world(data, world)
        if isinstance(stored.record, Tick)
        for entry in stored.record.entries
        if isinstance(entry, InputEntry)
    ]


async def test_a_note_of_16_kib_is_kept_and_one_byte_more_is_refused(server: RunningServer) -> None:
    longest = "é" * 8191 + "xx"  # counted in bytes of UTF-8, not in characters
    assert len(longest.encode()) == 16_384
    async with edge_client(server.url) as client:
        world = (await client.ask({"type": "join", "id": 1, "game": "echo"}))["world"]
        say = {"type": "input", "id": 2, "world": world, "name": "count", "args": {"by": 1}}
        refused = await client.ask({**say, "note": longest + "x"})
        assert (refused["code"], refused["path"], refused["data"]) == ("too_large", "note", {"limit_bytes": 16_384})
        outcome = await client.ask({**say, "note": longest})
        assert (outcome["status"], outcome["seq"]) == ("applied", 1)
    assert server.terminate() == 0
    assert logged_notes(server.data, world) == [longest]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_a_message_of_64_kib_is_read_and_one_byte_more_ends_the_connection(
    server: RunningServer, encoding: str
) -> None:
    def message_of(client: EdgeClient, size_bytes: int) -> str | bytes:
        empty = len(client.write({"type": "ping", "id": 7, "x": "x" * 60_000})) - 60_000
        frame = client.write({"type": "ping", "id": 7, "x": "x" * (size_bytes - empty)})
        assert len(frame) == size_bytes
        return frame

    async with edge_client(server.url, "json" if encoding == "json" else "msgpack") as client:
        pong = await client.ask(message_of(client, 65_536))
        assert (pong["type"], pong["re"], pong["ignored"]) == ("pong", 7, ["x"])
        await client.send(message_of(client, 65_537))
        assert (await client.ended())[0] == 1009


# --- readers that stop reading ----------------------------------------------------------------------------


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


async def test_readers_that_stop_reading_cost_bounded_memory_and_nobody_elses_time(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--limits", "off")
    (gateway,) = server.gateway_pids()
    async with edge_client(server.url) as other:
        world = (await other.ask({"type": "join", "id": 1, "game": "echo"}))["world"]
        # Each of them asks for at least 3 MiB of answers: kept, they would be 90 MiB.
        rules = len(other.write(await other.ask({"type": "rules", "id": 2, "game": "tsunami"})))
        requests = 3 * MIB // rules + 1
        before = resident_bytes(gateway)
        sent = 0

        async def ask_and_never_read(client: EdgeClient) -> None:
            nonlocal sent
            for number in range(requests):
                await client.send({"type": "rules", "id": number, "game": "tsunami"})
                sent += 1

        async with contextlib.AsyncExitStack() as stack:
            asking = []
            for _ in range(30):
                client = await stack.enter_async_context(edge_client(server.url, small_buffers=True))
                stack.callback(client.connection.transport.abort)
                stop_reading(client)
                asking.append(asyncio.create_task(ask_and_never_read(client)))
            # All the while another one plays, and until they get no further.
            ticks, sent_before = [], -1
            while sent_before != sent:
                sent_before = sent
                for _ in range(30):
                    ask = {"type": "input", "id": 7, "world": world, "name": "count", "args": {"by": 1}}
                    outcome = await other.ask(ask)
                    assert outcome["status"] == "applied"
                    ticks.append(outcome["tick"])
            assert ticks == sorted(ticks)
            grown = resident_bytes(gateway) - before
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        # 256 KiB wait for each, and what the transport holds; a connection itself is some 20 KiB.
        assert grown < 30 * (256 + 64 + 64) * 1024 + 8 * MIB
