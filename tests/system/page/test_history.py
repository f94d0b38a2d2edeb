"""Promise: wherever somebody lands in a game, the page finds out what happened there before and after; what happened
next, or last, is found in the whole game, by kind and by player; what is idle is skipped."""

from __future__ import annotations

import pytest
from playwright.async_api import Locator, Page

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.page.browser import Pages, picture
from tests.system.page.conftest import address
from tests.system.page.playing import at_tick, later_tick, recorded, tsunami

pytestmark = pytest.mark.needs("chromium")

WAVES_EVERY = 1800
"""Ticks of Tsunami from one wave to the next."""


def feed(page: Page) -> Locator:
    """What happened, as the page lists it."""
    return page.get_by_label("What happened, newest first")


async def test_a_link_to_a_tick_shows_what_happened_before_it(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 4000)
    page = await pages.open(address(server, f"#/w/{world}@2000"))
    await at_tick(page, 2000)
    await feed(page).get_by_text("the log begins").wait_for()
    await feed(page).get_by_text("wave started").wait_for()
    await feed(page).get_by_text("ada joined").wait_for()
    await feed(page).get_by_text("That is how it began.").wait_for()
    await picture(page, "history")
    await page.keyboard.press("Home")
    await at_tick(page, 0)
    assert await feed(page).get_by_text("wave started").count() == 0


async def test_a_running_world_tells_what_was_done_before_somebody_came(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada", note="long before")
    other = await pages.open(address(server, f"#/w/{played.world}"))
    await later_tick(other, 30)
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await feed(page).get_by_text("long before").wait_for()
    bob = await connect_agent(server.url, "bob")
    await bob.ask("join", world=played.world)
    await feed(page).get_by_text("bob joined").wait_for()


async def test_who_may_not_read_the_log_finds_out_all_the_same(
    serve: ServerFactory, pages: Pages, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent")
    played = await tsunami(server, connect_agent, "ada", note="long before")
    before = await pages.open(address(server, f"#/w/{played.world}"))
    await later_tick(before, 60)
    page = await pages.open(address(server, f"#/w/{played.world}"))
    # A frame that is left out for want of room leaves a gap, for which the page asks again.
    await page.wait_for_function(
        """() => {
            document.querySelector(".edge button")?.click();
            return document.querySelector(".edge")?.innerText === "That is how it began.";
        }""",
        polling=500,
    )
    await feed(page).get_by_text("long before").wait_for()


async def test_previous_and_next_find_what_happened_in_the_whole_game(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ticks = 5 * WAVES_EVERY + 500
    world = await recorded(await connect_agent(server.url, "ada"), ticks)
    page = await pages.open(address(server, f"#/w/{world}@{ticks}"))
    await at_tick(page, ticks)
    kind = page.get_by_label("Kind")
    await kind.select_option("event wave_started")
    await page.evaluate("document.activeElement.blur()")
    for tick in (5 * WAVES_EVERY, 4 * WAVES_EVERY):
        await page.keyboard.press("q")
        await at_tick(page, tick)
    await page.keyboard.press("e")
    await at_tick(page, 5 * WAVES_EVERY)
    await kind.select_option("input move")
    await page.get_by_label("Player", exact=True).select_option(label="1 ada")
    await page.get_by_role("button", name="Previous event").click()
    await feed(page).locator("li.input", has_text="the log begins").wait_for()
    await page.wait_for_function("() => Number(document.getElementById('tick').value) < 100")
    await page.get_by_role("button", name="Next event").click()
    await page.get_by_text("nothing of the kind after this").first.wait_for()
    await kind.select_option("mark")
    await page.get_by_role("button", name="Previous event").click()
    await feed(page).get_by_text("ada joined").wait_for()


async def test_a_search_can_be_stopped(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 60_000)
    page = await pages.open(address(server, f"#/w/{world}@100"))
    await at_tick(page, 100)
    await page.get_by_label("Kind").select_option("event deposited")
    await page.get_by_role("button", name="Next event").click()
    stop = page.get_by_role("button", name="Stop looking")
    await stop.click()
    await stop.wait_for(state="detached")
    await at_tick(page, 100)
    await page.keyboard.press("ArrowRight")
    await at_tick(page, 101)


async def test_marks_are_explained_to_whoever_points_at_them(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 3000)
    page = await pages.open(address(server, f"#/w/{world}@2000"))
    await feed(page).get_by_text("wave started").wait_for()
    # Where in its line the first mark is; the line itself may still be moved by what comes above it.
    x = await page.locator(".marks .event").first.evaluate(
        """mark => {
            const [own, line] = [mark, mark.closest(".scrubber")].map((one) => one.getBoundingClientRect());
            return own.left + own.width / 2 - line.left;
        }"""
    )
    await page.locator(".scrubber").hover(position={"x": x, "y": 12})
    tip = page.locator(".tip")
    await tip.get_by_text("arrived · ada").wait_for()
    await picture(page, "tip")
    await page.mouse.move(10, 10)
    await tip.wait_for(state="detached")


async def test_what_is_idle_is_skipped(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 4000)
    page = await pages.open(address(server, f"#/w/{world}@300"))
    await at_tick(page, 300)
    await page.evaluate(
        """() => {
            window.shown = [];
            const look = () => {
                window.shown.push(Number(document.getElementById("tick").value));
                requestAnimationFrame(look);
            };
            look();
        }"""
    )
    await page.get_by_label("Kind").select_option("event wave_started")
    await page.get_by_label("Speed").select_option("0.25")
    await page.get_by_role("button", name="Skip idle").click()
    await page.get_by_role("button", name="Play").click()
    await later_tick(page, WAVES_EVERY - 61)
    shown = await page.evaluate("window.shown")
    assert max(tick for tick in shown if tick < WAVES_EVERY - 61) < WAVES_EVERY - 300
    assert min(tick for tick in shown if tick > 1000) >= WAVES_EVERY - 60
