"""Promise: whatever the disk does in the middle of a run or of recovery (EIO, ENOSPC, lost power), recovering again
brings back all that was acknowledged, exactly once; and no journal goes before its bytes are safe."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from random import Random

import msgspec
import pytest

from eventlog.errors import JournalFailed, UnknownWorld
from eventlog.journal import Journal, JournalOptions
from eventlog.reader import read_world
from eventlog.recovery import recover
from tests.eventlog.building import NEVER_S, SHARD, Recording, crash, plain, tick_record
from tests.eventlog.disks import FailingDisk, HastyDisk, WatchedDisk
from tests.eventlog.power import PowerDisk, PowerLost
from tests.eventlog.test_recovery import assert_recovered
from tests.faults_tried import Tried

WORLDS = ("w_one", "w_two")
BUSY = JournalOptions(
    segment_bytes=16 * 1024, segments_per_retirement=2, flush_bytes=900, flush_after_s=NEVER_S, seal_after_s=NEVER_S
)


async def play(recording: Recording, ticks: int, acknowledged: dict[str, int]) -> None:
    """Append ticks to two worlds, one after the other, and note how many records of each are durable."""

    async def durable(ticket_of: list[str], pieces: list[object]) -> None:
        await recording.journal.append(pieces).wait()  # type: ignore[arg-type]
        for world in ticket_of:
            acknowledged[world] = len(recording.written[world])

    await durable(list(WORLDS), [recording.begin(world) for world in WORLDS])
    for tick in range(1, ticks + 1):
        world = WORLDS[tick % 2]
        await durable([world], [recording.piece(world, tick_record(tick))])


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
async def test_whichever_call_of_redo_fails_doing_it_again_completes_it(
    tmp_path: Path, error: int, tried: Tried
) -> None:
    options = msgspec.structs.replace(BUSY, segments_per_retirement=99)
    recording = Recording(tmp_path / "running", options=options, file_bytes=900)
    await play(recording, 9, {})
    crashed = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    shutil.rmtree(crashed / "worlds" / "w_two", ignore_errors=True)  # to be made anew
    (crashed / "worlds" / "w_one").mkdir(parents=True, exist_ok=True)
    with (crashed / "worlds" / "w_one" / "0001.wlog").open("ab") as file:
        file.write(b"no record" * 300)  # to be cut

    def again(name: str) -> Path:
        return crash(crashed, tmp_path / name)

    counted = WatchedDisk()
    recover(again("all"), disk=counted)
    assert {call for call, _ in counted.calls} == {
        "open", "create", "write", "truncate", "sync", "close", "make_folder", "sync_folder", "remove", "remove_folder",
    }  # fmt: skip
    fired = 0
    for nth in range(len(counted.calls)):
        calls = 0

        def at_nth(_call: str, _path: Path) -> bool:
            nonlocal calls
            calls += 1
            return calls == nth + 1  # noqa: B023 - used within this round only

        data = again(f"{nth}")
        disk = FailingDisk(at_nth, error)
        with pytest.raises(OSError, match="this disk fails") as failed:
            recover(data, disk=disk)
        assert (failed.value.errno, disk.failed) == (error, 1)
        fired += 1
        assert plain(read_world(data, "w_two")) == recording.written["w_two"], "readable all the time"
        recover(data, disk=HastyDisk())
        assert_recovered(data, recording.written)
    tried("a call to the disk that fails", fired)
    assert fired == len(counted.calls) > 25


async def test_what_was_acknowledged_survives_lost_power_whenever_it_comes(tmp_path: Path, tried: Tried) -> None:
    """Or a kill -9: in the run, then in recovery, and again. Unsynced pages and names are lost, kept or torn."""
    probe = PowerDisk(tmp_path / "probe", 10**6)
    probing = Recording(tmp_path / "probe", options=BUSY, file_bytes=900, disk=probe)
    await play(probing, 12, {})
    await probing.journal.close()
    calls = len(probe.calls)
    losses = pages = names = 0
    for seed in range(3 * calls):
        random = Random(seed)
        root = tmp_path / str(seed)
        (root / "worlds").mkdir(parents=True)
        disk = PowerDisk(root, 6 + seed % calls)
        recording = Recording(root, options=BUSY, file_bytes=900, disk=disk)
        acknowledged: dict[str, int] = {}
        try:
            await play(recording, 12, acknowledged)
            await recording.journal.close()
        except JournalFailed:
            pass
        losses += disk.lost
        following = root
        for life in range(6):
            calls_left = random.randrange(40) if life < 5 else 10**6
            disk.revive(calls_left)
            if random.random() < 0.6:  # else: kill -9
                following = root.with_name(f"{seed}-{life}")
                disk.lose_power(following, random)
                pages, names = pages + disk.lost_pages, names + disk.lost_names
                disk = PowerDisk(following, calls_left)
            try:
                recover(following, disk=disk)
                break
            except PowerLost:
                losses += 1
        for world, count in acknowledged.items():
            read = plain(read_world(following, world))
            assert read == recording.written[world][: len(read)], seed
            assert len(read) >= count, seed
        for world in recording.written.keys() - acknowledged.keys():
            try:
                read = plain(read_world(following, world))
            except UnknownWorld:
                continue
            assert read == recording.written[world][: len(read)], seed
        for left in tmp_path.glob(f"{seed}*"):
            shutil.rmtree(left)
    tried("power lost at a call to the disk", losses)
    assert losses > 3 * calls
    assert pages > 150
    assert names > 50


async def test_segments_go_one_by_one_the_oldest_first_and_each_for_good(tmp_path: Path) -> None:
    """Also those that the dead process had removed without syncing it: else a power loss could bring back one of them
    and leave a hole behind it."""
    recording = Recording(tmp_path / "running", options=msgspec.structs.replace(BUSY, segments_per_retirement=99))
    await play(recording, 9, {})
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    segments = sorted(path.name for path in data.rglob("*.journal"))
    assert len(segments) >= 4
    disk = WatchedDisk()
    recover(data, disk=disk)
    last_of_worlds = max(i for i, (_, path) in enumerate(disk.calls) if path.is_relative_to(data / "worlds"))
    ends = [(call, path.name) for call, path in disk.calls[last_of_worlds + 1 :] if path != data]
    removals = [step for name in segments for step in (("remove", name), ("sync_folder", "shard-03"))]
    assert ends == [("sync_folder", "shard-03"), *removals, ("remove_folder", "shard-03"), ("sync_folder", "journal")]


async def test_a_journal_begins_anew_only_after_recovery(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "running")
    await play(recording, 3, {})
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    recover(data)
    journal = Journal.open(data, SHARD, on_failure=lambda error: pytest.fail(str(error)))
    await journal.close()
