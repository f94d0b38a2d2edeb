"""Promise: what somebody asks for is what they get, whatever comes between: an answer before its picture, a cut, a slow
server, a page that is painted late; and nothing of what was wanted before takes its place."""

from __future__ import annotations

import os
import signal

import pytest
from playwright.async_api import Page

from tests.system.conftest import Connect
from tests.system.harness import RunningServer
from tests.system.page.browser import Pages
from tests.system.page.conftest import address
from tests.system.page.line import Line, is_a
from tests.system.page.playing import at_tick, go, later_tick, recorded, shown_tick, tsunami

pytestmark = pytest.mark.needs("chromium")

SCOUTED = 64
"""How fast the page runs through a recording to find out what happened."""


async def leave_the_field(page: Page) -> None:
    """Have keys mean what they mean on the page."""
    await page.evaluate("document.activeElement.blur()")


async def test_after_a_pause_one_steps_from_where_it_stands(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada")
    line = Line()
    page = await pages.open(address(server, f"#/w/{played.world}"), before=line.lay)
    before = await later_tick(page, 0)
    await line.reached(is_a("log"))  # what has been is shown by a process of its own: now it is there
    replayers = [pid for pid, command in server.family().items() if "-m server.replayer" in command]
    assert replayers
    for pid in replayers:
        os.kill(pid, signal.SIGSTOP)
    await page.keyboard.press("k")
    await later_tick(page, before + 120)  # it plays on until somebody has time to have it stand still
    live = (await line.reached(is_a("watching", live=True)))["watch"]
    line.hold(lambda message: message["type"] == "frame" and message["watch"] != live)
    for pid in replayers:
        os.kill(pid, signal.SIGCONT)
    stands = (await line.holds_back(is_a("frame")))["tick"]
    await page.get_by_role("button", name="Play").wait_for()
    assert await shown_tick(page) == stands
    await page.keyboard.press("ArrowLeft")
    await line.release()
    await at_tick(page, stands - 1)


async def test_what_is_pressed_while_the_connection_comes_back_is_done(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 500)
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}@123"), before=line.lay)
    await at_tick(page, 123)
    for key, tick in (("ArrowRight", 124), ("Shift+ArrowRight", 134)):
        await line.cut(holds=is_a("watching"))
        await line.holds_back(is_a("watching"))
        await page.locator(".connection.open").wait_for()
        await page.keyboard.press(key)
        await line.release()
        await at_tick(page, tick)
    asked = len(line.sent)
    line.hold(is_a("watching", playing=True))
    await page.keyboard.press(" ")
    await line.asked(is_a("control", action="play"), asked)
    await line.cut()
    await later_tick(page, 140)
    assert await page.get_by_role("alert").count() == 0


