"""A watched world without a terminal: lines of text, or JSON, for pipes."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec

import worldline
from server.byhand import telling
from server.commands.output import print_json, print_line, tab_line
from server.demo.model import Line
from server.onlooker.story import Story
from worldline import protocol


class Moment(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of JSON: a world as it stood at ``tick``, whole, and what happened since the line before."""

    world: str
    tick: int
    last_tick: int
    live: bool
    players: list[protocol.WatchedPlayer]
    scene: protocol.Scene
    events: list[protocol.WatchedEvent]
    inputs: list[protocol.WatchedInput]
    skipped: int = 0
    observation: protocol.Observation | None = None


async def until_nobody_reads(printing: Coroutine[Any, Any, None]) -> None:
    """Print, until that is done or whoever reads it (``| head``) has gone: also while there is nothing to print.

    Raises BrokenPipeError.
    """
    loop = asyncio.get_running_loop()
    task, gone = asyncio.create_task(printing), asyncio.Event()
    leaving = asyncio.create_task(gone.wait())
    output = sys.stdout.fileno()
    is_pipe = stat.S_ISFIFO(os.fstat(output).st_mode)
    if is_pipe:  # nothing can be read from this end: what wakes us is that the other one is closed
        loop.add_reader(output, gone.set)
    try:
        await asyncio.wait([task, leaving], return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise BrokenPipeError
        task.result()
    finally:
        if is_pipe:
            loop.remove_reader(output)
        task.cancel()
        leaving.cancel()
        await asyncio.gather(task, leaving, return_exceptions=True)


async def print_moments(screen: worldline.Screen) -> None:
    """Print every frame as a line of JSON, until there are no more."""
    events: list[protocol.WatchedEvent] = []
    inputs: list[protocol.WatchedInput] = []
    skipped = 0
    async for frame in screen.frames():
        events, inputs, skipped = events + frame.events, inputs + frame.inputs, skipped + frame.skipped
        if frame.tick < screen.tick:
            continue  # more have come already: the scene is that of the last of them
        print_json(
            Moment(
                world=screen.world,
                tick=frame.tick,
                last_tick=screen.last_tick,
                live=screen.live,
                players=screen.players,
                scene=protocol.Scene(nodes=list(screen.nodes.values()), size=screen.size, camera=screen.camera),
                events=events,
                inputs=inputs,
                skipped=skipped,
                observation=screen.observation,
            )
        )
        events, inputs, skipped = [], [], 0


async def print_story(screen: worldline.Screen) -> None:
    """Print what happens, a line each: tick, player, what, note; until nothing more can happen."""
    story = Story()
    begun: str | None = None
    async for frame in screen.frames():
        if frame.watch != begun:
            story.begin(screen.watching)
            begun = frame.watch
        for line in story.tell(frame):
            print_line(_cells(line))
        if frame.observation is not None:
            told = " ".join(telling.observation(frame.observation))
            print_line(tab_line([str(frame.tick), screen.view_as or "", told, ""]))


def _cells(line: Line) -> str:
    return tab_line([str(line.tick), line.player, line.text, line.note])
