"""How quick and how small the page is, in a real Chromium without a graphics card.

    .venv/bin/python -m tests.benchmarks.page [--only ready,drawing,crowd,seeking,memory] [--seeks 15]

ready    when the list of games is there, and what was transferred until then
drawing  how long scripts take per frame while they draw a world of Tsunami (more than 2,000 nodes) that runs
crowd    the same world with 200 who watch: what a real page still gets, and what the server's processes take. Two cores
         do not carry 200 browsers: these are connections that say what the page says, beside two real pages.
seeking  how soon another tick of a recording of 20 minutes is drawn
memory   the most of the page's memory while it plays that recording 64 times as fast

Needs Chromium; takes a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import random
import re
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from playwright.async_api import WebSocket

from tests.benchmarks.spectators import Crowd, thread_cpu_s
from tests.system.harness import Agent, RunningServer, agent, start_server
from tests.system.page.browser import DESKTOP, Pages, running_browser
from tests.system.page.playing import at_tick, later_tick, recorded

LOADS = 3
BOTS = 8
DRAWN_TICKS = 300
RECORDED_TICKS = 20 * 60 * 60
WATCHED_S = 3.0
REAL_PAGES = 2
SETTLE_S = 1.0
TICK = re.compile(r'"tick":(\d+)')
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


def share(values: list[float], part: float) -> float:
    """The value that ``part`` of these do not exceed."""
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


class Stand:
    """A server, a browser, and the worlds that are looked at: each is made when it is first needed."""

    def __init__(self, server: RunningServer, pages: Pages, ada: Agent, options: argparse.Namespace) -> None:
        self.server = server
        self.pages = pages
        self.ada = ada
        self.options = options
        self.home = f"http://127.0.0.1:{server.port}/"
        self._running: str | None = None
        self._recorded: str | None = None

    async def running(self) -> str:
        """The address of a world that bots play."""
        if self._running is None:
            self._running = (await self.ada.ask("create", game="tsunami", bots=BOTS))["world"]
        return f"{self.home}#/w/{self._running}"

    async def recording(self) -> str:
        """The address of a world that has run for 20 minutes."""
        if self._recorded is None:
            self._recorded = await recorded(self.ada, RECORDED_TICKS)
        return f"{self.home}#/w/{self._recorded}"


async def ready(stand: Stand) -> None:
    """From going there to the list of games, for somebody who was never here."""
    times, transferred = [], 0
    for _ in range(LOADS):
        page = await stand.pages.open("about:blank")
        await page.goto(stand.home, wait_until="commit")
        await page.locator(".card").first.wait_for()
        times.append(await page.evaluate("performance.now()"))
        transferred = await page.evaluate(LOADED)
        await page.context.close()
    print(f"page ready: median {statistics.median(times):.0f} ms of {LOADS} first visits")
    print(f"transferred before a world is opened: {transferred / 1024:.0f} KiB")


async def drawing(stand: Stand) -> None:
    """Script per frame while a running world is drawn."""
    page = await stand.pages.open("about:blank", DESKTOP)
    await page.add_init_script(COUNT_FRAMES)
    await page.goto(await stand.running())
    tick = await later_tick(page, 60)
    await page.evaluate("window.frameTimes.length = 0")
    await later_tick(page, tick + DRAWN_TICKS)
    times: list[float] = await page.evaluate("window.frameTimes")
    p50, p95, p99 = (share(times, part) for part in (0.5, 0.95, 0.99))
    nodes = await page.locator("canvas.picture").get_attribute("aria-label")
    print(f"script per frame: p50 {p50:.1f} ms, p95 {p95:.1f} ms, p99 {p99:.1f} ms, {len(times)} frames; {nodes}")
    await page.context.close()


async def crowd(stand: Stand) -> None:
    """What two real pages get of a world that 200 watch, and what that takes."""
    address = await stand.running()
    arrivals: list[dict[str, float]] = []
    for _ in range(REAL_PAGES):
        page = await stand.pages.open("about:blank", DESKTOP)
        arrivals.append({})
        page.on("websocket", partial(_note_arrivals, arrivals[-1]))
        await page.goto(address)
        await later_tick(page, 0)
    async with contextlib.AsyncExitStack() as stack:
        many = Crowd()
        await many.come(stand.server.url, stand.options.spectators, stack)
        await many.watch(address.rsplit("/", 1)[1])
        await asyncio.sleep(SETTLE_S)
        pids = stand.server.shard_pids()[0], stand.server.gateway_pids()[0]
        before, received, began_s = [thread_cpu_s(pid) for pid in pids], many.bytes, time.monotonic()
        for times in arrivals:
            times.clear()
        await asyncio.sleep(WATCHED_S)
        took_s = time.monotonic() - began_s
        shard, gateway = (thread_cpu_s(pid) - used for pid, used in zip(pids, before, strict=True))
        each_kib_s = (many.bytes - received) / 1024 / took_s / stand.options.spectators
        await many.stop()
    gaps_ms = [(late - early) * 1000 for times in arrivals for early, late in itertools.pairwise(times.values())]
    pictures_hz = sum(map(len, arrivals)) / took_s / REAL_PAGES
    print(
        f"{stand.options.spectators} connections, {each_kib_s:.0f} KiB/s each, and {REAL_PAGES} real pages watch one "
        f"world: a real page gets {pictures_hz:.1f} pictures/s, between two of them p95 {share(gaps_ms, 0.95):.0f} ms"
    )
    shares = [f"{100 * used / took_s:.1f} %" for used in (shard, gateway)]
    print(f"  main threads of the shard and the gateway meanwhile: {' and '.join(shares)} of a core")


def _note_arrivals(times: dict[str, float], socket: WebSocket) -> None:
    """Note when the first frame of each tick comes."""

    def received(payload: str | bytes) -> None:
        if isinstance(payload, str) and payload.startswith('{"type":"frame"'):
            found = TICK.search(payload)
            assert found is not None
            times.setdefault(found[1], time.monotonic())

    socket.on("framereceived", received)


async def seeking(stand: Stand) -> None:
    """From a move of the line of time to the picture and its words, all over a recording."""
    address = await stand.recording()
    page = await stand.pages.open(f"{address}@100", DESKTOP)
    await at_tick(page, 100)
    rng = random.Random(1)
    times = [float(await page.evaluate(SEEK, rng.randrange(RECORDED_TICKS))) for _ in range(stand.options.seeks)]
    print(f"seek to picture: p50 {share(times, 0.5):.0f} ms, p95 {share(times, 0.95):.0f} ms of {len(times)} seeks")
    await page.context.close()


async def memory(stand: Stand) -> None:
    """The most memory of a page that plays a recording as fast as it goes."""
    page = await stand.pages.open(f"{await stand.recording()}@0", DESKTOP)
    await at_tick(page, 0)
    await page.get_by_label("Speed").select_option("64")
    await page.evaluate("document.activeElement.blur()")
    meter = await page.context.new_cdp_session(page)
    await meter.send("Performance.enable")
    began_s = time.monotonic()
    await page.keyboard.press(" ")
    used: list[float] = []
    for part in range(1, 20):
        await later_tick(page, RECORDED_TICKS * part // 20)
        measured: dict[str, Any] = await meter.send("Performance.getMetrics")
        used.append(next(one["value"] for one in measured["metrics"] if one["name"] == "JSHeapUsedSize"))
    speed = RECORDED_TICKS * 0.95 / 60 / (time.monotonic() - began_s)
    print(f"memory of 20 minutes at 64 times the speed: at most {max(used) / 2**20:.0f} MiB; it went {speed:.0f} times")
    await page.context.close()


PARTS: dict[str, Callable[[Stand], Awaitable[None]]] = {
    part.__name__: part for part in (ready, drawing, crowd, seeking, memory)
}


async def measure(server: RunningServer, options: argparse.Namespace) -> None:
    """Measure and print."""
    async with running_browser() as browser, agent(server.url) as ada:
        stand = Stand(server, Pages(browser), ada, options)
        for name in options.only.split(","):
            await PARTS[name](stand)


def main() -> None:
    """Run a server, and measure its page."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--spectators", type=int, default=200)
    parser.add_argument("--seeks", type=int, default=15)
    options = parser.parse_args()
    if unknown := set(options.only.split(",")) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))} → {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder) / "data", "--shards", "1", cwd=Path(folder), games=None)
        try:
            asyncio.run(measure(server, options))
        finally:
            server.clean_up()


if __name__ == "__main__":
    main()
