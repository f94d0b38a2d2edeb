"""`worldline demo` shows a game that moves, stops cleanly, and its last lines work when they are copied."""

from __future__ import annotations

import fcntl
import os
import re
import shlex
import signal
from pathlib import Path
from typing import Final

import pytest

from server.commands import COMMANDS
from tests.system.family import nobody_left_behind, run
from tests.system.terminal import Terminal

ADDRESS: Final = re.compile(r"worldline \S+ · http://127\.0\.0\.1:(\d+)/ · data (\S+)")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A demo of some seconds without a terminal: its folder and all that it printed."""
    folder = tmp_path_factory.mktemp("demo")
    ended = run(folder, "demo", "--seconds", "8", "--port", "0", "--agents", "4", "--shards", "1")
    assert ended.returncode == 0, ended.stderr
    return folder, ended.stdout


def test_the_first_line_says_where_a_browser_shows_it(shown: tuple[Path, str]) -> None:
    match = ADDRESS.match(shown[1])
    assert match is not None, shown[1]
    assert int(match[1]) > 0


def test_ticks_move_and_players_play(shown: tuple[Path, str]) -> None:
    lines = shown[1].splitlines()
    ticks = [int(match[1]) for line in lines if (match := re.search(r"· w_\w+ tick (\d+)", line))]
    assert len(ticks) >= 2, shown[1]
    assert ticks == sorted(ticks)
    assert ticks[-1] > ticks[0]
    assert any(re.search(r"@\d+ bot-\d joined on seat \d", line) for line in lines), shown[1]
    assert any(re.search(r"@\d+ bot-\d \w+ .*applied", line) for line in lines), shown[1]


def test_the_data_are_kept_where_it_says(shown: tuple[Path, str]) -> None:
    folder, text = shown
    match = ADDRESS.match(text)
    assert match is not None
    assert list((folder / match[2] / "worlds").glob("w_*/0001.wlog"))
    assert not list((folder / match[2] / "journal").rglob("*.journal")), "the server was stopped cleanly"


def test_the_next_steps_exist(shown: tuple[Path, str]) -> None:
    folder, text = shown
    steps = [line.strip().split("   ")[0] for line in text.split("\nnext:\n")[1].splitlines()]
    assert len(steps) >= 4
    said = [shlex.split(step) for step in steps]
    names = [next(word for word in words if word in COMMANDS) for words in said]
    assert {"log", "serve", "bot", "bench"} == set(names)
    for words, name in zip(said, names, strict=True):
        asked = words[words.index(name) :]
        # Readers of the log run as they stand; the others would not end by themselves, so their spelling is checked.
        ended = run(folder, *(asked if name == "log" else [*asked, "--help"]))
        assert ended.returncode == 0, f"{asked}: {ended.stderr}"
        assert ended.stdout.strip()


def test_a_data_folder_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    lock = (data / "LOCK").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    ended = run(tmp_path, "demo", "--port", "0", "--data", str(data))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1
    assert "--data" in ended.stderr


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_on_a_terminal_the_map_is_shown_until_it_is_stopped(tmp_path: Path, ending: signal.Signals) -> None:
    with nobody_left_behind() as family:
        terminal = Terminal(tmp_path, family.environment, "demo", "--port", "0", "--agents", "3", "--shards", "1")
        try:
            terminal.read_until(ADDRESS.pattern)
            terminal.read_until(r"w_\w+ at tick \d+")
            terminal.read_until(r"⌂")
            terminal.read_until(r"1 bot-\d \d")
            terminal.read_until(r"joined on seat")
            assert "◆" in terminal.text
            drawn_until = len(terminal.text)
            terminal.process.send_signal(ending)
            assert terminal.read_to_the_end() == 0
            end = terminal.text[drawn_until:]
            assert "next:" in end
            assert "Traceback" not in terminal.text
        finally:
            terminal.close()


KILLED = r"kill -9: 1 world back in \d+\.\d\d s · (\d+) acknowledged · 0 lost · 0 doubled"


def test_the_key_k_kills_a_tick_worker_and_nothing_is_lost(tmp_path: Path) -> None:
    with nobody_left_behind() as family:
        terminal = Terminal(tmp_path, family.environment, "demo", "--port", "0", "--agents", "3", "--shards", "1")
        try:
            ways = terminal.ways
            terminal.read_until(r"k kills a tick worker")
            assert terminal.ways != ways, "keys come one by one, and are not shown"
            terminal.read_until(r"move to=\S+ applied")
            terminal.press("xk")
            told = int(terminal.read_until(KILLED)[1])
            assert told > 0
            terminal.press("k")
            assert int(terminal.read_until(KILLED + r".*(?s:.*)" + KILLED)[2]) >= told
            terminal.press("\x03")
            assert terminal.read_to_the_end() == 0
            assert terminal.ways == ways, "the terminal is as it was"
            assert "Traceback" not in terminal.text
        finally:
            terminal.close()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_the_terminal_is_as_it_was_however_it_ends(tmp_path: Path, ending: signal.Signals) -> None:
    with nobody_left_behind() as family:
        terminal = Terminal(tmp_path, family.environment, "demo", "--port", "0", "--agents", "1", "--shards", "1")
        try:
            ways = terminal.ways
            terminal.read_until(r"k kills a tick worker")
            terminal.process.send_signal(ending)
            assert terminal.read_to_the_end() == 0
            assert terminal.ways == ways
        finally:
            terminal.close()


def test_without_a_terminal_a_kill_can_be_ordered(tmp_path: Path) -> None:
    ended = run(
        tmp_path, "demo", "--port", "0", "--seconds", "4", "--kill-after", "3", "--agents", "4", "--shards", "2"
    )
    assert ended.returncode == 0, ended.stderr
    assert len(re.findall(KILLED, ended.stdout)) == 1, ended.stdout
    assert "k kills" not in ended.stdout


def test_ctrl_c_ends_the_whole_group_cleanly(tmp_path: Path) -> None:
    """A terminal sends SIGINT to all processes at once: server, bots and view must not end each other's way."""
    with nobody_left_behind() as family:
        terminal = Terminal(tmp_path, family.environment, "demo", "--port", "0", "--agents", "3", "--shards", "1")
        try:
            terminal.read_until(r"joined on seat")
            os.killpg(terminal.process.pid, signal.SIGINT)
            assert terminal.read_to_the_end() == 0
            assert "Traceback" not in terminal.text
            assert "error" not in terminal.text
        finally:
            terminal.close()
    assert not list((tmp_path / "worldline-data" / "journal").rglob("*.journal"))


def test_when_it_is_killed_nobody_stays_and_the_next_one_goes_on(tmp_path: Path) -> None:
    with nobody_left_behind() as family:
        terminal = Terminal(tmp_path, family.environment, "demo", "--port", "0", "--agents", "3", "--shards", "1")
        try:
            terminal.read_until(r"joined on seat")
            terminal.process.kill()
            terminal.process.wait()
        finally:
            terminal.close()
    again = run(tmp_path, "demo", "--port", "0", "--seconds", "3", "--agents", "3", "--shards", "1")
    assert again.returncode == 0, again.stderr
    assert "worlds" in again.stdout or "1 world" in again.stdout
