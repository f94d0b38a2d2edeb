"""Promise: a leaderboard comes from the logs: scores of who left and of who stayed, in ranked worlds that have ended,
and the same after the index was made anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import worldline
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import eventually

GAME = """
local game = { inputs = {} }
function game.inputs.count(world, player, args) world.score(player, args.by) end
function game.inputs.stop(world, player) world.finish({ why = "asked" }) end
function game.observe(world, player) return {} end
return game
"""
MANIFEST = """
title = "Race"
summary = "Counts, and ends when somebody says so."
max_players = 8
min_players = 1
clock = "realtime"
tick_hz = 60
[inputs.count]
help = "Say a score."
args.by = { type = "number", min = -1000, max = 1000 }
[inputs.stop]
help = "End it."
"""


def rebuild(data: Path) -> None:
    """Make the index anew, as an operator would."""
    (data / "index.sqlite").unlink()
    command = [sys.executable, "-m", "server.commands", "index", "rebuild", "--data", str(data)]
    subprocess.run(command, check=True, capture_output=True)


async def test_scores_stay_when_players_leave_and_worlds_end(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    race = tmp_path / "games" / "race"
    race.mkdir(parents=True)
    (race / "main.lua").write_text(GAME)
    (race / "game.toml").write_text(MANIFEST)
    server = serve("--shards", "1", games=tmp_path / "games")
    agents = {name: await connect_agent(server.url, name) for name in ("ada", "bob", "cyd")}

    async def play(world: dict[str, Any], scores: dict[str, float], leavers: tuple[str, ...] = ()) -> str:
        for name, score in scores.items():
            joined = await agents[name].ask("join", **world)
            await agents[name].ask("input", world=joined["world"], name="count", args={"by": score})
        for name in leavers:
            await agents[name].ask("leave", world=joined["world"])
        await agents["ada"].ask("input", world=joined["world"], name="stop", args={})
        assert (await agents["ada"].push("closed", world=joined["world"]))["status"] == "finished"
        standing = {name: score for name, score in scores.items() if name not in leavers}

        async def listed_with_last_scores() -> bool:
            (row,) = (await agents["ada"].ask("worlds", world=joined["world"]))["worlds"]
            return {each["name"]: each["score"] for each in row["players"]} == standing

        await eventually(listed_with_last_scores, "an ended world is listed with its last scores")
        return str(joined["world"])

    first = await play({"game": "race"}, {"bob": 30, "ada": 12.5}, leavers=("bob",))
    second = await play({"game": "race"}, {"ada": 8, "cyd": 30})
    own = await agents["ada"].ask("create", game="race", seed=7)
    await play({"world": own["world"]}, {"ada": 1000})

    expected = [(1, "bob", 30, first), (1, "cyd", 30, second), (3, "ada", 12.5, first)]

    async def board() -> list[tuple[int, str, float, str]]:
        async with worldline.connect(server.url) as client:
            return [(each.rank, each.name, each.score, each.world) for each in await client.leaderboard("race")]

    async def is_complete() -> bool:
        return await board() == expected

    await eventually(is_complete, "worlds that have ended are in the index")
    page = await agents["ada"].ask("leaderboard", game="race", limit=2)
    assert ([each["name"] for each in page["entries"]], page["next"]) == (["bob", "cyd"], "2")
    page = await agents["ada"].ask("leaderboard", game="race", limit=2, next="2")
    assert ([each["name"] for each in page["entries"]], page.get("next")) == (["ada"], None)
    refused = await agents["ada"].request("leaderboard", game="rase")
    assert (refused["code"], refused["valid"][0]) == ("unknown_game", "race")
    assert (await agents["ada"].request("leaderboard", game="race", next="x"))["path"] == "next"

    assert server.terminate() == 0
    rebuild(server.data)
    server = serve("--shards", "1", games=tmp_path / "games")
    assert await board() == expected


async def test_a_leaderboard_that_cannot_be_read_is_refused_and_not_left_open(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    index = server.data / "index.sqlite"
    index.unlink(missing_ok=True)
    index.symlink_to(index)  # nobody can open that
    refused = await ada.request("leaderboard", game="tsunami")
    assert (refused["type"], refused["code"]) == ("error", "overloaded") and refused["retry_after_ms"] > 0
    index.unlink()
    assert (await ada.ask("leaderboard", game="tsunami"))["entries"] == []
