"""Promise: `worldline log` shows all that a log holds, at its tick and with its outcome; needs no server, changes
nothing, and shows what is intact of a damaged log."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from eventlog.journal import Journal
from eventlog.records import (
    Beat,
    Close,
    Genesis,
    InputEntry,
    JoinEntry,
    LeaveEntry,
    OutcomeNote,
    Tick,
)
from eventlog.worldlog import WorldLog
from server.commands import main

OLD: Final = "w_0000000001"
NEW: Final = "w_0000000002"
TIME_MS: Final = 1_795_400_000_000
CLOCK: Final = datetime.datetime.fromtimestamp(TIME_MS / 1000).time().isoformat("milliseconds")
WITHIN_S: Final = 20.0


def fingerprint(number: int) -> bytes:
    return number.to_bytes(8, "little")


def genesis(world: str) -> Genesis:
    return Genesis(world=world, game="tsunami", digest="ab" * 16, engine="cd" * 16, seed=42, created_ms=TIME_MS)


def a_short_life() -> Iterator[Tick | Beat]:
    """What happened in the world NEW, but for its end."""
    yield Tick(
        tick=0,
        ran=False,
        time_ms=TIME_MS,
        fingerprint=fingerprint(1),
        entries=[JoinEntry("p_1", 1, "a_ada", "ada\x1b[31m", "s_1")],
    )
    yield Tick(
        tick=90,
        time_ms=TIME_MS,
        fingerprint=fingerprint(2),
        entries=[
            InputEntry(player="p_1", seq=1, name="move", args={"to": "r07"}, note="epic is near", received_ms=TIME_MS),
            InputEntry(player="p_1", seq=2, name="deposit", args={}, received_ms=TIME_MS),
        ],
    )
    notes = [OutcomeNote("p_1", 1, "applied"), OutcomeNote("p_1", 2, "rejected", "not_home")]
    yield Beat(tick=120, until=210, fingerprint=fingerprint(3), outcomes=notes)
    yield Tick(tick=150, time_ms=TIME_MS, fingerprint=fingerprint(4), entries=[LeaveEntry("p_1", "left")])


async def write(data: Path, *, closed: bool = True) -> None:
    """Two worlds, written and stopped as a server does."""
    data.mkdir()
    journal = Journal.open(data, 0, on_failure=lambda error: pytest.fail(str(error)))
    for world in (OLD, NEW):
        log = WorldLog.create(genesis(world), shard=0)
        journal.append([log.head])
        if world == NEW:
            journal.append([log.append(record) for record in a_short_life()])
        if closed:
            journal.append([log.append(Close(tick=200, reason="idle", fingerprint=fingerprint(5)))])
    await journal.close()


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await write(tmp_path / "data")
    return tmp_path / "data"


def run(capsys: pytest.CaptureFixture[str], *words: str, data: Path, code: int = 0) -> list[list[str]]:
    """Run `worldline log …` as into a pipe; return its lines, split at the tabs."""
    assert main(["log", *words, "--data", str(data)]) == code
    return [line.split("\t") for line in capsys.readouterr().out.splitlines()]


def test_ls_lists_worlds_oldest_first(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "ls", data=data)
    assert [row[0] for row in rows] == [OLD, NEW]
    assert rows[1][1:4] == ["tsunami", "closed", "200"]
    assert rows[1][6] == "idle"


def test_show_has_every_input_with_its_tick_outcome_and_note(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(capsys, "show", NEW, data=data)
    inputs = [row for row in rows if row[2] == "input"]
    assert inputs == [
        ["90", CLOCK, "input", "p_1", '1 move {"to":"r07"}', "applied", "epic is near"],
        ["90", CLOCK, "input", "p_1", "2 deposit {}", "rejected not_home", ""],
    ]
    assert [row[2] for row in rows] == ["genesis", "open", "join", "input", "input", "leave", "close"]


def test_other_peoples_names_are_shown_harmless(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (join,) = [row for row in run(capsys, "show", NEW, data=data) if row[2] == "join"]
    assert join[4] == "ada\\x1b[31m (a_ada) takes seat 1"


def test_beats_are_shown_on_request(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ["120", "", "beat", "", "may be shown until tick 210", "", ""] in run(
        capsys, "show", NEW, "--all", data=data
    )


def test_json_is_one_record_a_line(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["log", "show", NEW, "--json", "--data", str(data)])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["record"] for record in found] == ["genesis", "open", "tick", "tick", "beat", "tick", "close"]
    assert found[3]["entries"][1]["status"] == "rejected"
    assert found[3]["entries"][1]["code"] == "not_home"


def test_without_a_name_it_is_the_newest_world(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "show", data=data) == run(capsys, "show", NEW, data=data)


@pytest.mark.parametrize("address", [f"{NEW}@120", "w_0000000002@120", "@120"])
def test_an_address_starts_at_its_tick(data: Path, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row[2] for row in run(capsys, "show", address, data=data)] == ["leave", "close"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show", "w_0"), f"w_0 may mean {OLD}, {NEW}"),
        (("show", "w_9"), "no world w_9"),
        (("tail", "w_"), "may mean"),
    ],
)
def test_a_name_that_is_not_one_world_is_an_error(
    data: Path, words: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["log", *words, "--data", str(data)]) == 1
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("words", [("show", "w_1@x"), ("show", "w_1@-3"), ("tail", "w_1@3")])
def test_an_address_that_is_none_is_a_wrong_use(data: Path, words: tuple[str, ...]) -> None:
    assert main(["log", *words, "--data", str(data)]) == 2


def test_without_a_data_folder_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["log", "ls", "--data", str(tmp_path / "none")]) == 1
    assert "start a server, or name another folder with --data" in capsys.readouterr().err


async def test_an_outcome_that_is_not_in_the_log_yet_is_not_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    journal = Journal.open(tmp_path / "data", 0, on_failure=lambda error: pytest.fail(str(error)))
    log = WorldLog.create(genesis(NEW), shard=0)
    records = list(a_short_life())[:2]
    await journal.append([log.head, *(log.append(record) for record in records)]).wait()
    # The server is running: these bytes may be in its journal only.
    inputs = [row for row in run(capsys, "show", data=tmp_path / "data") if row[2] == "input"]
    assert [row[5] for row in inputs] == ["not known yet", "not known yet"]
    await journal.close()


def test_what_is_intact_of_a_damaged_log_is_shown(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data / "worlds" / NEW / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[content.index(b"deposit")] ^= 1
    path.write_bytes(content)
    assert main(["log", "show", NEW, "--data", str(data)]) == 1
    said = capsys.readouterr()
    assert [line.split("\t")[2] for line in said.out.splitlines()] == ["genesis", "open", "join"]
    assert said.err.startswith(f"error: the log of {NEW} is damaged after tick 0")
    assert str(path) in said.err


def test_reading_changes_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in data.rglob("*")}
    for words in (("ls",), ("show", NEW), ("tail", NEW)):
        run(capsys, *words, data=data)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in data.rglob("*")} == before


def test_tail_shows_the_last_rows(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "tail", NEW, "-n", "2", data=data) == run(capsys, "show", NEW, data=data)[-2:]


async def test_tail_f_shows_what_is_added_until_the_world_ends(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    journal = Journal.open(tmp_path / "data", 0, on_failure=lambda error: pytest.fail(str(error)))
    log = WorldLog.create(genesis(NEW), shard=0)
    first, *others = a_short_life()
    await journal.append([log.head, log.append(first)]).wait()
    command = [sys.executable, "-m", "server.commands", "log", "tail", "-f", "--data", str(tmp_path / "data")]
    reader = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        lines = [(await reader.stdout.readline()).decode().split("\t") for _ in range(3)]
        assert [line[2] for line in lines] == ["genesis", "open", "join"]
        journal.append([log.append(record) for record in others])
        lines = [(await reader.stdout.readline()).decode().split("\t") for _ in range(3)]
        assert [line[2] for line in lines] == ["input", "input", "leave"]
        journal.append([log.append(Close(tick=200, reason="idle", fingerprint=fingerprint(5)))])
        assert (await reader.stdout.readline()).decode().split("\t")[:3] == ["200", "", "close"]
        assert await reader.wait() == 0
    await journal.close()


async def test_ctrl_c_ends_tail_f_well(tmp_path: Path) -> None:
    await write(tmp_path / "data", closed=False)
    command = [sys.executable, "-m", "server.commands", "log", "tail", "-f", "--data", str(tmp_path / "data")]
    reader = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert reader.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        await reader.stdout.readline()
        reader.send_signal(2)
        _, errors = await reader.communicate()
    assert (reader.returncode, errors) == (0, b"")
