"""Promise: a world that begins with a snapshot is the one that its whole log gives; checkpoints' claims are checked."""

from __future__ import annotations

import copy
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog.errors import LogDamaged
from eventlog.reader import read_world
from eventlog.records import Checkpoint
from eventlog.snapshot_file import encode_snapshot
from eventlog.snapshots import Snapshots
from games.runtime.snapshots import state_hash
from games.tsunami.bot import decide
from replays.claims import Claims
from replays.replay import Diverged, Replay, replay
from replays.verify import verify_world
from tests.replays.recording import WORLD, Recording
from tests.replays.test_reexecution import tsunami

FIELDS = ("position", "epoch", "ended", "until", "joined", "outcomes", "fingerprint", "genesis")


async def played(
    data: Path, *, seconds: int = 12, lie_at: int | None = None, closed: bool = True, file_bytes: int = 8 << 20
) -> list[int]:
    """Write the log of a game of two, with a checkpoint every two seconds; return the ticks of the snapshots.

    Some checkpoints' records come later than their tick. The one numbered ``lie_at`` claims a wrong hash.
    """
    recording = Recording(data, tsunami(), seed=11, settings={"wave_interval_s": 26}, file_bytes=file_bytes)
    ticks: list[int] = []
    names: list[str] = []
    for second in range(seconds):
        if second in (0, 3):
            names.append(recording.join())
        for player in names:
            decision = decide(msgspec.msgpack.decode(recording.world.observe(player, "data").data or b""))
            if decision.name is not None:
                recording.input(player, decision.name, decision.args)
        if second % 2:
            lie = b"?" * 16 if len(ticks) == lie_at else None
            ticks.append(recording.checkpoint(state_hash_lie=lie, late_by=(0, 7, 65)[len(ticks) % 3]))
        if second == 8:
            recording.leave(names.pop(0))
        recording.run(20)
    await recording.close(reason="test" if closed else None)
    return ticks


def standing(walk: Replay) -> list[Any]:
    """Everything that a replay says of the place where it stands, however it came there."""
    return [walk.world.tick, state_hash(walk.world.snapshot()), *(copy.copy(getattr(walk, field)) for field in FIELDS)]


def whole(data: Path) -> list[Any]:
    """Where the whole log leads."""
    shutil.copytree(data, copied := data.with_name(data.name + "-without"))
    shutil.rmtree(copied / "worlds" / WORLD / "snapshots")
    try:
        done = replay(copied, WORLD, start="latest").run()
        assert done.began_at_tick == 0
        return standing(done)
    finally:
        shutil.rmtree(copied)


