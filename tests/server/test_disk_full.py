"""Promise: a full disk makes worlds stand still, with a notice, and they go on when there is room: whoever asks gets
one answer, what was acknowledged is there, and nothing is applied twice."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

from eventlog import records
from eventlog.reader import read_world
from eventlog.recovery import recover
from server import messages
from tests.eventlog.disks import SmallDisk
from tests.server.shards import WORLD, RunningShard, running_shard
from worldline import protocol

ROOM = 4 * 2**20
BIG_NOTE = "x" * 700_000  # a group with this needs more than is laid by


async def fill_up(shard: RunningShard, disk: SmallDisk) -> dict[int, Any]:
    """Take the disk's room away and play until the world stands still: every answer by its seq."""
    disk.room_bytes = 0
    answers: dict[int, Any] = {}
    while not isinstance(answers.get(len(answers)), protocol.Error):
        answers[len(answers) + 1] = await shard.input("count", {"by": 1}, note="n" * 10_000)
    assert (await shard.push(protocol.Notice)).code == "world_paused"
    return answers


async def notices(shard: RunningShard, count: int) -> list[protocol.Notice]:
    """All notices, once there are so many."""
    while True:
        found = [push.message for push in shard.pushes if isinstance(push.message, protocol.Notice)]
        if len(found) >= count:
            return found
        await asyncio.sleep(0.01)


def inputs_in_log(data: Path) -> list[int]:
    """The seqs of all inputs that the world's log holds, in order."""
    return [
        entry.seq
        for stored in read_world(data, WORLD)
        if isinstance(stored.record, records.Tick)
        for entry in stored.record.entries
        if isinstance(entry, records.InputEntry)
    ]


async def test_worlds_stand_still_and_go_on(short_folder: Path) -> None:
    disk = SmallDisk(ROOM)
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        answers = await fill_up(shard, disk)
        refused = answers.pop(len(answers))
        assert (refused.code, refused.path, refused.retry_after_ms) == ("world_paused", "world", 2000)
        assert "no room" in refused.message
        assert all(answer.status == "applied" for answer in answers.values())
        (notice,) = await notices(shard, 1)
        assert (notice.world, notice.retry_after_ms) == (WORLD, 2000)

        seen = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        assert (seen.status, seen.data["total"]) == ("paused", len(answers))
        again = await shard.input("count", {"by": 1}, seq=1)
        assert (again.duplicate, again.tick) == (True, answers[1].tick)
        for refusal in (
            await shard.ask(messages.JoinWorld, agent="a_2", session="s_2", name="b"),
            await shard.ask(messages.LeaveWorld, player="p_1"),
            await shard.input("count", {"by": 1}, seq=len(answers) + 1),
            await shard.ask(messages.StopWorld, agent="a_1", by_developer=True),
        ):
            assert refusal.code == "world_paused"
        assert (await shard.join("a_1")).player == "p_1", "who sits here may say so again"
        assert (await shard.report(messages.JoinRefused)).agent == "a_2"
        shard.control.send(messages.OpenWorld(world="w_2", game="echo", digest=shard.code.digest, seed=1))
        not_opened = await shard.report(messages.WorldNotOpened)
        assert (not_opened.world, not_opened.later) == ("w_2", True)
        still = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        assert still.tick == seen.tick

        disk.make_room(64 * 2**20)
        assert [told.code for told in await notices(shard, 2)] == ["world_paused", "world_resumed"]
        after = await shard.input("count", {"by": 1}, seq=len(answers) + 1)
        assert (after.result, after.duplicate) == ({"total": len(answers) + 1}, False)
        assert after.tick > seen.tick
        statuses = [each.status for each in shard.reports if isinstance(each, messages.WorldChanged)]
        assert statuses == ["running", "paused", "running"]
        shard.control.send(messages.OpenWorld(world="w_3", game="echo", digest=shard.code.digest, seed=1))
        while not any(isinstance(each, messages.WorldOpened) and each.world == "w_3" for each in shard.reports):
            await asyncio.sleep(0.01)
    assert inputs_in_log(shard.data) == list(range(1, len(answers) + 2))
    assert not (shard.data / "journal" / "shard-00").exists(), "a clean end"


async def test_what_waits_for_a_tick_is_refused_at_once_and_takes_no_seq(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("short_lived")
        await shard.join()
        (host,) = shard.shard._hosts.values()
        asked = [shard.input("wave", {}, seq=1), shard.input("wave", {}, seq=2)]
        asked.append(shard.ask(messages.JoinWorld, agent="a_2", session="s_2", name="b"))
        asked.append(shard.ask(messages.LeaveWorld, player="p_1"))
        while len(host._inbox) < len(asked):
            assert not any(answer.done() for answer in asked), [a.result() for a in asked if a.done()]
            await asyncio.sleep(0)
        shard.shard.pause("somebody asked for it")
        for answer in await asyncio.gather(*asked):
            assert answer.code == "world_paused"
            assert "somebody asked for it" in answer.message
        shard.shard.resume()
        assert (await shard.input("wave", {}, seq=1)).status == "applied"


async def test_what_needs_more_than_is_laid_by_waits_and_nobody_sees_it_before(short_folder: Path) -> None:
    disk = SmallDisk(ROOM)
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        await shard.input("count", {"by": 1}, seq=1)
        disk.room_bytes = 0
        waiting = shard.input("count", {"by": 1}, seq=2, note=BIG_NOTE)
        await shard.push(protocol.Notice)
        refused = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        assert refused.code == "world_paused", "its last tick is not durable: there is nothing to be shown"
        assert not waiting.done()
        shutil.copytree(shard.data, short_folder / "killed")
        disk.make_room(64 * 2**20)
        assert (await waiting).result == {"total": 2}
        assert (await shard.ask(messages.ObservePlayer, player="p_1", since=1)).data["total"] == 2
        await notices(shard, 2)  # it goes on: before that a shard that is stopped has no room to save its worlds
    assert inputs_in_log(shard.data) == [1, 2]
    assert recover(short_folder / "killed").damaged == []
    assert inputs_in_log(short_folder / "killed") == [1], "killed while it waited: it was not applied"


async def test_a_world_that_is_to_come_back_waits_for_room(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        shard.shard.pause("there is no room")
        shard.control.send(messages.RestoreWorld(world="w_gone"))
        shard.control.send(messages.OpenWorld(world="w_2", game="echo", digest="00" * 16, seed=1))
        await shard.report(messages.WorldNotOpened)
        assert not any(isinstance(each, messages.WorldNotRestored) for each in shard.reports)
        shard.shard.resume()
        assert (await shard.report(messages.WorldNotRestored)).world == "w_gone"


async def test_a_shard_that_is_stopped_on_a_full_disk_ends_with_everything_acknowledged(short_folder: Path) -> None:
    disk = SmallDisk(ROOM)
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        answers = await fill_up(shard, disk)
        shard.control.send(messages.Drain())
        await shard.shard.stopped
        assert shard.shard.failed is not None
    data = short_folder / "left"
    shutil.copytree(shard.data, data)
    recover(data)
    assert inputs_in_log(data) == list(range(1, len(answers)))
