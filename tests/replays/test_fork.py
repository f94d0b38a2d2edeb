"""Promise: a fork begins exactly where its parent was, goes the same way with the same inputs, needs its parent no
more, and changes nothing of it."""

from __future__ import annotations

import errno
import shutil
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventlog import archive, frame, records
from eventlog.errors import LogDamaged, StoreNotWritable, UnknownWorld
from eventlog.json_form import json_form
from eventlog.reader import log_end, read_world
from eventlog.store import Store
from eventlog.verify import verify as verify_bytes
from eventlog.worldbytes import WorldBytes
from eventlog.worldlog import WorldLog
from games.errors import WorldFaulted
from games.runtime import snapshots
from games.runtime.effects import Input, Join, Leave, Silence, Take
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from replays import fork as forks
from replays.bundle import export_world
from replays.errors import CannotFork, CannotReplay, TickOutOfRange
from replays.origins import origin_of, state_of
from replays.replay import replay
from replays.verify import verify_bundle, verify_world
from tests.eventlog.disks import WatchedDisk
from tests.eventlog.second_decoder import read_world_files
from tests.games.small import code
from tests.replays.recording import WORLD, Recording
from tests.replays.test_code_entries import recorded as recorded_with_reloads
from tests.replays.test_reexecution import broken, play, tsunami

FORK = "w_0000000new"
ENDING = """
local game = { inputs = {} }
function game.tick(world, dt) if world.tick == 20 then world.finish({ winner = "none" }) end end
function game.inputs.add(world, player, args) end
function game.observe(world, player) return {} end
return game
"""


def identity(world: str = FORK, **changes: Any) -> forks.Identity:
    plain = forks.Identity(world=world, owner="a_owner", private=False, versions={"lua": "x"}, created_ms=5)
    return msgspec.structs.replace(plain, **changes)


async def record(data: Path, *, seconds: int = 4, ends: bool = True) -> None:
    recording = Recording(data, tsunami(), seed=3, settings={})
    play(recording, seconds=seconds, players=3)
    recording.checkpoint()
    recording.run(40)
    await recording.close(reason="test" if ends else None)


def forked(data: Path, tick: int, *, world: str = FORK, parent: str = WORLD) -> forks.Fork:
    """Fork a world of the folder in the same folder."""
    made = forks.fork(data, parent, tick, identity(world))
    forks.write_fork(made, data, data)
    return made


def game_state(world: World) -> bytes:
    """The hash of a world, whoever plays in it."""
    return state_hash(snapshots.forked(world.snapshot(), world="w_any", clock="manual"), engine=world.engine)


