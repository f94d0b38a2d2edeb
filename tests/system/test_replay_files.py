"""Promise: replay files are made from, and put into, the data folder of a server that runs; it notices nothing, and
never goes on with an imported world."""

from __future__ import annotations

from pathlib import Path

import worldline
from games.code import find_games
from replays.bundle import export_world, import_bundle
from replays.golden import golden_replays
from replays.verify import verify_bundle, verify_world
from tests.system.conftest import ServerFactory


async def test_a_running_world_is_exported_while_others_come_and_go(serve: ServerFactory, tmp_path: Path) -> None:
    server = serve(games=None)
    golden = golden_replays(Path(find_games()["snakes"].origin))[0]
    imported = import_bundle(golden, server.data)
    async with worldline.connect(server.url, name="ada") as client:
        me = await client.join("tsunami")
        outcomes = [await me.input("move", {"to": "home"}) for _ in range(10)]
        exported = export_world(server.data, me.world, tmp_path / "live.replay")
        verdict = verify_bundle(tmp_path / "live.replay")
        assert (verdict.status, exported.ended) == ("verified", False)
        assert exported.last_tick >= outcomes[-1].tick, "what was acknowledged is in it"
        after = await me.input("move", {"to": "home"})
        assert after.tick > outcomes[-1].tick
        world = me.world
    assert server.terminate() == 0

    again = serve(games=None)
    async with worldline.connect(again.url, name="ada") as client:
        listed = {info.world: info.status for info in await client.worlds()}
        assert listed[imported.world] == "finished", "it is one of those that have ended"
        assert listed[world] == "running", "the server's own world goes on"
    assert again.terminate() == 0
    assert import_bundle(golden, again.data).there_already, "byte for byte, though the server may have archived it"
    assert verify_world(again.data, imported.world).status == "verified"
