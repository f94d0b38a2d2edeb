"""Promise: after kill -9 a world comes back from its latest snapshot, however long it has been played before that."""

from __future__ import annotations

import asyncio
import re

import worldline
from eventlog.reader import read_world
from eventlog.records import Checkpoint
from eventlog.snapshots import Snapshots
from replays.verify import verify_world
from tests.system.conftest import ServerFactory
from tests.system.harness import eventually

BACK = re.compile(r"world (\S+) is at tick (\d+) again: from tick (\d+), (\d+) records")


async def test_only_what_came_after_the_last_snapshot_is_executed_again(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--limits", "off", games=None)
    store = None
    async with worldline.connect(server.url, name="ada") as ada:
        player = await ada.join("tsunami", observe=True)
        store = Snapshots(server.data, player.world)
        for step in range(1, 2000):
            await player.input("move", x=450 - step % 40, z=0)
            if len(store.ticks()) >= 2 and store.ticks()[-1] > 600:
                break
        await asyncio.sleep(0)
        taken = store.ticks()
        resume, seen = ada.resume, (await player.observe()).tick
        server.kill()
    assert len(taken) >= 2, "the world was saved while it was played"
    newest = Snapshots(server.data, player.world).ticks()[-1]

    again = serve("--shards", "1", "--limits", "off", games=None, data=server.data)
    await eventually(lambda: BACK.search(again.stderr()) is not None, "the world is back")
    back = BACK.search(again.stderr())
    assert back is not None
    world, tick, began, executed = back.group(1), *(int(number) for number in back.groups()[1:])
    written = list(read_world(server.data, player.world))
    place = store.read(newest).position
    behind = [each for each in written if (each.file, each.offset) >= (place.file, place.offset)]
    assert (world, began) == (player.world, newest)
    assert executed <= len(behind) < len(written) / 2, "the age of a world does not count"
    assert tick >= seen
    async with worldline.connect(again.url, resume=resume) as ada:
        (mine,) = ada.players.values()
        assert (mine.world, mine.player) == (player.world, player.player)
        assert (await mine.observe()).tick >= tick
    assert again.terminate() == 0
    assert verify_world(server.data, world).status == "verified"
    assert sum(isinstance(each.record, Checkpoint) for each in read_world(server.data, world)) >= 3
