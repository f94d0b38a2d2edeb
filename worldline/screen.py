"""A screen: what a spectator's code holds of a world that it watches. Made by `worldline.Client.watch`.

The scene is kept as the server shows it, frame by frame, whether anybody looks at the frames or not. Invariant:
``nodes`` is the scene at ``tick``, also after frames that the server has left out for a slow reader.

Not here: the connection (`worldline.conversation`), and drawing.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final, Literal

from worldline import protocol
from worldline.errors import WorldlineError

if TYPE_CHECKING:
    from worldline.client import Client

KEPT_FRAMES: Final = 256
"""For whoever iterates over them; a slower one misses the oldest, not the scene."""


class Screen:
    """A world that you watch.

    ``nodes`` are those of the scene by id, ``players`` and ``observation`` as the frames told last, ``tick`` and
    ``last_tick`` where this is and up to where it could be; ``watching`` is the server's latest answer. ``ended`` is
    None while it goes on, else why it does not: ``stopped``, the reason for which the world ended, or, where ``lost``
    is true, why the server cannot show it any further.
    """

    def __init__(self, client: Client, world: str, hz: float | None) -> None:
        self.world = world
        self.hz = hz
        self.watching: protocol.Watching
        self.nodes: dict[Any, dict[str, Any]] = {}
        self.size: Any = None
        self.camera: Any = None
        self.players: list[protocol.WatchedPlayer] = []
        self.observation: protocol.Observation | None = None
        self.tick = 0
        self.last_tick = 0
        self.view_as: str | None = None
        self.ended: str | None = None
        self.lost = False
        self._client = client
        self._static: dict[Any, dict[str, Any]] = {}
        self._frames: deque[protocol.Frame] = deque(maxlen=KEPT_FRAMES)
        self._is_shown = False
        """Whether a frame of this stream has come: until then nothing is at its end."""
        self._news = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Screen of {self.world} at tick {self.tick}, {len(self.nodes)} nodes>"

    @property
    def live(self) -> bool:
        """Whether it shows the world as it runs."""
        return self.watching.live

    @property
    def playing(self) -> bool:
        """Whether it goes on by itself."""
        return self.watching.playing

    async def frames(self) -> AsyncIterator[protocol.Frame]:
        """The frames as they come, each once it is on the screen; until this has ended, or has come to the end of a
        world that has. After `seek` and its like it goes on with what is shown then."""
        while True:
            while self._frames:
                frame = self._frames.popleft()
                yield frame
            if self.ended is not None or self._at_the_end:
                return
            self._news.clear()
            await self._news.wait()

    async def play(self) -> None:
        """Go on."""
        await self._control("play")

    async def pause(self) -> None:
        """Stand still; the world itself is not stopped."""
        await self._control("pause")

    async def seek(self, tick: int) -> None:
        """Go to ``tick``, and stand there. Raises `InvalidRequest` with code tick_out_of_range."""
        await self._control("seek", tick=tick)

    async def speed(self, factor: float) -> None:
        """Go so many times as fast from here on: 0.25 to 64."""
        await self._control("speed", speed=factor)

    async def go_live(self) -> None:
        """Show the world as it runs; of one that has ended, its end."""
        await self._control("live")

    async def view(self, player: str | None) -> None:
        """With the observations that this player was sent; None: of nobody."""
        await self._control("view", as_player=player)
        self.view_as = player

    async def stop(self) -> None:
        """Watch no more."""
        await self._control("stop")
        self._end("stopped")

    async def _control(
        self,
        action: Literal["play", "pause", "seek", "speed", "live", "view", "stop"],
        *,
        tick: int | None = None,
        speed: float | None = None,
        as_player: str | None = None,
    ) -> None:
        request = protocol.Control(
            id=self._client._next_id(),
            watch=self.watching.watch,
            action=action,
            tick=tick,
            speed=speed,
            as_player=as_player,
        )
        await self._client._ask(request, protocol.Watching)

    async def _open(self, from_tick: int | None, as_player: str | None, speed: float | None) -> None:
        """Begin to watch, or begin again."""
        request = protocol.Watch(
            id=self._client._next_id(),
            world=self.world,
            from_tick=from_tick,
            as_player=as_player,
            hz=self.hz,
            speed=speed,
        )
        self.view_as = as_player
        self._client._screens.opening[request.id] = self
        try:
            await self._client._ask(request, protocol.Watching)
        finally:
            self._client._screens.opening.pop(request.id, None)

    async def _again(self) -> None:
        """Go on over another connection: watches end with theirs."""
        was_playing = self.playing
        try:
            if self.live:
                await self._open(None, self.view_as, None)
            else:
                await self._open(self.tick, self.view_as, float(self.watching.speed))
            if not was_playing:
                await self.pause()
        except WorldlineError as error:
            self._end(error.message, lost=True)

    # what comes in

    @property
    def _at_the_end(self) -> bool:
        has_ended = any(mark.kind == "ended" for mark in self.watching.marks)
        return has_ended and not self.live and self.tick >= self.last_tick and self._is_shown

    def _begin(self, watching: protocol.Watching) -> None:
        self.watching, self.tick, self.last_tick = watching, watching.tick, watching.last_tick
        self._static = _by_id(watching.static.nodes)
        self.nodes, self.observation = dict(self._static), None
        self.size, self.camera, self.players = watching.static.size, watching.static.camera, watching.players
        self._frames.clear()
        self._is_shown = False

    def _push(self, message: protocol.Static | protocol.Frame) -> None:
        if isinstance(message, protocol.Static):
            self._static |= _by_id(message.nodes)
            self.nodes |= _by_id(message.nodes)
            return
        scene = message.scene
        if message.base_tick is None:
            self.nodes = dict(self._static)
        for gone in scene.removed:
            self.nodes.pop(gone, None)
        self.nodes |= _by_id(scene.nodes)
        self.size = self.size if scene.size is None else scene.size
        self.camera = self.camera if scene.camera is None else scene.camera
        self.players = self.players if message.players is None else message.players
        self.observation = message.observation or self.observation
        self.tick = message.tick
        self.last_tick = message.tick if message.last_tick is None else message.last_tick
        self._frames.append(message)
        self._is_shown = True
        self._news.set()

    def _end(self, why: str, *, lost: bool = False) -> None:
        if self.ended is None:
            self.ended, self.lost = why, lost
        self._news.set()


class Screens:
    """All screens of one client, by the streams that they show. ``opening``: those that wait for their first answer, by
    the id of their request."""

    def __init__(self) -> None:
        self.opening: dict[int, Screen] = {}
        self._showing: dict[str, Screen] = {}
        self._returning: set[asyncio.Task[None]] = set()

    def connected_again(self) -> None:
        """All go on over another connection."""
        screens, self._showing = self._showing, {}
        for screen in screens.values():
            task = asyncio.ensure_future(screen._again())
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

    def over(self, end: WorldlineError) -> None:
        """There will be no connection any more."""
        screens, self._showing = self._showing, {}
        for screen in screens.values():
            screen._end(end.message, lost=True)

    def replied(self, request: protocol.Request, watching: protocol.Watching) -> None:
        """Something is watched from now on, or no more: what comes next belongs to it."""
        if isinstance(request, protocol.Control):
            screen = self._showing.pop(request.watch, None) or self._showing.get(watching.watch)
            if request.action == "stop":
                return
        else:
            screen = self.opening.get(request.id)
        if screen is not None:
            self._showing[watching.watch] = screen
            screen._begin(watching)

    def pushed(self, message: protocol.ServerMessage) -> None:
        """Something has come that may be about a screen."""
        match message:
            case protocol.Static() | protocol.Frame():
                screen = self._showing.get(message.watch)
                if screen is not None:
                    screen._push(message)
            case protocol.Watching(instead_of=str() as before):
                screen = self._showing.pop(before, None)
                if screen is not None:
                    self._showing[message.watch] = screen
                    screen._begin(message)
            case protocol.Notice(watch=str() as watch):
                screen = self._showing.pop(watch, None)
                if screen is not None:
                    screen._end(message.message, lost=True)
            case protocol.Closed(player=None):
                for screen in self._showing.values():
                    if screen.world == message.world and screen.live:
                        screen._end(message.reason)


def _by_id(nodes: list[Any]) -> dict[Any, dict[str, Any]]:
    return {node["id"]: node for node in nodes}
