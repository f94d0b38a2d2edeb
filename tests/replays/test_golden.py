"""Promise: the recorded games of every shipped game go the same way with the code and the engine of today, so that no
change alters history unnoticed; and with the code in the file they always do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from eventlog.reader import read_world
from eventlog.records import Checkpoint, Close, InputEntry, Tick, TimeoutEntry
from games.code import GameCode, find_games
from replays.bundle import unpacked
from replays.golden import check_folder, check_golden, golden_replays
from replays.replay import replay
from replays.verify import verify_bundle
from tests import golden_replays as recorder
from tests.games.tsunami_driver import variant
from tests.replays.test_reexecution import broken

ALL = [path for game in find_games().values() for path in golden_replays(Path(game.origin))]
RECORD_AGAIN = (
    "if this change of history is meant: `python -m tests.golden_replays --record`, and look at what it prints"
)


def code_of(path: Path) -> GameCode:
    return find_games()[path.parent.parent.name]


def named(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", ALL, ids=named)
def test_the_game_goes_the_same_way_with_the_code_of_today(path: Path) -> None:
    verdict = check_golden(path, code_of(path))
    assert verdict.status == "same", f"{verdict.problem}\n{RECORD_AGAIN}"


@pytest.mark.parametrize("path", ALL, ids=named)
def test_the_game_goes_the_same_way_with_the_code_in_the_file(path: Path) -> None:
    verdict = verify_bundle(path)
    assert verdict.status == "verified", verdict.problem


def test_every_game_has_those_that_are_recorded_and_no_other() -> None:
    expected = {recorder.path_of(game, name) for game, names in recorder.RECORDED.items() for name in names}
    assert set(ALL) == expected
    assert set(recorder.RECORDED) == set(find_games())


@pytest.mark.parametrize("path", ALL, ids=named)
def test_something_happens_in_it(path: Path) -> None:
    assert path.stat().st_size <= 150 * 1024
    with unpacked(path) as (data, world):
        found = [stored.record for stored in read_world(data, world)]
    entries = [entry for record in found if isinstance(record, Tick) for entry in record.entries]
    assert sum(isinstance(entry, InputEntry) for entry in entries) >= 15
    assert sum(isinstance(record, Checkpoint) for record in found) >= 1
    assert isinstance(found[-1], Close)
    outcomes = {note.status for record in found if isinstance(record, Tick) for note in record.outcomes}
    assert "applied" in outcomes


def test_among_them_are_a_wave_and_moves_that_were_not_made() -> None:
    with unpacked(recorder.path_of("tsunami", "a-wave")) as (data, world):
        walk = replay(data, world).run().world
        assert 50 * 60 < walk.tick <= 60 * 60
        heard = [event.kind for event in walk.events("p_2", 1).items]
        assert heard.count("wave_started") >= 2, "the second begins when the first is over"
    silent = 0
    for game in ("snakes", "parley"):
        for name in recorder.RECORDED[game]:
            with unpacked(recorder.path_of(game, name)) as (data, world):
                for stored in read_world(data, world):
                    entries = stored.record.entries if isinstance(stored.record, Tick) else []
                    silent += sum(isinstance(entry, TimeoutEntry) for entry in entries)
    assert silent > 0


def test_a_change_of_one_rule_is_noticed() -> None:
    path = recorder.path_of("tsunami", "a-wave")
    verdict = check_golden(path, variant(("WAVE_SPEED = 35", "WAVE_SPEED = 36")))
    assert verdict.status == "differs"
    assert 0 < verdict.tick <= 60 * 60
    assert f"goes another way before tick {verdict.tick} → if that is meant" in (verdict.problem or "")


def test_a_replay_of_another_game_is_named() -> None:
    verdict = check_golden(recorder.path_of("snakes", "game-1"), broken())
    assert verdict.status == "differs"
    assert "recorded of snakes" in (verdict.problem or "")


def test_a_game_that_loops_for_ever_now_ends_with_its_process(tmp_path: Path) -> None:
    game = Path(shutil.copytree(find_games()["parley"].origin, tmp_path / "parley"))
    assert [golden.status for golden in check_folder(game)] == ["same"] * 3
    main_lua = game / "main.lua"
    text = main_lua.read_text()
    assert text.count("function game.inputs.offer(world, player, args)\n") == 1
    endless = "function game.inputs.offer(world, player, args)\n  while true do end\n"
    main_lua.write_text(text.replace("function game.inputs.offer(world, player, args)\n", endless))
    (golden,) = check_folder(game, cpu_s=3)
    assert (golden.status, golden.path) == ("cannot", str(game / "replays" / "game-1.replay"))
    assert re.search(
        r"was not done after 3 s of processor time at tick \d+, game.inputs.offer of p_\d offer ", golden.problem or ""
    )


def test_a_file_that_is_none_or_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.replay").write_text("hello")
    for name, says in (("text.replay", "no replay file"), ("missing.replay", "it cannot be read")):
        verdict = check_golden(tmp_path / name, broken())
        assert (verdict.status, says in (verdict.problem or "")) == ("cannot", True)


async def test_the_same_code_records_the_same_bytes(tmp_path: Path) -> None:
    for number in (1, 2):
        await recorder.record("parley", "game-1", tmp_path / f"{number}.replay")
    assert (tmp_path / "1.replay").read_bytes() == (tmp_path / "2.replay").read_bytes()
