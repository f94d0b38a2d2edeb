"""Promise: while somebody watches a world, keyframes of the whole of it are made, close together and within their
budget; and as long as somebody waits for an answer, nothing of that is done."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from games.code import find_games
from replays.keyframes import FIRST_SPACING_TICKS, Keyframes
from replays.replay import replay
from replays.seeing import hash_of
from server.callpage import CallPage, CallReader
from server.replayer import kept
from server.replayer.ahead import Ahead
from server.replayer.chronicle import Chronicle
from server.replayer.kept import Kept
from tests.replays.recording import WORLD, Recording

WITHIN_S = 30.0
APART_TICKS = 700
STANDING_STILL_TICKS = 5000
IN_THE_LONG_RECORD = 5000


async def recorded(data: Path) -> None:
    """A game with many records, and one record of very many ticks."""
    recording = Recording(data, find_games()["tsunami"], seed=3, settings={})
    player = recording.join()
    for second in range(40):
        recording.input(player, "move", {"x": second, "z": 0})
        recording.run(60)
    recording.step_many(STANDING_STILL_TICKS)
    recording.input(player, "move", {"x": 0, "z": 0})
    recording.run(60)
    await recording.close()


async def ready(data: Path, folder: Path) -> tuple[Kept, Ahead, Chronicle]:
    """What a replayer has of the world."""
    CallReader(folder / "calls.page")
    calls = CallPage(folder / "calls.page")
    worlds = Kept(data, calls)
    return worlds, Ahead(worlds, calls), await worlds.chronicle(WORLD, 0)


async def until_done(keyframes: Keyframes, chronicle: Chronicle) -> None:
    """Return when there is nothing left to do."""
    async with asyncio.timeout(WITHIN_S):
        while keyframes.gap(chronicle.first_tick, chronicle.last_tick) is not None:
            await asyncio.sleep(0)


async def test_keyframes_of_the_whole_world_are_made_ahead(tmp_path: Path) -> None:
    await recorded(tmp_path / "data")
    worlds, ahead, chronicle = await ready(tmp_path / "data", tmp_path)
    keyframes = worlds.keyframes(WORLD)
    ahead.want(chronicle)
    await until_done(keyframes, chronicle)
    ticks = [chronicle.first_tick, *keyframes.ticks, chronicle.last_tick]
    assert len(ticks) > chronicle.last_tick // APART_TICKS
    assert max(after - before for before, after in pairwise(ticks)) <= APART_TICKS
    walk = worlds.take_replay(chronicle, 3000)
    assert walk.keyframes is keyframes, "who seeks has them"
    for tick in (IN_THE_LONG_RECORD, 100, chronicle.last_tick, IN_THE_LONG_RECORD + 600):
        walk.seek(tick)
        other = replay(tmp_path / "data", WORLD)
        assert hash_of(walk.world) == hash_of(other.seek(tick)), tick
        other.close()
    walk.run()
    walk.close()
    ahead.close()


async def test_nothing_is_made_while_somebody_waits(tmp_path: Path) -> None:
    await recorded(tmp_path / "data")
    worlds, ahead, chronicle = await ready(tmp_path / "data", tmp_path)
    keyframes = worlds.keyframes(WORLD)
    ahead.want(chronicle)
    async with asyncio.timeout(WITHIN_S):
        while not keyframes.ticks:
            await asyncio.sleep(0)
    ahead.busy(True)
    await asyncio.sleep(0)  # what had begun is done
    made, reached = len(keyframes), keyframes.walked_to
    assert reached < chronicle.last_tick, "it had not been through before"
    for _ in range(200):
        await asyncio.sleep(0)
    assert (len(keyframes), keyframes.walked_to) == (made, reached)
    ahead.busy(False)
    await until_done(keyframes, chronicle)
    ahead.close()


async def test_all_worlds_together_keep_to_the_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await recorded(tmp_path / "data")
    worlds, ahead, chronicle = await ready(tmp_path / "data", tmp_path)
    older = worlds.keyframes("w_older0000")
    ahead.want(chronicle)
    keyframes = worlds.keyframes(WORLD)
    await until_done(keyframes, chronicle)
    walk = worlds.take_replay(chronicle, 0)
    older.add(keyframes.at_or_before(chronicle.last_tick) or pytest.fail("there is one"))
    monkeypatch.setattr(kept, "KEYFRAMES_BYTES", keyframes.size_bytes)
    worlds.give_back(walk, WORLD)
    assert (len(older), older.size_bytes) == (0, 0), "also for those who hold them"
    assert keyframes.size_bytes > 0
    ahead.close()


def test_where_there_is_no_room_nobody_goes_twice() -> None:
    keyframes = Keyframes()
    assert keyframes.gap(0, 100_000) == 0
    keyframes.walked_to = 100_000
    assert keyframes.gap(0, 100_000) is None
    assert keyframes.gap(0, 100_000 + FIRST_SPACING_TICKS + 1) == 100_000
    keyframes.clear()
    assert keyframes.gap(0, 100_000) == 0
