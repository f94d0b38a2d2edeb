"""Promise: a running server archives what has ended and removes what exceeds the operator's limits; archived worlds
read, verify and re-execute as before; worlds that are played are left alone; kill -9 in the middle harms nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
from pathlib import Path

import pytest

import worldline
from eventlog.index import NAME
from eventlog.reader import read_world
from server.commands import main
from tests.system.conftest import ServerFactory
from tests.system.harness import RunningServer, eventually

AT_ONCE = ("--archive-after-s", "0")
NEVER = ("--archive-after-s", "1e9")


async def end_worlds(server: RunningServer, count: int) -> list[str]:
    """Have worlds made, played in and stopped; return their ids, the one that ended first first."""
    async with worldline.connect(server.url, name="ada") as ada:
        worlds = []
        for _ in range(count):
            # A game that waits long for players: one that closes when it is empty might do so before the join.
            made = await ada.create("echo")
            player = await ada.join(world=made.world)
            await player.input("count", by=1)
            await ada.stop(made.world)
            worlds.append(made.world)
    return worlds


def files(data: Path, world: str) -> set[str]:
    folder = data / "worlds" / world
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def is_archived(data: Path, world: str) -> bool:
    there = files(data, world)
    return "0001.wlogz" in there and not there & {"0001.wlog", "0001.wlogz.new"}


def worlds_there(data: Path) -> list[str]:
    """Also those that are only half removed."""
    return sorted(path.name for path in (data / "worlds").iterdir())


def worlds_in_index(data: Path) -> list[str]:
    with sqlite3.connect(data / NAME) as connection:
        rows = [row[0] for row in connection.execute("SELECT world FROM worlds ORDER BY world")]
    connection.close()
    return rows


async def test_what_has_ended_is_archived_and_stays_readable_until_retention_removes_it(
    serve: ServerFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> list[list[str]]:
        assert main([*words, "--data", str(data)]) == 0
        return [line.split("\t") for line in capsys.readouterr().out.splitlines()]

    server = serve("--shards", "2", *NEVER)
    data = server.data
    oldest, *others = await end_worlds(server, 3)
    # Not before: when it is told that a world has ended, its last checkpoint may still have to be written.
    await eventually(lambda: len(worlds_in_index(data)) == 3, "the index knows what has ended")
    before = {world: list(read_world(data, world)) for world in (oldest, *others)}
    shown = run("log", "show", oldest)
    assert not any(is_archived(data, world) for world in before)
    assert server.terminate() == 0

    server = serve("--shards", "2", *AT_ONCE)
    await eventually(lambda: all(is_archived(data, world) for world in before), "what has ended is archived")
    assert {world: list(map(str, read_world(data, world))) for world in before} == {
        world: list(map(str, written)) for world, written in before.items()
    }
    assert run("log", "show", oldest) == shown
    assert run("log", "verify")
    verified = run("replay", "verify", *before)
    assert {row[0] for row in verified} >= set(before) and all("verified" in row for row in verified), verified
    assert [(row[0], row[4], row[8]) for row in run("worlds", "ls")] == [(w, "1", "yes") for w in sorted(before)]
    assert server.terminate() == 0

    server = serve("--keep-worlds", "2", *AT_ONCE)
    await eventually(lambda: worlds_there(data) == sorted(others), "the oldest is removed, and nothing else")
    assert [row[0] for row in run("worlds", "ls")] == sorted(others)
    await eventually(lambda: worlds_in_index(data) == sorted(others), "the index knows that it is gone")
    assert f"world {oldest} is removed: 2 that ended later are kept" in server.stderr()
    (new,) = await end_worlds(server, 1)
    await eventually(lambda: worlds_there(data) == sorted([others[1], new]), "a new one takes the place of the oldest")
    assert server.terminate() == 0


async def test_worlds_that_are_played_or_recover_are_left_alone(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--keep-worlds", "0", *AT_ONCE)
    data = server.data
    async with worldline.connect(server.url, name="ben") as ben:
        player = await ben.join("short_lived")
        await player.input("wave")
        for _ in range(2):
            ended = await end_worlds(server, 2)
            await eventually(lambda: worlds_there(data) == [player.world], f"only {ended} are removed")
            os.kill(server.shard_pids()[0], signal.SIGKILL)
            await player.input("wave")
        assert files(data, player.world) >= {"0001.wlog"}
    await eventually(lambda: worlds_there(data) == [], "it has ended and goes as well")
    assert server.terminate() == 0


async def test_worlds_that_ended_just_before_their_shard_died_are_looked_after(serve: ServerFactory) -> None:
    server = serve("--shards", "1", *AT_ONCE)
    async with worldline.connect(server.url, name="ben") as ben:
        made = [(await ben.create("short_lived")).world for _ in range(4)]
        joined = await asyncio.gather(*[ben.join(world=world) for world in made], return_exceptions=True)
        # On a busy machine one may have closed before anybody came: it has ended, too.
        assert {each.code for each in joined if isinstance(each, worldline.WorldlineError)} <= {"world_closed"}
        assert not [each for each in joined if not isinstance(each, worldline.Player | worldline.WorldlineError)]
    # Nobody is there any more: they end about now, some before the kill, some when they have come back.
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    await eventually(lambda: all(is_archived(server.data, world) for world in made), "all are archived")
    assert server.terminate() == 0


async def test_kill_9_while_it_works_and_the_next_start_completes_it(
    serve: ServerFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve("--shards", "2", "--limits", "off", *NEVER)
    data = server.data
    worlds = sorted(await end_worlds(server, 16))
    assert server.terminate() == 0
    before = {world: list(map(str, read_world(data, world))) for world in worlds}

    server = serve("--shards", "1", *AT_ONCE)
    await eventually(lambda: any(is_archived(data, world) for world in worlds), "it has begun to archive")
    server.kill()
    done = sum(is_archived(data, world) for world in worlds)
    assert {world: list(map(str, read_world(data, world))) for world in worlds} == before, f"{done} were archived"

    server = serve("--shards", "1", "--keep-worlds", "5", *AT_ONCE)
    await eventually(lambda: len(worlds_there(data)) < len(worlds), "it has begun to remove")
    server.kill()

    server = serve("--shards", "1", "--keep-worlds", "5", *AT_ONCE)
    await eventually(lambda: len(worlds_there(data)) == 5, "five are kept")
    left = worlds_there(data)
    await eventually(lambda: all(is_archived(data, world) for world in left), "and archived")
    await eventually(lambda: worlds_in_index(data) == left, "and in the index")
    assert {world: list(map(str, read_world(data, world))) for world in left} == {w: before[w] for w in left}
    assert server.terminate() == 0
    assert main(["log", "verify", "--data", str(data)]) == 0
    capsys.readouterr()
