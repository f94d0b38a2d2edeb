"""Promise: a death costs nobody anything: worlds come back as they were, inputs count exactly once, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Any

from eventlog.reader import read_world
from eventlog.records import InputEntry, Open, Record, Tick
from eventlog.recovery import recover
from replays.verify import verify_world
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


async def kill_and_play_on(server: RunningServer, agent: Agent, world: str, seq: int) -> dict[str, Any]:
    """Kill the only shard, and send the next input at once; returns its outcome."""
    (shard,) = server.shard_pids()
    os.kill(shard, signal.SIGKILL)
    return await agent.ask("input", world=world, name="count", args={"by": 1}, seq=seq, observe=True)


async def test_a_killed_shard_costs_nobody_anything(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    joined = await ada.ask("join", game="echo")
    world = joined["world"]
    assert (await bob.ask("join", game="echo"))["world"] == world
    outcomes = [await ada.ask("input", world=world, name="count", args={"by": n}, seq=n) for n in range(1, 6)]
    seen = await bob.ask("observe", world=world)

    after = await kill_and_play_on(server, ada, world, seq=6)
    assert (after["status"], after["result"]) == ("applied", {"total": 16})
    assert after["tick"] > seen["tick"], "ticks never run backwards"
    assert after["observation"]["tick"] >= after["tick"]
    again = await ada.ask("input", world=world, name="count", args={"by": 5}, seq=5)
    assert (again["duplicate"], again["tick"], again["result"]) == (True, outcomes[4]["tick"], {"total": 15})
    await bob.push("notice", code="world_resumed", world=world)
    assert bob.notices() == ["world_recovering", "world_resumed"]
    counted = await bob.ask("input", world=world, name="count", args={"by": 9})
    assert (counted["player"], counted["result"]) == ("p_2", {"total": 9})
    assert (ada.close_code, bob.close_code) == (None, None), "the connections never dropped"
    listed = (await ada.ask("worlds", mine=True))["worlds"]
    assert [(one["world"], one["status"]) for one in listed] == [(world, "running")]
    assert server.terminate() == 0

    assert inputs(server, world) == [("p_1", seq) for seq in range(1, 7)] + [("p_2", 1)]
    epochs = [record.epoch for record in records(server, world) if isinstance(record, Open)]
    assert epochs == [1, 2]
    verdict = verify_world(server.data, world)
    assert (verdict.status, verdict.problem) == ("verified", None)
    assert not (server.data / "journal" / "shard-00").exists(), "the dead shard's journal was redone and removed"


async def test_inputs_in_flight_when_the_shard_dies_are_applied_exactly_once(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--limits", "off")
    agents = [await connect_agent(server.url, f"agent {number}") for number in range(4)]
    (world,) = {(await one.ask("join", game="echo"))["world"] for one in agents}
    acknowledged: list[tuple[str, int, int]] = []

    async def play(agent: Agent) -> None:
        for seq in range(1, 61):
            outcome = await agent.ask("input", world=world, name="count", args={"by": 1}, seq=seq)
            assert outcome["result"] == {"total": seq}
            acknowledged.append((outcome["player"], outcome["seq"], outcome["tick"]))

    playing = [asyncio.create_task(play(agent)) for agent in agents]
    for _ in range(3):
        # More than can have been under way at the last kill: the shard that is killed has opened the world.
        more = len(acknowledged) + 4 * len(agents)
        await eventually(lambda more=more: reached(acknowledged, more), "the game goes on")
        os.kill(server.shard_pids()[-1], signal.SIGKILL)
    await asyncio.gather(*playing)
    server.kill()

    logged = [
        (entry.player, entry.seq, record.tick)
        for record in records(server, world)
        if isinstance(record, Tick)
        for entry in record.entries
        if isinstance(entry, InputEntry)
    ]
    assert sorted(logged) == sorted(acknowledged), "each once, at its tick"
    assert len([record for record in records(server, world) if isinstance(record, Open)]) == 4
    assert verify_world(server.data, world).status == "verified"


async def reached(acknowledged: list[tuple[str, int, int]], count: int) -> bool:
    return len(acknowledged) >= count


async def test_a_killed_server_goes_on_where_it_was(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "2")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    for seq in range(1, 6):
        last = await ada.ask("input", world=world, name="count", args={"by": 10}, seq=seq)
    server.kill()

    again = serve("--shards", "1", data=server.data)
    back = await connect_agent(again.url, "somebody", resume=ada.welcome["resume"])
    assert (back.welcome["resumed"], back.welcome["agent"]) == (True, ada.welcome["agent"])
    (mine,) = back.welcome["players"]
    assert (mine["world"], mine["player"], mine["next_seq"], mine["status"]) == (world, "p_1", 6, "running")
    assert mine["tick"] > last["tick"]
    repeated = await back.ask("input", world=world, name="count", args={"by": 10}, seq=5)
    assert (repeated["duplicate"], repeated["tick"], repeated["result"]) == (True, last["tick"], {"total": 50})
    assert (await back.ask("input", world=world, name="count", args={"by": 1}, seq=6))["result"] == {"total": 51}
    assert again.terminate() == 0
    assert verify_world(server.data, world).status == "verified"


async def test_nobody_came_back_after_a_restart_and_the_seat_is_free_after_its_grace(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="short_lived"))["world"]
    server.kill()
    again = serve("--shards", "1", data=server.data)
    bob = await connect_agent(again.url, "bob")

    async def ended() -> bool:
        (listed,) = (await bob.ask("worlds", game="short_lived"))["worlds"]
        return bool(listed["world"] == world and listed["status"] == "closed")

    await eventually(ended, "the empty world closes")
    late = await connect_agent(again.url, resume=ada.welcome["resume"])
    assert [(lost["world"], lost["reason"]) for lost in late.welcome["lost"]] == [(world, "timeout")]


async def test_the_worlds_of_other_shards_notice_nothing(serve: ServerFactory, connect_agent: Connect) -> None:
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
    outcome = await agents[8].ask("input", world=second, name="count", args={"by": 7})
    assert outcome["result"] == {"total": 7}
    counted = await asyncio.gather(
        *(one.ask("input", world=first, name="count", args={"by": 2}, seq=1) for one in agents[:8])
    )
    assert [outcome["result"] for outcome in counted] == [{"total": 2}] * 8
    await agents[8].ask("ping")  # behind whatever it might have been told
    assert agents[8].notices() == []
    assert not [push for push in agents[8].pushes if push["type"] == "closed"]


async def test_a_damaged_world_is_told_and_all_others_come_back(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    agents = [await connect_agent(server.url, f"agent {number}") for number in range(9)]
    worlds = [(await one.ask("join", game="echo"))["world"] for one in agents]
    for agent, world in zip(agents, worlds, strict=True):
        await agent.ask("input", world=world, name="count", args={"by": 1}, seq=1)
    server.kill()
    recover(server.data)
    path = server.data / "worlds" / worlds[8] / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)

    again = serve("--shards", "1", data=server.data)
    assert any(worlds[8] in line and "damaged" in line for line in again.stderr().splitlines())
    bob = await connect_agent(again.url, "bob")
    listed = {one["world"]: one["status"] for one in (await bob.ask("worlds"))["worlds"]}
    assert listed == {worlds[0]: "running", worlds[8]: "damaged"}
    refused = await bob.request("join", world=worlds[8])
    assert refused["code"] == "world_damaged"
    assert path.read_bytes() == bytes(content), "what is damaged is left as it is"
    back = await connect_agent(again.url, resume=agents[0].welcome["resume"])
    assert (await back.ask("input", world=worlds[0], name="count", args={"by": 1}, seq=2))["result"] == {"total": 2}


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