async def test_what_nobody_looks_at_any_more_is_left(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    line = Line()
    page = await pages.open(address(server, "#/game/echo"), before=line.lay)
    await page.locator("main.game h1", has_text="Echo").wait_for()
    for name in ("ada", "bob"):  # a connection may watch eight
        agent = await connect_agent(server.url, name)
        worlds = [(await agent.ask("create", game="echo"))["world"] for _ in range(4)]
        asked = len(line.sent)
        line.hold(is_a("watching", live=True))
        await page.evaluate("() => { location.hash = '#/'; }")
        for world in worlds:
            await line.asked(is_a("watch", world=world), asked)
        await line.holds_back(is_a("watching"))
        await page.evaluate("() => { location.hash = '#/game/echo'; }")
        await page.locator("main.game").wait_for()
        await line.release()
    another = (await (await connect_agent(server.url, "eva")).ask("create", game="echo"))["world"]
    await page.evaluate("world => { location.hash = `#/w/${world}`; }", another)
    await page.locator(".live.on").wait_for()


async def test_through_a_players_eyes_nothing_is_seen_that_another_saw_or_that_came_later(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await recorded(ada, 200)
    await ada.ask("observe", world=world)
    await ada.ask("input", world=world, name="move", args={"to": "home"}, wait_ms=0)
    await ada.ask("step", world=world, ticks=300)
    bob = await connect_agent(server.url, "bob")
    await bob.ask("join", world=world)
    await ada.ask("step", world=world, ticks=300)
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}@700"), before=line.lay)
    await at_tick(page, 700)
    eyes = page.get_by_label("Whose eyes")
    read = page.get_by_label("What the agent read")
    nothing = page.get_by_text("It had been sent nothing by this tick.")
    await eyes.select_option(label="1 ada")
    await read.wait_for()
    line.hold(is_a("watching"))
    await eyes.select_option(label="2 bob")
    await line.holds_back()
    assert await nothing.count() == 0, "nobody knows yet"
    await line.release()
    await nothing.wait_for()
    await eyes.select_option(label="1 ada")
    await read.wait_for()
    await go(page, 100)
    await nothing.wait_for()
    assert await read.count() == 0


async def test_frames_of_the_eyes_before_are_not_seen_through_the_next_ones(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    bob = await connect_agent(server.url, "bob")
    world = (await ada.ask("join", game="tsunami"))["world"]
    await bob.ask("join", world=world)
    await ada.ask("observe", world=world)
    await ada.ask("input", world=world, name="move", args={"to": "home"})
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}"), before=line.lay)
    eyes = page.get_by_label("Whose eyes")
    await eyes.select_option(label="1 ada")
    await page.get_by_label("What the agent read").wait_for()
    line.hold()
    await ada.ask("observe", world=world)
    await ada.ask("input", world=world, name="move", args={"x": 300, "z": 0})
    await line.holds_back(lambda message: message.get("observation") is not None)
    await eyes.select_option(label="2 bob")
    came = len(line.came)
    await line.release()
    watching = await line.reached(is_a("watching", live=False), came)
    await line.reached(is_a("frame", watch=watching["watch"]), came)
    await later_tick(page, max(message["tick"] for message in line.came if message["type"] == "frame"))
    assert await page.get_by_text("It had been sent nothing by this tick.").count() == 1


@pytest.mark.parametrize(
    ("place", "wanted"),
    [
        ("#/w/{world}@200", "select[aria-label=Kind] option[value='event wave_started']"),
        ("#/game/tsunami", "article h4"),
        ("#/play/tsunami", "main .actions button.primary"),
    ],
)
async def test_rules_that_a_cut_has_left_without_an_answer_are_asked_for_again(
    server: RunningServer, pages: Pages, connect_agent: Connect, place: str, wanted: str
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 400)
    line = Line()
    page = await pages.open(address(server), before=line.lay)
    await page.locator(".card").first.wait_for()
    line.hold(is_a("rules"))
    await page.evaluate("place => { location.hash = place; }", place.format(world=world))
    await line.holds_back(is_a("rules"))
    await line.cut()
    await page.locator(wanted).first.wait_for(state="attached")
    assert await page.get_by_role("alert").count() == 0


async def test_what_a_cut_has_left_unread_of_log_and_state_is_read_again(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await recorded(ada, 9000)
    await ada.ask("input", world=world, name="move", args={"to": "home"}, note="late", wait_ms=0)
    await ada.ask("step", world=world, ticks=1)
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}@1"), before=line.lay)
    await at_tick(page, 1)
    await page.keyboard.press("v")
    await page.locator(".now .entry").first.wait_for()
    asked = len(line.sent)
    line.hold(is_a("log"))
    await page.keyboard.press("End")
    await line.asked(is_a("log", limit=1000), asked)
    await line.holds_back(is_a("log"))
    await line.cut()
    await page.locator(".now .entry", has_text="to home").wait_for()
    await page.get_by_role("tab", name="State").click()
    await page.get_by_text("After tick 9,001").wait_for()
    await leave_the_field(page)
    asked = len(line.sent)
    line.hold(is_a("state"))
    await page.keyboard.press("ArrowLeft")
    await line.asked(is_a("state", tick=9000), asked)
    await line.holds_back(is_a("state"))
    await line.cut()
    await page.get_by_text("After tick 9,000").wait_for()


async def test_what_comes_before_the_page_is_painted_is_shown(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 400)
    line = Line()

    async def stand_still(page: Page) -> None:
        await line.lay(page)
        await page.clock.install()
        await page.clock.pause_at("2100-01-01")

    page = await pages.open(address(server, f"#/w/{world}@200"), before=stand_still)
    await line.reached(is_a("welcome"))
    await page.clock.resume()
    await page.locator(".connection.open").wait_for()
    await at_tick(page, 200)


async def test_what_was_chosen_counts_for_the_very_next_key(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 4000)
    page = await pages.open(address(server, f"#/w/{world}@3900"))
    await at_tick(page, 3900)
    await page.locator("option[value='event arrived']").wait_for(state="attached")
    await page.evaluate(
        """() => {
            const kind = document.querySelector("select[aria-label=Kind]");
            kind.value = "event arrived";
            kind.dispatchEvent(new Event("change", { bubbles: true }));
            document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "q", bubbles: true }));
        }""",
    )
    await page.wait_for_function("() => Number(document.getElementById('tick').value) < 3900")
    assert await shown_tick(page) < 1800, "ada arrived before the first wave"


async def test_a_tick_can_be_typed_while_the_world_runs(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    played = await tsunami(server, connect_agent, "ada")
    line = Line()
    page = await pages.open(address(server, f"#/w/{played.world}"), before=line.lay)
    await later_tick(page, 100)
    shown = await shown_tick(page)
    await page.clock.install()
    await page.clock.pause_at("2100-01-01")
    came = len(line.came)
    await line.reached(lambda message: message["type"] == "frame" and message["tick"] > shown + 30, came)
    await page.keyboard.press("g")
    await page.keyboard.type("60")
    await page.keyboard.press("Enter")
    await page.clock.resume()
    await at_tick(page, 60)


async def test_the_state_is_that_of_the_tick_that_was_wanted_last(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 400)
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}@200"), before=line.lay)
    await at_tick(page, 200)
    await page.get_by_role("button", name="Inside", exact=True).click()
    await page.get_by_role("tab", name="State").click()
    await page.get_by_text("After tick 200").wait_for()
    await leave_the_field(page)
    line.hold(is_a("state"))
    await page.keyboard.press("ArrowRight")
    await line.asked(is_a("state", tick=201))
    compared = page.get_by_role("combobox", name="Compare with")
    await compared.select_option("1")  # while the state is being computed
    await line.holds_back(is_a("state"))
    await line.release()
    await page.get_by_text("After tick 201").wait_for()
    await page.get_by_text("different from tick 200").wait_for()
    await leave_the_field(page)
    asked = len(line.sent)
    line.hold(is_a("state"))
    await page.keyboard.press("ArrowRight")
    await line.asked(is_a("state", tick=202), asked)
    await page.keyboard.press("ArrowLeft")  # and back, before it has come
    await line.release()
    await at_tick(page, 201)
    await compared.select_option("10")
    await page.get_by_text("different from tick 191").wait_for()


async def test_two_steps_through_the_log_are_two(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 9000)
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}@5000"), before=line.lay)
    await at_tick(page, 5000)
    await page.evaluate(
        """() => new MutationObserver(() => {
            if (!document.querySelector(".entries") || window.pressed) return;
            window.pressed = true;
            const press = () => new KeyboardEvent("keydown", { key: ",", bubbles: true });
            for (const event of [press(), press()]) document.body.dispatchEvent(event);
        }).observe(document.body, { childList: true, subtree: true })""",
    )
    await page.keyboard.press("v")
    whole = page.get_by_label("The entry", exact=True)
    await whole.get_by_role("heading", name="join").wait_for()


