"""Promise: log and state of a world can be read over the socket, page by page and path by path; and of a running world
only by those who may."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from replays.replay import replay
from replays.seeing import state
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer
from tests.system.test_replays_on_screen import played, replayer_pids
from tests.system.test_watching import on_stage, put


async def whole_log(agent: Agent, world: str, *, from_tick: int | None = 0, **fields: Any) -> list[dict[str, Any]]:
    """All pages of a log, from a tick or (None) from where it begins."""
    records: list[dict[str, Any]] = []
    while True:
        page = await agent.ask("log", world=world, from_tick=from_tick, **fields)
        records += page["records"]
        from_tick = page.get("next")
        if from_tick is None:
            return records


async def test_the_pages_of_a_log_are_the_log(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    everything = await whole_log(ada, world, limit=1000)
    assert everything[0]["record"] == "genesis"
    assert everything[-1]["record"] in ("close", "checkpoint")
    assert await whole_log(ada, world, limit=1) == everything
    inputs = await whole_log(ada, world, kinds=["input"], player="p_1", limit=2)
    entries = [entry for record in inputs for entry in record["entries"]]
    assert [record["tick"] for record in inputs][: len(shown)] == sorted(shown)
    assert [entry["name"] for entry in entries] == ["put"] * len(shown) + ["finish"]
    assert (entries[0]["note"], entries[0]["status"]) == ("step 0", "applied")
    refused = await ada.request("log", world=world, kinds=["inputs"])
    assert (refused["code"], refused["path"], refused["valid"][0]) == ("invalid_args", "kinds", "input")
    assert (await ada.request("log", world="w_none"))["code"] == "unknown_world"


async def test_the_state_of_any_tick_is_as_a_replay_has_it(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada)
    walk = replay(server.data, world)
    for tick in sorted(shown, reverse=True)[:3]:
        walk.seek(tick)
        reply = await ada.ask("state", world=world, tick=tick)
        expected = state(walk)
        assert (reply["tick"], reply["hash"]) == (tick, expected.hash)
        assert reply["state"]["state"] == expected.state["state"]
        part = await ada.ask("state", world=world, tick=tick, path="state.puts")
        assert (part["state"], part["hash"]) == (len([each for each in shown if each <= tick]), expected.hash)
    walk.close()
    assert (await ada.ask("state", world=world))["tick"] > max(shown)
    refused = await ada.request("state", world=world, path="state.putz")
    assert (refused["code"], refused["path"], "puts" in refused["valid"]) == ("invalid_args", "path", True)
    assert (await ada.request("state", world=world, path="state..puts"))["code"] == "invalid_args"
    for kind, path in (("state", "tick"), ("log", "from_tick")):
        refused = await ada.request(kind, world=world, **{path: 10**9})
        assert (refused["code"], refused["path"]) == ("tick_out_of_range", path)
        assert refused["data"]["first_tick"] == 0
        assert f"from 0 to `{refused['data']['last_tick']}`" in refused["hint"]


async def test_a_state_that_is_too_large_wants_a_path(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    await ada.ask("input", world=world, name="fill", args={"count": 1500, "label": 900, "x": 1})
    refused = await ada.request("state", world=world)
    assert (refused["code"], refused["path"]) == ("too_large", "path")
    assert "scene" in refused["valid"]
    part = await ada.ask("state", world=world, path="scene.next_id")
    assert isinstance(part["state"], int)


async def test_records_of_a_running_world_are_for_those_who_may(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent")
    ada, eve = await connect_agent(server.url, "ada"), await connect_agent(server.url, "eve")
    world = (await ada.ask("join", game="stage"))["world"]
    for agent in (ada, eve):
        for kind in ("log", "state"):
            assert (await agent.request(kind, world=world))["code"] == "live_world"
    await ada.ask("input", world=world, name="finish")
    await ada.push("closed", world=world)
    for kind in ("log", "state"):
        assert (await eve.ask(kind, world=world))["type"] == kind


@pytest.mark.parametrize("kind", ["log", "state"])
async def test_a_replayer_that_dies_while_it_reads_is_said(
    server: RunningServer, connect_agent: Connect, kind: str
) -> None:
    ada = await connect_agent(server.url, "ada")
    world, _ = await played(ada)
    await ada.ask(kind, world=world)
    (replayer,) = replayer_pids(server)
    os.kill(replayer, signal.SIGSTOP)  # it has the question, and will not answer
    waiting = asyncio.ensure_future(ada.request(kind, world=world))
    assert (await put(ada, await on_stage(ada), "chair", 1))["status"] == "applied"
    os.kill(replayer, signal.SIGKILL)
    refused = await waiting
    assert refused["code"] == "overloaded"
    assert refused["retry_after_ms"] > 0
    assert (await ada.ask(kind, world=world))["type"] == kind
