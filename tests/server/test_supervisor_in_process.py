"""Promise: a program that runs a server inside itself (demo, bench) sees what it does, and stops it without a trace."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

import pytest

from server.config import ServeConfig
from server.startup import StartError
from server.supervisor import Supervisor
from tests.system.harness import GAMES, agent


def config(tmp_path: Path, **changes: object) -> ServeConfig:
    settings: dict[str, object] = {"port": 0, "data": tmp_path / "data", "games": (GAMES,), "shards": 1, **changes}
    return ServeConfig(**settings)  # type: ignore[arg-type]


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_statistics_worlds_and_views_show_what_is_played(tmp_path: Path) -> None:
    async with Supervisor(config(tmp_path, shards=2)) as supervisor:
        assert supervisor.url == f"ws://127.0.0.1:{supervisor.port}/ws"
        assert supervisor.worlds() == []
        async with agent(supervisor.url, "ada") as ada:
            joined = await ada.ask("join", game="tsunami")
            world = joined["world"]
            await ada.ask("input", world=world, name="move", args={"x": 0, "z": 0}, observe=True)

            (summary,) = supervisor.worlds()
            assert (summary.world, summary.game, summary.status) == (world, "tsunami", "running")
            assert [(player.name, player.seat) for player in summary.players] == [("ada", joined["seat"])]

            view = await supervisor.view(world)
            assert view.world == world and view.tick > 0 and view.view["nodes"]

            statistics = await supervisor.statistics()
            assert sorted(shard.pid for shard in statistics.shards) == sorted(supervisor.shard_pids)
            (played,) = [entry for shard in statistics.shards for entry in shard.worlds]
            assert (played.world, played.players) == (world, 1) and played.ticks_run > 0
            assert played.observations == 1 and played.tick_seconds.count == played.ticks_run
            (gateway,) = statistics.gateways
            assert gateway.connections == 1 and gateway.requests >= 3
            assert statistics.supervisor_pid == os.getpid()
            assert statistics.supervisor_cpu_s > 0 and statistics.supervisor_rss_bytes > 0
        pids = [*supervisor.shard_pids, gateway.pid]
        assert all(map(is_alive, pids))
    assert supervisor.stopped_cleanly
    assert not any(map(is_alive, pids))
    assert not list((tmp_path / "data" / "journal").glob("*"))
    await supervisor.stop()  # safe to repeat


async def test_a_world_that_does_not_run_has_no_view(tmp_path: Path) -> None:
    async with Supervisor(config(tmp_path)) as supervisor:
        with pytest.raises(LookupError, match="w_nope"):
            await supervisor.view("w_nope")


async def test_a_start_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    async with Supervisor(config(tmp_path)) as first:
        second = Supervisor(config(tmp_path))
        with pytest.raises(StartError, match="in use"):
            await second.start()
        assert second.shard_pids == []
        third = Supervisor(config(tmp_path, port=first.port, data=tmp_path / "other"))
        with pytest.raises(StartError, match=f"port {first.port}"):
            await third.start()
        assert not (tmp_path / "other").exists()
    async with Supervisor(config(tmp_path)):
        assert True, "the port, the lock and the folder are free again"


def started_shards(supervisor: Supervisor) -> list[int]:
    """The process ids of shards that are there, ready or not."""
    switchboard = supervisor._switchboard
    slots = () if switchboard is None else switchboard.shards.slots
    return [slot.child.pid for slot in slots if slot.child is not None]


async def test_a_start_that_is_cancelled_leaves_nothing_behind(tmp_path: Path) -> None:
    supervisor = Supervisor(config(tmp_path))
    starting = asyncio.create_task(supervisor.start())
    while not (pids := started_shards(supervisor)):
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not any(map(is_alive, pids))
    async with Supervisor(config(tmp_path)):
        assert True, "the data folder is free again"


async def test_a_start_whose_shards_die_while_they_restore_worlds_ends_with_an_error(tmp_path: Path) -> None:
    async with Supervisor(config(tmp_path)) as first, agent(first.url, "ada") as ada:
        await ada.ask("join", game="tsunami")
    supervisor = Supervisor(config(tmp_path))
    starting = asyncio.create_task(supervisor.start())
    while not (pids := supervisor.shard_pids):
        await asyncio.sleep(0)
    os.kill(pids[0], signal.SIGSTOP)  # it has not been told of the world yet, and will not restore it
    while not supervisor.worlds():
        await asyncio.sleep(0)
    shutil.rmtree(supervisor._premises.sockets)  # type: ignore[union-attr]  # no other can start any more
    os.kill(pids[0], signal.SIGKILL)
    with pytest.raises(StartError, match="no shard can run"):
        await asyncio.wait_for(starting, 60)
    async with Supervisor(config(tmp_path)) as third:
        assert [world.status for world in third.worlds()] == ["running"]


async def test_a_killed_server_says_that_it_was_not_stopped_cleanly(tmp_path: Path) -> None:
    supervisor = Supervisor(config(tmp_path))
    await supervisor.start()
    pids = supervisor.shard_pids
    supervisor.kill()
    await supervisor.stop()
    assert not supervisor.stopped_cleanly
    assert not any(map(is_alive, pids))
