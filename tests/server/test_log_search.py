"""Promise: `worldline log` finds, counts and exports what is in a log; colours are for terminals, and a reader who has
had enough is no failure."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from server.commands import main
from tests.server.test_log_command import NEW, OLD, run, write


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await write(tmp_path / "data")
    return tmp_path / "data"


def as_json(capsys: pytest.CaptureFixture[str], *words: str, data: Path, code: int = 0) -> list[dict[str, Any]]:
    """Run `worldline log … --json`; return its objects."""
    assert main(["log", *words, "--json", "--data", str(data)]) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("options", "whats"),
    [
        (["--kind", "input"], ["input", "input"]),
        (["--kind", "input", "--kind", "close"], ["input", "input", "close"]),
        (["--input", "deposit"], ["input"]),
        (["--player", "p_1"], ["join", "input", "input", "leave"]),
        (["--player", "p_2"], []),
        (["--ticks", "90"], ["input", "input"]),
        (["--ticks", "91-"], ["leave", "close"]),
        (["--ticks", "-89"], ["genesis", "open", "join"]),
        (["--ticks", "100-160"], ["leave"]),
        (["--kind", "beat"], ["beat"]),
    ],
)
def test_show_shows_the_part_that_is_asked_for(
    data: Path, options: list[str], whats: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert [row[2] for row in run(capsys, "show", NEW, *options, data=data)] == whats


def test_tail_shows_the_last_of_the_part_that_is_asked_for(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = run(capsys, "tail", NEW, "-n", "1", "--kind", "input", data=data)
    assert row[4] == "2 deposit {}"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["show", "--ticks", "9-3"], "ends before it begins"),
        (["show", "--ticks", "x"], "like 100-200"),
        (["show", "--ticks", "-"], "like 100-200"),
        (["show", "@4", "--ticks", "9-"], "leave one out"),
        (["show", "--player", "ada"], "written like p_3"),
        (["show", "--kind", "move"], "is not one of 'genesis'"),
        (["grep", "("], "no regular expression"),
        (["grep"], "Missing argument 'PATTERN'"),
        (["export", "--notes-of", "a_ada"], "add --public"),
        (["tail", "--ticks", "3"], "No such option"),
    ],
)
def test_wrong_use_is_said_and_is_exit_code_2(
    data: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", *words, "--data", str(data)]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert said.out == ""


# --- grep ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", ["not_home", "NOT_home", r"^90\t.*\tdeposit|rejected"])
def test_grep_prints_the_lines_that_match(data: Path, pattern: str, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = run(capsys, "grep", pattern, NEW, "-i", data=data)
    assert row[4:6] == ["2 deposit {}", "rejected not_home"]


def test_grep_takes_text_as_it_is_if_told_so(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = run(capsys, "grep", "-F", '{"to":', data=data)
    assert row[6] == "epic is near"


def test_grep_as_json_has_only_the_entries_that_match(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (form,) = as_json(capsys, "grep", "epic", NEW, data=data)
    assert [entry["name"] for entry in form["entries"]] == ["move"]
    assert form["tick"] == 90


def test_grep_within_a_part(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row[2] for row in run(capsys, "grep", ".", NEW, "--ticks", "150-", data=data)] == ["leave", "close"]


def test_grep_that_finds_nothing_says_so_with_exit_code_1(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "grep", "nowhere", "--data", str(data)]) == 1
    assert f"nothing in the log of {NEW} matches 'nowhere'" in capsys.readouterr().err


@pytest.mark.parametrize("which", [["--all"], ["--game", "tsunami"], [NEW, OLD], [OLD, NEW, NEW]])
def test_grep_through_several_worlds_names_them_in_their_order(
    data: Path, which: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = run(capsys, "grep", "^\\d+\t[^\t]*\t(close|input)", *which, data=data)
    assert [(row[0], row[3]) for row in rows] == [
        (OLD, "close"),
        (NEW, "input"),
        (NEW, "input"),
        (NEW, "close"),
    ]
    forms = as_json(capsys, "grep", "genesis", *which, data=data)
    assert [(form["world"], form["record"]) for form in forms] == [(OLD, "genesis"), (NEW, "genesis")]


def test_grep_of_one_world_names_none(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert all(row[0] != NEW for row in run(capsys, "grep", ".", NEW, data=data))


def test_grep_through_nothing_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "grep", "x", "--game", "chess", "--data", str(data)]) == 1
    assert "there is no world of chess" in capsys.readouterr().err
    assert main(["log", "grep", "nowhere", "--all", "--data", str(data)]) == 1
    assert "nothing in the logs of 2 worlds matches 'nowhere'" in capsys.readouterr().err
    assert main(["log", "grep", "x", NEW, "--all", "--data", str(data)]) == 2


def test_grep_goes_on_behind_a_damaged_log(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "worlds" / OLD / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[-1] ^= 0xFF
    path.write_bytes(content)
    assert main(["log", "grep", "input", "--all", "--data", str(data)]) == 1
    said = capsys.readouterr()
    assert [line.split("\t")[0] for line in said.out.splitlines()] == [NEW, NEW]
    assert OLD in said.err


# --- stats -----------------------------------------------------------------------------------------------


def test_stats_count_inputs_by_name_and_player(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "stats", NEW, data=data)
    assert ["input", "move", "1", "1", "0", "0", "1", ""] in rows
    assert ["input", "deposit", "1", "0", "1", "0", "0", "not_home 1"] in rows
    assert ["player", "p_1", "2", "1", "1", "0", "1", "ada\\x1b[31m (a_ada), not_home 1"] in rows
    assert rows[0] == ["world", NEW, "7", "", "", "", "", "ticks 0-200"]


def test_stats_as_json_are_one_object(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = as_json(capsys, "stats", "--kind", "input", data=data)
    assert found["entries"] == {"input": 2}
    assert found["inputs"]["deposit"]["codes"] == {"not_home": 1}
    assert found["players"]["p_1"]["inputs"]["applied"] == 1


def test_stats_of_a_world_in_which_nothing_happened(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "stats", OLD, data=data)
    assert [row[:3] for row in rows] == [
        ["world", OLD, "3"],
        ["record", "genesis", "1"],
        ["record", "open", "1"],
        ["record", "close", "1"],
    ]


# --- export ----------------------------------------------------------------------------------------------


def test_export_is_the_whole_log_a_record_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "export", NEW, "--data", str(data)]) == 0
    exported = capsys.readouterr().out
    assert main(["log", "show", NEW, "--json", "--data", str(data)]) == 0
    assert exported == capsys.readouterr().out
    assert json.loads(exported.splitlines()[0])["seed"] == 42


@pytest.mark.parametrize(("options", "notes"), [([], 0), (["--notes-of", "a_ada"], 1), (["--notes-of", "a_bob"], 0)])
def test_a_public_export_has_no_seed_and_no_notes_of_others(
    data: Path, options: list[str], notes: int, capsys: pytest.CaptureFixture[str]
) -> None:
    forms = as_json(capsys, "export", NEW, "--public", "--kind", "genesis", "--kind", "input", *options, data=data)
    assert "seed" not in forms[0]
    assert sum("note" in entry for form in forms[1:] for entry in form["entries"]) == notes


def test_an_export_of_a_damaged_log_ends_where_it_is_intact(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "worlds" / NEW / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[content.index(b"deposit")] ^= 1
    path.write_bytes(content)
    for words in (["export", NEW], ["grep", "genesis", NEW], ["stats", NEW]):
        assert main(["log", *words, "--data", str(data)]) == 1
        said = capsys.readouterr()
        assert said.out
        assert said.err.startswith(f"error: the log of {NEW} is damaged after tick 0")


# --- terminals and pipes ---------------------------------------------------------------------------------


def on_a_terminal(*words: str, environment: Mapping[str, str]) -> str:
    """What `worldline log …` writes to a terminal of 200 columns."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "server.commands", "log", *words]
    process = subprocess.Popen(
        command, stdout=theirs, env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "200", **environment}
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # EIO: the other side is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("words", [["show"], ["tail"], ["tail", "-f"], ["grep", "deposit"]])
def test_rejections_are_in_colour_on_a_terminal(data: Path, words: list[str]) -> None:
    shown = on_a_terminal(*words, "--data", str(data), environment={})
    assert "\x1b[31mrejected not_home" in shown


def test_no_color_is_honoured(data: Path) -> None:
    shown = on_a_terminal("show", "--data", str(data), environment={"NO_COLOR": "1"})
    assert "rejected not_home" in shown
    assert "\x1b[31m" not in shown


@pytest.mark.parametrize(
    "words", ["show", "show --json", "export", "stats", "grep .", "tail -n 1000", "tail -f -n 1000"]
)
def test_a_reader_who_has_had_enough_is_no_failure(data: Path, words: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)  # gone before anything is written
    command = [sys.executable, "-m", "server.commands", "log", *words.split(), "--data", str(data)]
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
