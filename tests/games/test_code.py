"""Promise: a game is named by what its code says, found where it was put, and refused with a reason if it is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from games.code import Engine, GameCode, find_games, load_check
from games.errors import GameError
from games.runtime.world import World
from tests.games.small import HEAD, body, code

FILES = {"game.toml": HEAD.encode(), "main.lua": body().encode()}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True)
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


def test_all_packaged_games_load() -> None:
    games = find_games()
    assert "tsunami" in games
    for game in games.values():
        load_check(game)
        assert game.manifest.title
        assert game.skill
        assert World.load(game, world_id="w", seed=1).tick == 0


def test_the_digest_covers_the_code_and_nothing_else(tmp_path: Path) -> None:
    plain = GameCode.load(write(tmp_path / "a" / "game"))
    dressed = GameCode.load(write(tmp_path / "b" / "game", SKILL__md="How to play.", bot__py="", notes__txt="x"))
    assert plain.digest == dressed.digest
    assert dressed.skill == "How to play."
    assert sorted(dressed.files) == ["game.toml", "main.lua"]
    changed = [
        GameCode.load(write(tmp_path / "c" / "game", more__lua="return 1")),
        GameCode.load(write(tmp_path / "d" / "game", main__lua=body() + "\n")),
        GameCode.load(write(tmp_path / "e" / "game", game__toml=HEAD + "\n")),
    ]
    assert len({plain.digest, *(game.digest for game in changed)}) == 4
    assert len(plain.digest) == 32


def test_names_and_contents_cannot_be_confused() -> None:
    one = GameCode.from_files("g", FILES | {"a.lua": b"b.lua", "c.lua": b""})
    two = GameCode.from_files("g", FILES | {"a.lua": b"", "c.lua": b"b.lua"})
    assert one.digest != two.digest


def test_a_log_can_bring_a_game_and_an_engine_back() -> None:
    engine = Engine.current()
    again = Engine.from_files(engine.files)
    assert again.digest == engine.digest
    game = code(body(tick="world.random()"))
    back = GameCode.from_files(game.name, game.files)
    worlds = [World.load(game, world_id="w", seed=1), World.load(back, world_id="w", seed=1, engine=again)]
    for world in worlds:
        world.run_empty(10)
    assert worlds[0].fingerprint() == worlds[1].fingerprint()


DRAWN = '[events.drawn]\nhelp = "Drawn."\nargs.x.type = "number"'


def test_another_engine_runs_instead_of_the_current_one() -> None:
    engine = Engine.current()
    changed = dict(engine.files)
    assert changed["random.lua"].count(b"rol(tobit(s1 * 5), 7)") == 1
    changed["random.lua"] = changed["random.lua"].replace(b"rol(tobit(s1 * 5), 7)", b"rol(tobit(s1 * 5), 8)")
    game = code(body(setup="world.emit('all', 'drawn', {x = world.random()})"), DRAWN)
    other = Engine.from_files(changed)
    assert other.digest != engine.digest
    worlds = [World.load(game, world_id="w", seed=1, engine=each) for each in (engine, other)]
    assert worlds[0].fingerprint() != worlds[1].fingerprint()
    with pytest.raises(GameError, match=r"engine/host\.lua"):
        World.load(game, world_id="w", seed=1, engine=Engine.from_files(changed | {"host.lua": b"= 5"}))


def test_games_are_found_in_folders_of_games_and_by_themselves(tmp_path: Path) -> None:
    write(tmp_path / "many" / "alpha")
    write(tmp_path / "many" / "beta")
    (tmp_path / "many" / "not_a_game").mkdir()
    write(tmp_path / "single")
    found = find_games([tmp_path / "many", tmp_path / "single"])
    assert {"alpha", "beta", "single", "tsunami"} <= found.keys()
    assert found["single"].origin == str((tmp_path / "single").resolve())


def test_a_name_can_be_taken_only_once(tmp_path: Path) -> None:
    write(tmp_path / "a" / "tsunami")
    with pytest.raises(GameError, match="a game named 'tsunami' is already there"):
        find_games([tmp_path / "a"])


def test_a_folder_without_games_is_a_mistake(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(GameError, match="there is no game here"):
            find_games([folder])


@pytest.mark.parametrize("name", ["Tsunami", "2048", "my-game", "", "x" * 33, "ä"])
def test_names_are_plain(name: str) -> None:
    with pytest.raises(GameError, match="is no name for a game"):
        GameCode.from_files(name, FILES)


@pytest.mark.parametrize("missing", ["game.toml", "main.lua"])
def test_missing_files_are_named(missing: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "game")
    (folder / missing).unlink()
    with pytest.raises(GameError) as caught:
        GameCode.load(folder)
    assert (caught.value.path, caught.value.reason) == (f"{folder}/{missing}", "this file is missing")


def test_errors_name_the_file_where_it_lies(tmp_path: Path) -> None:
    folder = write(tmp_path / "game", main__lua="local x =\n= 2")
    with pytest.raises(GameError) as caught:
        load_check(GameCode.load(folder))
    assert (caught.value.path, caught.value.line) == (f"{folder}/main.lua", 2)
    assert str(caught.value).startswith(f"{folder}/main.lua:2: unexpected symbol")
