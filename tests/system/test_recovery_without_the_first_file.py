"""Promise: a world whose snapshot is there needs no log from before it: a server brings it back and goes on with it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import worldline
from eventlog.snapshots import Snapshots
from eventlog.store import Store
from replays.verify import verify_world
from server.commands import main
from tests.replays.recording import WORLD
from tests.replays.test_from_snapshots import played
from tests.system.conftest import ServerFactory
from tests.system.harness import eventually

BACK = re.compile(r"world (\S+) is at tick (\d+) again: from tick (\d+), (\d+) records")


async def test_a_world_without_its_first_file_comes_back_and_ticks_on(
    serve: ServerFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    await played(data, closed=False, file_bytes=2000)
    folder = data / "worlds" / WORLD
    store = Snapshots(data, WORLD)
    assert len(list(folder.glob("*.wlog"))) > 1
    whole = Store.read_only(data).worlds()
    (folder / "0001.wlog").unlink()
    (listed,) = Store.read_only(data).worlds()
    assert (listed.status, listed.game, listed.digest) == ("open", "tsunami", whole[0].digest)
    assert (listed.created_ms, listed.last_tick) == (whole[0].created_ms, whole[0].last_tick)

    server = serve("--shards", "1", "--limits", "off", games=None)
    await eventually(lambda: BACK.search(server.stderr()) is not None, "the world is back")
    back = BACK.search(server.stderr())
    assert back is not None
    world, tick, began = back.group(1), int(back.group(2)), int(back.group(3))
    assert (world, began) == (WORLD, store.ticks()[-1])
    assert tick >= listed.last_tick
    async with worldline.connect(server.url, name="ada") as ada:
        player = await ada.join(world=WORLD, observe=True)
        await player.input("move", x=440, z=0)
        assert (await player.observe()).tick > tick
    assert server.terminate() == 0

    kept = [tick for tick in store.ticks() if store.read(tick).position.file > 1]
    verdict = verify_world(data, WORLD)
    assert (verdict.status, verdict.from_tick) == ("verified", kept[0])
    assert verdict.tick > tick
    assert main(["replay", "verify", WORLD, "--data", str(data)]) == 0
    assert f"from tick {kept[0]} on: the log before it is missing" in capsys.readouterr().out
    assert main(["log", "verify", "--json", "--data", str(data)]) == 1
    missing, *others = json.loads(capsys.readouterr().out)["problems"]
    assert (missing["file"], missing["reason"]) == (f"worlds/{WORLD}/0001.wlog", "the file is missing or empty")
    assert all(each["file"].endswith(".snap") for each in others), "snapshots from before what is left are listed, too"


async def test_a_first_file_that_is_there_but_empty_stays_damage(tmp_path: Path) -> None:
    await played(tmp_path, closed=False, file_bytes=2000)
    folder = tmp_path / "worlds" / WORLD
    (folder / "0001.wlog").write_bytes(b"")
    (listed,) = Store.read_only(tmp_path).worlds()
    assert listed.status == "damaged"
    (folder / "0001.wlog").unlink()
    shutil.rmtree(folder / "snapshots")
    (listed,) = Store.read_only(tmp_path).worlds()
    assert listed.status == "damaged"
    assert listed.reason == "0001.wlog is missing, and no snapshot stands in the files that are there"
