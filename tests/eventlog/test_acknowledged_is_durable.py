"""Promise: a ticket is done only when its group is synced, in order, on the loop; world files hold nothing before."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from eventlog.errors import JournalClosed, JournalFailed
from eventlog.journal import JournalOptions
from eventlog.reader import read_world
from eventlog.ticket import Ticket
from tests.eventlog.building import NEVER_S, Recording, plain, tick_record
from tests.eventlog.disks import FailingDisk, GatedDisk, WatchedDisk
from tests.faults_tried import Tried

EAGER = JournalOptions(flush_bytes=1, flush_after_s=NEVER_S, seal_after_s=NEVER_S)
"""World files are written as soon as that is allowed."""


async def test_nothing_is_acknowledged_nor_in_a_world_file_before_its_sync(tmp_path: Path) -> None:
    disk = GatedDisk()
    recording = Recording(tmp_path, disk=disk, options=EAGER)
    await recording.create("w_old").wait()
    disk.shut()
    acknowledged: list[Ticket] = []
    ticket = recording.append("w_old", tick_record(1))
    ticket.add_done_callback(acknowledged.append)
    await asyncio.to_thread(disk.wait_for_sync)
    later = recording.journal.append([recording.begin("w_new")])
    for _ in range(100):
        await recording.turn()
    assert not ticket.durable
    assert not later.durable
    assert acknowledged == []
    assert not recording.folder("w_new").exists()
    old = recording.folder("w_old") / "0001.wlog"
    assert not old.exists() or old.read_bytes() == recording.logs["w_old"].head.data
    disk.lift()
    await later.wait()
    assert acknowledged == [ticket]
    await recording.journal.close()
    recording.check()


async def test_world_files_are_written_behind_the_sync_of_their_group(tmp_path: Path) -> None:
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk, options=EAGER)
    await recording.create("w_one").wait()
    for tick in range(1, 20):
        await recording.append("w_one", tick_record(tick)).wait()
    await recording.journal.close()
    groups_synced = 0
    world_writes = 0
    for call, path in disk.calls:
        if path.suffix == ".journal" and call == "sync":
            groups_synced += 1
        if path.suffix == ".wlog" and call == "write":
            world_writes += 1
            assert world_writes < groups_synced, "one sync is that of the new segment itself"
    assert world_writes == 20


async def test_a_segment_has_a_durable_name_before_a_group_in_it_is_acknowledged(tmp_path: Path) -> None:
    disk = WatchedDisk()
    options = JournalOptions(segment_bytes=8 * 1024, flush_after_s=NEVER_S, seal_after_s=NEVER_S)
    recording = Recording(tmp_path, disk=disk, options=options)
    await recording.create("w_one").wait()
    for tick in range(1, 5):
        await recording.append("w_one", tick_record(tick)).wait()
    made = [index for index, (call, path) in enumerate(disk.calls) if call == "create" and path.suffix == ".journal"]
    assert len(made) >= 5, "one for each group, and one that is made ready for the next"
    for index in made[:5]:
        segment = disk.calls[index][1]
        calls = [call for call, path in disk.calls[index:] if path == segment]
        # Zeros, then the header, then the group: each is durable before the next is written.
        steps = ["create", "write", "sync", "write", "sync", "write", "sync"]
        assert calls[:7] == steps, "the last of these acknowledges the group"
        named = disk.calls.index(("sync_folder", recording.journal.folder), index)
        assert named < disk.calls.index(("write", segment), disk.calls.index(("sync", segment), index))
    await recording.journal.close()


async def test_a_world_that_is_already_there_is_never_written_to(tmp_path: Path) -> None:
    path = tmp_path / "worlds" / "w_one" / "0001.wlog"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"somebody's world")
    recording = Recording(tmp_path, options=EAGER)
    recording.create("w_one")
    with pytest.raises(JournalFailed, match="File exists"):
        await recording.journal.close()
    assert len(recording.failures) == 1
    assert path.read_bytes() == b"somebody's world"


async def test_all_that_is_appended_during_a_sync_shares_the_next_group(tmp_path: Path) -> None:
    disk = GatedDisk()
    recording = Recording(tmp_path, disk=disk)
    await recording.create("w_one", "w_two").wait()
    disk.shut()
    first = recording.append("w_one", tick_record(1))
    await asyncio.to_thread(disk.wait_for_sync)
    rest = [recording.append(world, tick_record(tick)) for tick in range(2, 52) for world in ("w_one", "w_two")]
    assert len({id(ticket) for ticket in rest}) == 1
    disk.lift()
    await rest[-1].wait()
    assert (first.number, rest[0].number) == (2, 3)
    assert recording.journal.statistics().groups == 3
    assert len(recording.syncs) == 3
    await recording.journal.close()
    recording.check()


async def test_all_worlds_that_append_in_one_turn_share_a_group(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    tickets = [recording.create(f"w_{number}") for number in range(50)]
    assert {ticket.number for ticket in tickets} == {1}
    await tickets[0].wait()
    assert recording.journal.statistics().groups == 1
    await recording.journal.close()


class GroupCountingDisk(WatchedDisk):
    """Counts groups, and the syncs that come right after one."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = self.group_syncs = 0
        self._group_written = False

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write(descriptor, data, offset)
        self._group_written = data.startswith(b"WGRP")
        self.groups += self._group_written

    def sync(self, descriptor: int) -> None:
        super().sync(descriptor)
        self.group_syncs += self._group_written
        self._group_written = False


