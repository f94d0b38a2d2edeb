"""Promise: `worldline replay state` and `diff` show what stood in a world after any tick, and what differs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from server.commands import main
from tests.replays.mill import changed, recorded
from tests.replays.recording import WORLD

OTHER = "w_1111111111"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two worlds: in the second, work pays 11 coins an hour."""
    folder = tmp_path_factory.mktemp("look") / "data"
    asyncio.run(recorded(folder))
    asyncio.run(recorded(folder, code=changed(("args.hours * 10", "args.hours * 11")), world=OTHER))
    return folder


def run(data: Path, *words: str) -> int:
    return main(["replay", *words, "--data", str(data)])


def test_a_value_at_a_tick_is_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for tick, coins in ((100, 1), (101, 21), (120, 22), (1200, 400)):
        assert run(data, "state", f"w_0@{tick}", "--path", "state.coins.p_1") == 0
        assert capsys.readouterr().out == f"{coins}\n"
    assert run(data, "state", "w_0@101", "--path", "state.coins", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["world"], found["tick"], found["value"]) == (WORLD, 101, {"p_1": 21, "p_2": 1})
    assert len(found["hash"]) == 32


def test_a_whole_state_is_printed_with_its_address_and_hash(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "state", WORLD) == 0
    heading, _, rest = capsys.readouterr().out.partition("\n")
    assert heading.startswith(f"{WORLD}@1200, hash ")
    assert json.loads(rest)["players"]["p_1"]["score"] == 400


def test_what_a_player_could_know_is_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "state", "w_0@130", "--as", "p_1", "--json") == 0
    seen = json.loads(capsys.readouterr().out)
    assert (seen["tick"], seen["player"], seen["data"]) == (130, "p_1", {"coins": 22})
    assert [event["tick"] for event in seen["events"]] == [60, 120]
    assert run(data, "state", "w_0@130", "--as", "p_3") == 1
    assert "has no player p_3: seated are p_1, p_2 → name one of these" in capsys.readouterr().err


def test_two_ticks_and_two_worlds_are_compared(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(data, "diff", "w_0@100", "@101", "--path", "state") == 1
    said = capsys.readouterr()
    assert said.out == "state.coins.p_1\t1\t21\n"
    assert f"error: {WORLD}@100 and {WORLD}@101 differ at 1 place → " in said.err
    assert run(data, "diff", "w_0@101", "w_1@101", "--path", "state", "--json") == 1
    assert json.loads(capsys.readouterr().out) == {"path": "state.coins.p_1", "a": 21, "b": 23}
    assert run(data, "diff", "w_0@100", "w_1@100") == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"{WORLD}@100 and {OTHER}@100 are the same\n")
    assert run(data, "diff", "@60", "@60") == 0
    assert capsys.readouterr().err == f"{OTHER}@60 and {OTHER}@60 are the same\n"


def test_a_replay_file_is_looked_into_as_a_world_is(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "old.replay"
    assert run(data, "export", WORLD, "--to", str(file)) == 0
    capsys.readouterr()
    assert main(["replay", "state", f"{file}@101", "--path", "state.coins.p_1"]) == 0
    assert capsys.readouterr().out == "21\n"
    assert run(data, "diff", f"{file}@500", "w_0@500") == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["state", "w_0@1201"], 1, f"{WORLD}@1201: the log goes from tick 0 to tick 1200 → name a tick of these"),
        (["state", "w_0@x"], 2, "'w_0@x' is no address: a world at a tick is written like w_0k3f@812"),
        (["state", "w_7"], 1, "w_7"),
        (["state", "w_"], 1, "w_"),
        (["state", "w_0", "--path", "coins"], 2, "'coins' is no path: one begins with tick, clock,"),
        (["state", "w_0", "--path", "state.coins.p_9"], 1, "at state.coins there is p_1, p_2"),
        (["state", "w_0", "--path", "state", "--as", "p_1"], 2, "name one of them"),
        (["state", "nowhere.replay"], 1, "cannot read nowhere.replay: No such file or directory → name a file from"),
        (["diff", "w_0", "w_1@99999"], 1, "the log goes from tick 0 to tick 1200"),
    ],
)
def test_what_is_not_there_is_named(
    data: Path, words: list[str], code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(data, *words) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert says in said.err
