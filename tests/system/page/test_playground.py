"""Promise: a person can play by hand what an agent plays: forms for every declared input, each outcome, every message;
and a cut connection comes back to the same player, with an input applied once."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.system.harness import RunningServer
from tests.system.page.browser import PHONE, Pages, fits, picture, serious_findings
from tests.system.page.conftest import address

pytestmark = pytest.mark.needs("chromium")

HOSTILE_NOTE = "<script>document.title='owned'</script>"


async def joined(pages: Pages, server: RunningServer, game: str = "tsunami") -> Page:
    page = await pages.open(address(server, f"#/play/{game}"))
    await page.get_by_role("button", name="Join").click()
    await page.locator(".seen").wait_for()
    return page


async def test_every_declared_input_has_a_form_and_what_is_sent_is_applied(server: RunningServer, pages: Pages) -> None:
    page = await joined(pages, server)
    forms = page.locator(".input-form")
    names = await forms.evaluate_all("forms => forms.map((form) => form.getAttribute('aria-label'))")
    assert names == ["move", "collect", "deposit", "buy speed", "discard"]
    await page.locator("#input-move-x").fill("300")
    await page.locator("#input-move-z").fill("-20")
    await page.get_by_label("Note").fill(HOSTILE_NOTE)
    await page.get_by_role("button", name="move").click()
    outcomes = page.get_by_label("Outcomes, newest first")
    await outcomes.locator(".mark.applied").wait_for()
    assert HOSTILE_NOTE in await outcomes.inner_text()
    assert "owned" not in await page.title()
    await page.get_by_role("button", name="deposit").click()
    await outcomes.locator(".mark.rejected").wait_for()
    assert await serious_findings(page) == []
    await picture(page, "playground", whole=True)


async def test_every_message_is_shown_both_ways(server: RunningServer, pages: Pages) -> None:
    page = await joined(pages, server)
    messages = page.get_by_label("Messages, newest first")
    sent = messages.locator("li", has_text='{"type":"join"')
    await sent.locator("summary").click()
    assert '"observe": true' in await sent.locator("pre").inner_text()
    assert await messages.locator("li", has_text='{"type":"joined"').count() == 1
    looks = messages.get_by_text('{"type":"observation"')
    await page.get_by_label("also the looks").check()
    await looks.first.wait_for()
    await page.get_by_label("also the looks").uncheck()
    assert await looks.count() == 0


async def test_a_cut_connection_comes_back_to_the_same_player(server: RunningServer, pages: Pages) -> None:
    page = await joined(pages, server)
    place = await page.locator(".seat-line code, .seat-line a").inner_text()
    await page.get_by_role("button", name="Cut the connection").click()
    await page.locator("#input-move-to").fill("home")
    await page.get_by_role("button", name="move").click()
    await page.get_by_label("Outcomes, newest first").locator(".mark.applied").wait_for()
    assert await page.locator(".seat-line code, .seat-line a").inner_text() == place
    await page.reload()
    await page.locator(".seen").wait_for()
    assert await page.locator(".seat-line code, .seat-line a").inner_text() == place


async def test_a_refusal_says_what_to_do(server: RunningServer, pages: Pages) -> None:
    page = await pages.open(address(server, "#/play/tsunamy"))
    problem = page.get_by_role("alert")
    await problem.wait_for()
    assert "tsunami" in await problem.inner_text()


async def test_it_works_on_a_phone(server: RunningServer, pages: Pages) -> None:
    page = await pages.open(address(server, "#/play/snakes"), PHONE)
    await page.get_by_role("button", name="Join").click()
    await page.locator(".seen").wait_for()
    assert await fits(page)
    assert await serious_findings(page) == []
    await picture(page, "playground-phone", whole=True)