async def test_a_thousand_worlds_cost_one_sync_a_group(tmp_path: Path) -> None:
    disk = GroupCountingDisk()
    recording = Recording(tmp_path, disk=disk)
    worlds = [f"w_{number}" for number in range(1000)]
    await recording.create(*worlds).wait()
    for tick in range(1, 6):
        await recording.journal.append([recording.piece(world, tick_record(tick)) for world in worlds]).wait()
    assert disk.groups == disk.group_syncs == recording.journal.statistics().groups == 6
    assert disk.of_worlds("sync") == []
    laid_by = len(disk.of_segments("sync")) - disk.group_syncs
    assert laid_by <= 4, "zeros for several groups at once"
    await recording.journal.close()


async def test_a_pending_group_that_is_full_is_followed_by_another(tmp_path: Path) -> None:
    recording = Recording(
        tmp_path, options=JournalOptions(group_bytes=1000, flush_after_s=NEVER_S, seal_after_s=NEVER_S)
    )
    await recording.create("w_one").wait()
    ticket = recording.append("w_one", *(tick_record(tick) for tick in range(1, 50)))
    assert ticket.number > 5
    done: list[int] = []
    ticket.add_done_callback(lambda ticket: done.append(ticket.number))
    await ticket.wait()
    assert recording.journal.statistics().groups == ticket.number
    recording.check()
    await recording.journal.close()


