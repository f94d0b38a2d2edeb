"""A TCP proxy that cuts connections where a test says, and what the logs say about whether anything was lost by it."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from eventlog.reader import read_world
from eventlog.records import InputEntry, JoinEntry, Tick

Direction = Literal["up", "down"]

MayPass = Callable[[Direction, bytes], int]
"""Asked before bytes are passed on: how many of them may; if not all, the connection is cut after those."""


class CuttingProxy:
    """Passes bytes between clients and a server; cuts both sides of a connection when ``may_pass`` says so."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._address = parts.hostname, parts.port
        self.url = ""
        self.cuts = 0
        self.may_pass: MayPass = pass_all
        self._writers: set[asyncio.StreamWriter] = set()

    def close(self) -> None:
        """End every connection."""
        for writer in self._writers:
            writer.close()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        far_reader, far_writer = await asyncio.open_connection(*self._address)
        writers = (writer, far_writer)
        self._writers.update(writers)
        await asyncio.gather(
            self._pass_on("up", reader, far_writer, writers), self._pass_on("down", far_reader, writer, writers)
        )
        self._writers.difference_update(writers)

    async def _pass_on(
        self,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
    ) -> None:
        with contextlib.suppress(ConnectionError):  # the other direction has cut it, or a peer has
            while data := await reader.read(65536):
                passed = self.may_pass(direction, data)
                writer.write(data[:passed])
                await writer.drain()
                if passed < len(data):
                    self.cuts += 1
                    break
        for each in both:
            # What was written before the cut shall arrive: close the far side in order, then nothing more comes.
            each.close()


def pass_all(_: Direction, data: bytes) -> int:
    """Cut nothing."""
    return len(data)


def cut_once(direction: Direction, number: int, share: float, seen: dict[Direction, int]) -> MayPass:
    """Cut one connection, the next that comes so far: before piece ``number`` of ``direction``, or within it, after
    ``share`` of its bytes. ``seen`` counts the pieces that passed."""

    def may_pass(going: Direction, data: bytes) -> int:
        seen[going] += 1
        if going == direction and seen[going] == number:
            return int(len(data) * share)
        return len(data)

    return may_pass


def cut_at_random(rng: random.Random, cuts: int, probability: float) -> MayPass:
    """Cut with some probability at each piece, at a random byte of it, ``cuts`` times in all."""
    left = cuts

    def may_pass(_: Direction, data: bytes) -> int:
        nonlocal left
        if left == 0 or rng.random() >= probability:
            return len(data)
        left -= 1
        return rng.randrange(len(data))

    return may_pass


@contextlib.asynccontextmanager
async def cutting_proxy(server_url: str) -> AsyncIterator[CuttingProxy]:
    """A proxy on a free port, in front of a server."""
    proxy = CuttingProxy(server_url)
    async with await asyncio.start_server(proxy.handle, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        proxy.url = f"ws://127.0.0.1:{port}/ws"
        yield proxy
        proxy.close()


def logged_inputs(data: Path, world: str, player: str) -> list[tuple[int, int, str, dict[str, object]]]:
    """(seq, tick, name, args) of every input of a player in its world's log, in order."""
    return [
        (entry.seq, stored.record.tick, entry.name, dict(entry.args))
        for stored in read_world(data, world)
        if isinstance(stored.record, Tick)
        for entry in stored.record.entries
        if isinstance(entry, InputEntry) and entry.player == player
    ]


def logged_joins(data: Path, world: str, agent: str) -> list[str]:
    """The players that an agent was given in a world."""
    return [
        entry.player
        for stored in read_world(data, world)
        if isinstance(stored.record, Tick)
        for entry in stored.record.entries
        if isinstance(entry, JoinEntry) and entry.agent == agent
    ]
