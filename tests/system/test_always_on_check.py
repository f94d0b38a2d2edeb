"""Promise: a running server finds out by itself that a world is not the same when it is computed again, and says so
where it can be heard; whoever plays does not notice."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

from replays.report import read_report
from tests.replays.recording import WORLD
from tests.server.test_checks import recorded, small
from tests.system.harness import Agent, RunningServer, eventually

Start = Callable[..., RunningServer]
Connect = Callable[..., Awaitable[Agent]]
PATIENCE_S = 120.0
"""A loaded machine starts processes slowly."""


def figures(server: RunningServer) -> list[str]:
    """The lines of /metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        page: bytes = answer.read()
    return page.decode().splitlines()


def checkers(server: RunningServer) -> list[str]:
    return [command for command in server.family().values() if "-m server.checker" in command]


async def test_a_world_that_comes_out_otherwise_is_counted_and_reported_and_played_on(
    tmp_path: Path, serve: Start, connect_agent: Connect
) -> None:
    """Its log says that it was played with other code than it was."""
    data, game = tmp_path / "data", tmp_path / "games" / "small"
    await recorded(data, kept=small(added=101), played=small(), ends=False)
    game.mkdir(parents=True)
    for name, content in small().files.items():
        (game / name).write_bytes(content)
    options = ("--shards", "1", "--check-every-s", "0.1", "--check-priority", "normal")
    server = serve(*options, data=data, games=game.parent)

    async def has_diverged() -> bool:
        return "worldline_divergences_total 1.0" in figures(server)

    await eventually(has_diverged, f"{WORLD} has been computed again", PATIENCE_S)
    assert 'worldline_check_failures_total{cause="lost"} 0.0' in figures(server)
    (path,) = (data / "reports").iterdir()
    assert f"{WORLD}@100 diverged" in server.stderr()
    assert f"worldline replay explain {path}" in server.stderr()
    report = read_report(path)
    assert [difference.path for difference in report.differences] == ["state.sum"]
    assert [(each.tick, each.name) for each in report.inputs] == [(51, "add")]
    ben = await connect_agent(server.url, "ben")
    (row,) = (await ben.ask("worlds", world=WORLD))["worlds"]
    assert (row["world"], row["diverged_tick"]) == (WORLD, report.tick)
    assert row.get("verified_tick") is None
    explain = [sys.executable, "-m", "server.commands", "replay", "explain", str(path), "--json"]
    explained = subprocess.run(explain, capture_output=True, text=True, check=True)
    assert json.loads(explained.stdout.splitlines()[0])["world"] == WORLD

    ada = await connect_agent(server.url, "ada")
    player = (await ada.ask("join", world=WORLD))["player"]
    assert (await ada.ask("input", world=WORLD, player=player, name="add"))["status"] == "applied"
    assert server.terminate() == 0
    assert checkers(server) == []
