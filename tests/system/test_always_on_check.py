"""Promise: a running server finds out by itself that a world is not the same when it is computed again, and says so
where it can be heard; whoever plays does not notice."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

from replays.report import read_report
from tests.system.harness import Agent, RunningServer, eventually

Start = Callable[..., RunningServer]
Connect = Callable[..., Awaitable[Agent]]


def metrics(server: RunningServer) -> str:
    """What /metrics answers."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        page: bytes = answer.read()
    return page.decode()


def doctor(data: Path, game: str, old: str, new: str) -> None:
    """Change the kept code of a game: those who run it have it in memory, who computes again reads this."""
    for folder in (data / "code").iterdir():
        path = folder / "main.lua"
        if f'"{game}' in (folder / "game.toml").read_text() and old in path.read_text():
            path.write_text(path.read_text().replace(old, new))
            return
    raise AssertionError(f"{game} is not kept in {data}")


def checkers(server: RunningServer) -> list[str]:
    return [command for command in server.family().values() if "-m server.checker" in command]


async def a_duel(ada: Agent) -> str:
    """Play a duel of one's own to its end; return the world."""
    world: str = (await ada.ask("create", game="duel", clock="manual", private=True))["world"]
    await ada.ask("join", world=world, seats=2)
    picks = [asyncio.create_task(ada.ask("input", world=world, player=p, name="pick", args={"n": 4})) for p in PLAYERS]

    async def nobody_is_awaited() -> bool:
        found = (await ada.ask("worlds", game="duel", mine=True))["worlds"]
        return [each.get("waiting_for", []) for each in found if each["world"] == world] == [[]]

    await eventually(nobody_is_awaited, "both have picked")
    await ada.ask("step", world=world, ticks=1)
    assert {(await pick)["status"] for pick in picks} == {"applied"}
    stopped = asyncio.create_task(ada.ask("input", world=world, player="p_1", name="stop"))

    async def only_the_other_is_awaited() -> bool:
        found = (await ada.ask("worlds", game="duel", mine=True))["worlds"]
        return [each.get("waiting_for") for each in found if each["world"] == world] == [["p_2"]]

    await eventually(only_the_other_is_awaited, "the end is asked for")
    await ada.request("step", world=world, ticks=1)
    await stopped
    await ada.push("closed", world=world)
    return world


PLAYERS = ("p_1", "p_2")


async def test_a_world_that_comes_out_otherwise_is_told_counted_and_reported(
    serve: Start, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--check-every-s", "0.1", "--check-priority", "normal", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    good = await a_duel(ada)

    async def is_checked() -> bool:
        return "\nworldline_checked_ticks_total 2.0\n" in metrics(server)

    await eventually(is_checked, f"{good} has been computed again")
    assert "\nworldline_divergences_total 0.0\n" in metrics(server)
    live = await ada.ask("join", game="echo")

    doctor(server.data, "Duel", "note(world, player, args.n)", "note(world, player, args.n + 1)")
    bad = await a_duel(ada)
    notice = await ada.push("notice", code="world_diverged")
    assert notice["world"] == bad
    (path,) = (server.data / "reports").iterdir()
    assert str(path) in notice["message"]
    assert f"{bad}@2 diverged" in server.stderr()
    assert "\nworldline_divergences_total 1.0\n" in metrics(server)
    report = read_report(path)
    assert [difference.path for difference in report.differences] == [f"state.picks.{n}" for n in (1, 2, 3)]
    assert [each.name for each in report.inputs] == ["pick", "pick", "stop"]
    explain = [sys.executable, "-m", "server.commands", "replay", "explain", str(path), "--json"]
    explained = subprocess.run(explain, capture_output=True, text=True, check=True)
    assert json.loads(explained.stdout.splitlines()[0])["world"] == bad

    counted = await ada.ask("input", world=live["world"], name="count", args={"by": 5})
    assert (counted["status"], counted["result"]) == ("applied", {"total": 5})
    assert len(server.shard_pids()) > 0
    assert server.terminate() == 0
    assert checkers(server) == []
