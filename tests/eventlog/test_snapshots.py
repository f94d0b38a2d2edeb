"""Promise: no snapshot is ever taken for whole that is not, and one that cannot be used costs nothing but time."""

from __future__ import annotations

import errno
import logging
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog import limits
from eventlog.errors import FormatTooNew, PositionUnknown, SnapshotDamaged
from eventlog.piece import LogEnd
from eventlog.reader import read_world, read_world_from
from eventlog.snapshot_file import HEADER_BYTES, Snapshot, decode_snapshot, encode_snapshot
from eventlog.snapshots import Snapshots, kept_ticks, snapshot_name
from tests.eventlog import second_decoder as second
from tests.eventlog.building import Recording, crash, genesis, plain, tick_record
from tests.eventlog.disks import FailingDisk, HastyDisk
from tests.eventlog.power import PowerDisk, PowerLost
from tests.faults_tried import Tried

WORLD = "w_one"


def snapshot(tick: int, *, world: str = WORLD, state: bytes | None = None) -> Snapshot:
    """A snapshot with every field different."""
    return Snapshot(
        tick=tick,
        position=LogEnd(world=world, epoch=3, file=7, offset=1_000_000 + tick, crc=0xDEADBEEF, tick=tick - 1),
        code="0123456789abcdef" * 2,
        engine="fedcba9876543210" * 2,
        hash=random.Random(tick).randbytes(16),
        genesis=genesis(world),
        state=random.Random(-tick).randbytes(10_000) * 2 if state is None else state,
    )


def written(data: Path, *ticks: int) -> Snapshots:
    """The snapshots of a world, with these ticks."""
    store = Snapshots(data, WORLD, disk=HastyDisk())
    for tick in ticks:
        store.publish(store.write(snapshot(tick)))
    return store


def ticks_of(found: Iterator[Snapshot]) -> list[int]:
    """The ticks of snapshots, as they came."""
    return [each.tick for each in found]


# --- what was written is what is read ---------------------------------------------------------------------


@given(
    tick=st.integers(1, 2**62),
    numbers=st.tuples(*[st.integers(0, 2**32 - 1)] * 3),
    offset=st.integers(0, 2**62),
    state=st.binary(max_size=2000),
)
def test_any_snapshot_comes_back(tick: int, numbers: tuple[int, int, int], offset: int, state: bytes) -> None:
    epoch, file, crc = numbers
    place = LogEnd(world=WORLD, epoch=epoch, file=file, offset=offset, crc=crc, tick=tick)
    given_one = msgspec.structs.replace(snapshot(5), tick=tick, position=place, state=state)
    assert decode_snapshot(encode_snapshot(given_one)) == given_one


def test_the_page_alone_is_enough_to_read_one() -> None:
    ours = snapshot(3600)
    theirs = second.read_snapshot(encode_snapshot(ours))
    at = ours.position
    assert theirs == {
        "tick": 3600,
        "file": at.file,
        "epoch": at.epoch,
        "offset": at.offset,
        "crc": at.crc,
        "log_tick": at.tick,
        "hash": ours.hash,
        "code": ours.code,
        "engine": ours.engine,
        "world": WORLD,
        "genesis": theirs["genesis"],
        "state": ours.state,
    }
    assert theirs["genesis"]["seed"] == ours.genesis.seed and theirs["genesis"]["world"] == WORLD


def test_the_latest_at_or_before_a_tick_comes_first(tmp_path: Path) -> None:
    store = written(tmp_path, 30, 10, 20)
    assert store.ticks() == [10, 20, 30]
    assert ticks_of(store.usable()) == [30, 20, 10]
    assert ticks_of(store.usable(at_or_before=20)) == [20, 10]
    assert ticks_of(store.usable(at_or_before=9)) == []
    assert store.read(20) == snapshot(20)
    assert ticks_of(Snapshots(tmp_path, "w_none").usable()) == []


def test_a_later_one_of_the_same_tick_takes_its_place(tmp_path: Path) -> None:
    store = written(tmp_path, 10)
    store.publish(store.write(snapshot(10, state=b"another")))
    assert [each.state for each in store.usable()] == [b"another"]


# --- one that is not whole is skipped ----------------------------------------------------------------------


def skipped(store: Snapshots, caplog: pytest.LogCaptureFixture) -> str:
    """The older one is taken, and one warning says why the later one is not."""
    caplog.clear()
    assert ticks_of(store.usable()) == [10]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert snapshot_name(20) in warning.getMessage() and " → " in warning.getMessage()
    return warning.getMessage()


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture, tried: Tried) -> None:
    store = written(tmp_path, 10, 20)
    path = store.path(20)
    whole = path.read_bytes()
    places = [*range(HEADER_BYTES), *range(HEADER_BYTES, len(whole), 61), len(whole) - 1]
    for place in places:
        for bit in (1, 0x80):
            changed = bytearray(whole)
            changed[place] ^= bit
            path.write_bytes(changed)
            skipped(store, caplog)
            tried("a bit flipped in a snapshot")
    path.write_bytes(whole)
    assert ticks_of(store.usable()) == [20, 10]
    assert len(places) > HEADER_BYTES + 100


