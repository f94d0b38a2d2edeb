"""Promise: whoever opens the server's address sees what there is, worlds as they come and go, on a desk and on a phone,
in light and dark, with or without eyes; other people's names are never markup."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.page.browser import DESKTOP, PHONE, Pages, fits, picture, serious_findings
from tests.system.page.conftest import address
from tests.system.page.playing import later_tick
from tests.system.test_leaderboard import GAME, MANIFEST

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
    # It may be listed before its first player is in it.
    await page.locator(".card.world", has_text=joined["world"]).get_by_text("ada").wait_for()
    assert await page.get_by_text("No world runs at the moment.").count() == 0


async def test_one_button_starts_a_world_with_bots_and_shows_it(server: RunningServer, pages: Pages) -> None:
    page = await pages.open(address(server))
    await page.get_by_role("button", name="Start a demo world").click()
    await page.locator(".player", has_text="bot-8").wait_for()
    await later_tick(page, 0)
    await page.go_back()
    await page.locator(".card", has_text="Parley").get_by_role("button", name="Let bots play").click()
    await page.locator(".player").nth(5).wait_for()


async def test_only_a_game_that_has_bots_lets_them_play(server: RunningServer, pages: Pages) -> None:
    page = await pages.open(address(server))
    for title, buttons in (("Snakes", 1), ("Echo", 0)):
        card = page.locator(".card", has=page.get_by_role("heading", name=title, exact=True))
        await card.get_by_role("link", name="Rules").wait_for()
        assert await card.get_by_role("button", name="Let bots play").count() == buttons


async def test_who_may_not_start_bots_has_no_button_for_it(serve: ServerFactory, pages: Pages) -> None:
    server = serve("--shards", "1", "--guests", "spectator")
    page = await pages.open(address(server))
    await page.get_by_text("It begins when an agent joins").wait_for()
    assert await page.get_by_role("button", name="bots").count() == 0
    assert await page.get_by_role("link", name="Play by hand").count() == 0


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


async def test_who_was_best_and_what_has_ended_come_by_themselves(
    serve: ServerFactory, pages: Pages, connect_agent: Connect, tmp_path: Path
) -> None:
    race = tmp_path / "games" / "race"
    race.mkdir(parents=True)
    (race / "main.lua").write_text(GAME)
    (race / "game.toml").write_text(MANIFEST)
    server = serve("--shards", "1", games=tmp_path / "games")
    home = await pages.open(address(server))
    await home.get_by_text("No world runs at the moment.").wait_for()
    hostile = await connect_agent(server.url, HOSTILE)
    world = (await hostile.ask("join", game="race"))["world"]
    await hostile.ask("input", world=world, name="count", args={"by": 12.5})
    await hostile.ask("input", world=world, name="stop", args={})
    page = await pages.open(address(server, "#/game/race"))
    row = page.locator(".leaders tbody tr")
    await row.wait_for()
    assert [HOSTILE, "12.5", world] == [(await row.locator("td").nth(column).inner_text()) for column in (1, 2, 3)]
    assert await page.title() == "Race · Worldline"
    await home.locator("section", has_text="Recent replays").get_by_role("link", name=world).wait_for()
    best = home.get_by_role("table", name="Leaderboard of Race")
    await best.get_by_text(HOSTILE).wait_for()
    assert await serious_findings(home) == []
    await picture(home, "home-ended")

    server.kill()
    server = serve("--shards", "1", games=tmp_path / "games")
    home = await pages.open(address(server))
    card = home.locator("section", has_text="Recent replays").locator(".card.world", has_text=world)
    await card.get_by_text(HOSTILE).wait_for()  # what ended before the server was started again
    await card.get_by_text("12.5").wait_for()
    await card.get_by_role("link", name=world).click()
    await home.locator(".player", has_text=HOSTILE).wait_for()


async def test_what_runs_is_shown_however_much_has_ended_since_it_began(
    server: RunningServer, pages: Pages, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    old = (await ada.ask("join", game="echo"))["world"]
    for number in range(5):
        maker = await connect_agent(server.url, f"maker-{number}")
        for _ in range(5):
            made = await maker.ask("create", game="echo")
            await maker.ask("stop", world=made["world"])
    page = await pages.open(address(server))
    await page.locator("section", has_text="Recent replays").get_by_role("link", name=made["world"]).wait_for()
    await page.locator("section", has_text="Running now").get_by_role("link", name=old).wait_for()
