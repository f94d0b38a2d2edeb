"""Links keep order and framing, and a lost peer is told of exactly once."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from server import messages
from server.link import FRAME_LIMIT_BYTES, LINK_LIMIT_BYTES, Link, attach, connect_unix, serve_unix


class End:
    """One end of a link that remembers what came."""

    def __init__(self) -> None:
        self.received: list[Any] = []
        self.lost = 0
        self.link: Link[Any] | None = None
        self.changed = asyncio.Event()

    def on_message(self, _: Link[Any], message: Any) -> None:
        self.received.append(message)
        self.changed.set()

    def on_lost(self, _: Link[Any]) -> None:
        self.lost += 1
        self.changed.set()

    async def until(self, count: int) -> None:
        while len(self.received) < count:
            self.changed.clear()
            await self.changed.wait()

    async def until_lost(self) -> None:
        while not self.lost:
            self.changed.clear()
            await self.changed.wait()


async def pair() -> tuple[Link[Any], End, Link[Any], End]:
    ours, theirs = socket.socketpair()
    left, right = End(), End()
    one = await attach(ours, messages.FromSupervisor, left.on_message, left.on_lost)
    other = await attach(theirs, messages.FromSupervisor, right.on_message, right.on_lost)
    return one, left, other, right


async def test_messages_arrive_whole_and_in_order() -> None:
    one, _, other, right = await pair()
    sent = [messages.CloseWorld(world=f"w_{number}", reason="x" * (number * 37 % 70_000)) for number in range(500)]
    for message in sent:
        one.send(message)
    await right.until(500)
    assert right.received == sent
    one.close()
    other.close()


async def test_both_ends_learn_once_of_the_end() -> None:
    one, left, other, right = await pair()
    one.send(messages.Drain())
    one.close()
    await right.until_lost()
    await left.until_lost()
    assert (left.lost, right.lost) == (1, 1)
    assert right.received == [messages.Drain()]
    assert one.lost and other.lost
    one.send(messages.Drain())  # nowhere to go, and no error


@pytest.mark.parametrize(
    "rubbish",
    [b"\x03\x00\x00\x00\xc1\xc1\xc1", (FRAME_LIMIT_BYTES + 1).to_bytes(4, "little"), b"\x01\x00\x00\x00\x93"],
    ids=["no MessagePack", "too long", "cut short inside"],
)
async def test_a_peer_that_breaks_the_framing_is_cut_off(rubbish: bytes) -> None:
    ours, theirs = socket.socketpair()
    end = End()
    await attach(ours, messages.FromSupervisor, end.on_message, end.on_lost)
    theirs.send(rubbish)
    await end.until_lost()
    assert end.received == []
    theirs.close()


async def test_a_peer_that_never_reads_is_cut_off_at_the_limit() -> None:
    ours, theirs = socket.socketpair()
    end = End()
    link: Link[Any] = await attach(ours, messages.FromSupervisor, end.on_message, end.on_lost)
    frame = messages.CloseWorld(world="w", reason="x" * 1_000_000)
    frames = 0
    while not end.lost:
        link.send(frame)
        frames += 1
        assert frames < 2 * LINK_LIMIT_BYTES // 1_000_000
        await asyncio.sleep(0)
    assert link.lost
    theirs.close()


async def test_many_processes_can_connect_to_one_socket(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    server_end, client_end = End(), End()
    connected: list[Link[Any]] = []
    server = await serve_unix(path, messages.ToSupervisor, connected.append, server_end.on_message, server_end.on_lost)
    links = [
        await connect_unix(path, messages.FromSupervisor, client_end.on_message, client_end.on_lost) for _ in range(3)
    ]
    for link in links:
        link.send(messages.GatewayReady())
    await server_end.until(3)
    for link in connected:
        link.send(messages.AskStatistics(request=7))
    await client_end.until(3)
    assert {message.request for message in client_end.received} == {7}
    for link in links:
        link.close()
    server.close()
    assert path.exists()