def test_a_cut_or_lengthened_file_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = written(tmp_path, 10, 20)
    path = store.path(20)
    whole = path.read_bytes()
    for size in (0, 1, HEADER_BYTES - 1, HEADER_BYTES, HEADER_BYTES + 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "too early" in skipped(store, caplog)
    path.write_bytes(whole + b"\0")
    assert "follow its end" in skipped(store, caplog)


def test_a_foreign_one_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = written(tmp_path, 10, 20)
    path = store.path(20)
    path.write_bytes(encode_snapshot(snapshot(20, world="w_two")))
    assert "w_two" in skipped(store, caplog)
    path.write_bytes(store.path(10).read_bytes())
    assert "at tick 10" in skipped(store, caplog)
    path.write_bytes(b"WLOG" + bytes(1000))
    assert "WSNP" in skipped(store, caplog)
    path.unlink()
    path.mkdir()
    skipped(store, caplog)


def test_one_of_a_later_version_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = written(tmp_path, 10)
    with monkeypatch.context() as later:
        later.setattr(limits, "SNAPSHOT_VERSION", 2)
        store.publish(store.write(snapshot(20)))
    with pytest.raises(FormatTooNew, match="version 2"):
        store.read(20)
    assert "upgrade" in skipped(store, caplog)


def test_other_files_in_the_folder_are_no_snapshots(tmp_path: Path) -> None:
    store = written(tmp_path, 10)
    for name in ("notes.txt", "20.snap", ".0000000020.snap.new", "0000000020.snap.bak", "000000002x.snap"):
        (store.folder / name).write_bytes(b"?")
    assert ticks_of(store.usable()) == [10]


# --- writing -----------------------------------------------------------------------------------------------


def test_one_has_no_name_before_it_is_published(tmp_path: Path) -> None:
    store = written(tmp_path, 10)
    draft = store.write(snapshot(20))
    assert draft.size_bytes == draft.path.stat().st_size
    assert store.ticks() == [10]
    assert store.publish(draft) == snapshot_name(20)
    assert store.read(20) == snapshot(20)
    store.discard(store.write(snapshot(30)))
    assert sorted(path.name for path in store.folder.iterdir()) == [snapshot_name(10), snapshot_name(20)]


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
def test_a_disk_that_fails_at_any_call_leaves_nothing_half_there(tmp_path: Path, error: int, tried: Tried) -> None:
    fired = calls = 0
    while True:
        data = tmp_path / str(calls)
        written(data, 10)
        count = iter(range(10**6))
        disk = FailingDisk(lambda call, path, at=calls, count=count: next(count) == at, error)  # type: ignore[misc]
        store = Snapshots(data, WORLD, disk=disk)
        try:
            store.publish(store.write(snapshot(20)))
        except OSError as failure:
            assert failure.errno == error
            fired += disk.failed
        if not disk.failed:
            break
        assert set(ticks_of(Snapshots(data, WORLD).usable())) <= {10, 20}
        again = Snapshots(data, WORLD, disk=HastyDisk())
        again.publish(again.write(snapshot(20)))
        again.thin(1000)
        assert again.ticks() == [10, 20]
        assert not list(again.folder.glob(".*")), "what was left over is gone"
        calls += 1
    tried("a call to the disk that fails", fired)
    assert fired == calls >= 6, "create, write, sync, close, rename, folder"


def test_a_disk_that_gives_back_something_else_is_not_believed(tmp_path: Path) -> None:
    class LyingDisk(HastyDisk):
        def write(self, descriptor: int, data: bytes, offset: int) -> None:
            super().write(descriptor, data[:-1] + b"?", offset)

    store = Snapshots(tmp_path, WORLD, disk=LyingDisk())
    with pytest.raises(SnapshotDamaged, match="something else"):
        store.write(snapshot(20))
    assert list(store.folder.iterdir()) == []


def test_power_lost_at_any_call_leaves_whole_ones_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, tried: Tried
) -> None:
    start = tmp_path / "start"
    written(start, 10, 20)
    lost_pages = lost_names = survived = 0
    calls = 0
    while True:
        for seed in range(6):
            data = shutil.copytree(start, tmp_path / "running")
            disk = PowerDisk(data, calls)
            store = Snapshots(data, WORLD, disk=disk)
            published: list[int] = []
            try:
                for tick in (30, 40):
                    store.publish(store.write(snapshot(tick)))
                    published.append(tick)
                    store.thin(25)
            except PowerLost:
                pass
            target = tmp_path / "after"
            disk.lose_power(target, random.Random(seed))
            tried("power lost at a call to the disk")
            caplog.clear()
            found = list(Snapshots(target, WORLD).usable())
            assert caplog.records == [], "a file with a snapshot's name is whole"
            assert all(each == snapshot(each.tick) for each in found)
            assert {10, *published} <= {each.tick for each in found}, "what was published is there"
            lost_pages, lost_names = lost_pages + disk.lost_pages, lost_names + disk.lost_names
            survived += len(found)
            shutil.rmtree(data)
            shutil.rmtree(target)
        if not disk.lost:
            break
        calls += 1
    assert calls >= 12 and survived > 100
    assert lost_pages > 20 and lost_names > 20, "power was really lost in the middle"


