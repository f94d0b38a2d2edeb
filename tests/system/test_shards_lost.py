"""Promise: a shard's death costs its worlds, nothing else: players are told, the log is kept, the server plays on."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path

from eventlog.reader import read_world
from eventlog.records import Genesis, InputEntry, Open, Record, Tick
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, eventually


def records(server: RunningServer, world: str) -> list[Record]:
    return [stored.record for stored in read_world(server.data, world)]


def inputs(server: RunningServer, world: str) -> list[tuple[str, int]]:
    """(player, seq) of every input in a world's log, in order."""
    return [
        (entry.player, entry.seq)
        for record in records(server, world)
        if isinstance(record, Tick)
        for entry in record.entries
        if isinstance(entry, InputEntry)
    ]


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


async def join_again(agent: Agent, game: str) -> str:
    """Join as an agent does that heeds what a refusal says: wait and try again, or join by game instead."""
    world = ""

    async def joined() -> bool:
        nonlocal world
        reply = await agent.request("join", game=game)
        if reply["type"] == "error":
            assert "retry_after_ms" in reply or f'"game":"{game}"' in reply["hint"], reply
            await asyncio.sleep(reply.get("retry_after_ms", 0) / 1000)
            return False
        world = reply["world"]
        return True

    await eventually(joined, f"a new world of {game} can be joined")
    return world


async def test_players_of_a_killed_shard_are_told_and_can_play_on(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    joined = await ada.ask("join", game="echo")
    world, player = joined["world"], joined["player"]
    acknowledged = [await ada.ask("input", world=world, name="count", args={"by": n}, seq=n) for n in range(1, 6)]
    (shard,) = server.shard_pids()

    os.kill(shard, signal.SIGKILL)
    closed = await ada.push("closed", world=world)
    assert closed["reason"] == "shard_lost"

    lost = await ada.request("join", world=world)
    assert lost["code"] == "world_closed" and "shard_lost" in lost["message"]
    new_world = await join_again(ada, "echo")
    assert new_world != world
    assert (await ada.ask("input", world=new_world, name="count", args={"by": 1}))["result"] == {"total": 1}
    assert ada.close_code is None, "the connection never dropped"

    # What was acknowledged is in the log of the lost world, though no world file may hold it yet.
    kept = inputs(server, world)
    assert kept[: len(acknowledged)] == [(player, outcome["seq"]) for outcome in acknowledged]
    assert isinstance(records(server, world)[0], Genesis)
    assert "SIGKILL" in server.stderr() and world in server.stderr()


async def test_worlds_of_other_shards_play_on(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "2")
    # Nine agents of an eight-seat game: two worlds, one on each shard.
    agents = [await connect_agent(server.url, f"agent {number}") for number in range(9)]
    joined = [await one.ask("join", game="echo") for one in agents]
    first, second = joined[0]["world"], joined[8]["world"]
    assert first != second
    for pid in server.shard_pids():
        # Kill the shard of the first world: the one whose journal folder holds it.
        if _shard_number(pid) == _shard_of(server, first):
            os.kill(pid, signal.SIGKILL)
    await asyncio.gather(*(one.push("closed", world=first, reason="shard_lost") for one in agents[:8]))
    outcome = await agents[8].ask("input", world=second, name="count", args={"by": 7})
    assert outcome["result"] == {"total": 7}
    assert [push for push in agents[8].pushes if push["type"] == "closed"] == []
    again = {await join_again(one, "echo") for one in agents[:8]}
    assert second in again and first not in again, "the other world's free seats are taken first"
    assert len(again) == 2


async def test_a_restarted_shard_leaves_the_journal_of_the_dead_one_alone(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    await ada.ask("input", world=world, name="count", args={"by": 1})
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    await ada.push("closed", world=world)
    journal = server.data / "journal" / "shard-00"
    left, log_left = bytes_of(journal), bytes_of(server.data / "worlds" / world)
    assert left, "the dead shard's journal is kept"

    new_world = await join_again(ada, "echo")
    for _ in range(5):
        await ada.ask("input", world=new_world, name="count", args={"by": 1})
    assert (server.data / "journal" / "shard-01").is_dir()
    assert server.terminate() == 0
    assert bytes_of(journal) == left
    assert bytes_of(server.data / "worlds" / world) == log_left
    assert not (server.data / "journal" / "shard-01").exists(), "the new shard stopped cleanly"


async def test_a_gateway_that_dies_is_replaced_at_the_same_port(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    (gateway,) = server.gateway_pids()
    os.kill(gateway, signal.SIGKILL)
    await ada.closed()
    bob = await connect_agent(server.url, "bob")  # waits in the backlog until the new gateway is there
    assert (await bob.ask("join", world=world))["world"] == world, "no shard was touched"
    assert server.gateway_pids() != [gateway]
    assert server.terminate() == 0


def test_a_server_whose_shards_cannot_run_ends_with_one_clear_line(serve: ServerFactory, short_folder: Path) -> None:
    server = serve("--shards", "1", environment={"TMPDIR": str(short_folder)})
    (private,) = short_folder.iterdir()
    shutil.rmtree(private)  # no shard can make its socket any more
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    assert server.process.wait(60) == 1
    last = server.stderr().splitlines()[-1]
    assert last.startswith("error: no shard can run") and " → " in last
    assert "Traceback" not in server.stderr()
    assert server.orphans() == {}


def _shard_number(pid: int) -> int:
    """The number of a shard: the journal folder that it holds open."""
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        target = str(descriptor.readlink())
        if "/journal/shard-" in target:
            return int(target.split("/journal/shard-")[1].split("/")[0])
    raise AssertionError(f"process {pid} holds no journal folder open")


def _shard_of(server: RunningServer, world: str) -> int:
    return next(record.shard for record in records(server, world) if isinstance(record, Open))
