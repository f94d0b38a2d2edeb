"""Promise: `worldline fork` makes a world that is there for the next server; what it cannot do it says in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eventlog.disk import lock
from eventlog.reader import read_world
from eventlog.records import Genesis
from eventlog.store import Store
from replays.bundle import export_world
from replays.verify import verify_world
from server.commands import main
from tests.replays.recording import WORLD
from tests.replays.test_fork import record, whole_folder


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    await record(tmp_path / "data", seconds=2)
    return tmp_path / "data"


def fork(capsys: pytest.CaptureFixture[str], *words: str, data: Path) -> dict[str, Any]:
    """Run `worldline fork … --json`; return what it says."""
    assert main(["fork", *words, "--json", "--data", str(data)]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def genesis_of(data: Path, world: str) -> Genesis:
    first = next(read_world(data, world)).record
    assert isinstance(first, Genesis)
    return first


def test_a_fork_is_a_world_of_the_folder(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = fork(capsys, f"{WORLD[:4]}@100", data=data)
    world = said["world"]
    assert said == {
        "world": world, "forked_from": f"{WORLD}@100", "game": "tsunami", "tick": 100, "private": False,
    }  # fmt: skip
    assert world > WORLD, "its id is later in the order of time"
    assert Store.read_only(data).world_ids() == [WORLD, world]
    assert verify_world(data, world).status == "verified"
    assert genesis_of(data, world).owner is None
    assert main(["log", "show", world, "--data", str(data)]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[2] for row in rows] == ["genesis", "origin", "open"]
    assert f"forked from {WORLD}@100" in rows[0][4]


def test_two_forks_are_two_worlds(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    worlds = {fork(capsys, f"{WORLD}@100", data=data)["world"] for _ in range(2)}
    assert len(worlds) == 2
    assert set(Store.read_only(data).world_ids()) == worlds | {WORLD}


def test_an_owner_and_a_join_code(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = fork(capsys, f"{WORLD}@100", "--owner", "a_0123456789", "--private", data=data)
    genesis = genesis_of(data, said["world"])
    assert (genesis.owner, genesis.private) == ("a_0123456789", True)
    assert len(said["join_code"]) == 10


def test_a_world_in_a_replay_file_is_forked_into_a_folder_that_lacks_its_code(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "game.replay"
    export_world(data, WORLD, file)
    (tmp_path / "other").mkdir()
    world = fork(capsys, f"{file}@60", data=tmp_path / "other")["world"]
    assert Store.read_only(tmp_path / "other").world_ids() == [world]
    assert verify_world(tmp_path / "other", world).status == "verified"


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        (WORLD, 2, "say at which tick"),
        (f"{WORLD}@x", 2, "a world at a tick is written like w_0k3f@812"),
        (f"{WORLD}@100000", 1, f"{WORLD}@100000: the log goes from tick 0 to tick "),
        ("w_nowhere@5", 1, "no world w_nowhere"),
        ("none.replay@5", 1, "none.replay"),
    ],
)
def test_what_cannot_be_forked_is_said_and_nothing_is_made(
    data: Path, address: str, code: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = whole_folder(data / "worlds")
    assert main(["fork", address, "--data", str(data)]) == code
    said = capsys.readouterr()
    assert says in said.err
    assert said.err.startswith("error: ")
    assert said.err.count("\n") == 1
    assert whole_folder(data / "worlds") == before


def test_code_that_is_missing_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digest = genesis_of(data, WORLD).digest
    (data / "code" / digest).rename(data / "code" / f"{digest[:-1]}0")
    assert main(["fork", f"{WORLD}@5", "--data", str(data)]) == 1
    assert digest in capsys.readouterr().err


def test_a_folder_that_a_server_uses_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = lock(data / "LOCK")
    assert main(["fork", f"{WORLD}@5", "--data", str(data)]) == 1
    said = capsys.readouterr().err
    assert "a server uses" in said
    assert "ask that server: `worldline fork --url`" in said
    assert Store.read_only(data).world_ids() == [WORLD]
    assert held


def test_a_wrong_owner_is_a_wrong_use(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fork", f"{WORLD}@5", "--owner", "ada", "--data", str(data)]) == 2
    assert "a_0123456789" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--url", "ws://127.0.0.1:1/ws", "--play", "--data", "."], "leave out --data"),
        (["--url", "ws://127.0.0.1:1/ws", "--play", "--owner", "a_0123456789"], "--token"),
        (["--url", "ws://127.0.0.1:1/ws"], "--play"),
        (["--play"], "--url"),
    ],
)
def test_what_only_a_server_can_do_needs_one_and_the_other_way_round(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fork", f"{WORLD}@5", *words]) == 2
    assert says in capsys.readouterr().err
