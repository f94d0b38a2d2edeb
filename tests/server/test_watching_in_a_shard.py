"""Promise: what spectators see is durable, costs a shard something only while they watch, and nothing of it stays."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from server import messages
from server.link import Link, connect_unix
from tests.eventlog.disks import GatedDisk
from tests.server.shards import WORLD, RunningShard, running_shard
from tests.server.test_visible_is_durable import has_ticked
from worldline import protocol


async def watch(shard: RunningShard, hz: float = 10, role: protocol.Role = "spectator") -> Any:
    """Watch as somebody who does not play."""
    return await shard.ask(messages.WatchWorld, agent="a_spectator", role=role, hz=hz)


async def frames(shard: RunningShard, number: int) -> list[protocol.Frame]:
    """The first ``number`` frames that the gateway has got, once they are here."""
    while len(shard.framed) < number:
        shard.news.clear()
        await shard.news.wait()
    return [msgspec.msgpack.decode(each.frames[0], type=protocol.Frame) for each in shard.framed[:number]]


async def test_a_frame_waits_until_its_tick_is_durable(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open("stage")
        await shard.join()
        watching = (await watch(shard)).watching
        await frames(shard, 1)
        disk.shut()
        put = shard.input("put", {"name": "chair", "x": 1})
        await asyncio.to_thread(disk.wait_for_sync)
        before = len(shard.framed)
        audience = shard.shard._hosts[WORLD].course.audience
        (stream,) = audience._streams.values()
        number = stream.number
        while stream.number < number + 2:  # frames are made, of the tick that is not durable, too
            await has_ticked(shard, 1)
        late = shard.ask(messages.WatchWorld, agent="a_late", role="spectator", hz=10)
        await has_ticked(shard, 3)
        held = [msgspec.msgpack.decode(each.frames[0], type=protocol.Frame) for each in shard.framed[before:]]
        assert not any(told.name == "put" for frame in held for told in frame.inputs)
        assert not put.done()
        assert not late.done(), "the answer shows that tick, too"
        disk.lift()
        assert (await late).watching.watch == watching.watch
        tick = (await put).tick
        seen = [frame for frame in await frames(shard, before + 2) if frame.inputs]
        assert [(frame.inputs[0].name, frame.inputs[0].tick) for frame in seen] == [("put", tick)]


async def test_a_frame_tells_the_longest_tick_since_the_one_before(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("stage")
        await shard.join()
        host = shard.shard._hosts[WORLD]
        await watch(shard)
        seen = await frames(shard, 12)
        assert seen[0].tick_ms is None, "of what was before nobody knows"
        told = [frame.tick_ms for frame in seen if frame.tick_ms is not None]
        assert len(told) >= 10
        assert 0 < max(told) <= round(host.course.meters.tick_seconds.max_s * 1000, 3)


async def test_nobody_watches_no_view_is_computed(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("stage")
        await shard.join()
        world = shard.shard._hosts[WORLD].world
        viewed = 0
        view = world.view

        def counted() -> bytes:
            nonlocal viewed
            viewed += 1
            return view()

        world.view = counted  # type: ignore[method-assign]
        await has_ticked(shard, 30)
        assert viewed == 0
        first, second = await watch(shard, 10), await watch(shard, 10)
        assert first.watching.watch == second.watching.watch
        assert (await watch(shard, 2)).watching.watch != first.watching.watch
        began, tick = viewed, world.tick
        await frames(shard, 10)
        assert viewed - began <= 2 + (world.tick - tick) // 2, "far from one a tick and viewer"
        audience = shard.shard._hosts[WORLD].course.audience
        for watch_id in list(audience._streams):
            shard.gateway.send(
                messages.StopWatching(
                    world=WORLD,
                    watch=watch_id,
                    opening=audience._streams[watch_id].links[next(iter(audience._streams[watch_id].links))],
                )
            )
        while audience._streams:
            await asyncio.sleep(0)
        stopped = viewed
        await has_ticked(shard, 30)
        assert viewed == stopped


async def test_a_gateway_that_dies_takes_its_streams_with_it(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("stage")
        await shard.join()
        gateway: Link[Any] = await connect_unix(
            short_folder / "shard.sock", messages.ShardToGateway, lambda _, message: None, lambda _: None
        )
        gateway.send(messages.WatchWorld(request=1, world=WORLD, agent="a_x", role="spectator", hz=5))
        audience = shard.shard._hosts[WORLD].course.audience
        while not audience._streams:
            await asyncio.sleep(0)
        gateway.close()
        while audience._streams:
            await asyncio.sleep(0)
        assert (await watch(shard)).watching.world == WORLD


async def test_nothing_new_is_shown_of_a_world_that_stands_still(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("stage", clock="manual", owner="a_1")
        await shard.join()
        began = (await watch(shard, role="developer")).watching
        assert began.tick == 0
        stepped = await shard.ask(messages.StepWorld, agent="a_1", ticks=3)
        assert stepped.tick == 3
        first, *_, last = await frames(shard, 2)
        assert (first.tick, first.base_tick, last.tick, last.base_tick) == (0, None, 3, 0)
        shard.gateway.send(messages.NeedWhole(world=WORLD, watch=began.watch))
        *_, whole = await frames(shard, 3)
        assert (whole.tick, whole.base_tick) == (3, None), "who lacks it gets it, though nothing has happened"