async def test_any_snapshot_and_the_log_behind_it_give_the_same_world(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ticks = await played(data)
    expected = whole(data)
    assert standing(replay(data, WORLD).run()) == expected
    store = Snapshots(data, WORLD)
    records = len(list(read_world(data, WORLD)))
    for tick in reversed(ticks):
        latest = replay(data, WORLD, start="latest")
        assert latest.began_at_tick == tick
        assert standing(latest.run()) == expected
        assert latest.records_done < records
        store.path(tick).unlink()
    assert standing(replay(data, WORLD, start="latest").run()) == expected


async def test_the_same_tick_is_reached_to_which_it_may_have_been_shown(tmp_path: Path) -> None:
    data = tmp_path / "data"
    await played(data, closed=False)
    latest = replay(data, WORLD, start="latest").run().catch_up()
    genesis = replay(data, WORLD).run().catch_up()
    assert latest.began_at_tick > 0
    assert latest.world.tick == genesis.world.tick == latest.until
    assert standing(latest) == standing(genesis)


async def test_without_the_log_before_the_snapshot_the_world_comes_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ticks = await played(data)
    expected = whole(data)
    place = Snapshots(data, WORLD).read(ticks[-1]).position
    assert place.file == 1 and place.offset > 1000
    path = data / "worlds" / WORLD / "0001.wlog"
    path.write_bytes(bytes(place.offset) + path.read_bytes()[place.offset :])
    latest = replay(data, WORLD, start="latest")
    assert standing(latest.run()) == expected
    with pytest.raises(LogDamaged):
        replay(data, WORLD)


DAMAGES: dict[str, Callable[[Path, Snapshots, list[int]], object]] = {
    "cut": lambda path, _, __: path.write_bytes(path.read_bytes()[:-1]),
    "flipped": lambda path, _, __: path.write_bytes(path.read_bytes()[:5000] + b"?" + path.read_bytes()[5001:]),
    "another tick": lambda path, store, ticks: path.write_bytes(store.path(ticks[0]).read_bytes()),
    "another file": lambda path, _, __: path.write_bytes(path.parents[1].joinpath("0001.wlog").read_bytes()),
    "a place that is not there": lambda path, store, ticks: path.write_bytes(
        encode_snapshot(
            msgspec.structs.replace(
                store.read(ticks[-1]), position=msgspec.structs.replace(store.read(ticks[-1]).position, crc=1)
            )
        )
    ),
    "a state of another form": lambda path, store, ticks: path.write_bytes(
        encode_snapshot(msgspec.structs.replace(store.read(ticks[-1]), state=b"\x93nothing"))
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_snapshot_that_cannot_be_used_is_skipped_with_a_warning(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    ticks = await played(data)
    expected = whole(data)
    store = Snapshots(data, WORLD)
    DAMAGES[damage](store.path(ticks[-1]), store, ticks)
    latest = replay(data, WORLD, start="latest")
    warnings = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warnings) == 1 and store.path(ticks[-1]).name in warnings[0] and " → " in warnings[0]
    assert latest.began_at_tick == ticks[-2]
    assert standing(latest.run()) == expected


# --- what checkpoints claim --------------------------------------------------------------------------------


async def test_every_checkpoint_is_checked_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = await played(tmp_path)
    assert len(ticks) == 6
    found: dict[int, list[bytes]] = {}
    ask = Claims.found

    def noted(claims: Claims, tick: int) -> list[bytes]:
        found[tick] = ask(claims, tick)
        return found[tick]

    monkeypatch.setattr(Claims, "found", noted)
    assert verify_world(tmp_path, WORLD).status == "verified"
    claimed = [each.record for each in read_world(tmp_path, WORLD) if isinstance(each.record, Checkpoint)]
    assert [record.tick for record in claimed] == ticks == list(found)
    assert all(record.hash in found[record.tick] for record in claimed)


@pytest.mark.parametrize("lie_at", [0, 1, 2, 5])
async def test_a_state_that_is_not_what_a_checkpoint_claims_is_named(tmp_path: Path, lie_at: int) -> None:
    ticks = await played(tmp_path, lie_at=lie_at)
    with pytest.raises(Diverged) as diverged:
        replay(tmp_path, WORLD).run()
    wrong = diverged.value
    assert (wrong.tick, wrong.expected, wrong.checkpoint) == (ticks[lie_at], b"?" * 16, f"{ticks[lie_at]:010d}.snap")
    assert f"the checkpoint {ticks[lie_at]:010d}.snap says" in str(wrong)
    lies = [each for each in read_world(tmp_path, WORLD) if getattr(each.record, "hash", b"") == b"?" * 16]
    assert [(f"{each.file:04d}.wlog", each.offset) for each in lies] == [(wrong.file, wrong.offset)]
    verdict = verify_world(tmp_path, WORLD)
    assert (verdict.status, verdict.offset) == ("diverged", wrong.offset)


async def test_states_between_the_entries_of_one_tick_are_told_apart(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=1, settings={})
    recording.join()
    recording.checkpoint()
    recording.join()
    recording.checkpoint()
    recording.join()
    await recording.close()
    assert verify_world(tmp_path, WORLD).status == "verified"
    assert len(replay(tmp_path, WORLD, start="latest").world.players) == 2


# --- seeking -----------------------------------------------------------------------------------------------


async def test_seeking_uses_snapshots_and_finds_the_same_worlds(tmp_path: Path) -> None:
    data = tmp_path / "data"
    ticks = await played(data)
    plain = shutil.copytree(data, tmp_path / "plain")
    shutil.rmtree(plain / "worlds" / WORLD / "snapshots")
    slow = replay(plain, WORLD)
    for start in ("genesis", "latest"):
        walk = replay(data, WORLD, start=start)
        for tick in (ticks[3] + 5, ticks[1], ticks[4] - 1, ticks[-1] + 3, 2, ticks[2], 0):
            assert state_hash(walk.seek(tick).snapshot()) == state_hash(slow.seek(tick).snapshot()), tick
            assert standing(walk) == standing(slow)
    walk = replay(data, WORLD)
    walk.seek(ticks[-1] + 1)
    assert walk.records_done <= 3, "nothing before the snapshot was executed"


async def test_verification_begins_with_a_snapshot_where_the_first_files_are_gone(tmp_path: Path) -> None:
    ticks = await played(tmp_path, file_bytes=900)
    files = sorted((tmp_path / "worlds" / WORLD).glob("*.wlog"))
    assert len(files) > 2
    files[1].write_bytes(b"?" + files[1].read_bytes()[1:])
    assert verify_world(tmp_path, WORLD).status == "damaged", "a damaged file is not a missing one"
    for path in files[:2]:
        path.unlink()
    verdict = verify_world(tmp_path, WORLD)
    kept = [tick for tick in ticks if Snapshots(tmp_path, WORLD).read(tick).position.file > 2]
    assert (verdict.status, verdict.from_tick) == ("verified", kept[0])
    Snapshots(tmp_path, WORLD).path(kept[-1]).unlink()
    for tick in kept[:-1]:
        Snapshots(tmp_path, WORLD).path(tick).unlink()
    assert verify_world(tmp_path, WORLD).status == "damaged", "neither the genesis nor a snapshot is there"
