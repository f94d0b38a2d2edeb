"""Promise: the inputs of a recorded game can be played again with other code, and with one of them changed, and both
ends are told side by side; nothing in the data folder changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from games.errors import ArgumentProblem
from replays.bisect import bisect
from replays.errors import NotPossible, TickOutOfRange, UnknownPlayer
from replays.fork import Identity, fork, write_fork
from replays.rerun import rerun, what_if
from tests.golden_replays import path_of
from tests.replays.mill import changed, recorded
from tests.replays.recording import WORLD, Recording

FORK = "w_2222222222"


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_the_same_code_comes_to_the_same_end(tmp_path: Path) -> None:
    await recorded(tmp_path)
    before = files(tmp_path)
    found = rerun(tmp_path, WORLD, changed())
    assert (found.tick_was, found.tick_now, found.parted_tick, found.left_out) == (1200, 1200, None, [])
    assert [(each.player, each.was == each.now) for each in found.scores] == [("p_1", True), ("p_2", True)]
    assert files(tmp_path) == before


async def test_other_code_comes_to_its_own_end(tmp_path: Path) -> None:
    await recorded(tmp_path)
    found = rerun(tmp_path, WORLD, changed(("args.hours * 10", "args.hours * 20")))
    one, other = found.scores
    assert one.was is not None
    assert one.now == one.was + 380, "38 hours of work"
    assert other.was == other.now
    assert found.parted_tick == 101 + 19, "the record after the first pay"


async def test_what_does_not_fit_any_more_is_left_out_and_named(tmp_path: Path) -> None:
    await recorded(tmp_path)
    leaving = 'if args.amount > 5 then world.kick(player, "too rich") end\n  if args.amount > world.state'
    found = rerun(tmp_path, WORLD, changed(("if args.amount > world.state", leaving)))
    assert [(each.tick, each.entry) for each in found.left_out] == [
        (tick, f'p_2 spend {{"amount":{(tick - 1) // 75}}}') for tick in (751, 951, 1151)
    ]
    assert found.left_out[0].why == "p_2 is not seated"
    assert [(each.player, each.now is None) for each in found.scores] == [("p_1", False), ("p_2", True)]


async def test_who_has_left_is_told_with_what_it_had(tmp_path: Path) -> None:
    recording = Recording(tmp_path, changed(), seed=1, settings={})
    one, other = recording.join(), recording.join()
    recording.input(one, "work", {"hours": 4})
    recording.run(200)
    recording.leave(one)
    recording.run(30)
    recording.leave(other)
    await recording.close()
    found = rerun(tmp_path, WORLD, changed(("args.hours * 10", "args.hours * 20")))
    assert [(each.player, each.name, each.was, each.now) for each in found.scores] == [
        ("p_1", "agent p_1", 43, 83),
        ("p_2", "agent p_2", 3, 3),
    ]


async def test_a_game_that_ends_sooner_ends_there(tmp_path: Path) -> None:
    await recorded(tmp_path)
    ending = "function game.tick(world, dt)\n  if world.tick == 500 then world.finish({ over = true }) end\n"
    found = rerun(tmp_path, WORLD, changed(("function game.tick(world, dt)\n", ending)))
    assert (found.tick_now, found.result_now, found.result_was) == (500, {"over": True}, None)
    assert found.left_out


async def test_one_input_is_changed_and_all_others_stay(tmp_path: Path) -> None:
    await recorded(tmp_path)
    before = files(tmp_path)
    found = what_if(tmp_path, WORLD, 400, "p_1", "work", {"hours": 1}, ticks=250)
    assert (found.tick, found.instead, found.status) == (401, ['p_1 work {"hours":5}'], "applied")
    assert (found.rerun.tick_was, found.rerun.tick_now) == (650, 650)
    one, other = found.rerun.scores
    assert one.was is not None
    assert one.now == one.was - 40
    assert other.now == other.was
    assert found.rerun.left_out == []
    assert files(tmp_path) == before


async def test_an_input_where_there_was_none_is_put_in(tmp_path: Path) -> None:
    await recorded(tmp_path)
    for tick in (10, 333, 380, 419, 1199):
        found = what_if(tmp_path, WORLD, tick, "p_1", "work", {"hours": 3}, ticks=10**6)
        assert (found.tick, found.instead, found.status) == (tick + 1, [], "applied")
        was, now = found.rerun.scores[0].was, found.rerun.scores[0].now
        assert (found.rerun.tick_now, now, was) == (1200, (was or 0) + 30, was), tick
    found = what_if(tmp_path, WORLD, 333, "p_2", "work", {"hours": 9}, ticks=10)
    assert (found.status, found.code, found.message) == ("rejected", "tired", "Nobody works longer than 8 hours.")


async def test_in_a_game_of_turns_only_who_is_to_act_can_have_acted_otherwise(tmp_path: Path) -> None:
    from replays.bundle import unpacked

    with unpacked(path_of("snakes", "game-1")) as (data, world):
        shutil.copytree(data, tmp_path / "data")
    found = what_if(tmp_path / "data", world, 3, "p_1", "move", {"direction": "down"}, ticks=5)
    assert found.tick == 4
    assert len(found.instead) == 1
    assert found.status in ("applied", "rejected")


async def test_what_cannot_be_tried_is_refused_with_what_can(tmp_path: Path) -> None:
    await recorded(tmp_path)
    with pytest.raises(UnknownPlayer, match="has no player p_5: seated are p_1, p_2 →"):
        what_if(tmp_path, WORLD, 10, "p_5", "work", {"hours": 1}, ticks=5)
    with pytest.raises(ArgumentProblem, match="hours"):
        what_if(tmp_path, WORLD, 10, "p_1", "work", {"hours": 99}, ticks=5)
    with pytest.raises(NotPossible, match=r"@1200: nothing is logged after it → name an earlier tick"):
        what_if(tmp_path, WORLD, 1200, "p_1", "work", {"hours": 1}, ticks=5)
    with pytest.raises(TickOutOfRange):
        what_if(tmp_path, WORLD, 1201, "p_1", "work", {"hours": 1}, ticks=5)


async def test_a_fork_is_played_again_from_where_it_was_forked(tmp_path: Path) -> None:
    await recorded(tmp_path)
    made = fork(tmp_path, WORLD, 400, Identity(world=FORK, owner=None, private=False, versions={}, created_ms=1))
    write_fork(made, tmp_path, tmp_path)
    found = rerun(tmp_path, FORK, changed(("args.hours * 10", "args.hours * 20")))
    assert (found.tick_was, found.tick_now, found.parted_tick) == (400, 400, None)
    assert bisect(tmp_path, FORK, changed()).tick is None
