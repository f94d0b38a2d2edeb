"""Promise: housekeeping touches a world only when no shard and no journal has it any more; what is damaged stays as it
is, what cannot be done is tried again, and the index says how things are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from eventlog.index import Index, IndexBroken
from eventlog.reader import read_world
from eventlog.records import Close, JoinEntry
from eventlog.recovery import recover_shard
from eventlog.store import Store
from eventlog.summary import WorldInfo
from server import housekeeping
from server.housekeeping import Housekeeper
from server.retention import Retention
from tests.eventlog.building import SHARD, Recording, crash, fingerprint, plain, tick_record

AT_ONCE = Retention(archive_after_s=0)
NOTHING_LEFT = Retention(archive_after_s=0, keep_worlds=0)


def append_life(recording: Recording, world: str, *, ends: bool = True) -> None:
    recording.create(world)
    recording.append(world, tick_record(1, JoinEntry("p_1", 0, "a_1", "ada", "s_1")), tick_record(2))
    if ends:
        recording.append(world, Close(tick=2, reason="idle", result=None, fingerprint=fingerprint(2)))


@pytest.fixture
async def keep(tmp_path: Path) -> AsyncIterator[Callable[..., Housekeeper]]:
    """Make a housekeeper of the data folder; it is stopped at the end of the test."""
    made: list[Housekeeper] = []

    def make(wanted: Retention, data: Path = tmp_path, *, infos: list[WorldInfo] | None = None) -> Housekeeper:
        made.append(Housekeeper(data, wanted))
        made[-1].begin(Store.read_only(data).worlds() if infos is None else infos)
        return made[-1]

    yield make
    for each in made:
        await each.stop()


def names(data: Path, world: str) -> set[str]:
    folder = data / "worlds" / world
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.005)


async def test_a_world_is_touched_only_when_its_shard_has_let_it_go(
    tmp_path: Path, keep: Callable[..., Housekeeper]
) -> None:
    keeper = keep(NOTHING_LEFT)
    recording = Recording(tmp_path)
    for world in ("w_one", "w_two"):
        append_life(recording, world)
        keeper.held(world, SHARD)
    await recording.journal.release_world("w_one").wait()
    keeper.at_rest("w_one")
    await until(lambda: not names(tmp_path, "w_one"))
    await recording.journal.release_world("w_two").wait()
    append_life(recording, "w_three")
    await recording.journal.release_world("w_three").wait()
    keeper.at_rest("w_three")
    await until(lambda: not names(tmp_path, "w_three"))
    assert names(tmp_path, "w_two") == {"0001.wlog"}, "nobody has said that it was let go"
    keeper.at_rest("w_two")
    await until(lambda: not names(tmp_path, "w_two"))
    await recording.journal.close()


async def test_a_world_that_another_shard_has_taken_meanwhile_is_left_alone(
    tmp_path: Path, keep: Callable[..., Housekeeper]
) -> None:
    keeper = keep(NOTHING_LEFT)
    recording = Recording(tmp_path)
    for world in ("w_one", "w_two"):
        append_life(recording, world)
        await recording.journal.release_world(world).wait()
    keeper.at_rest("w_one")
    keeper.held("w_one", SHARD)  # before anybody has had the time to look at it
    keeper.at_rest("w_two")
    await until(lambda: not names(tmp_path, "w_two"))
    assert names(tmp_path, "w_one") == {"0001.wlog"}
    await recording.journal.close()


async def test_what_a_dead_shard_had_is_touched_when_its_journal_is_redone_and_only_what_has_ended(
    tmp_path: Path, keep: Callable[..., Housekeeper]
) -> None:
    recording = Recording(tmp_path / "alive")
    append_life(recording, "w_ended")
    append_life(recording, "w_back")  # it has ended as well, which nobody knows: a shard will find out
    await recording.journal.append(()).wait()
    data = crash(recording.data, tmp_path / "dead")
    await recording.journal.close()

    keeper = keep(AT_ONCE, data, infos=[])
    for world in ("w_ended", "w_back"):
        keeper.held(world, SHARD)
    recover_shard(data, SHARD)
    keeper.journal_redone(SHARD, ["w_back"])
    await until(lambda: names(data, "w_ended") == {"0001.wlogz"})
    assert plain(read_world(data, "w_ended")) == recording.written["w_ended"]
    assert names(data, "w_back") == {"0001.wlog"}
    keeper.at_rest("w_back")
    await until(lambda: names(data, "w_back") == {"0001.wlogz"})


async def test_a_damaged_world_is_left_as_it_is_and_said_once(
    tmp_path: Path, keep: Callable[..., Housekeeper], caplog: pytest.LogCaptureFixture
) -> None:
    recording = Recording(tmp_path)
    for world in ("w_bad", "w_good", "w_other"):
        append_life(recording, world)
    await recording.journal.close()
    path = tmp_path / "worlds" / "w_bad" / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    infos = [info for info in Store.read_only(tmp_path).worlds() if info.world != "w_other"]
    with caplog.at_level(logging.WARNING, "worldline.housekeeping"):
        keeper = keep(AT_ONCE, infos=infos)
        await until(lambda: names(tmp_path, "w_good") == {"0001.wlogz"} and bool(caplog.records))
        keeper.at_rest("w_other")
        await until(lambda: names(tmp_path, "w_other") == {"0001.wlogz"})
    assert path.read_bytes() == bytes(content)
    assert names(tmp_path, "w_bad") == {"0001.wlog"}
    (said,) = caplog.messages
    assert "w_bad" in said
    assert "damaged" in said
    assert str(path) in said


async def test_what_cannot_be_done_is_said_and_tried_again(
    tmp_path: Path,
    keep: Callable[..., Housekeeper],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(housekeeping, "RETRY_AFTER_S", 0.05)
    monkeypatch.setattr(housekeeping, "LOOK_EVERY_S", 0.05)
    recording = Recording(tmp_path)
    append_life(recording, "w_one")
    await recording.journal.close()
    in_the_way = tmp_path / "worlds" / "w_one" / "0001.wlogz.new"
    in_the_way.mkdir()
    with caplog.at_level(logging.WARNING, "worldline.housekeeping"):
        keep(AT_ONCE)
        await until(lambda: len(caplog.records) > 1)
    assert "cannot archive w_one" in caplog.text and in_the_way.name in caplog.text
    assert names(tmp_path, "w_one") == {"0001.wlog", in_the_way.name}
    in_the_way.rmdir()
    await until(lambda: names(tmp_path, "w_one") == {"0001.wlogz"})


async def test_a_world_that_cannot_be_archived_now_counts_for_the_limits(
    tmp_path: Path, keep: Callable[..., Housekeeper], caplog: pytest.LogCaptureFixture
) -> None:
    recording = Recording(tmp_path)
    for world in ("w_one", "w_two"):
        append_life(recording, world)
    await recording.journal.close()
    (tmp_path / "worlds" / "w_two" / "0001.wlogz.new").mkdir()
    infos = [info for info in Store.read_only(tmp_path).worlds() if info.world == "w_two"]
    with caplog.at_level(logging.WARNING, "worldline.housekeeping"):
        keeper = keep(Retention(archive_after_s=0, keep_worlds=1), infos=infos)
        await until(lambda: "cannot archive w_two" in caplog.text)
        keeper.at_rest("w_one")
        await until(lambda: names(tmp_path, "w_one") != {"0001.wlog"})
    assert names(tmp_path, "w_one") == set(), "one is kept, and that is w_two"


async def test_the_index_is_put_right_at_the_start_and_kept_right(
    tmp_path: Path, keep: Callable[..., Housekeeper]
) -> None:
    recording = Recording(tmp_path)
    for world in ("w_one", "w_two"):
        append_life(recording, world)
    await recording.journal.close()

    def listed() -> dict[str, bool]:
        try:
            with Index.open(tmp_path) as index:
                rows = {} if index is None else index.worlds()
        except IndexBroken:  # the housekeeper has not begun yet, or is just making it
            return {}
        return {world: row.listing.info.archived for world, row in rows.items()}

    first = keep(Retention())
    await until(lambda: listed() == {"w_one": True, "w_two": True})
    await first.stop()
    (tmp_path / "index.sqlite").write_bytes(b"no index at all")
    second = keep(Retention(keep_worlds=1))
    await until(lambda: len(listed()) == 1)
    (left,) = listed()
    assert names(tmp_path, left) == {"0001.wlogz"}
    await second.stop()
    with Index.open(tmp_path) as index:
        assert index is not None and index.check()
