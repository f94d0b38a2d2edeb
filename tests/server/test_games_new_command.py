"""Promise: `worldline games new` writes a game that is good as it stands, for each clock, and overwrites nothing;
`games ls` lists every game."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from games.code import GameCode
from games.scaffold import CLOCKS, FILES
from server.commands import main


@pytest.mark.parametrize("clock", CLOCKS)
def test_a_new_game_is_good(clock: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "new", "my_game", "--clock", clock, "--to", str(tmp_path / "games")]) == 0
    folder = tmp_path / "games" / "my_game"
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    code = GameCode.load(folder)
    assert (code.manifest.clock, code.manifest.title) == (clock, "My game")
    assert not [file for file in FILES if "Untitled" in (folder / file).read_text()]
    capsys.readouterr()
    assert main(["games", "check", str(folder), "--ticks", "1000", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["problems"], report["notes"]) == ([], []), "random agents see all of it"


@pytest.mark.parametrize("name", ["Mine", "my-game", "9lives", "", "../up", "x" * 33])
def test_a_bad_name_is_refused(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "new", name, "--to", str(tmp_path)]) == 1
    assert "is no name for a game" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_packaged_game_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "new", "snakes", "--to", str(tmp_path)]) == 1
    assert "snakes is the name of a packaged game" in capsys.readouterr().err


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "main.lua").write_text("-- precious")
    assert main(["games", "new", "mine", "--to", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["main.lua"]
    assert (tmp_path / "mine" / "main.lua").read_text() == "-- precious"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert main(["games", "new", "mine", "--to", str(tmp_path / "file" / "games")]) == 1
    assert "file" in capsys.readouterr().err


def test_all_games_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "new", "mine", "--to", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["games", "ls", "--games", str(tmp_path), "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["game"], row["clock"]) for row in rows] == [
        ("parley", "turn"),
        ("snakes", "lockstep"),
        ("tsunami", "realtime"),
        ("mine", "realtime"),
    ]
    assert main(["games", "ls"]) == 0
    assert [line.split("\t")[:3] for line in capsys.readouterr().out.splitlines()] == [
        ["parley", "turn", "2-6"],
        ["snakes", "lockstep", "2-4"],
        ["tsunami", "realtime", "1-8"],
    ]
