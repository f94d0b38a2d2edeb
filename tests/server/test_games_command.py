"""Promise: `worldline games skill` keeps the tables of a SKILL.md as the manifest has them; `--check` only looks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from games.code import find_games
from server.commands import main


@pytest.fixture
def game(tmp_path: Path) -> Path:
    """A copy of a shipped game, up to date."""
    return Path(shutil.copytree(find_games()["tsunami"].origin, tmp_path / "wavelet"))


def test_the_shipped_games_are_up_to_date() -> None:
    for name in find_games():
        assert main(["games", "skill", name, "--check"]) == 0


def test_a_stale_table_is_found_then_written(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest, skill = game / "game.toml", game / "SKILL.md"
    help = "Put the relic you carry into a free slot of your home."
    manifest.write_text(manifest.read_text().replace(help, "Bury it."))
    before = skill.read_text()
    line = next(number for number, text in enumerate(before.splitlines(), 1) if help in text)

    assert main(["games", "skill", str(game), "--check"]) == 1
    assert f"{skill}:{line} is not up to date" in capsys.readouterr().err
    assert skill.read_text() == before, "--check only looks"

    assert main(["games", "skill", str(game)]) == 0
    assert "Bury it." in skill.read_text()
    assert main(["games", "skill", str(game), "--check"]) == 0


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("SKILL.md", "<!-- end -->", "", "needs its own <!-- end -->"),
        ("game.toml", "tick_hz = 60", "tick_hz = 'fast'", "game.toml:"),
    ],
)
def test_a_mistake_names_file_and_line(
    game: Path, file: str, old: str, new: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = game / file
    path.write_text(path.read_text().replace(old, new, 1))
    assert main(["games", "skill", str(game)]) == 1
    said = capsys.readouterr().err
    assert says in said
    assert f"{file}:" in said


def test_an_unknown_game_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["games", "skill", "tsunam"]) == 1
    assert "did you mean tsunami?" in capsys.readouterr().err


def test_a_folder_without_a_skill_file_says_what_is_missing(game: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (game / "SKILL.md").unlink()
    assert main(["games", "skill", str(game)]) == 1
    assert "a game's folder needs a SKILL.md" in capsys.readouterr().err
