"""A person watches a world on a terminal: frames come in, keys go out as controls, the screen shows where one is.

Keys that come faster than the server may be asked are put together: of several ways to a tick, only the last is asked
for. Not here: what a key means (``strokes.py``), and how it looks (``drawing.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Awaitable, Callable
from typing import Final

import worldline
from server.demo.display import OwnScreen
from server.demo.keys import Keys
from server.onlooker.drawing import Look, draw
from server.onlooker.story import Story
from server.onlooker.strokes import Action, Strokes

DRAW_AGAIN_S: Final = 0.5
"""At least so often, as the terminal may have another size."""
FAR_TICKS: Final = 10
SLOWEST: Final = 0.25
FASTEST: Final = 64.0
WAITING_MOST: Final = 16  # actions that wait for the one before; whoever presses more does not mean each

_STEPS: Final[dict[Action, int]] = {"back": -1, "forward": 1, "far_back": -FAR_TICKS, "far_forward": FAR_TICKS}


class Onlooker:
    """One person before one screen."""

    def __init__(self, client: worldline.Client, screen: worldline.Screen) -> None:
        self._client = client
        self._screen = screen
        self._story = Story()
        self._begun = ""
        """The stream of which the story tells."""
        self._strokes = Strokes()
        self._waiting: list[Action | int] = []
        """What is to be done, in order; a number is a tick to go to."""
        self._pressed = asyncio.Event()
        self._moved = asyncio.Event()
        """There may be frames again, after there were none any more."""
        self._changed = asyncio.Event()
        self._quit = False
        self._help = False
        self._trouble = ""

    async def look(self) -> None:
        """Show the world until the person has had enough, or the connection is lost for good."""
        display = OwnScreen()
        keys = Keys.listen(self._on_key)
        tasks = [asyncio.create_task(self._follow()), asyncio.create_task(self._obey())]
        try:
            while not self._quit and not self._lost():
                self._changed.clear()
                display.draw(functools.partial(draw, self._look()))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), DRAW_AGAIN_S)
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            if keys is not None:
                keys.close()
            display.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def screen(self) -> worldline.Screen:
        """What is looked at now: another one, once a world that was watched live has ended."""
        return self._screen

    def _lost(self) -> bool:
        return self._screen.lost and not self._client.connected

    def _look(self) -> Look:
        screen = self._screen
        return Look(
            watching=screen.watching,
            tick=screen.tick,
            last_tick=screen.last_tick,
            playing=screen.playing,
            nodes=list(screen.nodes.values()),
            size=screen.size,
            camera=screen.camera,
            players=screen.players,
            lines=self._story.lines,
            view_as=screen.view_as,
            observation=screen.observation,
            connected=self._client.connected,
            ended=screen.ended,
            trouble=self._trouble,
            help=self._help,
        )

    async def _follow(self) -> None:
        """Tell the story of whatever is shown."""
        while True:
            async for frame in self._screen.frames():
                if frame.watch != self._begun:
                    self._begun = frame.watch
                    self._story.begin(self._screen.watching)
                self._story.tell(frame)
                self._changed.set()
            self._changed.set()
            await self._moved.wait()
            self._moved.clear()

    # --- keys ------------------------------------------------------------------------------------------

    def _on_key(self, character: str) -> None:
        action = self._strokes.press(character)
        if action is None:
            return
        self._changed.set()
        if action == "quit":
            self._quit = True
        elif action == "help":
            self._help = not self._help
        elif action in _STEPS or action == "first":
            self._go(action)
        elif len(self._waiting) < WAITING_MOST:
            self._waiting.append(action)
        self._pressed.set()

    def _go(self, action: Action) -> None:
        """To another tick, as seen from where the keys before lead."""
        screen = self._screen
        last = self._waiting[-1] if self._waiting else None
        before = last if isinstance(last, int) else screen.tick
        first_tick = screen.watching.first_tick
        tick = first_tick if action == "first" else before + _STEPS[action]
        tick = max(first_tick, min(tick, max(screen.last_tick, screen.tick)))
        if isinstance(last, int):
            self._waiting[-1] = tick
        elif len(self._waiting) < WAITING_MOST:
            self._waiting.append(tick)

    async def _obey(self) -> None:
        """Do what the keys say, one after the other."""
        while True:
            await self._pressed.wait()
            self._pressed.clear()
            while self._waiting:
                self._trouble = ""
                try:
                    await self._do(self._waiting.pop(0))
                except worldline.Disconnected:
                    raise
                except worldline.WorldlineError as error:
                    self._trouble = f"{error.code}: {error.message}"
                self._moved.set()
                self._changed.set()

    async def _do(self, action: Action | int) -> None:
        screen = self._screen
        if screen.ended is not None:  # it was watched live, or could not be shown further: what has been is still there
            screen = await self._client.watch(screen.world, from_tick=screen.tick, as_player=screen.view_as)
            await screen.pause()
            self._screen = screen
        if isinstance(action, int):
            await screen.seek(action)
            return
        doing: dict[str, Callable[[], Awaitable[None]]] = {
            "pause": self._pause,
            "live": screen.go_live,
            "slower": lambda: screen.speed(max(SLOWEST, float(screen.watching.speed) / 2)),
            "faster": lambda: screen.speed(min(FASTEST, float(screen.watching.speed) * 2)),
            "as": lambda: screen.view(self._next_player()),
        }
        await doing[action]()

    async def _pause(self) -> None:
        screen = self._screen
        if not screen.playing:
            await screen.play()
        elif not screen.live and screen.tick >= screen.last_tick:  # at the end: once more
            await screen.seek(screen.watching.first_tick)
            await screen.play()
        else:
            await screen.pause()

    def _next_player(self) -> str | None:
        players = [player.player for player in self._screen.players]
        if self._screen.view_as not in players:
            return players[0] if players else None
        following = players[players.index(self._screen.view_as) + 1 :]
        return following[0] if following else None
