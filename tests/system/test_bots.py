"""`worldline bot` plays a game's bots in one process: one that breaks is reported, the others go on."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventlog.reader import read_world
from eventlog.records import InputEntry, JoinEntry, LeaveEntry
from eventlog.store import Store
from server.audit import audit, read_lines
from tests.system.conftest import ServerFactory
from tests.system.family import nobody_left_behind, run
from tests.system.harness import GAMES, RunningServer, eventually

BOT = """
import os
import worldline

async def play(player: worldline.Player) -> None:
    for _ in range(int(os.environ.get("ROUNDS", 10**9))):
        await player.input("count", by=1, note=player.client.name)
        if player.client.name == "bot-2":
            raise RuntimeError("I give up")
        await player.think()
"""

ROUNDS = {"ROUNDS": "20"}
"""Bots that end by themselves: none is cut short by a limit that a busy machine reaches first."""


@pytest.fixture
def games(tmp_path: Path) -> Path:
    """The echo game with a bot of ours, of which the second one breaks."""
    folder = tmp_path / "games"
    shutil.copytree(GAMES / "echo", folder / "echo")
    (folder / "echo" / "bot.py").write_text(BOT)
    return folder


@pytest.fixture
def server(serve: ServerFactory, games: Path) -> RunningServer:
    return serve("--shards", "1", games=games)


def entries(server: RunningServer) -> list[Any]:
    """All that is in the logs so far, in order."""
    return [
        entry
        for world in Store.read_only(server.data).world_ids()
        for stored in read_world(server.data, world)
        for entry in getattr(stored.record, "entries", ())
    ]


def notes(server: RunningServer) -> list[str | None]:
    return [entry.note for entry in entries(server) if isinstance(entry, InputEntry)]


def test_a_bot_that_breaks_is_reported_and_the_others_go_on(server: RunningServer, games: Path, tmp_path: Path) -> None:
    arguments = ("bot", "echo", "--games", str(games), "--count", "3", "--think", "0.05", "--url", server.url)
    ended = run(tmp_path, *arguments, environment=ROUNDS)
    assert ended.returncode == 1, "one of them failed"
    assert ended.stderr == "bot-2: RuntimeError: I give up (bot.py:9)\n"
    said = notes(server)
    assert said.count("bot-2") == 1
    assert said.count("bot-1") == said.count("bot-3") == 20


def test_names_count_from_one_and_seats_are_given_back(server: RunningServer, games: Path, tmp_path: Path) -> None:
    arguments = ("bot", "echo", "--games", str(games), "--count", "1", "--think", "0.05", "--url", server.url)
    ended = run(tmp_path, *arguments, environment=ROUNDS)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    found = entries(server)
    assert [entry.name for entry in found if isinstance(entry, JoinEntry)] == ["bot-1"]
    assert [entry.reason for entry in found if isinstance(entry, LeaveEntry)] == ["left"]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
async def test_signals_end_it_with_0(
    server: RunningServer, games: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    arguments = ("bot", "echo", "--games", str(games), "--count", "1", "--think", "0.05", "--url", server.url)
    with nobody_left_behind() as family:
        process = subprocess.Popen(
            [sys.executable, "-m", "server.commands", *arguments], cwd=tmp_path, env=family.environment
        )
        await eventually(lambda: len(notes(server)) > 3, "the bot plays")
        process.send_signal(ending)
        assert process.wait(10) == 0


def test_what_bots_are_told_is_written_down_and_in_the_log(server: RunningServer, games: Path, tmp_path: Path) -> None:
    arguments = ("bot", "echo", "--games", str(games), "--count", "2", "--think", "0.05", "--url", server.url)
    ended = run(tmp_path, *arguments, "--record", "told.jsonl", environment=ROUNDS)
    assert ended.returncode == 1, "one of them fails after its first outcome"
    told = read_lines(tmp_path / "told.jsonl")
    assert len(told) == 21
    assert {outcome.player for outcome in told} == {"p_1", "p_2"}
    assert audit(server.data, told).good


def test_a_record_that_cannot_be_written_is_said_in_one_line(
    server: RunningServer, games: Path, tmp_path: Path
) -> None:
    arguments = ("bot", "echo", "--games", str(games), "--url", server.url)
    ended = run(tmp_path, *arguments, "--record", "no/such/folder.jsonl")
    assert (ended.returncode, ended.stderr) == (
        1,
        "error: cannot write no/such/folder.jsonl: No such file or directory → use another --record\n",
    )


def test_no_server_is_said_for_each_bot(games: Path, tmp_path: Path) -> None:
    arguments = ("bot", "echo", "--games", str(games), "--count", "2", "--url", "ws://127.0.0.1:1/ws")
    ended = run(tmp_path, *arguments)
    assert ended.returncode == 1
    assert re.fullmatch(r"(bot-[12]: disconnected: cannot connect .*\n){2}", ended.stderr)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("nothing",), 1, "error: there is no bot for a game 'nothing' → "),
        (("tsunami", "--think", "5-2"), 2, "error: Invalid value for '--think'"),
        (("tsunami", "--count", "0"), 2, "error: Invalid value for '--count'"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    ended = run(tmp_path, "bot", *arguments)
    assert ended.returncode == exit_code
    assert ended.stderr.startswith(said)
    assert len(ended.stderr.splitlines()) == 1