async def test_an_entry_that_was_opened_is_not_gone_back_to(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 400)
    page = await pages.open(address(server, f"#/w/{world}@300"))
    await at_tick(page, 300)
    await page.get_by_role("button", name="Entry of the log").click()
    await page.get_by_label("The entry", exact=True).wait_for()
    await go(page, 250)
    await page.get_by_role("tab", name="State").click()
    await page.get_by_text("After tick 250").wait_for()
    await page.get_by_role("tab", name="Log").click()
    await page.locator(".entry").first.wait_for()
    await leave_the_field(page)
    await page.keyboard.press("ArrowRight")
    await at_tick(page, 251)


async def test_what_was_ended_is_looked_for_again(server: RunningServer, pages: Pages, connect_agent: Connect) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 4000)
    line = Line()
    page = await pages.open(address(server, f"#/w/{world}@300"), before=line.lay)
    await at_tick(page, 300)
    await page.get_by_label("Kind").select_option("event wave_started")
    await page.get_by_label("Speed").select_option("0.25")
    await page.get_by_role("button", name="Skip idle").click()
    line.hold(lambda message: message["type"] == "watching" and message["speed"] == SCOUTED)
    await page.get_by_role("button", name="Play").click()
    await line.holds_back(is_a("watching"))
    await page.get_by_role("button", name="Stop looking").click()
    await line.release()
    await later_tick(page, 1739)


async def test_an_address_is_gone_to_however_often_it_is_given(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    world = await recorded(await connect_agent(server.url, "ada"), 400)
    page = await pages.open(address(server, f"#/w/{world}@200"))
    await at_tick(page, 200)
    await page.keyboard.press("Home")
    await at_tick(page, 0)
    await page.wait_for_url(f"**/#/w/{world}@0")
    await page.evaluate("place => { location.hash = place; }", f"#/w/{world}@200")
    await at_tick(page, 200)


async def test_the_connection_may_be_cut_twice_and_another_name_given_meanwhile(
    server: RunningServer, pages: Pages
) -> None:
    page = await pages.open(address(server, "#/play/tsunami"))
    await page.get_by_role("button", name="Join").click()
    await page.locator(".seen").wait_for()
    place = await page.locator(".seat-line a").inner_text()
    cut = "const cut = [...document.querySelectorAll('button')].find(one => one.innerText === 'Cut the connection');"
    await page.evaluate(f"() => {{ {cut} cut.click(); cut.click(); }}")
    await page.locator(".connection.lost, .connection.connecting").wait_for()
    await page.locator(".connection.open").wait_for()
    assert await page.locator(".seat-line a").inner_text() == place
    await page.locator(".bar button").click()
    await page.get_by_label("Name").fill("somebody else")
    await page.evaluate(f"() => {{ {cut} cut.click(); document.querySelector('dialog form').requestSubmit(); }}")
    await page.locator(".bar button", has_text="somebody else").wait_for()
