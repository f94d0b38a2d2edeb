"""Promise: whatever a client sends, it gets the documented error or close code with a hint that works when followed;
exactly one reply; never a traceback; and no input is lost or doubled, its own or others'."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.server.gateway.hints import mended
from tests.system.edge_client import EdgeClient, Encoding, edge_client, stop_reading
from tests.system.harness import RunningServer, start_server

ENCODINGS: tuple[Encoding, ...] = ("json", "msgpack")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for the whole table: what one row does must not harm the next."""
    folder: Path = tmp_path_factory.mktemp("edge")
    server = start_server(folder / "data", "--shards", "1", cwd=folder)
    yield server
    assert server.terminate() == 0
    log = server.stderr()
    server.clean_up()
    assert "Traceback" not in log
    assert "internal error" not in log


@contextlib.asynccontextmanager
async def seated(url: str, encoding: Encoding = "json") -> AsyncIterator[tuple[EdgeClient, str]]:
    """A client with a seat in a world of echo."""
    async with edge_client(url, encoding) as client:
        joined = await client.ask({"type": "join", "id": 2, "game": "echo"})
        yield client, joined["world"]


def at(message: Any, world: str) -> Any:
    """``message`` with WORLD replaced."""
    return json.loads(json.dumps(message).replace("WORLD", world))


COUNT = {"type": "input", "id": 7, "world": "WORLD", "name": "count", "args": {"by": 1}}

