"""Promise: a page may hold a world in a frame, drive it and hear of it; no other window can, no other origin hears."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page

from tests.system.conftest import Connect
from tests.system.harness import RunningServer
from tests.system.page.browser import Pages, picture
from tests.system.page.playing import recorded

pytestmark = pytest.mark.needs("chromium")

HOST = """<!doctype html><title>Somebody's page</title>
<iframe id="world" src="{src}" width="900" height="560" title="A world"></iframe>
<iframe id="stranger" src="/stranger" title="Another frame"></iframe>
<script>
    window.heard = [];
    addEventListener("message", (event) => window.heard.push({{ origin: event.origin, ...event.data }}));
    window.ask = (message) => document.getElementById("world").contentWindow.postMessage(message, "{origin}");
</script>"""
STRANGER = """<!doctype html><title>Another frame</title>
<script>
    window.heard = [];
    addEventListener("message", (event) => window.heard.push(event.data));
    window.ask = (message) => parent.frames[0].postMessage(message, "*");
</script>"""


@contextlib.asynccontextmanager
async def somebodys_page(server: RunningServer, world: str) -> AsyncIterator[str]:
    """A page of another origin that holds a world in a frame, and another frame beside it; yields its address."""
    origin = f"http://127.0.0.1:{server.port}"
    texts = {"/": HOST.format(src=f"{origin}/embed#/w/{world}@100", origin=origin), "/stranger": STRANGER}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        content = texts.get(head.split()[1].decode(), "").encode()
        kind = "text/html; charset=utf-8"
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n".encode())
        writer.write(b"Connection: close\r\n\r\n" + content)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    finally:
        listening.close()


async def heard(page: Page, what: str) -> dict[str, Any]:
    """The latest message for which a condition on ``it`` holds; waits for one."""
    found = await page.wait_for_function(f"() => window.heard.findLast((it) => {what})")
    message: dict[str, Any] = await found.json_value()
    return message


async def test_a_page_drives_the_world_in_its_frame(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 2000)
    async with somebodys_page(server, world) as url:
        page = await pages.open(url)
        ready = await heard(page, "it.worldline === 'ready'")
        assert ready == {"worldline": "ready", "origin": f"http://127.0.0.1:{server.port}"}
        await page.evaluate("ask({ worldline: 'seek', tick: 1234, id: 1 })")
        assert (await heard(page, "it.re === 1"))["worldline"] == "done"
        state = await heard(page, "it.tick === 1234")
        assert (state["world"], state["playing"], state["last_tick"]) == (world, False, 2000)
        await page.evaluate("ask({ worldline: 'speed', speed: 0.5, id: 'x' }), ask({ worldline: 'play' })")
        await heard(page, "it.playing && it.speed === 0.5 && it.tick > 1240")
        await page.evaluate("ask({ worldline: 'pause', id: 3 })")
        await heard(page, "it.re === 3")
        await heard(page, "it.worldline === 'state' && !it.playing && it.tick > 1240")
        await picture(page, "embedded")
        frame = page.frames[1]
        assert await frame.evaluate("document.documentElement.scrollHeight <= innerHeight")


async def test_what_cannot_be_done_is_answered(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 500)
    async with somebodys_page(server, world) as url:
        page = await pages.open(url)
        await heard(page, "it.worldline === 'ready'")
        for number, (request, why) in enumerate(
            [
                ("worldline: 'seek', tick: 501", "tick must be an integer from 0 to 500"),
                ("worldline: 'seek'", "tick must be an integer from 0 to 500"),
                ("worldline: 'speed', speed: 65", "speed must be a number from 0.25 to 64"),
                ("worldline: 'toString'", 'there is no "toString" → hello, play, pause, live, seek, speed'),
            ]
        ):
            await page.evaluate(f"ask({{ {request}, id: {number} }})")
            answer = await heard(page, f"it.re === {number}")
            assert (answer["worldline"], answer["message"]) == ("error", why)


async def test_other_windows_are_not_heard_and_hear_nothing(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 500)
    async with somebodys_page(server, world) as url:
        page = await pages.open(url)
        await heard(page, "it.worldline === 'ready'")
        stranger = page.frames[2]
        await stranger.evaluate("ask({ worldline: 'seek', tick: 300, id: 7 })")
        await page.evaluate("ask({ worldline: 'pause', id: 8 })")  # behind whatever was asked for before
        await heard(page, "it.re === 8")
        assert (await heard(page, "it.worldline === 'state'"))["tick"] == 100
        assert await stranger.evaluate("window.heard") == []
        assert await page.evaluate("window.heard.filter((it) => it.re === 7)") == []