# --- which are kept ----------------------------------------------------------------------------------------


def test_the_last_two_are_kept_and_the_first_of_each_span(tmp_path: Path) -> None:
    store = written(tmp_path, *range(50, 1000, 50))
    store.thin(300)
    assert store.ticks() == [50, 300, 600, 900, 950]
    written(tmp_path, 1000, 1050, 1200)
    store.thin(300)
    assert store.ticks() == [50, 300, 600, 900, 1050, 1200]


@given(
    ticks=st.lists(st.integers(0, 10_000), min_size=1, max_size=60, unique=True).map(sorted),
    spacing=st.integers(1, 900),
)
def test_thinning_again_and_again_keeps_what_thinning_once_keeps(ticks: list[int], spacing: int) -> None:
    kept: list[int] = []
    for tick in ticks:
        kept = kept_ticks([*kept, tick], spacing)
        assert kept[-2:] == [*kept, tick][-2:] or kept[-1] == tick
        assert tick in kept
    assert kept == kept_ticks(ticks, spacing)
    assert {tick // spacing for tick in kept} == {tick // spacing for tick in ticks}, "each span has one to seek by"


# --- reading on from a place -------------------------------------------------------------------------------


async def logged(data: Path) -> Path:
    """A log of several files, complete."""
    recording = Recording(data, file_bytes=900)
    recording.create(WORLD)
    for tick in range(1, 40):
        recording.append(WORLD, tick_record(tick))
    await recording.journal.close()
    return data


def places(data: Path) -> list[LogEnd]:
    """The place behind each record, as whoever wrote it knew it."""
    found: list[LogEnd] = []
    tick = 0
    for stored in read_world(data, WORLD):
        tick = max(tick, getattr(stored.record, "tick", 0))
        epoch = 0 if not found and stored.offset == 72 and stored.file == 1 else 1
        found.append(
            LogEnd(
                world=WORLD,
                epoch=epoch,
                file=stored.file,
                offset=stored.offset + stored.bytes,
                crc=stored.crc,
                tick=tick,
            )
        )
    return found


async def test_reading_on_from_any_place_gives_the_rest(tmp_path: Path) -> None:
    data = await logged(tmp_path)
    everything = list(read_world(data, WORLD))
    assert everything[-1].file > 3
    for done, place in enumerate(places(data), 1):
        assert list(read_world_from(data, place)) == everything[done:]


async def test_nothing_before_the_place_is_needed(tmp_path: Path) -> None:
    data = await logged(tmp_path)
    everything = list(read_world(data, WORLD))
    for done, place in enumerate(places(data)[:-1], 1):
        copy = shutil.copytree(data, tmp_path / "copy")
        for file in range(1, place.file):
            (copy / "worlds" / WORLD / f"{file:04d}.wlog").unlink()
        if place.file == everything[done].file:
            path = copy / "worlds" / WORLD / f"{place.file:04d}.wlog"
            path.write_bytes(bytes(place.offset) + path.read_bytes()[place.offset :])
        assert list(read_world_from(copy, place)) == everything[done:]
        shutil.rmtree(copy)


async def test_a_place_that_the_log_does_not_have_is_refused(tmp_path: Path) -> None:
    data = await logged(tmp_path)
    refused = 0
    for place in places(data):
        for change in (
            {"crc": place.crc ^ 1},
            {"offset": place.offset - 1},
            {"offset": place.offset + 10_000},
            {"file": place.file + 50},
        ):
            with pytest.raises(PositionUnknown, match="log verify"):
                read_world_from(data, msgspec.structs.replace(place, **change))
            refused += 1
    last = places(data)[-1]
    path = data / "worlds" / WORLD / f"{last.file:04d}.wlog"
    path.write_bytes(path.read_bytes()[: last.offset - 1])
    with pytest.raises(PositionUnknown):
        read_world_from(data, last)
    assert refused > 100


async def test_a_place_may_be_in_a_journal_only(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running")
    await recording.create(WORLD).wait()
    for tick in range(1, 5):
        await recording.append(WORLD, tick_record(tick)).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    assert not list((data / "worlds").rglob("*.wlog"))
    for done, place in enumerate(places(data), 1):
        assert plain(read_world_from(data, place)) == recording.written[WORLD][done:]
