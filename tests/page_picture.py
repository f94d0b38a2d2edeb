"""Takes the README's picture of the page, from a real demo: ``python -m tests.page_picture``.

Run it after a change of the page. It needs Chromium and takes about a minute and a half: the players have to get
somewhere, and a wave has to come.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import ViewportSize

from tests.system.page.browser import Pages, running_browser
from tests.system.page.playing import later_tick

PICTURE: Final = Path(__file__).resolve().parent.parent / "docs" / "page.png"
SIZE: Final = ViewportSize(width=1280, height=720)
MAX_PICTURE_BYTES: Final = 300 * 1024
WAVE_HALF_WAY_TICK: Final = 4500
"""The second wave is half-way then: waves start every 1,800 ticks and run for 1,457."""


async def take(address: str) -> None:
    """Wait for the wave and take the picture."""
    async with running_browser() as browser:
        page = await Pages(browser).open(address, SIZE, color_scheme="dark")
        await page.locator(".card.world a").last.click()
        page.set_default_timeout(WAVE_HALF_WAY_TICK * 1000 / 60 * 2)
        await later_tick(page, WAVE_HALF_WAY_TICK)
        await page.screenshot(path=PICTURE)
    size_bytes = PICTURE.stat().st_size
    print(f"{PICTURE.name}: {size_bytes} bytes")
    if size_bytes > MAX_PICTURE_BYTES:
        sys.exit(f"error: more than {MAX_PICTURE_BYTES} bytes → make the picture smaller")


def main() -> None:
    """Start a demo, take the picture, stop the demo."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "server.commands", "demo", "--port", "0"]
        demo = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
        try:
            assert demo.stdout is not None
            found = re.search(r"http://\S+/", demo.stdout.readline())
            assert found is not None, "the demo did not say where its page is"
            asyncio.run(take(found[0]))
        finally:
            demo.terminate()
            demo.wait()


if __name__ == "__main__":
    main()
