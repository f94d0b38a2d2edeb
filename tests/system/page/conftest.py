"""Fixtures of the page's tests: one browser for a test, closed with all its pages at the end.

A test in which the browser reported an error fails.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.system.harness import RunningServer
from tests.system.page.browser import Pages, running_browser


@pytest.fixture
async def pages() -> AsyncIterator[Pages]:
    """Open pages of a server: ``page = await pages.open(address(server))``."""
    async with running_browser() as browser:
        pages = Pages(browser)
        yield pages
    assert pages.complaints == []


def address(server: RunningServer, hash: str = "") -> str:
    """The address of a view of the page."""
    return f"http://127.0.0.1:{server.port}/{hash}"
