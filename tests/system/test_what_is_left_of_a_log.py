"""Promise: what is left of a log can be seen, over the socket as everywhere: behind the snapshot where its first files
are gone, before the damage where it is damaged. Of the rest one is told what can be seen, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventlog.reader import read_world
from eventlog.records import Tick
from eventlog.snapshots import Snapshots
from eventlog.store import Store
from replays.replay import replay
from replays.seeing import state
from tests.replays.recording import WORLD
from tests.replays.test_from_snapshots import played
from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import edge_client
from tests.system.harness import Agent, RunningServer, eventually
from tests.system.screen import Screen
from tests.system.test_reading_over_the_socket import whole_log
from tests.system.test_replays_on_screen import played as played_on_stage
from tests.system.test_watching import on_stage, put


def hashes(data: Path, ticks: list[int]) -> dict[int, str | None]:
    """What the states after these ticks hash to, by the whole log."""
    walk = replay(data, WORLD)
    found = {}
    for tick in ticks:
        walk.seek(tick)
        found[tick] = state(walk).hash
    walk.close()
    return found


async def test_without_its_first_files_a_world_is_seen_from_the_first_snapshot_on(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await played(data, file_bytes=2000)
    store = Snapshots(data, WORLD)
    first = next(tick for tick in store.ticks() if store.read(tick).position.file > 1)
    last = Store.read_only(data).worlds()[0].last_tick
    expected = hashes(data, [first, first + 7, last])
    recorded = [each.record.tick for each in read_world(data, WORLD) if isinstance(each.record, Tick)]
    (data / "worlds" / WORLD / "0001.wlog").unlink()
    server = serve("--shards", "1", "--limits", "off", games=None)
    ada = await connect_agent(server.url, "ada")
    for tick, expected_hash in expected.items():
        assert (await ada.ask("state", world=WORLD, tick=tick))["hash"] == expected_hash
    before = {"first_tick": first, "last_tick": last}
    for kind, path in (("watch", "from_tick"), ("state", "tick"), ("log", "from_tick"), ("fork", "tick")):
        refused = await ada.request(kind, world=WORLD, **{path: first - 1})
        assert (refused["code"], refused["path"], refused["data"]) == ("tick_out_of_range", path, before), kind
        assert f"from {first} to `{last}`" in refused["hint"]
    async with edge_client(server.url) as client:
        screen = Screen(client)
        watching = await screen.open(WORLD, speed=64)
        assert (watching["tick"], watching["first_tick"], watching["last_tick"]) == (first, first, last)
        await screen.until(lambda: screen.tick == last)
        back = await screen.ask(type="control", watch=screen.watch, action="seek", tick=first)
        assert back["tick"] == first
        refused = await screen.ask(type="control", watch=screen.watch, action="seek", tick=0)
        assert (refused["code"], refused["path"], refused["data"]) == ("tick_out_of_range", "tick", before)
        await screen.open(WORLD, from_tick=last, **{"as": "p_1"})  # it joined before
    page = await ada.ask("log", world=WORLD, limit=1000)
    ticks = [record["tick"] for record in page["records"] if record["record"] == "tick"]
    assert ticks == [tick for tick in recorded if tick > first]
    later = await ada.ask("log", world=WORLD, from_tick=ticks[-1], limit=1000)
    assert later["records"] == [each for each in page["records"] if each["tick"] >= ticks[-1]]
    for limit in (1, 2, 7):
        assert await whole_log(ada, WORLD, from_tick=None, limit=limit) == page["records"], limit
    forked = await ada.ask("fork", world=WORLD, tick=first + 7)
    assert (await ada.ask("state", world=forked["world"]))["tick"] == first + 7


async def damaged(server: RunningServer, agent: Agent) -> tuple[str, dict[int, dict[str, float]], dict[str, Any]]:
    """A world of which a record in the middle is damaged: its id, what stood on the stage by tick, and what its log
    says of the last record before, and where the damage begins (``file``, ``offset``)."""
    world, shown = await played_on_stage(agent)
    path = server.data / "worlds" / world / "0001.wlog"
    await eventually(lambda: path.exists() and b"finished" in path.read_bytes(), "its log is at rest")
    stored = list(read_world(server.data, world))
    middle = len(stored) // 2
    place = {"file": path.name, "offset": stored[middle].offset, "whole": path.read_bytes()}
    content = bytearray(path.read_bytes())
    content[stored[middle].offset + stored[middle].bytes - 1] ^= 0xFF
    path.write_bytes(content)
    return world, shown, place


async def test_before_the_damage_all_is_seen_and_behind_it_is_said_where_it_is(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    running = await on_stage(ada)
    world, shown, place = await damaged(server, ada)
    async with edge_client(server.url) as client:
        screen = Screen(client)
        watching = await screen.open(world, speed=64)
        last = watching["last_tick"]
        assert min(shown) <= last < max(shown)
        assert watching["marks"][-1]["kind"] == "damaged"
        await screen.until(lambda: screen.tick == last)
        seen = [each for each in shown if each <= last]
        assert screen.things() == shown[max(seen)]
        for tick in seen:
            await screen.ask(type="control", watch=screen.watch, action="seek", tick=tick)
            await screen.until(lambda: screen.frames > 0)
            assert screen.things() == shown[tick]
            assert (await ada.ask("state", world=world, tick=tick))["tick"] == tick
        assert (await ada.ask("state", world=world))["tick"] == last
        refused = await screen.ask(type="control", watch=screen.watch, action="seek", tick=last + 1)
        assert (refused["code"], refused["path"]) == ("world_damaged", "tick")
    page = await ada.ask("log", world=world, limit=1000)
    assert [record for record in page["records"] if record["record"] == "tick"][-1]["tick"] <= last
    for kind, path in (("watch", "from_tick"), ("state", "tick"), ("log", "from_tick"), ("fork", "tick")):
        refused = await ada.request(kind, world=world, **{path: page["next"]})
        assert (refused["code"], refused["path"]) == ("world_damaged", path)
        assert f"{place['file']}, byte {place['offset']}" in refused["message"]
        assert (refused["data"]["first_tick"], refused["data"]["last_tick"]) == (0, last)
        assert f"from 0 to `{last}`" in refused["hint"] and "restored from a copy" in refused["hint"]
    assert (await ada.ask("fork", world=world, tick=last))["world"]
    assert (await put(ada, running, "chair", 1))["status"] == "applied"
    (server.data / "worlds" / world / "0001.wlog").write_bytes(place["whole"])
    assert (await ada.ask("state", world=world, tick=max(shown)))["tick"] == max(shown), "it was restored"


async def test_a_log_that_is_damaged_at_its_beginning_shows_nothing(
    server: RunningServer, connect_agent: Connect
) -> None:
    ada = await connect_agent(server.url, "ada")
    world, _, place = await damaged(server, ada)
    path = server.data / "worlds" / world / "0001.wlog"
    path.write_bytes(place["whole"][:60] + b"?" + place["whole"][61:])
    for kind in ("watch", "state", "log"):
        refused = await ada.request(kind, world=world)
        assert refused["code"] == "world_damaged"
        assert "0001.wlog" in refused["message"]


async def test_damage_ends_no_world(serve: ServerFactory, connect_agent: Connect, tmp_path: Path) -> None:
    """Whether a world has ended decides who may see it; of one that is damaged nobody knows, unless its log says so."""
    data = tmp_path / "data"
    await played(data, closed=False)
    stored = list(read_world(data, WORLD))
    path = data / "worlds" / WORLD / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[stored[len(stored) // 2].offset + 20] ^= 0xFF
    path.write_bytes(content)
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent", games=None)
    ada = await connect_agent(server.url, "ada")
    for kind in ("log", "state"):
        assert (await ada.request(kind, world=WORLD))["code"] == "live_world"
