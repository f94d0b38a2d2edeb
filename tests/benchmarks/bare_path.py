"""The least that lies between an agent and a durable outcome: a gateway and a shard that do nothing else.

    python -m tests.benchmarks.bare_path gateway SOCKET | shard SOCKET FILE [--sync] [--hz 60 | --gather N]

The gateway reads each frame of a WebSocket, hands it on over a unix socket, and writes the outcome back. The shard
collects what comes; ``--hz`` times a second, or when there are so many as ``--gather`` says, it writes one record to a
file, with ``--sync`` also to the disk, and answers. No session, no limit, no seq, no game. ``tests.benchmarks.edge``
compares the server with it. The gateway prints its port.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
from typing import Any

import msgspec
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed

from server.link import Link, connect_unix, serve_unix
from server.messages.base import Message
from worldline import protocol


class Ask(Message, tag="ask"):
    """An input on its way."""

    request: int
    name: str
    args: dict[str, Any]


class Done(Message, tag="done"):
    """Its outcome."""

    request: int
    outcome: protocol.Outcome


async def gateway(path: str) -> None:
    """Serve WebSockets until killed."""
    waiting: dict[int, tuple[ServerConnection, int]] = {}
    encode = msgspec.msgpack.Encoder().encode
    decode = msgspec.msgpack.Decoder(protocol.ClientMessage).decode
    asked = 0

    def answered(_: Link[Any], message: Done) -> None:
        connection, number = waiting.pop(message.request)
        message.outcome.re = number
        broadcast((connection,), encode(message.outcome))

    shard: Link[Any] = await connect_unix(path, Done, answered, lambda _: None)

    async def handle(connection: ServerConnection) -> None:
        nonlocal asked
        try:
            async for frame in connection:
                request = decode(frame)  # type: ignore[arg-type]
                assert isinstance(request, protocol.Input)
                asked += 1
                waiting[asked] = connection, request.id
                shard.send(Ask(request=asked, name=request.name, args=request.args or {}))
        except ConnectionClosed:
            return  # its agent has seen enough

    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    async with serve(handle, sock=listening, compression=None, ping_interval=None):
        print(listening.getsockname()[1], flush=True)
        await asyncio.Future()


async def shard(path: str, file: str, *, sync: bool, hz: float, gather: int) -> None:
    """Collect, write, answer, until killed."""
    loop = asyncio.get_running_loop()
    inbox: list[tuple[Link[Any], Ask]] = []
    running: set[asyncio.Task[None]] = set()
    encode = msgspec.msgpack.Encoder().encode
    log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    tick = 0

    def write(record: bytes) -> None:
        os.write(log, record)
        if sync:
            os.fdatasync(log)

    def collected(link: Link[Any], message: Ask) -> None:
        inbox.append((link, message))
        if len(inbox) == gather:
            running.add(task := loop.create_task(run_tick()))
            task.add_done_callback(running.discard)

    async def run_tick() -> None:
        nonlocal tick
        tick += 1
        drained = inbox.copy()
        inbox.clear()
        if not drained:
            return
        record = encode([message for _, message in drained])
        if sync:
            await loop.run_in_executor(None, write, record)
        else:
            write(record)
        for link, message in drained:
            outcome = protocol.Outcome(world="w", player="p_1", seq=1, status="applied", tick=tick, result={"total": 1})
            link.send(Done(request=message.request, outcome=outcome))

    server = await serve_unix(path, Ask, lambda _: None, collected, lambda _: None)
    print("ready", flush=True)
    due_s = loop.time()
    while hz:
        due_s += 1 / hz
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        await run_tick()
    await server.serve_forever()


def main() -> None:
    """Be one of the two."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("gateway", "shard"))
    parser.add_argument("socket")
    parser.add_argument("file", nargs="?", default="")
    parser.add_argument("--sync", action="store_true")
    parser.add_argument("--hz", type=float, default=0)
    parser.add_argument("--gather", type=int, default=0)
    options = parser.parse_args()
    if options.part == "gateway":
        uvloop.run(gateway(options.socket))
    else:
        uvloop.run(shard(options.socket, options.file, sync=options.sync, hz=options.hz, gather=options.gather))


if __name__ == "__main__":
    main()
