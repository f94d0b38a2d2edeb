"""Promise: a replay can go to any tick of its log, back and forward in any order, and stands in the world that was."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog.chain import StoredRecord
from eventlog.piece import LogEnd
from eventlog.reader import read_world
from eventlog.records import Beat, Fault
from games.code import GameCode
from games.errors import StateNotSaveable
from games.runtime.snapshots import state_hash
from games.tsunami.bot import decide
from replays.keyframes import Keyframe, Keyframes
from replays.replay import Diverged, Replay, replay
from replays.standing import Standing
from tests.replays.recording import WORLD, Recording
from tests.replays.test_reexecution import BROKEN_MAIN, BROKEN_MANIFEST, broken, tsunami

SECONDS = 25
FIELDS = ("records_done", "position", "epoch", "ended", "until", "joined", "outcomes", "fingerprint")


async def recorded(data: Path) -> dict[int, bytes]:
    """Write the log of a game of three, and return the state hash after each tick, as it was played."""
    recording = Recording(data, tsunami(), seed=7, settings={"wave_interval_s": 26})
    hashes: dict[int, bytes] = {}

    def run(ticks: int) -> None:
        for _ in range(ticks):
            hashes[recording.world.tick] = state_hash(recording.world.snapshot())
            recording.run(1)

    names = [recording.join() for _ in range(3)]
    for second in range(SECONDS):
        for player in names:
            seen = recording.world.observe(player, "data").data
            decision = decide(msgspec.msgpack.decode(seen or b""))
            if decision.name is not None:
                hashes[recording.world.tick] = state_hash(recording.world.snapshot())
                recording.input(player, decision.name, decision.args)
            run(20)
        if second == SECONDS // 2:
            hashes[recording.world.tick] = state_hash(recording.world.snapshot())
            recording.leave(names.pop())
            names.append(recording.join())
    hashes[recording.world.tick] = state_hash(recording.world.snapshot())
    await recording.close()
    return hashes


def standing(walk: Replay) -> list[Any]:
    """Everything that a replay says of the place where it stands."""
    return [walk.world.tick, state_hash(walk.world.snapshot()), *(copy.copy(getattr(walk, field)) for field in FIELDS)]


async def test_any_order_of_ticks_finds_the_worlds_that_were(tmp_path: Path) -> None:
    hashes = await recorded(tmp_path)
    last = max(hashes)
    assert last > 1000
    chance = random.Random(3)
    walk = replay(tmp_path, WORLD)
    walk.keyframes = Keyframes(limit=5, spacing_ticks=50)
    for tick in [last, 0, last, *(chance.randint(0, last) for _ in range(40)), 700, 700, 701, 699, 0]:
        world = walk.seek(tick)
        assert world is walk.world
        assert world.tick == tick
        assert state_hash(world.snapshot()) == hashes[tick], f"tick {tick}"
    assert 2 <= len(walk.keyframes) <= 5
    assert walk.keyframes.spacing_ticks > 50


async def test_a_place_is_the_same_from_whichever_side_one_comes(tmp_path: Path) -> None:
    last = max(await recorded(tmp_path))
    walk = replay(tmp_path, WORLD)
    walk.keyframes = Keyframes(limit=8, spacing_ticks=100)
    walk.run()
    for tick in (last, last // 2, 3, last - 1):
        walk.seek(tick)
        assert standing(walk) == standing_at(tmp_path, tick)
        assert standing(walk.run()) == standing(replay(tmp_path, WORLD).run())


def standing_at(data: Path, tick: int) -> list[Any]:
    """Where a replay stands that has never been anywhere else."""
    fresh = replay(data, WORLD)
    fresh.seek(tick)
    return standing(fresh)


async def test_stepping_goes_on_from_where_one_went(tmp_path: Path) -> None:
    await recorded(tmp_path)
    records = list(read_world(tmp_path, WORLD))
    walk = replay(tmp_path, WORLD).run()
    walk.seek(500)
    done = walk.records_done
    assert 1 < done < len(records)
    rest: list[StoredRecord] = []
    while (stored := walk.step()) is not None:
        rest.append(stored)
    assert rest == records[done:]
    assert walk.records_done == len(records)


async def test_beyond_the_end_stands_the_end(tmp_path: Path) -> None:
    last = max(await recorded(tmp_path))
    walk = replay(tmp_path, WORLD)
    assert walk.seek(last + 10_000).tick == last
    assert walk.ended is not None
    assert walk.seek(-5).tick == 0
    assert standing(walk) == standing_at(tmp_path, 0)


async def test_a_checkpoint_is_gone_back_to(tmp_path: Path) -> None:
    await recorded(tmp_path)
    walk = replay(tmp_path, WORLD)
    walk.keyframes = Keyframes(spacing_ticks=10**9)
    walk.seek(901)
    frame = walk.checkpoint()
    assert walk.keyframes.ticks == [frame.tick] == [901]
    expected = standing(walk)
    walk.run()
    walk.seek(901)
    assert standing(walk) == expected
    walk.seek(900)
    assert walk.world.tick == 900
    walk.seek(902)
    assert standing(walk) == standing_at(tmp_path, 902)


async def test_outcomes_and_the_end_are_kept_with_a_place(tmp_path: Path) -> None:
    await recorded(tmp_path)
    walk = replay(tmp_path, WORLD)
    walk.keyframes = Keyframes(spacing_ticks=10**9)
    while not walk.outcomes:
        walk.step()
    acted = standing(walk)
    walk.checkpoint()
    walk.run()
    assert walk.ended is not None
    ended = standing(walk)
    walk.checkpoint()
    for expected in (acted, ended, acted):
        walk.seek(expected[0])
        assert standing(walk) == expected


async def test_a_tick_within_a_record_of_many_is_gone_to(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    player = recording.join()
    recording.input(player, "move", {"x": 100.0, "z": 0.0})
    hashes = {}
    for _ in range(3):
        recording.step_many(200)
        hashes[recording.world.tick] = state_hash(recording.world.snapshot())
    recording.input(player, "move", {"to": "home"})
    await recording.close()
    plain = replay(tmp_path, WORLD).run()
    walk = replay(tmp_path, WORLD)
    walk.keyframes = Keyframes(spacing_ticks=10**9)
    for tick in (300, 301, 401, 402, 100, 350, 399, 601):
        assert walk.seek(tick).tick == tick
        assert hashes.get(tick) in (None, state_hash(walk.world.snapshot()))
        walk.checkpoint()
    for tick in (350, 100, 401, 399, 402):
        assert walk.seek(tick).tick == tick
        assert standing(walk.run()) == standing(plain)


async def test_a_lie_in_the_log_is_found_on_the_way(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    player = recording.join()
    recording.run(30)
    recording.lie = {"to": "home"}
    recording.input(player, "move", {"x": 100.0, "z": 0.0})
    recording.run(100)
    await recording.close()
    walk = replay(tmp_path, WORLD)
    assert walk.seek(30).tick == 30
    with pytest.raises(Diverged):
        walk.seek(120)


async def test_a_faulted_world_is_seen_up_to_the_tick_that_broke_it(tmp_path: Path) -> None:
    recording = Recording(tmp_path, broken(), seed=1, settings={})
    recording.input(recording.join(), "poke", {})
    fault = recording.run_until_it_breaks()
    await recording.close(reason=None)
    walk = replay(tmp_path, WORLD)
    assert walk.seek(fault.tick + 5).tick == fault.tick - 1
    assert walk.seek(60).tick == 60
    assert walk.seek(fault.tick - 1).tick == fault.tick - 1
    assert isinstance(walk.ended, Fault), "nothing comes after that tick any more"
    assert walk.seek(fault.tick).tick == fault.tick - 1
    assert walk.world.faulted is None


async def test_a_game_that_cannot_be_saved_can_be_looked_at_all_the_same(tmp_path: Path) -> None:
    main = BROKEN_MAIN.replace(b"world.state.count = 0 end", b"world.state.count = 0 world.state.f = print end")
    code = GameCode.from_files("broken", {"game.toml": BROKEN_MANIFEST, "main.lua": main.replace(b">= 50", b">= 5000")})
    recording = Recording(tmp_path, code, seed=1, settings={})
    recording.join()
    recording.run(300)
    await recording.close()
    assert any(isinstance(stored.record, Beat) for stored in read_world(tmp_path, WORLD))
    walk = replay(tmp_path, WORLD)
    walk.keyframes = Keyframes(spacing_ticks=20)
    seen = [walk.seek(tick).observe("p_1") for tick in (200, 40, 300, 40, 200)]
    assert seen[0] == seen[4] != seen[1] == seen[3]
    assert len(walk.keyframes) == 0
    with pytest.raises(StateNotSaveable, match=r"state\.f is a function"):
        walk.checkpoint()


def frame(tick: int, *, snapshot_bytes: int = 0) -> Keyframe:
    return Keyframe(
        tick=tick,
        position=LogEnd(world=WORLD, epoch=1, file=1, offset=0, crc=0, tick=tick),
        records_done=1,
        standing=Standing(
            snapshot=bytes(snapshot_bytes), until=0, joined=[], outcomes=[], fingerprint=b"f" * 8, ended=None
        ),
    )


def test_keyframes_stay_few_and_spread_over_the_whole_way() -> None:
    frames = Keyframes(limit=8, spacing_ticks=10)
    for tick in range(1, 10_001):
        if frames.is_due(tick):
            frames.add(frame(tick))
        assert len(frames) <= 8
    gaps = [after - before for before, after in zip([0, *frames.ticks], [*frames.ticks, 10_000], strict=True)]
    assert max(gaps) <= 10_000 / 8 * 4
    assert len(frames) >= 4
    assert frames.at_or_before(9) is None
    assert [found.tick for tick in frames.ticks if (found := frames.at_or_before(tick + 1))] == frames.ticks
    frames.add(frame(frames.ticks[0]))
    assert len(frames.ticks) == len(set(frames.ticks))
    with pytest.raises(ValueError, match="too few"):
        Keyframes(limit=1)


def test_keyframes_of_half_an_hour_are_all_kept_and_their_memory_is_bounded() -> None:
    frames = Keyframes()
    for tick in range(0, 108_000, 60):  # a beat a second
        if frames.is_due(tick):
            frames.add(frame(tick, snapshot_bytes=160_000))
    assert max(after - before for before, after in zip(frames.ticks, frames.ticks[1:], strict=False)) <= 700
    small = Keyframes(spacing_ticks=10, budget_bytes=1000)
    for tick in range(0, 1000, 10):
        small.add(frame(tick, snapshot_bytes=100))
        small.add(frame(tick, snapshot_bytes=50))
        assert small.size_bytes == 50 * len(small) <= 1000
    assert len(small) >= 5
    large = Keyframes(spacing_ticks=10, budget_bytes=10)
    for tick in (1, 2, 3):
        large.add(frame(tick, snapshot_bytes=5000))
        assert len(large) == min(tick, 2), "two are kept, whatever they take"