async def test_callbacks_run_on_the_loop_in_the_order_of_groups(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_one").wait()
    called: list[tuple[int, int]] = []
    threads: set[int] = set()
    inside = False

    def note(ticket: Ticket, nth: int) -> None:
        assert not inside, "a callback ran inside add_done_callback"
        assert ticket.durable
        called.append((ticket.number, nth))
        threads.add(threading.get_ident())

    for tick in range(1, 30):
        ticket = recording.append("w_one", tick_record(tick))
        inside = True
        ticket.add_done_callback(lambda ticket: note(ticket, 1))
        ticket.add_done_callback(lambda ticket: note(ticket, 2))
        inside = False
        if tick % 3:
            await recording.turn()
        else:
            await ticket.wait()
    await recording.journal.append(()).wait()
    inside = True
    ticket.add_done_callback(lambda ticket: note(ticket, 3))
    inside = False
    await recording.turn()
    await recording.turn()
    assert called == sorted(called, key=lambda call: call[0])
    assert called[-3:] == [(ticket.number, 1), (ticket.number, 2), (ticket.number, 3)] or called[-1][1] == 3
    assert len(called) == 2 * 29 + 1
    assert threads == {threading.get_ident()}
    await recording.journal.close()


async def test_a_raising_callback_keeps_no_other_from_running(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    called: list[int] = []
    ticket = recording.create("w_one")

    def broken(_: Ticket) -> None:
        raise RuntimeError("a mistake of the caller")

    ticket.add_done_callback(broken)
    ticket.add_done_callback(lambda ticket: called.append(ticket.number))
    await ticket.wait()
    await recording.append("w_one", tick_record(1)).wait()
    assert called == [1]
    assert [str(error) for error in reported] == ["a mistake of the caller"]
    await recording.journal.close()


async def test_after_a_failed_sync_no_ticket_is_ever_done(tmp_path: Path) -> None:
    syncs = 0

    def third_group(call: str, path: Path) -> bool:
        nonlocal syncs
        syncs += call == "sync" and path.suffix == ".journal"
        return syncs > 4  # the segment's zeros and its header, then two groups

    disk = FailingDisk(third_group)
    recording = Recording(tmp_path, disk=disk, options=EAGER)
    await recording.create("w_one").wait()
    await recording.append("w_one", tick_record(1)).wait()
    called: list[Ticket] = []
    lost = recording.append("w_one", tick_record(2))
    lost.add_done_callback(called.append)
    await recording.turn()
    pending = recording.append("w_one", tick_record(3))
    pending.add_done_callback(called.append)
    for ticket in (lost, pending):
        with pytest.raises(JournalFailed, match="this disk fails"):
            await ticket.wait()
    for _ in range(100):
        await recording.turn()
    assert disk.failed == 1, "nothing is tried again"
    assert [str(error) for error in recording.failures] == [f"[Errno 5] this disk fails: '{recording.segments()[0]}'"]
    assert called == []
    assert not (lost.durable or pending.durable)
    with pytest.raises(JournalFailed):
        recording.append("w_one", tick_record(4))
    with pytest.raises(JournalFailed):
        await recording.journal.close()
    assert recording.segments(), "the acknowledged groups are still there"


async def script(recording: Recording, acknowledged: dict[str, int]) -> None:
    """Every kind of call to the disk: new worlds, rotation, retirement of segments and worlds, close."""

    async def done(ticket: Ticket) -> None:
        counts = {world: len(written) for world, written in recording.written.items()}
        await ticket.wait()
        acknowledged.update(counts)

    await done(recording.create("w_one", "w_two"))
    for tick in range(1, 8):
        await done(
            recording.journal.append(
                [recording.piece("w_one", tick_record(tick)), recording.piece("w_two", tick_record(tick))]
            )
        )
    await recording.journal.retire_world("w_two").wait()
    await done(recording.append("w_one", tick_record(8)))
    await recording.journal.close()


async def test_whichever_call_to_the_disk_fails_what_was_acknowledged_is_readable(tmp_path: Path, tried: Tried) -> None:
    options = JournalOptions(
        segment_bytes=16 * 1024, segments_per_retirement=1, flush_bytes=1, flush_after_s=NEVER_S, seal_after_s=NEVER_S
    )
    counted = WatchedDisk()
    await script(Recording(tmp_path / "all", disk=counted, options=options, file_bytes=900), {})
    kinds = {call for call, _ in counted.calls}
    assert kinds == {"create", "write", "sync", "close", "make_folder", "sync_folder", "remove", "remove_folder"}
    opening = next(index for index, (call, _) in enumerate(counted.calls) if call == "create")
    fired = 0
    for nth in range(opening, len(counted.calls)):
        calls = 0

        def at_nth(_call: str, _path: Path) -> bool:
            nonlocal calls
            calls += 1
            return calls > nth  # noqa: B023 - used within this round only

        data = tmp_path / str(nth)
        recording = Recording(data, disk=FailingDisk(at_nth), options=options, file_bytes=900)
        acknowledged: dict[str, int] = {}
        with pytest.raises(JournalFailed):
            await script(recording, acknowledged)
        fired += 1
        assert len(recording.failures) == 1
        for world, count in acknowledged.items():
            read = plain(read_world(data, world))
            assert read == recording.written[world][: len(read)]
            assert len(read) >= count, (nth, counted.calls[nth])
    tried("a call to the disk that fails", fired)
    assert fired > 60


async def test_written_acknowledges_without_a_sync_of_the_group(tmp_path: Path) -> None:
    disk = WatchedDisk()
    recording = Recording(tmp_path, disk=disk, durability="written")
    await recording.create("w_one").wait()
    for tick in range(1, 10):
        await recording.append("w_one", tick_record(tick)).wait()
    assert len(disk.of_segments("sync")) == 2, "only the new segment's zeros and its header"
    assert recording.syncs == []
    recording.check()
    await recording.journal.close()
    assert disk.of_worlds("sync"), "a clean stop is durable all the same"
    recording.check()


async def test_a_closed_journal_takes_nothing(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    await recording.create("w_one").wait()
    await recording.journal.close()
    with pytest.raises(JournalClosed):
        recording.append("w_one", tick_record(1))


async def test_pieces_that_do_not_continue_their_world_are_refused(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    head = recording.begin("w_one")
    first, second = (recording.piece("w_one", tick_record(tick)) for tick in (1, 2))
    with pytest.raises(AssertionError):
        recording.journal.append([first])  # its world has not begun
    recording.journal.append([head])
    with pytest.raises(AssertionError):
        recording.journal.append([second])  # a gap
    recording.journal.append([first])
    with pytest.raises(AssertionError):
        recording.journal.append([first])  # twice
    with pytest.raises(AssertionError):
        recording.journal.append([head])  # the world anew
    await recording.journal.append([second]).wait()
    recording.check()
    await recording.journal.close()
