"""Promise: `worldline replay run`, `bisect`, `why` and `what-if` say in words what changed code, or another input,
makes of a recorded game; and what they cannot do, they say with file, tick and remedy."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import re
from pathlib import Path

import pytest

from games.code import GameCode
from server.commands import main
from tests.replays.mill import changed, folder_of, recorded
from tests.replays.recording import WORLD


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("change") / "data"
    asyncio.run(recorded(folder))
    return folder


@pytest.fixture
def paid_more(tmp_path: Path) -> Path:
    """The game, but long work is paid better."""
    return folder_of(changed(("args.hours * 10)", "args.hours * (args.hours < 5 and 10 or 11))")), tmp_path / "mill")


def run(data: Path, *words: str) -> int:
    return main(["replay", *words, "--data", str(data)])


def test_run_tells_both_ends(data: Path, paid_more: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "run", WORLD, "--code", str(paid_more)) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "p_1\tagent p_1\t400\t426"
    assert f"with {paid_more}: tick 1200" in said
    assert "the log shows at tick 420 that it goes another way" in said
    assert run(data, "run", WORLD, "--code", str(paid_more), "--json") == 0
    assert json.loads(capsys.readouterr().out)["parted_tick"] == 420


def test_bisect_names_tick_and_input(data: Path, paid_more: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "bisect", WORLD, "--code", str(paid_more)) == 1
    said = capsys.readouterr()
    assert f'{WORLD}@401: the first state that is another with {paid_more}, by p_1 work {{"hours":5}}' in said.out
    assert "its agent said: to work" in said.out
    assert "state.coins.p_1\t146\t151" in said.out
    assert said.err.startswith(f"error: {paid_more} gives another world from tick 401 on → ")


def test_bisect_says_that_nothing_is_different(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = folder_of(changed(), tmp_path / "mill")
    assert run(data, "bisect", WORLD, "--code", str(same)) == 0
    assert capsys.readouterr().out == f"{WORLD}: all states up to tick 1200 are the same with {same}\n"


def test_why_names_what_changed_a_value(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "why", f"{WORLD}@405", "state.coins.p_1", "-n", "2") == 0
    assert capsys.readouterr().out.splitlines() == [
        '401\t96\t146\tp_1 work {"hours":5}\tto work',
        "360\t95\t96\tthe tick itself: game.tick, or a timer\t",
    ]
    assert run(data, "why", WORLD, "state.coins.p_1", "--entries", "-n", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["tick"] == 1101


def test_what_if_tells_both_scores(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "what-if", f"{WORLD}@400", "p_1", "work", "hours=1", "--ticks", "50") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == 'tick 401: p_1 work {"hours":1}, instead of p_1 work {"hours":5}: applied'
    assert said[1] == "p_1\tagent p_1\t147\t107"
    assert "as it was recorded: tick 450" in said
    assert "with this input: tick 450" in said


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["run", WORLD, "--code", "nowhere"], 1, "there is no folder nowhere → name the folder of a game"),
        (["run", f"{WORLD}@5", "--code", "nowhere"], 1, "there is no folder"),
        (["bisect", WORLD], 2, "Missing option '--code'"),
        (["why", f"{WORLD}@5000", "state"], 1, "the log goes from tick 0 to tick 1200 → name a tick of these"),
        (["why", WORLD, "state.coins.p_7"], 1, "nothing ever stood at state.coins.p_7"),
        (["why", WORLD, "coins"], 2, "PATH: 'coins' is no path"),
        (["what-if", WORLD, "p_1", "work"], 2, "names no tick: write one like"),
        (["what-if", f"{WORLD}@9", "p_1", "work", "9"], 2, "'9' is no argument of an input: one is written like x=12"),
        (["what-if", f"{WORLD}@9", "p_1", "work", "hours=x"], 1, "hours"),
        (["what-if", f"{WORLD}@9", "p_1", "wrok"], 1, "wrok"),
        (
            ["what-if", f"{WORLD}@1200", "p_1", "work", "hours=1"],
            1,
            "nothing is logged after it → name an earlier tick",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    data: Path, words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *words) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert says in said.err
    assert " → " in said.err


def test_code_that_does_not_load_is_named_with_file_and_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_of(changed(), tmp_path / "mill")
    (folder / "main.lua").write_text("local game = {}\nreturn game +\n")
    for command in ("run", "bisect"):
        assert run(data, command, WORLD, "--code", str(folder)) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"error: the game in {folder} does not load: {folder}/main.lua")
        assert f"→ mend it; `worldline games check {folder}` says more" in said


# --- code that does not come back ------------------------------------------------------------------------

LOOP = "while true do end"
AT_WORK = ("args.hours * 10)", "args.hours * 10) if args.hours == 5 then DO end")
BY_TICK = ("if world.tick % 60 == 0 then", "if world.tick == 777 then DO end if world.tick % 60 == 0 then")
IN_SETUP = ("world.state.mood = 0", "world.state.mood = 0 DO")
ON_LOADING = ("local game = { inputs = {} }", "local game = { inputs = {} } DO")
IN_TIME = ("args.hours * 10)", "args.hours * 10) if args.hours == 7 then DO end")


def doing(place: tuple[str, str], what: str) -> GameCode:
    """The game, but it does this at that place."""
    before, after = place
    return changed((before, after.replace("DO", what)))


@pytest.mark.parametrize("command", ["run", "bisect"])
@pytest.mark.parametrize(
    ("place", "said"),
    [
        (AT_WORK, 'at tick 401, game.inputs.work of p_1 work {"hours":5} → '),
        (BY_TICK, "at tick 777, game.tick, or a timer → "),
        (IN_SETUP, "at tick 0, game.setup → "),
        (ON_LOADING, "at tick 0, what its files do when they are loaded → "),
    ],
)
def test_code_that_loops_for_ever_is_ended_with_its_tick_and_what_was_called(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, place: tuple[str, str], said: str
) -> None:
    folder = folder_of(doing(place, LOOP), tmp_path / "mill")
    assert run(data, command, WORLD, "--code", str(folder), "--tick-timeout-ms", "200") == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: the game in {folder} has not come back after ")
    assert said in error
    assert not multiprocessing.active_children()


def test_an_input_that_loops_for_ever_is_named_by_what_if(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    asyncio.run(recorded(data, code=doing(IN_TIME, LOOP), seconds=4))
    words = ["what-if", f"{WORLD}@120", "p_1", "work", "hours=7", "--ticks", "30", "--tick-timeout-ms", "200"]
    assert run(data, *words) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: the game of {WORLD} has not come back after ")
    assert 'at tick 121, game.inputs.work of p_1 work {"hours":7} → ' in error


def test_code_that_eats_memory_breaks_where_it_does(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    eats = "local held = {} while true do held[#held + 1] = string.rep('x', 1000000) .. #held end"
    folder = folder_of(doing(AT_WORK, eats), tmp_path / "mill")
    assert run(data, "run", WORLD, "--code", str(folder), "--tick-timeout-ms", "60000") == 1
    said = capsys.readouterr()
    assert "it breaks: " in said.out
    assert said.err.startswith(f"error: the game in {folder} breaks: {WORLD}@401 ")
    assert "not enough memory" in said.err


def test_code_that_keeps_more_and_more_breaks_as_it_would_in_a_server(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaking = changed(
        ("local game = { inputs = {} }", "local kept = {} local game = { inputs = {} }"),
        (BY_TICK[0], "kept[#kept + 1] = string.rep('x', 500000) .. world.tick " + BY_TICK[0]),
    )
    folder = folder_of(leaking, tmp_path / "mill")
    assert run(data, "run", WORLD, "--code", str(folder)) == 1
    said = capsys.readouterr()
    assert re.search(rf"breaks: {WORLD}@\d+ .*the game holds more than 64 MiB", said.err)
