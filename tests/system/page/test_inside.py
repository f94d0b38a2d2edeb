"""Promise: who may read a world's log sees what is inside it at every tick - entries, state and what changed in it,
what a player had been shown, how it runs - and takes it along; who may not learns why, and sees none of it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from eventlog.json_form import json_form
from eventlog.reader import read_world
from tests.replays.recording import WORLD
from tests.server.test_checks import recorded as recorded_small
from tests.server.test_checks import small
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.page.browser import DESKTOP, PHONE, WITHIN_MS, Pages, fits, picture, serious_findings
from tests.system.page.conftest import address
from tests.system.page.playing import at_tick, later_tick, recorded, tsunami
from tests.system.test_dev_reload import Game, join

pytestmark = pytest.mark.needs("chromium")

NODES_LEAST = 2000
ROWS_MOST = 60
HOSTILE_NOTE = "</p><script>document.title='owned'</script>"


async def inside(page: Page, part: str | None = None) -> None:
    """Look inside, at one part."""
    await page.locator(".world-head h1").wait_for()
    await page.get_by_role("button", name="Inside", exact=True).click()
    if part is not None:
        await page.get_by_role("tab", name=part).click()


async def copied(page: Page, text: str) -> None:
    """Wait until this is what has been copied: a browser takes its time for it."""
    async with asyncio.timeout(WITHIN_MS / 1000):
        while await page.evaluate("navigator.clipboard.readText()") != text:
            pass


def row(page: Page, name: str) -> Any:
    """A row of the tree by its name."""
    return page.locator(".row", has=page.get_by_text(name, exact=True)).first


async def test_a_click_in_the_feed_opens_the_entry_with_all_that_is_known_of_it(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada")
    ada = played.agents[0]
    seen = await ada.ask("observe", world=played.world)
    outcome = await ada.ask("input", world=played.world, name="deposit", note=HOSTILE_NOTE, seen_tick=seen["tick"])
    assert outcome["status"] == "rejected"
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await later_tick(page, outcome["tick"] + 60)
    await ada.ask("input", world=played.world, name="deposit", note=HOSTILE_NOTE, seen_tick=seen["tick"])
    feed = page.get_by_label("What happened, newest first")
    await feed.locator("li.rejected").first.get_by_role("button", name="Entry of the log").click()
    whole = page.get_by_label("The entry", exact=True)
    await whole.get_by_text(outcome["message"]).wait_for()
    await page.locator(".entry[aria-current=true] .mark.rejected").wait_for()  # the log has its outcome, too
    text = await whole.inner_text()
    for told in (outcome["code"], "ada", HOSTILE_NOTE, "old when it acted", "ms for its tick"):
        assert told in text
    assert "owned" not in await page.title()
    await whole.get_by_text("As the log has it").click()
    raw = json.loads(await page.get_by_label("The entry as JSON").inner_text())
    assert (raw["kind"], raw["name"], raw["note"], raw["code"]) == ("input", "deposit", HOSTILE_NOTE, outcome["code"])
    await at_tick(page, int(re.sub(r"\D", "", await whole.locator("h3 .quiet").inner_text())))
    assert await serious_findings(page) == []
    await picture(page, "inside-entry", whole=True)
    await whole.get_by_role("button", name="What it had been shown").click()
    eyes = page.locator(".inside")
    await eyes.get_by_text("What it had last been sent").wait_for()
    assert "decided on tick" in await eyes.inner_text()


async def test_the_next_and_the_previous_entry_are_found_wherever_they_are(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await recorded(ada, 9000)
    await ada.ask("input", world=world, name="move", args={"to": "home"}, note="late", wait_ms=0)
    await ada.ask("step", world=world, ticks=3000)
    page = await pages.open(address(server, f"#/w/{world}@5000"))
    await at_tick(page, 5000)
    await inside(page)
    await page.get_by_role("button", name="entry ›").wait_for()
    whole = page.get_by_label("The entry", exact=True)
    await page.keyboard.press(".")
    await whole.get_by_text("late", exact=True).wait_for()
    await at_tick(page, 9001)
    await page.keyboard.press(",")
    await whole.get_by_text("the log begins", exact=True).wait_for()
    await at_tick(page, 1)
    for kind in ("join", "open", "genesis"):
        await page.get_by_role("button", name="‹ entry").click()
        await whole.get_by_role("heading", name=kind).wait_for()
    assert await page.locator(".entry[aria-current=true]", has_text="genesis").count() == 1


async def test_the_state_of_two_thousand_nodes_is_searched_and_compared(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await recorded(ada, 400)
    told = await ada.ask("state", world=world, tick=200)
    assert len(told["state"]["scene"]["nodes"]) >= NODES_LEAST
    page = await pages.open(address(server, f"#/w/{world}@200"))
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await at_tick(page, 200)
    await inside(page, "State")
    await page.get_by_text(f"hash {told['hash']}").wait_for()
    tree = page.get_by_role("tree", name="the state")
    await tree.focus()
    for key in ("End", "Home", "ArrowDown"):
        await page.keyboard.press(key)
    await row(page, "scene").click()
    await row(page, "nodes").click()
    assert await page.locator(".row").count() <= ROWS_MOST
    assert await row(page, "nodes").get_attribute("aria-expanded") == "true"
    assert f"{{{len(told['state']['scene']['nodes'])}}}" in await row(page, "nodes").inner_text()
    await page.keyboard.press("End")
    await page.locator(".row.picked[aria-posinset]").wait_for()
    await page.keyboard.press("Home")
    await page.get_by_role("searchbox", name="Search the state").fill("P_1.SCORE")
    await page.get_by_text("1 found").wait_for()
    await row(page, "players.p_1.score").click()
    await page.get_by_role("button", name="Copy path").click()
    await copied(page, "players.p_1.score")
    await page.get_by_role("button", name="Copy command").click()
    await copied(page, f"worldline replay state {world}@200 --path 'players.p_1.score'")
    await page.get_by_role("searchbox", name="Search the state").fill("")

    before = await ada.ask("state", world=world, tick=150)
    await page.get_by_role("combobox", name="Compare with").select_option("at")
    await page.get_by_label("Tick to compare with").fill("150")
    await page.get_by_text("different from tick 150").wait_for()
    count = int(re.findall(r"([\d,]+) different", await page.locator(".state-view").inner_text())[0].replace(",", ""))
    assert count == changed_leaves(before["state"], told["state"])
    assert "was 150" in await row(page, "tick").inner_text()
    await picture(page, "inside-state", whole=True)
    assert await serious_findings(page) == []
    await page.get_by_label("only what is different").check()
    listed = page.get_by_role("tree", name="what is different from tick 150")
    assert await listed.locator(".row").first.get_attribute("aria-setsize") == str(count)
    await page.get_by_role("combobox", name="Compare with").select_option("1")
    await page.get_by_text("different from tick 199").wait_for()


def changed_leaves(before: Any, after: Any) -> int:
    """How many plain values differ, counted by hand."""
    if isinstance(before, dict) and isinstance(after, dict):
        gone = [key for key in before if key not in after]
        new = [key for key in after if key not in before]
        both = [key for key in after if key in before]
        return len(gone) + len(new) + sum(changed_leaves(before[key], after[key]) for key in both)
    if isinstance(before, list) and isinstance(after, list):
        pairs = zip(before, after, strict=False)
        return abs(len(before) - len(after)) + sum(changed_leaves(one, other) for one, other in pairs)
    return int(before != after)


async def test_a_path_leads_further_in_and_a_wrong_one_says_where_one_can_go(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 100)
    page = await pages.open(address(server, f"#/w/{world}@50"))
    await at_tick(page, 50)
    await inside(page, "State")
    await row(page, "players").wait_for()
    at = page.get_by_label("Only what stands at")
    await at.fill("players.p_9")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").get_by_text("p_9").wait_for()
    await at.fill("players")
    await page.keyboard.press("Enter")
    await row(page, "p_1").click()
    await page.get_by_text("players.p_1", exact=True).wait_for()


async def test_the_log_is_downloaded_whole(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await recorded(ada, 2000)
    await ada.ask("stop", world=world)
    page = await pages.open(address(server, f"#/w/{world}@7"))
    await at_tick(page, 7)
    await inside(page, "Take along")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Download the log").click()
    file = await (await coming.value).path()
    records = [json.loads(line) for line in Path(file).read_text().splitlines()]
    assert (await coming.value).suggested_filename == f"{world}.jsonl"
    assert records == list(json_form(read_world(server.data, world)))
    assert records[0]["record"] == "genesis"
    assert "close" in [record["record"] for record in records]
    for command in (f"worldline replay export {world}", f"worldline replay state {world}@7"):
        assert await page.get_by_text(command, exact=True).count() == 1
    assert await serious_findings(page) == []


async def test_a_fork_is_one_click_and_says_what_to_do_next(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 500)
    page = await pages.open(address(server, f"#/w/{world}@321"))
    await at_tick(page, 321)
    await inside(page)
    await page.get_by_role("button", name="Fork from here").click()
    own = page.get_by_role("region", name="Your world")
    await own.get_by_role("link", name=f"{world} stood after tick 321").wait_for()
    await page.wait_for_url(lambda url: world not in url)
    await page.locator(".entry", has_text="genesis").wait_for()
    await own.get_by_role("button", name="Run 10 ticks").click()
    await page.wait_for_function("() => document.getElementById('tick').value === '331'")
    assert await serious_findings(page) == []
    await picture(page, "inside-fork", whole=True)
    await own.get_by_role("button", name="Let it run").click()
    await later_tick(page, 400)
    await own.wait_for(state="detached")
    await page.go_back()
    await at_tick(page, 321)
    await page.locator(".world-head .check-badge").wait_for()  # whose it is comes with that
    assert await own.count() == 0, "it is not ours"


async def test_how_long_ticks_take_and_on_what_code_they_ran(
    tmp_path: Path, serve: ServerFactory, pages: Pages, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    page = await pages.open(address(server, f"#/w/{world}"))
    await later_tick(page, 60)
    await inside(page, "How it runs")
    chart = page.get_by_role("img", name="Tick times from tick")
    await chart.wait_for()
    assert float(re.findall(r"longest ([\d.]+) ms", await chart.get_attribute("aria-label") or "")[0]) > 0
    game.save(100)
    changed = await ada.push("rules_changed")
    await page.locator(".versions", has_text=changed["digest"]).wait_for()
    await page.locator(".marks rect.code").first.wait_for(state="attached")  # marks are drawn a moment later
    assert await page.locator(".marks rect.code").count() == 1
    await picture(page, "inside-run", whole=True)
    assert await serious_findings(page) == []
    await page.locator(".versions li", has_text=changed["digest"]).locator("button.tick").click()
    await at_tick(page, changed["tick"])
    other = await pages.open(address(server, f"#/w/{world}@{changed['tick']}"))
    await at_tick(other, changed["tick"])
    await inside(other, "How it runs")
    await other.get_by_text("the log does not keep it").wait_for()


async def test_the_badge_says_that_a_world_came_out_the_same_or_otherwise(
    tmp_path: Path, serve: ServerFactory, pages: Pages, connect_agent: Connect
) -> None:
    data, game = tmp_path / "data", tmp_path / "games" / "small"
    await recorded_small(data, kept=small(added=101), played=small(), ends=False)
    game.mkdir(parents=True)
    for name, content in small().files.items():
        (game / name).write_bytes(content)
    options = ("--shards", "1", "--check-every-s", "0.1", "--check-priority", "normal")
    server = serve(*options, data=data, games=game.parent)
    page = await pages.open(address(server, f"#/w/{WORLD}"))
    badge = page.locator(".world-head .check-badge")
    await badge.get_by_text("diverged at 100").wait_for(timeout=120_000)
    ada = await connect_agent(server.url, "ada")
    fresh = (await ada.ask("create", game="small", clock="manual"))["world"]
    await page.goto(address(server, f"#/w/{fresh}"))
    await badge.get_by_text("not checked yet").wait_for()
    await ada.ask("step", world=fresh, ticks=50)
    await ada.ask("stop", world=fresh)
    await badge.get_by_text("verified to 50").wait_for(timeout=120_000)


async def test_who_may_not_read_the_log_learns_why_and_sees_none_of_it(
    serve: ServerFactory, pages: Pages, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--guests", "agent", "--fair-play", "on")
    played = await tsunami(server, connect_agent, "ada")
    page = await pages.open(address(server, f"#/w/{played.world}"))
    await later_tick(page, 30)
    await inside(page)
    panel = page.get_by_role("region", name="Look inside")
    await panel.get_by_role("alert").wait_for()
    assert played.world in await panel.get_by_role("alert").inner_text()
    assert "role agent" in await panel.inner_text()
    assert "for developers who have no seat in it" in await panel.inner_text()
    assert await panel.get_by_role("tab").count() == 0
    assert await panel.get_by_role("button", name="Fork from here").count() == 0
    assert await page.locator(".check-badge").count() == 0
    assert await serious_findings(page) == []
    await picture(page, "inside-refused", whole=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_everybody_can_look_inside(
    server: RunningServer, pages: Pages, connect_agent: Connect, scheme: str, size: str
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 600)
    viewport = PHONE if size == "phone" else DESKTOP
    page = await pages.open(address(server, f"#/w/{world}@300"), viewport, color_scheme=scheme)
    await at_tick(page, 300)
    await page.keyboard.press("v")
    await page.locator(".entry").first.wait_for()
    await page.get_by_role("tab", name="Log").focus()
    waits = {"Log": ".entry", "State": ".row", "How it runs": ".versions li", "Take along": ".commands li"}
    for part, wanted in waits.items():
        assert await page.evaluate("document.activeElement.innerText") == part
        await page.locator(wanted).first.wait_for()
        if part == "Log":
            await page.get_by_role("button", name="‹ entry").click()
            await page.get_by_label("The entry", exact=True).wait_for()
            await page.get_by_role("tab", name="Log").focus()
        assert await serious_findings(page) == []
        assert await fits(page)
        await picture(page, f"inside-{part.lower().replace(' ', '-')}-{size}-{scheme}", whole=True)
        await page.keyboard.press("ArrowRight")
    await page.get_by_role("button", name="Close: look inside").click()
    assert await page.get_by_role("region", name="Look inside").count() == 0
