"""Promise: worlds are saved while they run, never ahead of the disk; one that cannot be saved ends and says where."""

from __future__ import annotations

import asyncio
import errno
import shutil
from pathlib import Path

import pytest

from eventlog.journal import Journal
from eventlog.reader import read_world
from eventlog.records import Checkpoint, Close, Fault, Genesis
from eventlog.snapshots import Snapshots
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from games.code import Engine, GameCode
from replays.replay import replay
from replays.verify import verify_world
from server import messages
from server.shard import checkpoints
from tests.eventlog.disks import FailingDisk, GatedDisk
from tests.server.shards import GAMES, WORLD, RunningShard, running_shard
from tests.server.test_visible_is_durable import has_ticked
from worldline import protocol


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worlds are due after each tick."""
    monkeypatch.setattr(checkpoints, "TAIL_S", 0.0)


async def until_saved(shard: RunningShard, times: int) -> None:
    """Return when so many snapshots were taken, records and all."""
    async with asyncio.timeout(30):
        while shard.shard._checkpoints.taken < times:
            await asyncio.sleep(0.005)


def test_what_is_due_when() -> None:
    assert [checkpoints.due_after_s(worlds) for worlds in (0, 1, 13, 20)] == [0.05] * 4
    assert checkpoints.due_after_s(1000) == 0.001
    assert all(checkpoints.due_after_s(worlds) * worlds <= 1.0 for worlds in range(1, 2000))


@pytest.mark.usefixtures("eager")
async def test_every_snapshot_of_a_running_world_is_the_world_that_its_log_gives(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        for by in range(1, 8):
            await shard.input("count", {"by": by})
            await until_saved(shard, by * 2)
        kept = shutil.copytree(shard.data / "worlds" / WORLD / "snapshots", short_folder / "kept")
    assert len(list(kept.glob("*.snap"))) >= 2
    claimed = [each.record for each in read_world(shard.data, WORLD) if isinstance(each.record, Checkpoint)]
    assert len(claimed) >= 14 and len({record.hash for record in claimed}) > 7
    assert verify_world(shard.data, WORLD).status == "verified", "the hash at each is that of the re-executed world"
    store = Snapshots(shard.data, WORLD)
    assert store.ticks()[-1] == claimed[-1].tick, "at a stop it was saved as it stood"
    for tick in store.ticks()[:-1]:
        store.path(tick).unlink()
    last = replay(shard.data, WORLD, start="latest")
    assert (last.began_at_tick, last.joined["p_1"].agent) == (claimed[-1].tick, "a_1")
    assert last.run().records_done <= 1


@pytest.mark.usefixtures("eager")
async def test_no_snapshot_has_its_name_before_its_state_is_durable(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        await until_saved(shard, 1)
        disk.shut()
        counted = shard.input("count", {"by": 5})
        await asyncio.to_thread(disk.wait_for_sync)
        store = Snapshots(shard.data, WORLD)
        tick = shard.shard._hosts[WORLD].world.tick
        await has_ticked(shard, 40)
        assert all(before <= tick for before in store.ticks()), "of nothing that is not durable"
        assert not counted.done()
        disk.lift()
        await counted
        await until_saved(shard, shard.shard._checkpoints.taken + 2)
        assert store.ticks()[-1] > tick


@pytest.mark.usefixtures("eager")
async def test_what_cannot_be_saved_ends_its_world_and_is_named(short_folder: Path) -> None:
    game = shutil.copytree(GAMES / "echo", short_folder / "hoarder")
    main = game / "main.lua"
    main.write_text(
        main.read_text().replace(
            "function game.inputs.count(world, player, args)",
            "function game.inputs.count(world, player, args)\n  world.state.bag = { keep = { function() end } }",
        )
    )
    async with running_shard(short_folder) as shard:
        await shard.open(str(game))
        await shard.join()
        await until_saved(shard, 1)
        await shard.input("count", {"by": 1})
        closed = await shard.push(protocol.Closed)
        assert "cannot be saved: state.bag.keep[1] is a function" in closed.reason
        refused = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        assert refused.code == "world_faulted"
    faults = [each.record for each in read_world(shard.data, WORLD) if isinstance(each.record, Fault)]
    assert [fault.kind for fault in faults] == ["not_saveable"]
    assert verify_world(shard.data, WORLD).status == "verified"


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("call", ["create", "write", "sync", "rename"])
async def test_a_disk_that_takes_no_snapshot_costs_the_snapshot_only(short_folder: Path, call: str) -> None:
    disk = FailingDisk(lambda made, path: made == call and path.suffix in (".new", ".snap"), errno.ENOSPC)
    async with running_shard(short_folder, disk=disk) as shard:
        await shard.open()
        await shard.join()
        async with asyncio.timeout(30):
            while not disk.failed:
                await asyncio.sleep(0.005)
        assert (await shard.input("count", {"by": 5})).result == {"total": 5}
        assert shard.shard.failed is None
    assert disk.failed
    assert Snapshots(shard.data, WORLD).ticks() == []
    assert replay(shard.data, WORLD, start="latest").run().world.players["p_1"].score == 5


async def test_an_ended_world_is_saved_at_its_end(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        await shard.input("count", {"by": 5})
        shard.control.send(messages.CloseWorld(world=WORLD, reason="operator"))
        await shard.push(protocol.Closed)
        await until_saved(shard, 1)
    *_, close, checkpoint = [each.record for each in read_world(shard.data, WORLD)]
    assert isinstance(close, Close) and isinstance(checkpoint, Checkpoint)
    assert checkpoint.tick == close.tick
    last = replay(shard.data, WORLD, start="latest")
    assert last.ended == close and last.world.players["p_1"].score == 5
    assert verify_world(shard.data, WORLD).status == "verified"


async def begun_without_save(data: Path) -> None:
    """Begin the log of a world whose engine is of before worlds could be saved."""
    code, engine = GameCode.load(GAMES / "echo"), Engine.current()
    host = engine.files["host.lua"]
    old = Engine.from_files({**engine.files, "host.lua": host.replace(b"function host.save(", b"local function _(")})
    assert old.digest != engine.digest
    store = Store.open(data)
    store.put_code(code.digest, code.files)
    store.put_engine(old.digest, old.files)
    journal = Journal.open(data, 0, on_failure=lambda error: pytest.fail(str(error)))
    genesis = Genesis(world=WORLD, game="echo", digest=code.digest, engine=old.digest, seed=4, created_ms=1)
    journal.append([WorldLog.create(genesis, shard=0).head])
    await journal.close()
    store.close()


@pytest.mark.usefixtures("eager")
async def test_a_world_of_an_engine_that_cannot_save_ticks_on_without_snapshots(short_folder: Path) -> None:
    await begun_without_save(short_folder / "data")
    async with running_shard(short_folder) as shard:
        shard.control.send(messages.RestoreWorld(world=WORLD))
        await shard.report(messages.WorldRestored)
        await shard.join()
        async with asyncio.timeout(30):
            await has_ticked(shard, 40)
        assert (await shard.input("count", {"by": 5})).result == {"total": 5}
        assert shard.shard._checkpoints.taken == 0
    assert shard.shard.failed is None
    assert Snapshots(shard.data, WORLD).ticks() == [], "neither while it ran nor at the stop"
    records = [each.record for each in read_world(shard.data, WORLD)]
    assert not any(isinstance(record, Checkpoint | Close | Fault) for record in records)
    again = replay(shard.data, WORLD, start="latest").run()
    assert (again.began_at_tick, again.world.players["p_1"].score) == (0, 5)