MENDABLE: dict[str, tuple[dict[str, Any], str, str]] = {
    # what is wrong: the message, the code, the path
    "unknown type": ({"type": "jion", "id": 7, "game": "echo"}, "unknown_type", "type"),
    "no type": ({"id": 7}, "invalid_args", "type"),
    "type is a number": ({"type": 3, "id": 7}, "invalid_args", "type"),
    "no id": ({"type": "ping"}, "invalid_args", "id"),
    "id is a string": ({"type": "ping", "id": "7"}, "invalid_args", "id"),
    "id is negative": ({"type": "ping", "id": -7}, "invalid_args", "id"),
    "id is beyond 2^53-1": ({"type": "ping", "id": 2**53}, "invalid_args", "id"),
    "unknown game in rules": ({"type": "rules", "id": 7, "game": "ecco"}, "unknown_game", "game"),
    "unknown game in join": ({"type": "join", "id": 7, "game": "tsunmi"}, "unknown_game", "game"),
    "unknown game in worlds": ({"type": "worlds", "id": 7, "game": "chess"}, "unknown_game", "game"),
    "join nothing": ({"type": "join", "id": 7}, "invalid_args", "game"),
    "join both": ({"type": "join", "id": 7, "game": "echo", "world": "WORLD"}, "invalid_args", "world"),
    "limit out of range": ({"type": "worlds", "id": 7, "limit": 1000}, "invalid_args", "limit"),
    "unknown status": ({"type": "worlds", "id": 7, "status": "sleeping"}, "invalid_args", "status"),
    "observe without world": ({"type": "observe", "id": 7}, "invalid_args", "world"),
    "world is a number": ({"type": "observe", "id": 7, "world": 3}, "invalid_args", "world"),
    "since is negative": ({"type": "observe", "id": 7, "world": "WORLD", "since": -1}, "invalid_args", "since"),
    "unknown format": ({"type": "observe", "id": 7, "world": "WORLD", "format": "txt"}, "invalid_args", "format"),
    "unknown player": ({"type": "observe", "id": 7, "world": "WORLD", "player": "p_99"}, "unknown_player", "player"),
    "input without name": ({"type": "input", "id": 7, "world": "WORLD"}, "invalid_args", "name"),
    "unknown input": ({**COUNT, "name": "cuont"}, "unknown_input", "name"),
    "number out of range": ({**COUNT, "args": {"by": 1001}}, "invalid_args", "args.by"),
    "number of another type": ({**COUNT, "args": {"by": "one"}}, "invalid_args", "args.by"),
    "a fraction for an integer": ({**COUNT, "args": {"by": 1.5}}, "invalid_args", "args.by"),
    "missing argument": ({**COUNT, "args": {}}, "invalid_args", "args.by"),
    "unknown argument": ({**COUNT, "args": {"by": 1, "buy": 2}}, "invalid_args", "args.buy"),
    "text too long": ({**COUNT, "name": "say", "args": {"text": "x" * 201}}, "invalid_args", "args.text"),
    "argument beyond 2^53-1": ({**COUNT, "args": {"by": 2**60}}, "invalid_args", "args.by"),
    "args is a list": ({**COUNT, "args": [1]}, "invalid_args", "args"),
    "seq is zero": ({**COUNT, "seq": 0}, "invalid_args", "seq"),
    "note too long": ({**COUNT, "note": "x" * 16_385}, "too_large", "note"),
    "a second hello": ({"type": "hello", "id": 7}, "invalid_args", "type"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("wrong", MENDABLE)
async def test_what_can_be_mended_is_mended_by_its_hint(shared: RunningServer, wrong: str, encoding: Encoding) -> None:
    async with seated(shared.url, encoding) as (client, world):
        message, code, path = MENDABLE[wrong]
        message = at(message, world)
        error = await client.ask(message)
        assert (error["type"], error["code"], error["path"]) == ("error", code, path), error
        assert error.get("re") == (7 if message.get("id") == 7 else None)
        assert "retry_after_ms" not in error  # the same again would fail again
        reply = await client.ask(mended(message, error))
        assert reply["type"] != "error", (error, reply)


async def test_an_unknown_world_is_named_with_the_nearest(shared: RunningServer) -> None:
    async with seated(shared.url) as (client, world):
        for kind in ("observe", "leave", "input"):
            fields = {"name": "count", "args": {"by": 1}} if kind == "input" else {}
            message = {"type": kind, "id": 7, "world": world[:-1] + "!", **fields}
            error = await client.ask(message)
            assert (error["code"], error["path"]) == ("unknown_world", "world")
            assert world in error["valid"]
        # The nearest one may be another's world: what the hint says is a world, and the next hint says how to get in.
        error = await client.ask(mended(message, error))
        assert error["type"] == "outcome" or error["code"] == "not_joined"


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_before_hello_everything_is_refused_and_the_hint_opens_the_door(
    shared: RunningServer, encoding: Encoding
) -> None:
    async with edge_client(shared.url, encoding, hello=False) as client:
        for message in (
            {"type": "games", "id": 7},
            {"type": "join", "id": 7, "game": "echo"},
            at(COUNT, "w_0000000000"),
            {"type": "ping", "id": 7},
        ):
            await client.send(message)
            error = await client.hear()
            assert (error["code"], error["re"]) == ("hello_required", 7)
        assert (await client.ask(mended({}, error)))["type"] == "welcome"
        assert (await client.ask({"type": "join", "id": 7, "game": "echo"}))["type"] == "joined"


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_a_world_without_a_seat_of_yours_says_how_to_get_one(shared: RunningServer, encoding: Encoding) -> None:
    async with seated(shared.url) as (_, world), edge_client(shared.url, encoding) as stranger:
        message = at(COUNT, world)
        error = await stranger.ask(message)
        assert (error["code"], error["re"]) == ("not_joined", 7)
        assert (await stranger.ask(mended(message, error)))["world"] == world
        assert (await stranger.ask(message))["status"] == "applied"


MALFORMED: dict[str, tuple[Encoding, bytes, bool]] = {
    # what is wrong: the encoding spoken, the frame, whether it is a text frame
    "not JSON": ("json", b"move to home", True),
    "half a JSON": ("json", b'{"type":"ping","id":', True),
    "two in one": ("json", b'{"type":"ping","id":1}{"type":"ping","id":2}', True),
    "an array": ("json", b"[1,2]", True),
    "nothing": ("json", b"", True),
    "NaN": ("json", b'{"type":"ping","id":NaN}', True),
    "Infinity": ("json", b'{"type":"input","id":1,"world":"w","name":"n","args":{"x":-Infinity}}', True),
    "invalid UTF-8": ("json", b'{"type":"hello","id":1,"name":"\xff\xfe"}', True),
    "3,000 nested arrays": ("json", b"[" * 3000 + b"]" * 3000, True),
    "3,000 nested arrays in a field": ("json", b'{"type":"ping","id":1,"x":' + b"[" * 3000 + b"]" * 3000 + b"}", True),
    "a binary frame on JSON": ("json", b'{"type":"ping","id":1}', False),
    "a text frame on MessagePack": ("msgpack", b'{"type":"ping","id":1}', True),
    "not MessagePack": ("msgpack", b"\xc1\xc1", False),
    "half a MessagePack": ("msgpack", msgspec.msgpack.encode({"type": "ping", "id": 1})[:-2], False),
    "3,000 nested MessagePack arrays": ("msgpack", b"\x91" * 3000 + b"\x01", False),
    "bin": ("msgpack", msgspec.msgpack.encode({"type": "ping", "id": 1, "x": b"x"}), False),
    "keys that are numbers": ("msgpack", msgspec.msgpack.encode({"type": "ping", "id": 1, "x": {1: 2}}), False),
    "invalid UTF-8 in MessagePack": ("msgpack", b"\x83\xa4type\xa5hello\xa2id\x01\xa4name\xa2\xff\xfe", False),
}


@pytest.mark.parametrize("wrong", MALFORMED)
async def test_what_cannot_be_read_is_malformed_and_the_connection_stays(shared: RunningServer, wrong: str) -> None:
    encoding, frame, text = MALFORMED[wrong]
    async with seated(shared.url, encoding) as (client, world):
        await client.connection.send(frame, text=text)
        error = await client.hear()
        assert (error["type"], error["code"]) == ("error", "malformed"), error
        assert (await client.ask(mended({}, error)))["type"] == "pong"
        assert (await client.ask(at(COUNT, world)))["status"] == "applied"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
async def test_messagepack_knows_nan_but_we_do_not(shared: RunningServer, number: float) -> None:
    async with seated(shared.url, "msgpack") as (client, world):
        message = {**at(COUNT, world), "args": {"by": number}}
        error = await client.ask(message)
        assert (error["code"], error["path"], error["re"]) == ("invalid_args", "args.by", 7)
        assert (await client.ask(mended(message, error)))["status"] == "applied"


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_unknown_fields_are_ignored_and_named(shared: RunningServer, encoding: Encoding) -> None:
    async with seated(shared.url, encoding) as (client, world):
        reply = await client.ask({**at(COUNT, world), "wait": 3, "obsreve": True})
        assert reply["status"] == "applied"
        assert reply["ignored"] == ["wait", "obsreve"]
        assert "did you mean observe" in reply["hint"]
        assert "observation" not in reply


@pytest.mark.parametrize("encoding", ENCODINGS)
async def test_null_is_absent_and_whole_floats_are_integers(shared: RunningServer, encoding: Encoding) -> None:
    async with seated(shared.url, encoding) as (client, world):
        message = {**at(COUNT, world), "id": 7.0, "seq": 1.0, "args": {"by": 2.0}, "note": None, "player": None}
        reply = await client.ask(message)
        assert (reply["re"], reply["seq"], reply["result"]) == (7, 1, {"total": 2})
        assert isinstance(reply["re"], int)


async def test_an_open_id_is_not_free(shared: RunningServer) -> None:
    async with seated(shared.url) as (client, world):
        await client.send(at(COUNT, world))
        await client.send(at(COUNT, world))
        replies = [await client.hear(), await client.hear()]
        (error,) = [reply for reply in replies if reply["type"] == "error"]
        assert (error["code"], error["path"]) == ("invalid_args", "id")
        assert (await client.ask(mended(at(COUNT, world), error)))["status"] == "applied"


async def test_seqs_are_kept_in_order(shared: RunningServer) -> None:
    async with seated(shared.url) as (client, world):
        gap = await client.ask({**at(COUNT, world), "seq": 2})
        assert (gap["code"], gap["data"]) == ("seq_conflict", {"expected_seq": 1})
        first = await client.ask({**at(COUNT, world), "seq": gap["data"]["expected_seq"]})
        assert (first["seq"], first["result"]) == (1, {"total": 1})
        again = await client.ask({**at(COUNT, world), "seq": 1, "note": "a note does not count"})
        assert (again["duplicate"], again["tick"], again["result"]) == (True, first["tick"], first["result"])
        other = await client.ask({**at(COUNT, world), "seq": 1, "args": {"by": 5}})
        assert (other["code"], other["data"]) == ("seq_conflict", {"expected_seq": 2})
        unnumbered = await client.ask(at(COUNT, world))
        assert (unnumbered["seq"], unnumbered["result"]) == (2, {"total": 2})


async def test_a_rejection_by_the_game_is_an_outcome_with_the_games_code(shared: RunningServer) -> None:
    async with seated(shared.url) as (client, world):
        outcome = await client.ask({**at(COUNT, world), "args": {"by": 101}})
        assert (outcome["type"], outcome["status"], outcome["code"]) == ("outcome", "rejected", "too_much")
        assert (await client.ask(at(COUNT, world)))["seq"] == 2


async def test_a_megabyte_is_closed_1009(shared: RunningServer) -> None:
    async with edge_client(shared.url) as client:
        await client.send({"type": "ping", "id": 7, "x": "x" * 2**20})
        assert (await client.ended())[0] == 1009


async def test_a_flood_is_told_when_to_come_and_then_closed_4029(shared: RunningServer) -> None:
    async with edge_client(shared.url) as client, edge_client(shared.url) as other:
        for number in range(200):
            await client.send({"type": "games", "id": number})
        replies = []
        with contextlib.suppress(Exception):
            while True:
                replies.append(await client.hear())
        refused = [reply for reply in replies if reply["type"] == "error"]
        assert {reply["code"] for reply in refused} <= {"rate_limited", "too_many_open"}
        assert len(refused) == 100
        assert len({reply["re"] for reply in replies}) == len(replies)
        assert all(reply["retry_after_ms"] > 0 for reply in refused)
        code, reason = await client.ended()
        assert code == 4029
        assert reason.startswith("retry_after_ms=")
        assert (await other.ask({"type": "games", "id": 7}))["type"] == "games"


async def test_a_rate_limited_request_succeeds_after_its_own_time(shared: RunningServer) -> None:
    async with edge_client(shared.url) as client:
        # Far more than may be at once: a server that was held up for seconds in between has let in more of them.
        for number in range(60):
            await client.send({"type": "games", "id": number})
        replies = [await client.hear() for _ in range(60)]
        refused = [reply for reply in replies if reply["type"] == "error"]
        assert refused
        assert {reply["code"] for reply in refused} == {"rate_limited"}

        async def again(reply: dict[str, Any]) -> None:
            await asyncio.sleep(reply["retry_after_ms"] / 1000)
            await client.send({"type": "games", "id": reply["re"]})

        await asyncio.gather(*(again(reply) for reply in refused))
        assert {(await client.hear())["type"] for _ in refused} == {"games"}


async def test_no_input_is_lost_or_doubled_among_bad_ones(shared: RunningServer) -> None:
    """Two clients in one world: one counts, the other sends everything bad there is."""
    async with seated(shared.url) as (client, world), edge_client(shared.url) as vandal:
        await vandal.ask({"type": "join", "id": 2, "world": world})
        stop = asyncio.Event()

        async def vandalise() -> int:
            sent = 0
            for message, _, _ in MENDABLE.values():
                if stop.is_set():
                    break
                await vandal.send(at(message, world))
                await vandal.hear()
                sent += 1
                await asyncio.sleep(0.12)  # at its rate: so that each is read, not only refused
            return sent

        vandalising = asyncio.create_task(vandalise())
        total = 0
        for seq in range(1, 26):
            await client.send({**at(COUNT, world), "id": seq, "seq": seq, "args": {"by": seq}})
            outcome = await client.hear()
            total += seq
            assert (outcome["re"], outcome["seq"], outcome["status"]) == (seq, seq, "applied"), outcome
            assert outcome["result"] == {"total": total}
            await asyncio.sleep(0.1)
        stop.set()
        assert await vandalising > 10


async def test_a_client_that_vanishes_mid_message_harms_nobody(shared: RunningServer) -> None:
    async with seated(shared.url) as (client, world):
        async with edge_client(shared.url) as vanishing:
            player = (await vanishing.ask({"type": "join", "id": 2, "world": world}))["player"]
            # The head of a masked text frame of 200 bytes, and then only a part of it.
            vanishing.connection.transport.write(b"\x81\xfe\x00\xc8" + b"\x00" * 4 + b'{"type":"input"')
            vanishing.connection.transport.abort()
        assert (await client.ask(at(COUNT, world)))["status"] == "applied"
        page = await client.ask({"type": "worlds", "id": 7, "mine": True})
        (mine,) = [found for found in page["worlds"] if found["world"] == world]
        assert player in [seated["player"] for seated in mine["players"]]  # kept for its grace


async def test_others_lose_no_ticks_to_all_this(shared: RunningServer, tmp_path: Path) -> None:
    """For five seconds one world is watched while clients flood, stall, send megabytes and vanish; and a world on a
    server that nobody molests beside it, because this machine may be busy."""
    quiet = start_server(tmp_path / "quiet", "--shards", "1", cwd=tmp_path)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(quiet.clean_up)
        client, world = await stack.enter_async_context(seated(shared.url))
        control, its_world = await stack.enter_async_context(seated(quiet.url))
        stop = asyncio.Event()

        async def misbehave(frame: str | bytes) -> None:
            while not stop.is_set():
                with contextlib.suppress(Exception):  # however it ends: it begins again
                    async with edge_client(shared.url) as client:
                        for _ in range(120):
                            await client.send(frame)
                        await client.ended()

        async def stall() -> None:
            deaf = await stack.enter_async_context(edge_client(shared.url, small_buffers=True))
            await deaf.ask({"type": "join", "id": 2, "game": "tsunami"})
            stop_reading(deaf)
            while not stop.is_set():
                with contextlib.suppress(Exception):  # it may be closed for it
                    await deaf.send({"type": "rules", "id": 7, "game": "tsunami"})
                await asyncio.sleep(0.12)

        frames: list[str | bytes] = [
            "x",
            json.dumps({"type": "games", "id": 7}),
            "[" * 3000 + "]" * 3000,
            b"\xff" * 1000,
            json.dumps({"type": "ping", "id": 7, "x": "x" * 2**20}),
        ]
        tasks = [asyncio.create_task(misbehave(frame)) for frame in frames] + [asyncio.create_task(stall())]

        async def ticks_now() -> tuple[int, int]:
            seen = client.ask({"type": "observe", "id": 7, "world": world})
            undisturbed = control.ask({"type": "observe", "id": 7, "world": its_world})
            one, other = await asyncio.gather(seen, undisturbed)
            return one["tick"], other["tick"]

        await asyncio.sleep(0.5)
        first, control_first = await ticks_now()
        await asyncio.sleep(5)
        last, control_last = await ticks_now()
        stop.set()
        await asyncio.gather(*tasks)
        assert control_last - control_first > 100
        assert last - first >= 0.9 * (control_last - control_first)
