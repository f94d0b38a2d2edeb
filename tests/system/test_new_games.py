"""Promise: a game that `worldline games new` writes is served as it is, played by its bots, and replayed exactly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.reader import read_world
from eventlog.records import InputEntry
from eventlog.store import Store
from games.scaffold import CLOCKS
from tests.system.conftest import ServerFactory


def worldline(*words: str) -> str:
    """Run a command that must succeed, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "server.commands", *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_new_game_is_played_by_its_bots_and_replayed(clock: str, serve: ServerFactory, tmp_path: Path) -> None:
    games = tmp_path / "games"
    worldline("games", "new", "mine", "--clock", clock, "--to", str(games))
    server = serve("--shards", "1", games=games)
    limit = ["--seconds", "6"] if clock == "realtime" else []
    playing = ["--count", "2", "--think", "0.05", "--url", server.url, "--games", str(games), *limit]
    worldline("bot", "mine", *playing)
    assert server.terminate() == 0
    (world,) = Store.read_only(server.data).world_ids()
    inputs = [
        entry
        for stored in read_world(server.data, world)
        for entry in getattr(stored.record, "entries", ())
        if isinstance(entry, InputEntry)
    ]
    assert len(inputs) > 4
    assert {entry.player for entry in inputs} == {"p_1", "p_2"}
    assert "verified" in worldline("replay", "verify", "--data", str(server.data))
