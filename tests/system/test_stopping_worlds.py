"""Promise: a world is ended for good by its owner or by a developer and by nobody else, over the wire and by
``worldline worlds stop``; its players are told, its log is whole, and it does not come back."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

import worldline
from eventlog.reader import read_world
from eventlog.records import Checkpoint, Close
from replays.verify import verify_world
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.test_tokens import tokens


async def stop_command(server: RunningServer, *arguments: str) -> tuple[int, str, str]:
    """Run ``worldline worlds stop``: its exit code, and what it has written."""
    command = [sys.executable, "-m", "server.commands", "worlds", "stop", *arguments, "--url", server.url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


async def test_its_owner_or_a_developer_stops_a_world(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--guests", "agent")
    operator = tokens(server.data, "create", "op", "--role", "developer")
    ada, ben = await connect_agent(server.url, "ada"), await connect_agent(server.url, "ben")
    shared = (await ben.ask("join", game="echo"))["world"]
    owned = (await ada.ask("create", game="echo"))["world"]
    for agent in (ada, ben):
        await agent.ask("join", world=owned)

    refused = await ben.request("stop", world=owned)
    assert (refused["code"], refused["message"]) == ("not_owner", f"world {owned} belongs to {ada.welcome['agent']}")
    assert (await ben.request("stop", world=shared))["code"] == "not_owner", "it is nobody's"
    assert (await ben.request("stop", world="w_nowhere"))["code"] == "unknown_world"
    assert (await ben.ask("input", world=owned, name="count", args={"by": 1}))["status"] == "applied"

    stopped = await ada.ask("stop", world=owned)
    assert stopped["tick"] >= 1
    for agent in (ada, ben):
        closed = await agent.push("closed", world=owned)
        assert (closed["status"], closed["reason"]) == ("closed", "stopped")
    for agent in (ada, ben):
        assert (await agent.request("stop", world=owned))["code"] == "world_closed"
    records = [stored.record for stored in read_world(server.data, owned)]
    last = next(record for record in reversed(records) if not isinstance(record, Checkpoint))
    assert isinstance(last, Close)
    assert (last.tick, last.reason) == (stopped["tick"], "stopped"), "on disk when it is told"

    async with worldline.connect(server.url, token=operator) as client:
        tick = await client.stop(shared)
    assert (await ben.push("closed", world=shared))["reason"] == "stopped"
    assert server.terminate() == 0
    again = serve("--guests", "agent")
    async with worldline.connect(again.url) as client:
        assert [world.status for world in await client.worlds() if world.status != "closed"] == []
    assert verify_world(again.data, shared).tick == tick


async def test_a_world_whose_shard_has_died_is_stopped_when_it_is_back(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("create", game="echo"))["world"]
    await ada.ask("join", world=world)
    os.kill(server.shard_pids()[0], signal.SIGKILL)
    await ada.push("notice", code="world_recovering")
    assert (await ada.ask("stop", world=world))["world"] == world
    assert (await ada.push("closed", world=world))["reason"] == "stopped"


async def test_the_command_stops_worlds_by_their_beginning(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    worlds = [(await ada.ask("create", game="echo"))["world"] for _ in range(2)]
    await ada.ask("join", world=worlds[0])
    code, out, err = await stop_command(server, "w_")
    assert (code, out) == (1, "")
    assert f"error: w_ is the beginning of 2 worlds: {worlds[1]}, {worlds[0]} → write more of it" in err

    code, out, err = await stop_command(server, *worlds)
    assert (code, err) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()] == [["stopped", world] for world in worlds]
    assert (await ada.push("closed", world=worlds[0]))["reason"] == "stopped"
    code, out, err = await stop_command(server, worlds[0])
    assert (code, out) == (1, "")
    assert err.startswith(f"error: world {worlds[0]}"), err


@pytest.mark.parametrize(("guests", "code"), [("spectator", "forbidden"), ("agent", "not_owner")])
async def test_the_command_of_a_stranger_is_refused(
    serve: ServerFactory, connect_agent: Connect, guests: str, code: str
) -> None:
    server = serve("--shards", "1", "--guests", guests)
    token = tokens(server.data, "create", "ada")
    ada = await connect_agent(server.url, None)
    await ada.ask("hello", token=token)
    world = (await ada.ask("create", game="echo"))["world"]
    assert (await stop_command(server, world))[0] == 1
    async with worldline.connect(server.url) as client:
        with pytest.raises(worldline.WorldlineError) as refused:
            await client.stop(world)
    assert refused.value.code == code
    done, out, _ = await stop_command(server, world[:-1], "--token", token)
    assert (done, out.startswith(f"stopped {world} at tick ")) == (0, True)
