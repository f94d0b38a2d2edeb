"""Promise: who is gone for good loses the seat after grace_s, and a world that stays empty closes after idle_s."""

from __future__ import annotations

from typing import Any

from eventlog.reader import read_world
from eventlog.records import Close, LeaveEntry, Tick
from tests.system.conftest import Connect
from tests.system.harness import Agent, RunningServer, eventually


async def listed(agent: Agent, world: str) -> dict[str, Any]:
    worlds = (await agent.ask("worlds", limit=100))["worlds"]
    found: dict[str, Any] = next(entry for entry in worlds if entry["world"] == world)
    return found


async def test_a_player_whose_connection_is_gone_times_out_and_the_empty_world_closes(
    server: RunningServer, connect_agent: Connect
) -> None:
    watcher = await connect_agent(server.url, "watcher")
    stayer = await connect_agent(server.url, "stayer")
    goner = await connect_agent(server.url, "goner")
    stayed = await stayer.ask("join", game="short_lived")
    world = stayed["world"]
    gone = await goner.ask("join", game="short_lived")
    assert gone["world"] == world

    await eventually(lambda: _names(watcher, world, {"stayer", "goner"}), "both players are listed")
    await goner.vanish()
    await eventually(
        lambda: _names(watcher, world, {"stayer"}), "the vanished player has left after grace_s", within_s=60
    )
    assert (await stayer.ask("observe", world=world))["data"]["players"] == 1, "who stays connected stays seated"

    await stayer.ask("leave", world=world)

    async def closed() -> bool:
        return bool((await listed(watcher, world))["status"] == "closed")

    await eventually(closed, "the empty world has closed after idle_s", within_s=60)
    refused = await watcher.request("join", world=world)
    assert refused["code"] == "world_closed" and "idle" in refused["message"]
    again = await watcher.ask("join", game="short_lived")
    assert again["world"] != world

    assert server.terminate() == 0
    leaves, closes = _leaves_and_closes(server, world)
    assert (gone["player"], "timeout") in leaves
    assert (stayed["player"], "left") in leaves
    assert closes == ["idle"]


async def _names(agent: Agent, world: str, names: set[str]) -> bool:
    return {player["name"] for player in (await listed(agent, world))["players"]} == names


def _leaves_and_closes(server: RunningServer, world: str) -> tuple[list[tuple[str, str]], list[str]]:
    leaves: list[tuple[str, str]] = []
    closes: list[str] = []
    for stored in read_world(server.data, world):
        if isinstance(stored.record, Tick):
            leaves += [(entry.player, entry.reason) for entry in stored.record.entries if isinstance(entry, LeaveEntry)]
        if isinstance(stored.record, Close):
            closes.append(stored.record.reason)
    return leaves, closes
