"""How quick the page is, in a real Chromium without a graphics card: ``python -m tests.benchmarks.page``.

Prints when the page is ready, what it transferred until then, how long scripts take per frame while they draw a world
of Tsunami (more than 2,000 nodes) that runs, and how soon another tick is drawn. Needs Chromium; takes a minute.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page

from tests.system.harness import Agent, RunningServer, agent, start_server
from tests.system.page.browser import DESKTOP, Pages, running_browser
from tests.system.page.playing import later_tick

LOADS = 5
SEEKS = 40
RECORDED_TICKS = 10_000
DRAWN_TICKS = 600
COUNT_FRAMES = """
    window.frameTimes = [];
    const ask = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (draw) => ask((now) => {
        const began = performance.now();
        draw(now);
        window.frameTimes.push(performance.now() - began);
    });
"""
LOADED = """() => {
    const all = [...performance.getEntriesByType("resource"), ...performance.getEntriesByType("navigation")];
    return all.reduce((sum, one) => sum + one.transferSize, 0);
}"""


async def time_of_ready(pages: Pages, server: RunningServer) -> tuple[float, int]:
    """Milliseconds from going there to the list of games, and bytes transferred, for somebody who was never here."""
    page = await pages.open("about:blank")
    await page.goto(f"http://127.0.0.1:{server.port}/", wait_until="commit")
    await page.locator(".card").first.wait_for()
    ready_ms, transferred = await page.evaluate("performance.now()"), await page.evaluate(LOADED)
    await page.context.close()
    return ready_ms, transferred


async def frame_times(page: Page, address: str) -> list[float]:
    """Milliseconds of script per frame while a running world is drawn."""
    await page.add_init_script(COUNT_FRAMES)
    await page.goto(address)
    tick = await later_tick(page, 60)
    await page.evaluate("window.frameTimes.length = 0")
    await later_tick(page, tick + DRAWN_TICKS)
    times: list[float] = await page.evaluate("window.frameTimes")
    return times


SEEK = """tick => new Promise(done => {
    const line = document.querySelector(".scrubber input");
    const canvas = document.querySelector("canvas.picture");
    const began = performance.now();
    line.value = String(tick);
    line.dispatchEvent(new Event("input", { bubbles: true }));
    const look = () => canvas.getAttribute("aria-label").includes(`at tick ${tick}:`)
        ? requestAnimationFrame(() => done(performance.now() - began))
        : requestAnimationFrame(look);
    look();
})"""


async def seek_times(page: Page, agent: Agent, address: str) -> list[float]:
    """Milliseconds from a move of the line of time to the picture and its words, all over a recorded world."""
    world = (await agent.ask("create", game="tsunami", clock="manual", seed=1))["world"]
    await agent.ask("join", world=world)
    await agent.ask("step", world=world, ticks=RECORDED_TICKS)
    await page.goto("about:blank")
    await page.goto(f"{address}#/w/{world}@100")
    await page.locator("canvas.picture[aria-label*='at tick 100:']").wait_for()
    rng = random.Random(1)
    return [float(await page.evaluate(SEEK, rng.randrange(RECORDED_TICKS))) for _ in range(SEEKS)]


def share(values: list[float], part: float) -> float:
    """The value that ``part`` of these do not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


async def measure(server: RunningServer) -> None:
    """Measure and print."""
    async with running_browser() as browser, agent(server.url) as ada:
        pages = Pages(browser)
        made: dict[str, Any] = await ada.ask("create", game="tsunami", bots=8)
        loads = [await time_of_ready(pages, server) for _ in range(LOADS)]
        print(f"page ready: median {statistics.median(ready for ready, _ in loads):.0f} ms of {LOADS} first visits")
        print(f"transferred before a world is opened: {loads[-1][1] / 1024:.0f} KiB")
        page = await pages.open("about:blank", DESKTOP)
        times = await frame_times(page, f"http://127.0.0.1:{server.port}/#/w/{made['world']}")
        nodes = await page.locator("canvas.picture").get_attribute("aria-label")
        p50, p95, p99 = (share(times, part) for part in (0.5, 0.95, 0.99))
        seeks = await seek_times(page, ada, f"http://127.0.0.1:{server.port}/")
        print(f"seek to picture: p50 {share(seeks, 0.5):.0f} ms, p95 {share(seeks, 0.95):.0f} ms of {SEEKS} seeks")
        print(f"script per frame: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {len(times)} frames; {nodes}")


def main() -> None:
    """Run a server, and measure its page."""
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "data", "--shards", "1", cwd=Path(folder), games=None)
        try:
            asyncio.run(measure(server))
        finally:
            server.clean_up()


if __name__ == "__main__":
    main()
