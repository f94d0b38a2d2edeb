"""Promise: a world that runs is seen to run: its picture moves, ticks count, who did what and why is there to read;
what dies is made good; hostile names and notes stay text; everybody can use it, with any input and on any screen."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.page.browser import DESKTOP, PHONE, Pages, fits, picture, serious_findings
from tests.system.page.conftest import address
from tests.system.page.playing import later_tick, pixels, shown_tick, slow_line, tsunami

pytestmark = pytest.mark.needs("chromium")

HOSTILE = "<img src=x onerror=document.title='owned'>"
HOSTILE_NOTE = "</p><script>document.title='owned'</script>\u202e reversed"


async def test_a_running_world_is_one_click_away_and_moves(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada", "bob")
    page = await pages.open(address(server))
    await page.get_by_role("link", name=played.world).click()
    await page.locator(".player", has_text="ada").wait_for()
    tick, before = await later_tick(page, 0), await pixels(page)
    assert await later_tick(page, tick + 30) > tick
    assert await pixels(page) != before
    await played.agents[0].ask("input", world=played.world, name="move", args={"to": "home"}, note="enough of it")
    await page.get_by_label("What happened, newest first").get_by_text("enough of it").wait_for()
    await page.locator(".players").get_by_text("enough of it").wait_for()


async def test_a_rejection_is_marked(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await page.locator(".player", has_text="ada").wait_for()
    await played.agents[0].ask("input", world=played.world, name="deposit", note="hands are empty")
    line = page.get_by_label("What happened, newest first").locator("li.rejected", has_text="hands are empty")
    await line.wait_for()
    assert "rejected" in await line.inner_text()


async def test_what_dies_is_made_good(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"))
    tick = await later_tick(page, 0)
    for victims in (server.gateway_pids, server.shard_pids):
        os.kill(victims()[0], signal.SIGKILL)
        tick = await later_tick(page, tick + 60)
    await page.locator(".player", has_text="ada").wait_for()


async def test_through_a_slow_line_it_still_moves(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada")
    async with slow_line(server.url, bytes_per_s=60_000) as port:
        page = await pages.open(f"http://127.0.0.1:{port}/#/w/{played.world}")
        tick = await later_tick(page, 0)
        await later_tick(page, tick + 60)


async def test_hostile_names_and_notes_stay_text(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, HOSTILE, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await page.locator(".player", has_text=HOSTILE).wait_for()
    await played.agents[0].ask("input", world=played.world, name="move", args={"to": "home"}, note=HOSTILE_NOTE)
    feed = page.get_by_label("What happened, newest first")
    await feed.get_by_text("</p><script>").wait_for()
    assert "owned" not in await page.title()
    assert await page.locator("main img, main script").count() == 0
    await picture(page, "hostile")


async def test_by_keyboard_alone(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada", "bob")
    page = await pages.open(address(server))
    link = page.get_by_role("link", name=played.world)
    await link.wait_for()
    for _ in range(30):
        await page.keyboard.press("Tab")
        if await link.evaluate("link => link === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await page.locator(".player").first.wait_for()
    await page.keyboard.press("f")
    await page.locator(".player[aria-pressed=true]").wait_for()
    await page.keyboard.press("?")
    help = page.get_by_role("dialog")
    await help.get_by_text("follow the next player").wait_for()
    await picture(page, "help")
    await page.keyboard.press("Escape")
    await help.wait_for(state="detached")
    await page.get_by_text("That is how it began.").wait_for()
    label = "one => one.getAttribute('aria-label') || one.title || one.innerText || one.labels?.[0]?.innerText"
    controls = page.locator("main button:visible, main select:visible, main input:visible, main summary:visible")
    every = set[str](await controls.evaluate_all(f"all => all.map({label})"))
    assert {"Closer", "First tick", "Tick", "Next event", "Speed ([ and ])", "Share", "Kind"} <= every
    reached = set[str]()
    for _ in range(2 * await controls.count() + 20):
        await page.keyboard.press("Tab")
        reached.add(await page.evaluate(f"({label})(document.activeElement)"))
        if every <= reached:
            break
    still = set[str](await controls.evaluate_all(f"all => all.map({label})"))  # one may have gone since
    assert every & still - reached == set()


async def test_the_picture_in_words(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await page.locator(".player").first.wait_for()
    await page.get_by_text("The picture in words").click()
    words = page.locator(".in-words")
    await words.get_by_text("ada at x").wait_for()
    assert "420 hut" in await words.inner_text()
    label = await page.get_by_role("img").first.get_attribute("aria-label")
    assert label is not None
    assert "ada" in label


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_everybody_can_use_it(
    server: RunningServer, pages: Pages, connect_agent: Connect, scheme: str, size: str
) -> None:
    played = await tsunami(server, connect_agent, "ada", "bob", "eva", "kay")
    viewport = PHONE if size == "phone" else DESKTOP
    page = await pages.open(address(server, f"#/w/{played.world}"), viewport, color_scheme=scheme)
    await page.locator(".player", has_text="kay").wait_for()
    await later_tick(page, 120)
    assert await serious_findings(page) == []
    assert await fits(page)
    await picture(page, f"world-{size}-{scheme}")


async def test_with_reduced_motion_things_are_where_they_are(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"), reduced_motion="reduce")
    await page.locator(".player").first.wait_for()
    tick = await shown_tick(page)
    assert await later_tick(page, tick) > tick


async def test_a_frame_on_another_page_shows_the_world_and_nothing_else(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(f"http://127.0.0.1:{server.port}/embed#/w/{played.world}", PHONE)
    await later_tick(page, 0)
    assert await page.locator(".bar, .players").count() == 0
    assert await page.get_by_role("link", name="Open").count() == 1
    await page.goto(f"http://127.0.0.1:{server.port}/embed#/play/tsunami")
    await page.get_by_text("This address shows one world").wait_for()


async def test_a_world_that_does_not_exist_is_said_so(server: RunningServer, pages: Pages) -> None:
    page = await pages.open(address(server, "#/w/w_nowhere"))
    problem = page.get_by_role("alert")
    await problem.wait_for()
    assert "w_nowhere" in await problem.inner_text()


async def test_a_board_is_shown_as_one(serve: ServerFactory, pages: Pages, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    snakes = [await connect_agent(server.url, name) for name in ("ada", "bob", "eva", "kay")]
    worlds = [(await snake.ask("join", game="snakes"))["world"] for snake in snakes]
    page = await pages.open(address(server, f"#/w/{worlds[0]}"))
    await page.locator(".player", has_text="kay").wait_for()
    for snake in snakes:
        await snake.ask("input", world=worlds[0], name="move", args={"direction": "up"}, wait_ms=0)
    await later_tick(page, 0)
    await picture(page, "snakes")
