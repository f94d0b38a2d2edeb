"""Promise: the page goes to any tick of a world, by every way there is, and a link to a tick shows the very same
picture to anybody; what was is watched at any speed, within bounds of memory, and live is one key away."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.page.browser import PHONE, Pages, picture, serious_findings
from tests.system.page.conftest import address
from tests.system.page.playing import at_tick, go, later_tick, pixels, recorded, shown_tick, slow_line, tsunami
from tests.system.test_leaderboard import GAME, MANIFEST

pytestmark = pytest.mark.needs("chromium")

TWENTY_MINUTES_TICKS = 20 * 60 * 60
MAX_PAGE_BYTES = 200 * 2**20


async def test_a_link_to_a_tick_shows_the_very_same_picture(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await recorded(ada, 2000)
    page = await pages.open(address(server, f"#/w/{world}@1234"))
    await at_tick(page, 1234)
    first = await pixels(page)
    await go(page, 77)
    assert await pixels(page) != first
    await go(page, 1234)
    assert await pixels(page) == first
    await page.wait_for_url(f"**/#/w/{world}@1234")
    await page.get_by_role("button", name="Share").click()
    link = await page.get_by_label("Link", exact=True).input_value()
    assert link == address(server, f"#/w/{world}@1234")
    assert await page.get_by_text(f"worldline log show {world}@1234").count() == 1
    await picture(page, "share")
    other = await pages.open(link)
    await at_tick(other, 1234)
    assert await pixels(other) == first


async def test_every_way_to_a_tick(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 2000)
    page = await pages.open(address(server, f"#/w/{world}@1000"))
    await at_tick(page, 1000)
    by_button = [("One tick back", 999), ("Ten ticks back", 989), ("One tick on", 990), ("Ten ticks on", 1000)]
    for name, tick in [*by_button, ("First tick", 0), ("Latest tick", 2000)]:
        await page.get_by_role("button", name=name).click()
        await at_tick(page, tick)
    await page.evaluate("document.activeElement.blur()")
    by_key = [("ArrowLeft", 1999), ("Shift+ArrowLeft", 1989), ("ArrowRight", 1990), ("Shift+ArrowRight", 2000)]
    for key, tick in [*by_key, ("j", 1990), ("Home", 0), ("End", 2000)]:
        await page.keyboard.press(key)
        await at_tick(page, tick)
    await page.keyboard.press("g")
    await page.keyboard.type("1500")
    await page.keyboard.press("Enter")
    await at_tick(page, 1500)
    scrubber = page.get_by_role("slider", name="Tick")
    await scrubber.fill("321")
    await at_tick(page, 321)
    assert await scrubber.get_attribute("aria-valuetext") == "tick 321 of 2000, 0:05"


async def test_what_was_asked_for_is_never_taken_back_while_its_picture_is_on_the_way(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 2000)
    async with slow_line(server.url, bytes_per_s=250_000) as port:
        page = await pages.open(f"http://127.0.0.1:{port}/#/w/{world}@1000")
        await at_tick(page, 1000)
        await page.evaluate(
            """() => {
                window.shown = [];
                const look = () => {
                    const tick = Number(document.getElementById("tick").value);
                    if (window.shown.at(-1) !== tick) window.shown.push(tick);
                    requestAnimationFrame(look);
                };
                look();
            }"""
        )
        for name, tick in (("Ten ticks on", 1010), ("Ten ticks on", 1020), ("First tick", 0)):
            await page.get_by_role("button", name=name).click()
            await at_tick(page, tick)
        assert await page.evaluate("window.shown") == [1000, 1010, 1020, 0]


async def test_speeds_and_events(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 4000)
    page = await pages.open(address(server, f"#/w/{world}@0"))
    await at_tick(page, 0)
    speed = page.get_by_label("Speed")
    for _ in range(4):
        await page.keyboard.press("]")
    await page.wait_for_function("() => document.querySelector('select[title^=Speed]').value === '16'")
    await page.keyboard.press(" ")
    await later_tick(page, 2000)
    await page.get_by_label("What happened, newest first").get_by_text("the log begins").wait_for()
    await page.get_by_label("What happened, newest first").get_by_text("wave started").wait_for()
    await page.keyboard.press(" ")
    await page.get_by_role("button", name="Play").wait_for()
    await go(page, 2000)  # wherever it has come to by now
    await page.keyboard.press("q")
    await at_tick(page, 1800)
    await speed.select_option("0.25")
    await page.get_by_label("Kind").select_option("event wave_started")
    assert await page.get_by_label("What happened, newest first").locator("li.event").count() == 1
    await page.get_by_label("What happened, newest first").locator("button.tick").click()
    await at_tick(page, 1800)
    await picture(page, "time")


async def test_behind_and_live_again(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await later_tick(page, 60)
    await page.keyboard.press("k")
    live = page.get_by_role("button", name="live")
    await live.get_by_text("behind").wait_for()
    stands = await shown_tick(page)
    await page.wait_for_function(
        "() => Number(/([0-9.]+) s behind/.exec(document.querySelector('.live').textContent)?.[1]) > 3"
    )
    assert await shown_tick(page) == stands
    await page.keyboard.press("l")
    await page.locator(".live.on").wait_for()
    assert await later_tick(page, stands + 180) > stands


async def test_a_gateway_that_dies_leaves_the_viewer_where_it_was(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 500)
    page = await pages.open(address(server, f"#/w/{world}@123"))
    await at_tick(page, 123)
    before = await pixels(page)
    os.kill(server.gateway_pids()[0], signal.SIGKILL)
    await page.locator(".connection.lost, .connection.connecting").wait_for()
    await page.locator(".connection.open").wait_for()
    await page.keyboard.press("ArrowRight")
    await at_tick(page, 124)
    await page.keyboard.press("ArrowLeft")
    await at_tick(page, 123)
    assert await pixels(page) == before


async def test_a_world_that_has_ended_begins_at_its_beginning(
    serve: ServerFactory, pages: Pages, connect_agent: Connect, tmp_path: Path
) -> None:
    race = tmp_path / "games" / "race"
    race.mkdir(parents=True)
    (race / "main.lua").write_text(GAME)
    (race / "game.toml").write_text(MANIFEST)
    server = serve("--shards", "1", games=tmp_path / "games")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="race"))["world"]
    await ada.ask("input", world=world, name="count", args={"by": 7}, note="all there is")
    await ada.ask("input", world=world, name="stop", args={})
    page = await pages.open(address(server))
    await page.locator(".card.world", has_text="finished").get_by_role("link").first.click()
    await page.get_by_label("What happened, newest first").get_by_text("all there is").wait_for()
    assert await page.locator(".live").count() == 0
    assert await page.locator(".player", has_text="ada").count() == 1


async def test_through_a_players_eyes(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    played = await tsunami(server, connect_agent, "ada", "bob")
    seen = await played.agents[0].ask("observe", world=played.world)
    for agent in played.agents:
        await agent.ask("input", world=played.world, name="move", args={"to": "home"}, seen_tick=seen["tick"])
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await later_tick(page, seen["tick"] + 120)
    await page.get_by_label("Whose eyes").select_option(label="1 ada")
    await page.get_by_label("What the agent read").get_by_text("tick").wait_for()
    eyes = page.locator(".inside")
    assert "before this one" in await eyes.inner_text()
    assert await serious_findings(page) == []
    await picture(page, "eyes", whole=True)


async def test_the_controls_fit_on_a_phone(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 2000)
    page = await pages.open(address(server, f"#/w/{world}@1900"), PHONE)
    await at_tick(page, 1900)
    for button in await page.locator(".controls button").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= PHONE["width"]
    assert await serious_findings(page) == []
    await picture(page, "time-phone", whole=True)


async def test_twenty_minutes_at_64_times_the_speed_take_a_bounded_memory(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), TWENTY_MINUTES_TICKS)
    page = await pages.open(address(server, f"#/w/{world}@0"))
    await at_tick(page, 0)
    await page.get_by_label("Speed").select_option("64")
    await page.evaluate("document.activeElement.blur()")
    meter = await page.context.new_cdp_session(page)
    await meter.send("Performance.enable")
    await page.keyboard.press(" ")
    most = 0.0
    for tick in range(TWENTY_MINUTES_TICKS // 10, TWENTY_MINUTES_TICKS, TWENTY_MINUTES_TICKS // 10):
        await later_tick(page, tick)
        measured: dict[str, Any] = await meter.send("Performance.getMetrics")
        most = max(most, next(one["value"] for one in measured["metrics"] if one["name"] == "JSHeapUsedSize"))
    assert most < MAX_PAGE_BYTES
