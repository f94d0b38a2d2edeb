"""Promise: `worldline games check` says of every shipped game that it is good, within 20 seconds each; of others it
names game, file and line, and ends with exit code 1."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from games.code import find_games
from server.commands import main


@pytest.mark.parametrize("name", find_games())
def test_the_shipped_games_are_good(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "check", name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["game"], report["problems"]) == (name, [])
    assert report["figures"]["ticks"] > 100
    assert report["replays"] > 0
    with capsys.disabled():
        print(f" games check {name} took {report['seconds']} s here ", end="")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A copy of a shipped game in which a meal raises."""
    game = Path(shutil.copytree(find_games()["snakes"].origin, tmp_path / "adders"))
    main_lua = game / "main.lua"
    main_lua.write_text(main_lua.read_text().replace("{ length = #snake.body }", "{ length = #snake.bodies }"))
    return game


def test_a_broken_game_is_named_with_file_and_line(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = 1 + (broken / "main.lua").read_text().split("#snake.bodies")[0].count("\n")
    assert main(["games", "check", str(broken)]) == 1
    said = capsys.readouterr()
    assert "adders: not good" in said.out
    assert f"main.lua:{line}: raises: game.tick raised: attempt to get length of field 'bodies'" in said.out
    assert f"something is wrong with adders ({broken / 'main.lua'}:{line}" in said.err


def test_a_game_that_does_not_load_is_named(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (broken / "board.lua").write_text("return {\n}}\n")
    assert main(["games", "check", str(broken)]) == 1
    assert "board.lua:2: does_not_load" in capsys.readouterr().out


def test_a_rule_that_changes_history_is_named_with_the_replay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    game = Path(shutil.copytree(find_games()["parley"].origin, tmp_path / "parley"))
    (game / "replays" / "none.replay").write_text("hello")
    main_lua = game / "main.lua"
    text = main_lua.read_text()
    assert text.count("POINTS = 10") == 1
    main_lua.write_text(text.replace("POINTS = 10", "POINTS = 11"))
    assert main(["games", "check", str(game), "--ticks", "200"]) == 1
    said = capsys.readouterr().out
    assert "replays/game-1.replay: replay_differs: with this code the game goes another way before tick" in said
    assert "replays/none.replay: replay_unusable" in said


def test_an_unknown_game_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "check", "snake"]) == 1
    assert "did you mean snakes?" in capsys.readouterr().err
