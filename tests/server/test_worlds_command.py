"""Promise: `worldline worlds` lists every world with what it was, and removes what has ended and nothing else; a crash
cannot bring a removed world back, and the index is never needed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from eventlog.archive import archive_world
from eventlog.index import NAME, Index
from eventlog.records import Close, JoinEntry
from eventlog.removal import REMOVED
from eventlog.store import Store
from server.commands import main
from tests.eventlog.building import Recording, crash, fingerprint, tick_record

GAMES = {"w_1": "tsunami", "w_2": "echo", "w_3": "tsunami"}


def close(tick: int) -> Close:
    return Close(tick=tick, reason="idle", result=None, fingerprint=fingerprint(tick))


async def record(data: Path) -> Recording:
    """Worlds 1 and 2 have ended and were let go, 3 goes on; their journal is still there."""
    recording = Recording(data)
    for world, game in GAMES.items():
        recording.genesis_fields = {"game": game}
        recording.create(world)
        recording.append(world, tick_record(1, JoinEntry("p_1", 0, "a_1", "ada", "s_1")))
    for world in ("w_1", "w_2"):
        recording.append(world, close(5))
        await recording.journal.release_world(world).wait()
    return recording


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A data folder that was stopped cleanly."""
    recording = await record(tmp_path / "data")
    await recording.journal.close()
    return recording.data


def run(capsys: pytest.CaptureFixture[str], *words: str, data: Path, code: int = 0) -> tuple[list[list[str]], str]:
    """Run `worldline …` as into a pipe; the rows that it printed, and what it said on standard error."""
    assert main([*words, "--data", str(data)]) == code
    printed = capsys.readouterr()
    return [line.split("\t") for line in printed.out.splitlines()], printed.err


def test_ls_shows_all_and_filters(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive_world(data, "w_2")
    rows, _ = run(capsys, "worlds", "ls", data=data)
    facts = [(row[0], row[1], row[2], row[3], row[4], row[8], row[9]) for row in rows]
    assert facts == [
        ("w_1", "tsunami", "closed", "5", "1", "no", "idle"),
        ("w_2", "echo", "closed", "5", "1", "yes", "idle"),
        ("w_3", "tsunami", "open", "1", "1", "no", ""),
    ]
    assert [bool(row[6]) for row in rows] == [True, True, False], "when it ended"
    assert [row[0] for row in run(capsys, "worlds", "ls", "--game", "echo", data=data)[0]] == ["w_2"]
    assert [row[0] for row in run(capsys, "worlds", "ls", "--status", "open", data=data)[0]] == ["w_3"]
    rows, said = run(capsys, "worlds", "ls", "--status", "open", "--game", "echo", data=data)
    assert (rows, said) == ([], f"no such worlds in {data}\n")


def test_both_lists_say_the_same(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    short, _ = run(capsys, "log", "ls", data=data)
    long, _ = run(capsys, "worlds", "ls", data=data)
    assert short == [[*row[:4], row[7], row[5], row[9]] for row in long]


def test_json_has_players_and_result(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worlds", "ls", "--json", "--data", str(data)]) == 0
    first = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (first["world"], first["status"], first["archived"], first["result"]) == ("w_1", "closed", False, None)
    (player,) = first["players"]
    assert (player["player"], player["agent"], player["name"], player["score"]) == ("p_1", "a_1", "ada", None)


def test_the_index_is_used_put_right_and_never_needed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = run(capsys, "worlds", "ls", data=data)
    assert plain[1] == ""
    assert not (data / NAME).exists(), "listing makes no index"
    assert main(["index", "rebuild", "--data", str(data)]) == 0
    assert capsys.readouterr().out == f"{data / NAME} has 3 worlds\n"
    assert run(capsys, "worlds", "ls", data=data) == plain
    (data / NAME).write_bytes(b"not an index")
    rows, said = run(capsys, "worlds", "ls", data=data)
    assert rows == plain[0]
    assert "cannot be used" in said
    assert run(capsys, "worlds", "ls", data=data) == plain
    archive_world(data, "w_1")
    rows, said = run(capsys, "log", "ls", data=data)
    assert [row[0] for row in rows] == list(GAMES)
    rows, said = run(capsys, "worlds", "ls", data=data)
    assert (rows[0][8], said) == ("yes", "")
    with Index.open(data) as index:
        assert index is not None and index.worlds()["w_1"].listing.info.archived, "it has been brought up to date"
    assert run(capsys, "worlds", "ls", data=data) == (rows, "")


def test_rm_removes_what_has_ended_and_nothing_else(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, said = run(capsys, "worlds", "rm", "w_1", "w_3", "--yes", data=data, code=1)
    assert "w_3 has not ended; nothing was removed" in said
    assert Store.read_only(data).world_ids() == ["w_1", "w_2", "w_3"]
    rows, said = run(capsys, "worlds", "rm", "w_1", "w_1", "--yes", data=data)
    assert rows[0][0].startswith("removed w_1 (tsunami, ")
    assert Store.read_only(data).world_ids() == ["w_2", "w_3"]
    assert sorted(path.name for path in (data / "worlds").iterdir()) == ["w_2", "w_3"]
    assert "no world w_1" in run(capsys, "worlds", "rm", "w_1", "--yes", data=data, code=1)[1]
    assert "may mean w_2, w_3" in run(capsys, "worlds", "rm", "w_", "--yes", data=data, code=1)[1]


def test_rm_asks_first(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    _, said = run(capsys, "worlds", "rm", "w_1", data=data, code=1)
    assert said == "error: nobody is here to confirm that worlds are to be removed → add --yes\n"
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, left in (("n", ["w_1", "w_2", "w_3"]), ("y", ["w_2", "w_3"])):
        monkeypatch.setattr("click.termui.visible_prompt_func", lambda _, answer=answer: answer)
        assert main(["worlds", "rm", "w_1", "--data", str(data)]) == (answer == "n")
        assert Store.read_only(data).world_ids() == left


def test_rm_leaves_a_folder_in_use_alone(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store.open(data)
    _, said = run(capsys, "worlds", "rm", "w_1", "--yes", data=data, code=1)
    assert said == f"error: {data} is in use by another server → stop it, or use another --data\n"
    store.close()
    assert "there is no data folder" in run(capsys, "worlds", "rm", "w_1", data=data / "none", code=1)[1]


async def test_a_crashed_servers_journal_brings_nothing_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also of a world that the crashed server had not let go yet."""
    recording = await record(tmp_path / "running")
    recording.append("w_3", close(7))
    await recording.journal.append(()).wait()
    data = crash(recording.data, tmp_path / "crashed")
    await recording.journal.close()
    (data / "worlds" / f"{REMOVED}w_0").mkdir()
    assert main(["worlds", "rm", "w_1", "w_3", "--yes", "--data", str(data)]) == 0
    capsys.readouterr()
    Store.open(data).close()
    assert Store.read_only(data).world_ids() == ["w_2"]
    assert sorted(path.name for path in (data / "worlds").iterdir()) == ["w_2"]
    assert not list((data / "journal").iterdir())
    shutil.rmtree(data)