def whole_folder(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("tick", [0, 1, 100, 137, 240])
async def test_a_fork_begins_where_its_parent_was(tmp_path: Path, tick: int) -> None:
    await record(tmp_path)
    parent = replay(tmp_path, WORLD).seek(tick)
    forked(tmp_path, tick)
    fork = replay(tmp_path, FORK)
    assert (fork.world.tick, fork.began_at_tick, fork.first_tick) == (tick, tick, tick)
    assert game_state(fork.world) == game_state(parent)
    for name, before in parent.players.items():
        player = fork.world.players[name]
        assert (player.seat, player.score, player.events) == (before.seat, before.score, before.events)
        assert player.is_vacant
        assert (player.next_seq, player.outcomes) == (1, {}), "who will play did not send those inputs"
    assert fork.world.clock == "manual"


async def test_with_the_same_inputs_it_goes_the_same_way(tmp_path: Path) -> None:
    await record(tmp_path)
    parent = replay(tmp_path, WORLD)
    parent.seek(100)
    forked(tmp_path, 100)
    world = replay(tmp_path, FORK).world
    vacant = world.vacant_players()
    assert [player.id for player in vacant] == ["p_1", "p_2", "p_3"]
    world.apply([Take(player=each.id, agent=f"a_{each.id}", name=each.name) for each in vacant], step=False)
    seqs: dict[str, int] = {}
    while (stored := parent.step()) is not None:
        tick = stored.record
        if isinstance(tick, records.Tick):
            if tick.tick - tick.ran > world.tick:
                world.run_empty(tick.tick - tick.ran - world.tick)
            world.apply([_again(entry, seqs) for entry in tick.entries], step=tick.ran)
    world.run_empty(parent.world.tick - world.tick)
    assert world.tick > 200
    assert seqs
    assert game_state(world) == game_state(parent.world)


def _again(entry: records.Entry, seqs: dict[str, int]) -> Join | Leave | Input | Silence:
    """An entry as a fork gets it: with seqs of its own."""
    match entry:
        case records.InputEntry():
            seqs[entry.player] = seqs.get(entry.player, 0) + 1
            return Input(player=entry.player, seq=seqs[entry.player], name=entry.name, args=entry.args)
        case records.JoinEntry():
            return Join(player=entry.player, seat=entry.seat, agent=entry.agent, name=entry.name)
        case records.LeaveEntry():
            return Leave(player=entry.player, reason=entry.reason)
        case _:
            raise AssertionError(entry)


async def test_its_parent_is_untouched_and_may_be_gone(tmp_path: Path) -> None:
    await record(tmp_path / "data")
    before = whole_folder(tmp_path / "data")
    forked(tmp_path / "data", 100)
    after = whole_folder(tmp_path / "data")
    assert {name: after[name] for name in before} == before
    assert {name.split("/")[1] for name in after.keys() - before.keys()} == {FORK}

    shutil.rmtree(tmp_path / "data" / "worlds" / WORLD)
    verdict = verify_world(tmp_path / "data", FORK)
    assert (verdict.status, verdict.tick, verdict.from_tick) == ("verified", 100, 0)
    assert verify_bytes(tmp_path / "data").problems == []
    (info,) = Store.read_only(tmp_path / "data").worlds()
    assert (info.world, info.status, info.last_tick, info.clock) == (FORK, "open", 100, "manual")


async def test_the_genesis_names_its_parent(tmp_path: Path) -> None:
    await record(tmp_path)
    forked(tmp_path, 100)
    genesis, parent = (next(read_world(tmp_path, world)).record for world in (FORK, WORLD))
    assert isinstance(genesis, records.Genesis)
    assert isinstance(parent, records.Genesis)
    assert genesis.forked_from == (WORLD, 100)
    assert (genesis.ranked, genesis.clock, genesis.owner) == (False, "manual", "a_owner")
    assert (genesis.game, genesis.digest, genesis.seed) == (parent.game, parent.digest, parent.seed)


async def test_the_fork_of_a_private_world_is_private(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    recording.run(5)
    await recording.close()
    parent = replay(tmp_path, WORLD)
    parent.genesis = msgspec.structs.replace(parent.genesis, private=True)
    assert forks.fork_here(parent, 3, identity(private=False)).genesis.private
    assert not forks.fork(tmp_path, WORLD, 3, identity(private=False)).genesis.private
    assert forks.fork(tmp_path, WORLD, 3, identity(private=True)).genesis.private


async def test_the_same_fork_is_the_same_world_wherever_its_making_starts(tmp_path: Path) -> None:
    await record(tmp_path, seconds=6)
    made = [forks.fork(tmp_path, WORLD, 370, identity())]
    shutil.rmtree(tmp_path / "worlds" / WORLD / "snapshots")
    made.append(forks.fork(tmp_path, WORLD, 370, identity()))
    archive.archive_world(tmp_path, WORLD)
    made.append(forks.fork(tmp_path, WORLD, 370, identity()))
    assert made[0].genesis == made[1].genesis == made[2].genesis
    assert made[0].origin[0].hash == made[1].origin[0].hash == made[2].origin[0].hash


async def test_an_unfinished_world_is_forked_up_to_its_last_record(tmp_path: Path) -> None:
    await record(tmp_path, ends=False)
    last = log_end(tmp_path, WORLD).tick
    with pytest.raises(TickOutOfRange) as refused:
        forks.fork(tmp_path, WORLD, last + 1, identity())
    assert (refused.value.first_tick, refused.value.last_tick) == (0, last)
    assert forks.fork(tmp_path, WORLD, last, identity()).genesis.forked_from == (WORLD, last)


async def test_what_is_only_promised_counts_as_far_as_the_caller_knows(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    recording.run(61)  # the beat at tick 60 promises 150
    parent = recording.world
    await recording.close(reason=None)
    assert replay(tmp_path, WORLD).run().world.tick == 60
    for tick, up_to, last in ((61, 0, 60), (61, 60, 60), (151, 200, 150), (151, sys.maxsize, 150)):
        with pytest.raises(TickOutOfRange) as refused:
            forks.fork(tmp_path, WORLD, tick, identity(), up_to=up_to)
        assert refused.value.last_tick == last
    made = forks.fork(tmp_path, WORLD, 61, identity(), up_to=61)
    assert made.origin[0].hash == state_hash(snapshots.forked(parent.snapshot(), world=FORK, clock="manual"))
    assert forks.fork(tmp_path, WORLD, 150, identity(), up_to=sys.maxsize).origin[0].tick == 150


async def test_after_its_end_nothing_is_promised(tmp_path: Path) -> None:
    recording = Recording(tmp_path, tsunami(), seed=3, settings={})
    recording.run(61)
    await recording.close()
    with pytest.raises(TickOutOfRange, match="from tick 0 to tick 61"):
        forks.fork(tmp_path, WORLD, 62, identity(), up_to=sys.maxsize)


async def test_a_fork_of_a_fork(tmp_path: Path) -> None:
    await record(tmp_path)
    forked(tmp_path, 100)
    with pytest.raises(TickOutOfRange, match="from tick 100 to tick 100"):
        forks.fork(tmp_path, FORK, 99, identity("w_another"))
    forked(tmp_path, 100, world="w_another", parent=FORK)
    for world in (WORLD, FORK):
        shutil.rmtree(tmp_path / "worlds" / world)
    assert verify_world(tmp_path, "w_another").status == "verified"
    genesis = next(read_world(tmp_path, "w_another")).record
    assert isinstance(genesis, records.Genesis)
    assert genesis.forked_from == (FORK, 100)


async def test_a_world_that_was_reloaded_is_forked_with_the_code_of_that_tick(tmp_path: Path) -> None:
    await recorded_with_reloads(tmp_path / "data")
    for number, tick in enumerate((20, 60, 90)):
        world = f"w_fork{number}"
        parent = replay(tmp_path / "data", WORLD).seek(tick)
        forked(tmp_path / "data", tick, world=world)
        again = replay(tmp_path / "data", world).world
        assert again.code.digest == parent.code.digest
        parent.run_empty(5)
        again.run_empty(5)
        assert game_state(again) == game_state(parent)
        assert verify_world(tmp_path / "data", world).status == "verified"
        export_world(tmp_path / "data", world, tmp_path / f"{world}.replay")
        assert verify_bundle(tmp_path / f"{world}.replay").status == "verified"


async def test_a_game_that_is_over_is_not_forked_at_its_end(tmp_path: Path) -> None:
    recording = Recording(tmp_path, code(ENDING, '[inputs.add]\nhelp = "Add."\n'), seed=1, settings={})
    recording.run(20)
    await recording.close()
    with pytest.raises(CannotFork, match="@20 cannot be forked: the game is over there"):
        forks.fork(tmp_path, WORLD, 20, identity())
    assert forks.fork(tmp_path, WORLD, 19, identity())


async def test_a_world_that_broke_is_forked_up_to_the_tick_before(tmp_path: Path) -> None:
    recording = Recording(tmp_path, broken(), seed=1, settings={})
    fault = recording.run_until_it_breaks()
    assert isinstance(fault, WorldFaulted)
    await recording.close(reason=None)
    last = Store.read_only(tmp_path).worlds()[0].last_tick
    assert forks.fork(tmp_path, WORLD, last, identity())
    with pytest.raises(TickOutOfRange):
        forks.fork(tmp_path, WORLD, last + 1, identity())


async def test_a_world_that_is_not_there_or_damaged_is_refused(tmp_path: Path) -> None:
    await record(tmp_path)
    with pytest.raises(UnknownWorld):
        forks.fork(tmp_path, "w_nowhere", 1, identity())
    path = tmp_path / "worlds" / WORLD / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(LogDamaged):
        forks.fork(tmp_path, WORLD, 240, identity())
    assert [path.name for path in (tmp_path / "worlds").iterdir()] == [WORLD]


# --- its log -------------------------------------------------------------------------------------------


async def test_a_large_origin_has_many_parts_in_many_files(tmp_path: Path) -> None:
    await record(tmp_path)
    made = forks.fork(tmp_path, WORLD, 100, identity())
    state = state_of(made.genesis, made.origin)
    first = made.origin[0]
    parts = origin_of(state, tick=100, code=first.code, state_hash=first.hash, part_bytes=500)
    assert len(parts) > 4
    assert state_of(made.genesis, parts) == state
    forks.write_fork(msgspec.structs.replace(made, origin=parts), tmp_path, tmp_path, file_bytes=1500)
    assert WorldBytes.look(tmp_path, FORK).last_file > 1
    assert verify_bytes(tmp_path).problems == []
    assert verify_world(tmp_path, FORK).status == "verified"
    written = read_world_files(tmp_path / "worlds" / FORK).records
    assert [record.name for record in written] == ["genesis", *["origin"] * len(parts), "open"]
    assert b"".join(record.fields["state"] for record in written[1:-1]) == b"".join(part.state for part in parts)
    told = [form for form in json_form(read_world(tmp_path, FORK)) if form["record"] == "origin"]
    assert [(form["part"], form["bytes"]) for form in told] == [(part.part, len(part.state)) for part in parts]
    assert not any("state" in form for form in told)


def write(data: Path, made: forks.Fork, origin: list[records.Origin]) -> None:
    """Put a log into the folder that says what it should not, with good checksums."""
    folder = data / "worlds" / FORK
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number, content in WorldLog.found(made.genesis, origin).items():
        (folder / frame.file_name(number)).write_bytes(content)


async def test_an_origin_that_is_not_whole_is_damage_or_said(tmp_path: Path) -> None:
    await record(tmp_path)
    made = forks.fork(tmp_path, WORLD, 100, identity())
    first = made.origin[0]
    parts = origin_of(
        state_of(made.genesis, made.origin), tick=100, code=first.code, state_hash=first.hash, part_bytes=2000
    )
    assert len(parts) > 2
    other = msgspec.structs.replace(parts[1], hash=b"?" * 16)
    for wrong, says in (
        ([parts[1], parts[0], *parts[2:]], "part 2 of"),
        ([parts[0], *parts[2:]], "stands where part 2 belongs"),
        ([parts[0], other, *parts[2:]], "does not belong to the one before"),
        ([*parts, parts[-1]], "stands where part"),
        (parts[:-1], f"only {len(parts) - 1} of {len(parts)} parts are there"),
    ):
        write(tmp_path, made, wrong)
        verdict = verify_world(tmp_path, FORK)
        assert verdict.status == "damaged"
        assert says in (verdict.problem or "")
        assert [problem.world for problem in verify_bytes(tmp_path, world=FORK).problems] == [FORK]

    write(tmp_path, made, [])
    with pytest.raises(CannotReplay, match="its origin is not in its log"):
        replay(tmp_path, FORK)
    assert verify_world(tmp_path, FORK).status == "cannot"


async def test_a_state_that_is_not_what_its_hash_says_has_diverged(tmp_path: Path) -> None:
    await record(tmp_path)
    made = forks.fork(tmp_path, WORLD, 100, identity())
    write(tmp_path, made, [msgspec.structs.replace(part, hash=b"?" * 16) for part in made.origin])
    verdict = verify_world(tmp_path, FORK)
    assert verdict.status == "diverged"
    assert "of its origin" in (verdict.problem or "")


async def test_a_fork_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    await record(tmp_path)
    made = forks.fork(tmp_path, WORLD, 100, identity())

    class Breaking(WatchedDisk):
        """Fails at its call number ``left`` and all that follow; closing always works."""

        def __init__(self, left: int) -> None:
            super().__init__()
            self.left = left

        def before(self, call: str, path: Path) -> None:
            super().before(call, path)
            if len(self.calls) > self.left and call != "close":
                raise OSError(errno.EIO, "broken off")

    healthy = Breaking(10_000)
    forks.write_fork(made, tmp_path, tmp_path, disk=healthy)
    shutil.rmtree(tmp_path / "worlds" / FORK)
    whole = 0
    for left, (call, _) in enumerate(healthy.calls):
        if call == "close":
            continue
        with pytest.raises(StoreNotWritable):
            forks.write_fork(made, tmp_path, tmp_path, disk=Breaking(left))
        worlds = {path.name for path in (tmp_path / "worlds").iterdir()}
        if FORK in worlds:
            assert verify_world(tmp_path, FORK).status == "verified"
            shutil.rmtree(tmp_path / "worlds" / FORK)
            whole += 1
        else:
            assert worlds == {WORLD}
    assert 0 < whole < len(healthy.calls), "it broke off before and after the world got its place"
