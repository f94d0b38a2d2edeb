"""Nothing that depends on a tick leaves a shard before that tick is durable."""

from __future__ import annotations

import asyncio
from pathlib import Path

from server import messages
from tests.eventlog.disks import FailingDisk, GatedDisk
from tests.server.shards import RunningShard, running_shard
from worldline import protocol


async def has_ticked(shard: RunningShard, ticks: int) -> None:
    """Return when the shard's world has run ``ticks`` more ticks: replies had every chance to leave."""
    (host,) = shard.shard._hosts.values()
    target = host.world.tick + ticks
    while host.world.tick < target:
        await asyncio.sleep(0)


async def test_outcomes_and_observations_wait_for_their_sync(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        disk.shut()
        counted = shard.input("count", {"by": 5}, observe=True)
        await asyncio.to_thread(disk.wait_for_sync)
        await has_ticked(shard, 5)
        seen = shard.ask(messages.ObservePlayer, player="p_1", since=1)
        await has_ticked(shard, 5)
        assert not counted.done()
        assert not seen.done()
        disk.lift()
        outcome = await counted
        assert outcome.observation.data["total"] == 5
        late = await seen
        assert late.tick > outcome.tick
        assert late.data["total"] == 5


async def test_a_join_waits_for_its_sync(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        disk.shut()
        joined = asyncio.ensure_future(shard.join())
        await asyncio.to_thread(disk.wait_for_sync)
        await has_ticked(shard, 5)
        assert not joined.done()
        assert not any(isinstance(report, messages.PlayerJoined) for report in shard.reports)
        assert not shard.pushes
        disk.lift()
        assert (await joined).player == "p_1"
        await shard.report(messages.PlayerJoined)


async def test_after_a_failed_sync_nothing_is_answered_and_the_shard_ends(short_folder: Path) -> None:
    broken = False
    disk = FailingDisk(lambda call, path: broken and call == "sync" and path.suffix == ".journal")
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        broken = True
        counted = shard.input("count", {"by": 5})
        await shard.shard.stopped
        assert disk.failed == 1
        assert shard.shard.failed is not None
        assert not counted.done()


async def test_a_refusal_need_not_wait(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        disk.shut()
        refused = await shard.input("count", {"by": "many"})
        assert isinstance(refused, protocol.Error)
        disk.lift()


async def test_nobody_hears_that_a_world_has_ended_before_that_is_durable(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        (host,) = shard.shard._hosts.values()
        disk.shut()
        host.course.close("operator")
        asked = [
            shard.input("count", {"by": 5}),
            shard.ask(messages.ObservePlayer, player="p_1", since=1),
            shard.ask(messages.AttachPlayer, player="p_1", session="s_1"),
        ]
        await asyncio.to_thread(disk.wait_for_sync)
        unknown = await shard.ask(messages.ObservePlayer, world="w_0000000000", player="p_1", since=1)
        assert unknown.code == "unknown_world", "what waits for nothing has been answered, also what came before"
        assert not any(answer.done() for answer in asked)
        assert [type(push.message) for push in shard.pushes] == [protocol.Started]
        disk.lift()
        refused, unseen, absent = await asyncio.gather(*asked)
        assert (refused.code, unseen.code) == ("world_closed", "world_closed")
        assert absent.reason == "operator"
        closed = shard.pushes[1].message
        assert isinstance(closed, protocol.Closed)
        assert (closed.reason, closed.status) == ("operator", "closed"), "who is told first is told why"
