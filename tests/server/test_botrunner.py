"""Bots are found and loaded from the game's own folder, and what is wrong with one is said in a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.botrunner import BotError, find_bot, load_bot, parse_think


@pytest.mark.parametrize(
    ("text", "seconds"), [("2-5", (2, 5)), ("0", (0, 0)), ("1.5", (1.5, 1.5)), ("0.1-0.2", (0.1, 0.2)), ("3-3", (3, 3))]
)
def test_thinking_times(text: str, seconds: tuple[float, float]) -> None:
    assert parse_think(text) == seconds


@pytest.mark.parametrize("text", ["", "5-2", "-1", "a", "2-", "1-2-3", "nan", "inf", "0-inf", "99999"])
def test_what_is_no_thinking_time_is_refused_with_one_that_is(text: str) -> None:
    with pytest.raises(ValueError, match="2-5"):
        parse_think(text)


def make_game(folder: Path, bot: str | None) -> Path:
    folder.mkdir(parents=True)
    (folder / "game.toml").write_text("")
    if bot is not None:
        (folder / "bot.py").write_text(bot)
    return folder


def test_the_packaged_bot_is_found() -> None:
    found = find_bot("tsunami")
    assert found is not None
    assert found.parts[-3:] == ("games", "tsunami", "bot.py")
    load_bot("tsunami")


def test_a_bot_is_found_in_a_game_folder_and_in_a_folder_of_games(tmp_path: Path) -> None:
    game = make_game(tmp_path / "tag", "async def play(player): ...\n")
    assert find_bot("tag", [tmp_path]) == game / "bot.py"
    assert find_bot("tag", [game]) == game / "bot.py"
    assert find_bot("tag") is None
    assert find_bot("tag", [make_game(tmp_path / "without" / "tag", None)]) is None


@pytest.mark.parametrize(
    ("bot", "said"),
    [
        ("x = 1\n", "has no `async def play"),
        ("def play(player): ...\n", "has no `async def play"),
        ("import nothing_like_it\n", "cannot be loaded: ModuleNotFoundError"),
        ("async def play(player:\n", "cannot be loaded: SyntaxError"),
    ],
)
def test_a_broken_bot_is_named(tmp_path: Path, bot: str, said: str) -> None:
    make_game(tmp_path / "tag", bot)
    with pytest.raises(BotError, match=said):
        load_bot("tag", [tmp_path])


def test_a_game_without_a_bot_is_named(tmp_path: Path) -> None:
    with pytest.raises(BotError, match="no bot for a game 'nothing'"):
        load_bot("nothing", [tmp_path])
