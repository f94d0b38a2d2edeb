"""Promise: a world whose log has been archived is watched, read and forked as any other."""

from __future__ import annotations

from pathlib import Path

from eventlog.archive import archive_world
from eventlog.reader import read_world
from replays.replay import replay
from replays.seeing import state
from tests.replays.recording import WORLD
from tests.replays.test_from_snapshots import played
from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import edge_client
from tests.system.screen import Screen

TICKS = (0, 40, 41, 203, 399)


async def test_an_archived_world_is_watched_end_to_end(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    await played(data, file_bytes=2000)
    walk = replay(data, WORLD)
    expected = {}
    for tick in TICKS:
        walk.seek(tick)
        expected[tick] = (state(walk).hash, {player.id: player.score for player in walk.world.players.values()})
    last = walk.run().world.tick
    walk.close()
    records = len(list(read_world(data, WORLD)))
    archive_world(data, WORLD)
    folder = data / "worlds" / WORLD
    assert len(list(folder.glob("*.wlogz"))) > 1
    assert not list(folder.glob("*.wlog"))
    server = serve("--shards", "1", "--limits", "off", games=None)
    ada = await connect_agent(server.url, "ada")
    async with edge_client(server.url) as client:
        screen = Screen(client)
        watching = await screen.open(WORLD, speed=64)
        assert (watching["tick"], watching["first_tick"], watching["last_tick"]) == (0, 0, last)
        await screen.until(lambda: screen.tick == last)
        assert screen.inputs
        for tick in sorted(TICKS, key=lambda tick: tick % 7):
            await screen.ask(type="control", watch=screen.watch, action="seek", tick=tick)
            await screen.until(lambda: screen.frames > 0)
            assert screen.tick == tick
            state_hash, scores = expected[tick]
            assert {each["player"]: each["score"] for each in screen.players} == scores
            assert (await ada.ask("state", world=WORLD, tick=tick))["hash"] == state_hash
    page = await ada.ask("log", world=WORLD, limit=1000)
    assert len(page["records"]) == records
    forked = await ada.ask("fork", world=WORLD, tick=203)
    assert (await ada.ask("state", world=forked["world"]))["tick"] == 203
