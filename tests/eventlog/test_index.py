"""Promise: a listing is the same with the index, without it, and with one that is outdated, damaged, of another version
or no index at all; and making it from the logs always gives the same."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from eventlog.archive import archive_world
from eventlog.index import NAME, Index, IndexBroken
from eventlog.listing import Listings, list_infos, list_worlds, read_listing, rebuild_index
from eventlog.records import Close, Fault, JoinEntry, LeaveEntry
from eventlog.removal import remove_world
from eventlog.store import Store
from tests.eventlog.building import Recording, crash, fingerprint, tick_record

TABLES = ("worlds", "players")


async def some_worlds(data: Path) -> Path:
    """A data folder with worlds that stand in every way, stopped cleanly."""
    recording = Recording(data, file_bytes=900)
    recording.genesis_fields = {"owner": "a_9", "private": True}
    recording.create("w_a_open", "w_b_closed", "w_c_faulted", "w_d_damaged", "w_e_empty")
    for world in ("w_a_open", "w_b_closed", "w_c_faulted", "w_d_damaged"):
        joins = (JoinEntry(f"p_{n}", n - 1, f"a_{n}", f"bot {n}", "s_1") for n in range(1, 12))
        recording.append(world, tick_record(1, *joins), tick_record(2), tick_record(3, LeaveEntry("p_2", "left", 4)))
    scores = {"p_1": 7, "p_10": 2.5, "p_77": 1}
    end = Close(
        tick=9, reason="finished", result={"winner": "p_1", "raw": b"\0"}, fingerprint=fingerprint(9), scores=scores
    )
    recording.append("w_b_closed", end)
    recording.append("w_c_faulted", Fault(tick=5, kind="game_error", fingerprint=fingerprint(5)))
    await recording.journal.close()
    path = max((data / "worlds" / "w_d_damaged").iterdir())
    path.write_bytes(path.read_bytes()[:-3] + b"???")
    return data


def listed(data: Path) -> tuple[list[object], int]:
    """What is listed of every world, whatever the index does, and for how many the index was believed."""
    try:
        with Index.open(data) as index:
            found = list_worlds(data, index=index)
            infos = list_infos(data, index=index)
    except IndexBroken:
        found, infos = list_worlds(data), list_infos(data)
    assert infos == [each.info for each in found.worlds] == Store.read_only(data).worlds()
    return list(found.worlds), found.from_index


def tables(data: Path) -> dict[str, list[object]]:
    """The rows that come from the logs."""
    connection = sqlite3.connect(data / NAME)
    columns = "world, game, digest, clock, created_ms, ended_ms, status, reason, result, last_tick, bytes, archived"
    rows = {
        "worlds": connection.execute(f"SELECT {columns} FROM worlds").fetchall(),
        "players": connection.execute("SELECT * FROM players").fetchall(),
    }
    connection.close()
    return rows


async def test_with_and_without_the_index_the_listing_is_the_same(tmp_path: Path) -> None:
    data = await some_worlds(tmp_path / "data")
    without, from_index = listed(data)
    assert from_index == 0
    assert rebuild_index(data) == len(without) == 5
    assert listed(data) == (without, 5)


async def test_it_has_what_the_logs_say(tmp_path: Path) -> None:
    data = await some_worlds(tmp_path / "data")
    rebuild_index(data)
    with Index.open(data) as index:
        assert index is not None
        closed = index.worlds()["w_b_closed"].listing
    info = closed.info
    assert (info.game, info.status, info.reason, info.last_tick) == ("tsunami", "closed", "finished", 9)
    assert (info.created_ms, info.ended_ms) == (1_764_000_000_000, 1_764_000_000_003)
    assert closed.result == {"winner": "p_1", "raw": "AA=="}
    assert [player.player for player in closed.players] == [f"p_{n}" for n in range(1, 12)]
    second = closed.players[1]
    assert (second.agent, second.name, second.seat, second.joined_tick) == ("a_2", "bot 2", 1, 1)
    assert (second.left_tick, second.left_reason, second.score) == (3, "left", 4.0)
    assert {player.player: player.score for player in closed.players if player.score} == {
        "p_1": 7.0,
        "p_2": 4.0,
        "p_10": 2.5,
    }


async def test_rebuilding_always_gives_the_same(tmp_path: Path) -> None:
    data = await some_worlds(tmp_path / "data")
    rebuild_index(data)
    first = tables(data)
    rebuild_index(data)
    assert tables(data) == first
    (data / NAME).write_bytes(b"no index at all" * 1000)
    rebuild_index(data)
    assert tables(data) == first
    copy = shutil.copytree(data / "worlds", tmp_path / "copy" / "worlds").parent
    rebuild_index(copy)
    assert tables(copy) == first, "only the logs count, not the times of their files"
    heard: list[tuple[int, int]] = []
    rebuild_index(data, on_progress=lambda done, total: heard.append((done, total)))
    assert heard[-1][0] == heard[-1][1] > 0


async def test_whatever_byte_of_it_is_wrong_the_listing_is_right(tmp_path: Path) -> None:
    data = await some_worlds(tmp_path / "data")
    without, _ = listed(data)
    rebuild_index(data)
    path = data / NAME
    whole = path.read_bytes()
    disbelieved = 0
    for byte in range(0, len(whole), 41):
        path.write_bytes(whole[:byte] + bytes([whole[byte] ^ (1 << byte % 8)]) + whole[byte + 1 :])
        found, from_index = listed(data)
        assert found == without, byte
        disbelieved += from_index < 5
    assert disbelieved > 30
    for wrong in (b"", b"x", whole[:5000], whole[4096:]):
        path.write_bytes(wrong)
        assert listed(data)[0] == without
        assert rebuild_index(data) == 5
        assert listed(data) == (without, 5)


async def test_an_index_of_another_version_is_not_believed_and_made_anew(tmp_path: Path) -> None:
    data = await some_worlds(tmp_path / "data")
    rebuild_index(data)
    connection = sqlite3.connect(data / NAME)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(IndexBroken, match="version 99, not 3"), Index.open(data):
        pass
    assert rebuild_index(data) == 5
    assert listed(data)[1] == 5


async def test_what_happens_to_worlds_behind_its_back_is_seen(tmp_path: Path) -> None:
    data = await some_worlds(tmp_path / "data")
    rebuild_index(data)

    def check(believed: int) -> Listings:
        """The listing is as without the index; that believes it for so many."""
        with Index.open(data) as index:
            found = list_worlds(data, index=index)
        assert found.worlds == list_worlds(data).worlds
        assert found.from_index == believed
        return found

    archive_world(data, "w_b_closed")
    (outdated,) = check(4).outdated
    with Index.create(data) as index:
        index.put(outdated)
    check(5)
    remove_world(data, "w_c_faulted")
    assert not check(4).outdated
    path = data / "worlds" / "w_a_open" / "0001.wlog"
    os.utime(path, ns=(0, 0))
    check(3)
    shutil.rmtree(data / "worlds" / "w_e_empty")
    shutil.copytree(data / "worlds" / "w_a_open", data / "worlds" / "w_e_empty")
    check(2)


async def test_a_world_that_a_journal_holds_is_read_not_looked_up(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running")
    await recording.create("w_one", "w_two").wait()
    await recording.journal.release_world("w_two").wait()
    rebuild_index(recording.data)
    data = crash(recording.data, tmp_path / "crashed")
    shutil.copy2(recording.data / NAME, data / NAME)
    await recording.append("w_one", tick_record(1, JoinEntry("p_1", 0, "a_1", "ada", "s_1"))).wait()
    with Index.open(recording.data) as index:
        found = list_worlds(recording.data, index=index)
    assert [(each.info.last_tick, len(each.players)) for each in found.worlds] == [(1, 1), (0, 0)]
    assert found.from_index == 1
    await recording.journal.close()
    one = read_listing(recording.data, "w_one")
    assert one is not None
    assert one.listing == found.worlds[0]
    assert read_listing(recording.data, "w_none") is None
