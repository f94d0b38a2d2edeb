"""Worlds to look at: agents over the socket that join and do things, as a test needs them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from playwright.async_api import Page

from tests.system.conftest import Connect
from tests.system.harness import Agent, RunningServer

WALK_WEST: dict[str, Any] = {"x": 0, "z": 0}
STEP_TICKS = 10_000


class Played(NamedTuple):
    """A world of Tsunami, and who plays it."""

    world: str
    agents: list[Agent]


async def tsunami(server: RunningServer, connect: Connect, *names: str, note: str = "going west") -> Played:
    """A world in which everybody walks west, with a note that says so."""
    agents = [await connect(server.url, name) for name in names]
    worlds = {(await agent.ask("join", game="tsunami"))["world"] for agent in agents}
    assert len(worlds) == 1
    world = worlds.pop()
    for agent in agents:
        await agent.ask("input", world=world, name="move", args=WALK_WEST, note=note)
    return Played(world, agents)


async def recorded(agent: Agent, ticks: int) -> str:
    """A world of Tsunami on a clock of its own, which has run for so many ticks."""
    world: str = (await agent.ask("create", game="tsunami", clock="manual", seed=7))["world"]
    await agent.ask("join", world=world)
    await agent.ask("input", world=world, name="move", args={"x": 300, "z": 0}, note="the log begins", wait_ms=0)
    for at in range(0, ticks, STEP_TICKS):
        await agent.ask("step", world=world, ticks=min(STEP_TICKS, ticks - at))
    return world


async def at_tick(page: Page, tick: int) -> None:
    """Wait until the page shows exactly this tick, and its picture too."""
    await page.wait_for_function(
        """tick => document.getElementById("tick")?.value === String(tick)
            && document.querySelector("canvas.picture").getAttribute("aria-label").includes(`at tick ${tick}:`)""",
        arg=tick,
    )
    # Words first, then their layout, then the picture in its new size: each may take a frame.
    await page.evaluate(
        "async () => { for (let n = 0; n < 5; n += 1) await new Promise(done => requestAnimationFrame(done)); }"
    )


async def go(page: Page, tick: int) -> None:
    """Type a tick."""
    await page.locator("#tick").fill(str(tick))
    await page.keyboard.press("Enter")
    await at_tick(page, tick)


async def shown_tick(page: Page) -> int:
    """The tick that a page shows under its picture of a world."""
    text = await page.locator(".clock input, .clock strong").first.evaluate(
        "element => element.value ?? element.textContent"
    )
    return int(text.replace(",", ""))


async def later_tick(page: Page, tick: int) -> int:
    """Wait until a page shows a later tick than this, and return it."""
    await page.wait_for_function(
        """tick => {
            const shown = document.querySelector(".clock input, .clock strong");
            return shown && Number((shown.value ?? shown.textContent).replaceAll(",", "")) > tick;
        }""",
        arg=tick,
    )
    return await shown_tick(page)


async def pixels(page: Page) -> str:
    """What is drawn of the world now, every pixel of it."""
    return str(await page.locator("canvas.picture").evaluate("canvas => canvas.toDataURL()"))


@contextlib.asynccontextmanager
async def slow_line(server_url: str, bytes_per_s: int) -> AsyncIterator[int]:
    """A line to the server that lets so many bytes down in a second, for each connection; yields its port."""
    parts = urlsplit(server_url)
    piece = max(1, bytes_per_s // 20)
    passing = set[asyncio.Task[None]]()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause_s: float) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(piece):
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(pause_s)
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(parts.hostname, parts.port)
        for task in (
            asyncio.create_task(pass_on(reader, far_writer, 0)),
            asyncio.create_task(pass_on(far_reader, writer, piece / bytes_per_s)),
        ):
            passing.add(task)
            task.add_done_callback(passing.discard)

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield listening.sockets[0].getsockname()[1]
    finally:
        listening.close()
        for task in list(passing):
            task.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
