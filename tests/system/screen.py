"""A spectator's screen, built from what comes over the socket as the protocol says, and from nothing else.

It fails where the server breaks a promise: a frame whose base it does not have, a frame of a stream that it has not
been told of, a node that is removed and was not there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import msgspec

from tests.system.edge_client import WITHIN_S, EdgeClient


class Screen:
    """What one client sees of one stream. ``raw`` holds its frames as they came."""

    def __init__(self, client: EdgeClient) -> None:
        self.client = client
        self.watch = ""
        self.watching: dict[str, Any] = {}
        self.static: dict[Any, dict[str, Any]] = {}
        self.nodes: dict[Any, dict[str, Any]] = {}
        self.players: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.inputs: list[dict[str, Any]] = []
        self.size: Any = None
        self.observation: Any = None
        self.tick = -1
        self.frames = 0
        self.whole_frames = 0
        self.raw: list[bytes] = []
        self.others: list[dict[str, Any]] = []
        """Pushes that are not about the stream."""

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Send a request; return its reply, with what comes before it taken in."""
        message.setdefault("id", 77)
        await self.client.send(message)
        while True:
            heard, raw = await self.next()
            if heard.get("re") == message["id"]:
                if heard["type"] == "watching":
                    self.begin(heard)
                return heard
            self.take(heard, raw)

    async def open(self, world: str, **fields: Any) -> dict[str, Any]:
        """Watch a world, and return when the first frame is here."""
        watching = await self.ask(type="watch", world=world, **fields)
        assert watching["type"] == "watching", watching
        await self.until(lambda: self.frames > 0)
        return watching

    async def until(self, check: Callable[[], bool]) -> None:
        """Take in what comes until it is so."""
        while not check():
            self.take(*await self.next())

    async def next(self) -> tuple[dict[str, Any], bytes]:
        """The next message, and as it came."""
        data = await asyncio.wait_for(self.client.connection.recv(decode=False), WITHIN_S)
        return (json.loads(data) if self.client.encoding == "json" else msgspec.msgpack.decode(data)), data

    def begin(self, watching: dict[str, Any]) -> None:
        """A stream begins."""
        self.watch, self.watching = watching["watch"], watching
        self.static = {node["id"]: node for node in watching["static"].get("nodes", [])}
        self.size = watching["static"].get("size")
        self.nodes, self.frames, self.tick, self.observation = {}, 0, -1, None

    def take(self, message: dict[str, Any], raw: bytes) -> None:
        """Take in one message."""
        if message["type"] == "watching":
            assert message["instead_of"] == self.watch
            self.begin(message)
        elif message.get("watch") != self.watch:
            assert "watch" not in message, f"of another stream: {message}"
            self.others.append(message)
        elif message["type"] == "static":
            assert self.frames == 0, "static nodes come before the first frame"
            self.static |= {node["id"]: node for node in message["nodes"]}
        else:
            assert message["type"] == "frame", message
            self._frame(message)
            self.raw.append(raw)

    def _frame(self, frame: dict[str, Any]) -> None:
        if "base_tick" in frame:
            assert self.frames, "a frame whose base I do not have"
            assert frame["base_tick"] == self.tick, (frame["base_tick"], self.tick)
        else:
            self.nodes = dict(self.static)
            self.whole_frames += 1
        scene = frame["scene"]
        for gone in scene.get("removed", []):
            del self.nodes[gone]
        self.nodes |= {node["id"]: node for node in scene.get("nodes", [])}
        self.size = scene.get("size", self.size)
        assert frame["tick"] >= self.tick
        self.tick = frame["tick"]
        self.frames += 1
        self.players = frame.get("players", self.players)
        self.observation = frame.get("observation", self.observation)
        self.events += frame["events"]
        self.inputs += frame["inputs"]

    def things(self) -> dict[str, float]:
        """Where the things on the stage are, by name."""
        return {node["name"]: node["x"] for node in self.nodes.values() if node["kind"] == "thing"}

    def observed_tick(self) -> int:
        """Of the observation that the player was sent."""
        tick: int = self.observation["tick"]
        return tick

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """What has come of a type that is not about the stream."""
        return [message for message in self.others if message["type"] == kind]
