"""Promise: a change of rules that was meant is accepted by one command: golden replays that go another way are recorded
anew, with the same inputs, and what is different is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from eventlog import records
from eventlog.reader import read_world
from replays.bundle import export_world, unpacked
from replays.errors import NotPossible
from replays.golden import check_golden
from replays.replay import replay
from replays.rerecord import rerecord
from replays.verify import verify_bundle
from server.commands import main
from tests.replays.mill import changed, folder_of, recorded
from tests.replays.recording import WORLD, Recording

PAID_MORE = ("args.hours * 10", "args.hours * 20")


async def golden(folder: Path) -> Path:
    """A golden replay of the mill."""
    await recorded(folder / "data")
    path = folder / "mill.replay"
    export_world(folder / "data", WORLD, path, keyframes=False)
    return path


def inputs(path: Path) -> list[tuple[int, str, str, int]]:
    with unpacked(path) as (data, world):
        return [
            (stored.record.tick, entry.player, entry.name, entry.seq)
            for stored in read_world(data, world)
            if isinstance(stored.record, records.Tick)
            for entry in stored.record.entries
            if isinstance(entry, records.InputEntry)
        ]


async def test_the_same_inputs_are_recorded_by_the_new_rules(tmp_path: Path) -> None:
    path = await golden(tmp_path)
    before = inputs(path)
    code = changed(PAID_MORE)
    assert check_golden(path, code).status == "differs"
    done = rerecord(path, code)
    assert check_golden(path, code).status == "same"
    assert verify_bundle(path).status == "verified", "by itself, with the code that is in it"
    assert inputs(path) == before
    assert (done.first.tick, done.ends.scores[0].was, done.ends.scores[0].now) == (101, 400, 780)
    assert check_golden(path, changed()).status == "differs", "the old rules are now the others"
    with unpacked(path) as (data, world):
        hashes = [each.record for each in read_world(data, world) if isinstance(each.record, records.Checkpoint)]
        assert len(hashes) == 4
        assert replay(data, world).run().proven_tick == hashes[-1].tick


async def test_what_does_not_fit_any_more_is_left_out_and_seqs_have_no_gap(tmp_path: Path) -> None:
    path = await golden(tmp_path)
    old, new = (
        "function game.inputs.work(world, player, args)\n",
        "  if world.tick == 500 then world.kick(player, 'x') end\n",
    )
    code = changed((old, old + new.replace("500", "501")))
    done = rerecord(path, code)
    assert {each.entry.split()[0] for each in done.ends.left_out} == {"p_1"}
    assert check_golden(path, code).status == "same"
    of_one = [(tick, seq) for tick, player, _, seq in inputs(path) if player == "p_1"]
    assert of_one == [(101, 1), (201, 2), (301, 3), (401, 4), (501, 5)]


async def test_a_game_that_is_over_sooner_ends_there(tmp_path: Path) -> None:
    path = await golden(tmp_path)
    tick = "function game.tick(world, dt)\n"
    for at in (480, 500, 551, 1199):
        code = changed((tick, f"{tick}  if world.tick == {at} then world.finish({{ over = true }}) end\n"))
        rerecord(path, code)
        assert check_golden(path, code).status == "same", at
        with unpacked(path) as (data, world):
            close = list(read_world(data, world))[-1].record
        assert isinstance(close, records.Close)
        assert (close.tick, close.reason, close.result) == (at, "finished", {"over": True})
        path = await golden(tmp_path / str(at))


async def test_a_world_that_broke_is_refused_and_the_file_stays(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "data", changed(), seed=1, settings={})
    recording.join()
    recording.run(20)
    recording.reload(changed(PAID_MORE))
    recording.run(20)
    await recording.close()
    path = tmp_path / "mill.replay"
    export_world(tmp_path / "data", WORLD, path, keyframes=False)
    before = path.read_bytes()
    with pytest.raises(NotPossible, match=r"@20: its game was changed there → play a game again, and export it"):
        rerecord(path, changed(PAID_MORE))
    assert path.read_bytes() == before


async def test_games_check_accepts_a_change_and_shows_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = await golden(tmp_path)
    game = folder_of(changed(PAID_MORE), tmp_path / "mill")
    (game / "replays").mkdir()
    kept = path.rename(game / "replays" / "one.replay")
    words = ["games", "check", str(game), "--ticks", "200"]
    main(words)
    assert "replay_differs" in capsys.readouterr().out
    main([*words, "--accept"])
    said = capsys.readouterr()
    assert "replay_differs" not in said.out
    assert f'{kept}: recorded anew; it goes another way at tick 101, by p_1 work {{"hours":2}}' in said.err
    assert "state.coins.p_1: was 21, now 41" in said.err
    assert "p_1 agent p_1: 400, now 780" in said.err
    assert "1 went the same way again" in said.out
    before = kept.read_bytes()
    main([*words, "--accept"])
    assert kept.read_bytes() == before, "what goes the same way is kept as it is"


async def test_a_change_that_loops_for_ever_is_not_accepted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = await golden(tmp_path)
    loops = (
        "if world.tick % 60 == 0 then",
        "if world.tick == 777 then while true do end elseif world.tick % 60 == 0 then",
    )
    game = folder_of(changed(PAID_MORE, loops), tmp_path / "mill")
    (game / "replays").mkdir()
    kept = path.rename(game / "replays" / "one.replay")
    before = kept.read_bytes()
    assert main(["games", "check", str(game), "--ticks", "200", "--accept"]) == 1
    (error,) = capsys.readouterr().err.splitlines()
    assert error.startswith(f"error: the game in {game} has not come back after ")
    assert "at tick 777, game.tick, or a timer → " in error
    assert kept.read_bytes() == before
