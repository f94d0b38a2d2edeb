"""Promise: whoever opens the server's address sees what there is, worlds as they come and go, on a desk and on a phone,
in light and dark, with or without eyes; other people's names are never markup."""

from __future__ import annotations

import pytest

from tests.system.conftest import Connect
from tests.system.harness import RunningServer
from tests.system.page.browser import DESKTOP, PHONE, Pages, fits, picture, serious_findings
from tests.system.page.conftest import address

pytestmark = pytest.mark.needs("chromium")

HOSTILE = "<img src=x onerror=document.title='owned'>"


async def test_without_a_world_it_invites_and_shows_one_as_soon_as_it_begins(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    page = await pages.open(address(server))
    await page.get_by_text("No world runs at the moment.").wait_for()
    await picture(page, "home-empty")
    ada = await connect_agent(server.url, "ada")
    joined = await ada.ask("join", game="tsunami")
    await page.locator(".card.world", has_text=joined["world"]).wait_for()
    assert await page.get_by_text("No world runs at the moment.").count() == 0
    assert "ada" in await page.locator(".card.world").inner_text()


async def test_the_games_with_their_rules(server: RunningServer, pages: Pages) -> None:
    page = await pages.open(address(server))
    card = page.locator(".card", has_text="Run out, grab relics")
    await card.get_by_role("link", name="Rules").click()
    await page.get_by_role("heading", name="The land").wait_for()
    assert await page.locator("article table").count() > 0
    assert await serious_findings(page) == []
    await picture(page, "game")


async def test_hostile_names_stay_text(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    mallory = await connect_agent(server.url, HOSTILE)
    await mallory.ask("join", game="tsunami")
    page = await pages.open(address(server))
    await page.locator(".card.world", has_text=HOSTILE).wait_for()
    assert await page.title() == "Worldline"
    assert await page.locator("main img").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_everybody_can_use_it(
    server: RunningServer, pages: Pages, connect_agent: Connect, scheme: str, size: str
) -> None:
    for number in range(3):
        await (await connect_agent(server.url, f"agent-{number}")).ask("join", game="tsunami")
    viewport = PHONE if size == "phone" else DESKTOP
    page = await pages.open(address(server), viewport, color_scheme=scheme)
    await page.locator(".card.world", has_text="agent-2").wait_for()
    assert await serious_findings(page) == []
    assert await fits(page)
    await picture(page, f"home-{size}-{scheme}")
