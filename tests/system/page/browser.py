"""A real Chromium without a window, for tests of the page: pages that fail a test when the browser reports an error,
and pictures of them for people.

Pictures go to ``artefacts/page/``, which git ignores: look at them after a change of the page.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, ConsoleMessage, Page, ViewportSize, async_playwright

PROGRAM: Final = "chromium"
PROGRAM_PATH: Final = "/usr/bin/chromium"
ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PICTURES: Final = Path(__file__).resolve().parents[3] / "artefacts" / "page"
DESKTOP: Final = ViewportSize(width=1280, height=800)
PHONE: Final = ViewportSize(width=390, height=844)
SERIOUS: Final = ("serious", "critical")
WITHIN_MS: Final = 30_000
EXPECTED: Final = "WebSocket connection to"
"""What Chromium writes when a connection is cut on purpose."""


@contextlib.asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """Start Chromium; it and its driver are gone afterwards."""
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=PROGRAM_PATH, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()


class Pages:
    """Opens pages, each with a storage of its own, and remembers what the browser complained about."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []

    async def open(
        self,
        url: str,
        viewport: ViewportSize = DESKTOP,
        before: Callable[[Page], Awaitable[object]] | None = None,
        **options: Any,
    ) -> Page:
        """Open an address as somebody who comes for the first time. ``before`` is done with the page while it is still
        empty; ``options`` as in Playwright's new_context."""
        context = await self._browser.new_context(viewport=viewport, **options)
        context.set_default_timeout(WITHIN_MS)
        page = await context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        if before is not None:
            await before(page)
        await page.goto(url)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)


async def picture(page: Page, name: str, *, whole: bool = False) -> None:
    """Keep what a page looks like."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)


async def serious_findings(page: Page) -> list[str]:
    """What axe-core finds that keeps somebody from using the page: rule and first place of each."""
    results = (await Axe().run(page)).response
    return [
        f"{found['id']}: {found['nodes'][0]['target']} {found['nodes'][0].get('failureSummary', '')}"
        for found in results["violations"]
        if found["impact"] in SERIOUS
    ]


async def fits(page: Page) -> bool:
    """Whether nothing sticks out to the right: a phone scrolls one way only."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
