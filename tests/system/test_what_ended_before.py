"""Promise: worlds that ended before the server was started again are listed as those that ended since: with their
players, last scores, owner and end, private ones as private, damaged ones as damaged; and how far a world was checked
is known after a restart."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from eventlog.index import NAME
from eventlog.reader import read_world
from eventlog.records import Close
from server.checks import FILE_NAME
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, eventually
from tests.system.test_leaderboard import GAME, MANIFEST

OPTIONS = ("--shards", "1", "--check-every-s", "0.1", "--check-priority", "normal")


def race(tmp_path: Path) -> Path:
    """The folder of a game that ends when somebody says so."""
    folder = tmp_path / "games" / "race"
    folder.mkdir(parents=True)
    (folder / "main.lua").write_text(GAME)
    (folder / "game.toml").write_text(MANIFEST)
    return folder.parent


async def rows(agent: Agent, **fields: Any) -> dict[str, dict[str, Any]]:
    """The rows of `worlds` by world."""
    return {row["world"]: row for row in (await agent.ask("worlds", **fields))["worlds"]}


def not_checked(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"verified_tick": None, "diverged_tick": None}


def disconnected(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same rows with nobody connected to an ended world."""
    return {
        world: row | {"players": [player | {"connected": False} for player in row["players"]]}
        for world, row in found.items()
    }


async def play_three(ada: Agent, bob: Agent) -> tuple[str, str, str]:
    """A world that has finished and that bob had left, a private one that was stopped, and another that finished."""
    first = (await ada.ask("join", game="race"))["world"]
    await bob.ask("join", world=first)
    await bob.ask("leave", world=first)
    own = await ada.ask("create", game="race", private=True)
    await bob.ask("join", world=own["world"], join_code=own["join_code"])
    await bob.ask("input", world=own["world"], name="count", args={"by": 3.5})
    await ada.ask("stop", world=own["world"])
    await ada.ask("input", world=first, name="count", args={"by": 30})
    await ada.ask("input", world=first, name="stop", args={})
    await ada.push("closed", world=first)
    last = (await bob.ask("join", game="race"))["world"]
    await bob.ask("input", world=last, name="stop", args={})
    await bob.push("closed", world=last)
    return first, own["world"], last


async def checked_to_the_end(agent: Agent, *worlds: str) -> bool:
    found = await rows(agent)
    return all(found[world].get("verified_tick") == found[world]["tick"] for world in worlds)


async def connected(connect_agent: Connect, server: RunningServer) -> tuple[Agent, Agent]:
    return await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")


async def test_after_a_restart_they_are_listed_as_before(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    games = race(tmp_path)
    server = serve(*OPTIONS, "--archive-after-s", "0", games=games)
    ada, bob = await connected(connect_agent, server)
    first, own, last = await play_three(ada, bob)
    await eventually(lambda: checked_to_the_end(ada, first, own, last), "what has ended is checked")
    paths = [server.data / "worlds" / world / "0001.wlogz" for world in (first, own, last)]
    await eventually(lambda: all(path.exists() for path in paths), "what has ended is archived")
    before = disconnected(await rows(ada))
    assert [(row["status"], row["private"]) for row in before.values()] == [
        ("finished", False), ("closed", True), ("finished", False)
    ]  # fmt: skip
    assert before[own]["players"][0]["score"] == 3.5
    assert server.terminate() == 0

    server = serve(*OPTIONS, games=games)
    eve = await connect_agent(server.url, "eve")
    assert await rows(eve) == before, "also how far they were checked"
    assert list(before) == sorted(before, reverse=True)
    assert list(await rows(eve, status="finished", limit=1)) == [last]
    assert await rows(eve, mine=True) == {}
    refused = await eve.request("join", world=own)
    assert (refused["code"], refused["data"]["reason"]) == ("world_closed", "stopped"), refused
    assert (await eve.ask("watch", world=first))["last_tick"] == before[first]["tick"]
    server.kill()

    (server.data / NAME).unlink()
    (server.data / FILE_NAME).unlink()
    server = serve("--shards", "1", "--check-every-s", "0", "--keep-worlds", "2", games=games)
    eve = await connect_agent(server.url, "eve")

    async def the_two_that_are_kept_with_their_players() -> bool:
        return await rows(eve) == {world: not_checked(before[world]) for world in (last, first)}

    await eventually(the_two_that_are_kept_with_their_players, "logs are read, and what is removed is not listed")


async def test_what_is_damaged_is_listed_as_damaged_and_what_is_gone_is_not(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    games = race(tmp_path)
    server = serve("--shards", "1", games=games)
    first, own, last = await play_three(*await connected(connect_agent, server))
    assert server.terminate() == 0
    path = server.data / "worlds" / own / "0001.wlog"
    (close,) = [stored for stored in read_world(server.data, own) if isinstance(stored.record, Close)]
    content = bytearray(path.read_bytes())
    content[close.offset + close.bytes - 1] ^= 1
    path.write_bytes(content)
    shutil.rmtree(server.data / "worlds" / last)

    server = serve("--shards", "1", games=games)
    eve = await connect_agent(server.url, "eve")
    found = await rows(eve)
    assert {world: (row["status"], row["private"]) for world, row in found.items()} == {
        own: ("damaged", True), first: ("finished", False)
    }  # fmt: skip


async def test_how_far_a_world_was_checked_is_known_when_it_goes_on(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--check-every-s", "0.1", "--check-priority", "normal")
    ada = await connect_agent(server.url, "ada")
    made = await ada.ask("create", game="tsunami", clock="manual")
    world = made["world"]
    await ada.ask("join", world=world)

    async def is_checked() -> bool:
        await ada.ask("step", world=world, ticks=100)
        return (await rows(ada))[world].get("verified_tick") is not None

    await eventually(is_checked, "a snapshot of it is checked", 120)
    assert server.terminate() == 0

    server = serve("--shards", "1", "--check-every-s", "0")
    eve = await connect_agent(server.url, "eve")
    row = (await rows(eve))[world]
    assert 0 < row["verified_tick"] <= row["tick"]
