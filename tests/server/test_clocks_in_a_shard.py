"""Lockstep, turn and manual worlds in a real shard: who is waited for, what is refused, and what the log says of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from eventlog import records
from eventlog.reader import read_world
from replays.replay import replay
from server import messages
from tests.server.shards import WORLD, RunningShard, running_shard
from worldline import protocol


async def picks(shard: RunningShard, player: str = "p_1") -> list[str]:
    """What the game has noted: tick:player:number."""
    seen = await shard.ask(messages.ObservePlayer, player=player, since=1)
    return list(seen.data["picks"])


async def refused(answer: asyncio.Future[Any]) -> protocol.Error:
    """The refusal of a request."""
    error = await answer
    assert isinstance(error, protocol.Error), error
    return error


def logged(shard: RunningShard) -> list[records.Tick]:
    """The tick records of the world, from its log and the journal; its replay has been found to agree with them."""
    replay(shard.data, WORLD).run().close()
    return [stored.record for stored in read_world(shard.data, WORLD) if isinstance(stored.record, records.Tick)]


async def test_a_lockstep_tick_runs_when_all_have_acted_in_seat_order(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("duel")
        assert (await shard.join("a_1")).status == "waiting"
        joined = await shard.join("a_2")
        assert (joined.status, joined.tick, joined.clock) == ("running", 0, "lockstep")
        second = shard.input("pick", {"n": 2}, player="p_2")
        seen = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        assert (seen.tick, seen.your_turn) == (0, True)
        assert 3_500_000 < seen.time_left_ms <= 3_600_000
        assert not second.done(), "the tick waits for the other"
        first = shard.input("pick", {"n": 1}, player="p_1")
        assert [(outcome.status, outcome.tick) for outcome in (await first, await second)] == [("applied", 1)] * 2
        assert await picks(shard) == ["1:p_1:1", "1:p_2:2"], "in seat order, not in order of arrival"
    assert [(tick.tick, tick.ran) for tick in logged(shard)] == [(0, False), (0, False), (1, True)]


async def test_the_silent_get_the_default_at_the_deadline_and_the_log_says_so(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("hasty")
        await shard.join("a_1")
        await shard.join("a_2")
        outcome = await shard.input("pick", {"n": 5}, player="p_2")
        assert (outcome.status, outcome.result) == ("applied", {"n": 5})
        noted = await picks(shard)
        assert [f"{outcome.tick}:p_1:0", f"{outcome.tick}:p_2:5"] == [
            pick for pick in noted if pick.startswith(f"{outcome.tick}:")
        ]
    for tick in (record for record in logged(shard) if record.ran):
        kinds = [type(entry) for entry in tick.entries]
        assert kinds == [
            records.TimeoutEntry,
            records.InputEntry if tick.tick == outcome.tick else records.TimeoutEntry,
        ]


async def test_one_input_per_player_and_tick(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("duel")
        await shard.join("a_1")
        await shard.join("a_2")
        first = shard.input("pick", {"n": 1}, seq=1)
        second = await refused(shard.input("pick", {"n": 2}, seq=2))
        assert (second.code, second.data) == ("already_acted", {"tick": 1})
        again = shard.input("pick", {"n": 1}, seq=1)  # the same, sent again: waits for the same outcome
        await shard.input("pick", {"n": 3}, player="p_2")
        assert [(await answer).seq for answer in (first, again)] == [1, 1]
        next_tick = shard.input("pick", {"n": 2}, seq=2)  # the refused seq is still free
        await shard.input("pick", {"n": 3}, player="p_2")
        assert (await next_tick).tick == 2
    entries = [entry for tick in logged(shard) for entry in tick.entries if isinstance(entry, records.InputEntry)]
    assert [(entry.player, entry.seq) for entry in entries] == [("p_1", 1), ("p_2", 1), ("p_1", 2), ("p_2", 2)]


async def test_a_move_decided_on_an_old_board_is_never_played_on_a_new_one(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("duel")
        await shard.join("a_1")
        await shard.join("a_2")
        await asyncio.gather(*(shard.input("pick", {"n": 1}, player=player, seen_tick=0) for player in ("p_1", "p_2")))
        late = await refused(shard.input("pick", {"n": 9}, seq=2, seen_tick=0))
        assert (late.code, late.data) == ("too_late", {"tick": 1})
        assert (await refused(shard.input("pick", {"n": 9}, seq=2, expires_tick=1))).code == "too_late"
        on_time = shard.input("pick", {"n": 4}, seq=2, seen_tick=0, expires_tick=2)  # its agent says it still holds
        await shard.input("pick", {"n": 5}, player="p_2", seen_tick=1)
        assert (await on_time).tick == 2
        assert [pick for pick in await picks(shard) if pick.endswith("9")] == []
    assert all(entry.args["n"] != 9 for tick in logged(shard) for entry in tick.entries if hasattr(entry, "args"))


async def test_who_is_out_is_waited_for_no_more_and_may_look_on(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("duel")
        await shard.join("a_1")
        await shard.join("a_2")
        await asyncio.gather(shard.input("retire", {}), shard.input("pick", {"n": 1}, player="p_2"))
        seen = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        assert (seen.ended, seen.result, seen.your_turn) == ("terminated", {"at": 1}, False)
        assert (await shard.input("pick", {"n": 2}, player="p_2")).tick == 2, "nobody else is awaited"
        out = await refused(shard.input("pick", {"n": 3}))
        assert (out.code, out.message) == ("not_your_turn", "p_1 is out: its game is over")
    logged(shard)


async def test_a_turn_world_waits_for_the_one_whose_turn_it_is(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("rounds")
        await shard.join("a_1")
        await shard.join("a_2")
        early = await refused(shard.input("pick", {"n": 1}, player="p_2", seq=1))
        assert (early.code, early.data) == ("not_your_turn", {"waiting_for": ["p_1"]})
        assert (await shard.input("pick", {"n": 1}, player="p_1")).tick == 1
        assert (await shard.input("pick", {"n": 2}, player="p_2", seq=1)).tick == 2
        turns = [await shard.ask(messages.ObservePlayer, player=player, since=1) for player in ("p_1", "p_2")]
        assert [seen.your_turn for seen in turns] == [True, False]
        await shard.ask(messages.LeaveWorld, player="p_1")
        assert (await shard.input("pick", {"n": 3}, player="p_2")).tick == 3, "the turn passed on with the leave"
    logged(shard)


async def test_joins_and_leaves_do_not_wait_for_the_next_tick(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("duel")
        await shard.join("a_1")
        await shard.join("a_2")
        waiting = shard.input("pick", {"n": 1}, player="p_2")
        joined = await shard.join("a_3")
        assert (joined.player, joined.tick, joined.status) == ("p_3", 0, "running")
        withdrawn = shard.input("pick", {"n": 3}, player="p_3")
        await shard.ask(messages.LeaveWorld, player="p_3")
        assert (await refused(withdrawn)).code == "not_joined"
        await shard.input("pick", {"n": 2}, player="p_1")
        assert (await waiting).tick == 1
        assert await picks(shard) == ["1:p_1:2", "1:p_2:1"]
    between = [tick for tick in logged(shard) if not tick.ran]
    assert [type(tick.entries[0]) for tick in between] == [*[records.JoinEntry] * 3, records.LeaveEntry]


@pytest.mark.parametrize("game", ["duel", "rounds", "echo"])
async def test_a_manual_world_ticks_when_its_owner_says_so_and_then_plays_on_by_its_games_clock(
    short_folder: Path, game: str
) -> None:
    name, args = ("count", {"by": 1}) if game == "echo" else ("pick", {"n": 1})
    async with running_shard(short_folder) as shard:
        await shard.open(game, clock="manual", owner="a_1")
        joined = await shard.join("a_1")
        assert (joined.status, joined.clock) == ("running", "manual"), "it waits for nobody"
        first = shard.input(name, args)
        stepped = await shard.ask(messages.StepWorld, agent="a_1", ticks=5)
        assert stepped == protocol.Stepped(world=WORLD, tick=5)
        assert (await first).tick == 1
        again = await refused(shard.ask(messages.StepWorld, agent="a_1", ticks=5, at_tick=0))
        assert (again.code, again.data) == ("wrong_tick", {"tick": 5})
        assert (await shard.ask(messages.StepWorld, agent="a_1", ticks=1, at_tick=5)).tick == 6
        assert (await refused(shard.ask(messages.StepWorld, agent="a_2", ticks=1))).code == "not_owner"
        assert (await refused(shard.ask(messages.PlayWorld, agent="a_2"))).code == "not_owner"
        await shard.join("a_2")
        assert (await shard.ask(messages.PlayWorld, agent="a_1")).tick == 6
        assert (await refused(shard.ask(messages.StepWorld, agent="a_1", ticks=1))).code == "invalid_args"
        seen = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        turn = next((player for player in ("p_1", "p_2") if seen.your_turn or player == "p_2"), "p_1")
        inputs = [shard.input(name, args, player=player) for player in (["p_1", "p_2"] if game == "duel" else [turn])]
        assert [(await outcome).tick >= 7 for outcome in inputs] == [True] * len(inputs)
    ticks = logged(shard)
    assert [tick.tick for tick in ticks if tick.ran][:6] == [1, 2, 3, 4, 5, 6], "each has its record"
    clocks = [entry for tick in ticks for entry in tick.entries if isinstance(entry, records.ClockEntry)]
    assert len(clocks) == 1


async def test_a_game_that_ends_in_a_step_answers_it_with_the_last_tick(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("duel", clock="manual", owner="a_1")
        await shard.join("a_1")
        stop = shard.input("stop", {})
        steps = [shard.ask(messages.StepWorld, agent="a_1", ticks=10) for _ in range(2)]
        assert [(await step).tick for step in steps] == [1, 1]
        assert (await stop).status == "applied"
        assert (await shard.push(protocol.Closed)).result == {"ticks": 1}


async def test_lockstep_acknowledges_only_what_is_durable(short_folder: Path) -> None:
    """Every tick has its record, and its outcome leaves after that: what is cut off after it replays to that tick."""
    async with running_shard(short_folder) as shard:
        await shard.open("duel")
        await shard.join("a_1")
        await shard.join("a_2")
        for number in range(20):
            outcomes = [shard.input("pick", {"n": number % 10}, player=player) for player in ("p_1", "p_2")]
            assert [(await outcome).tick for outcome in outcomes] == [number + 1] * 2
            reached = replay(shard.data, WORLD).run()
            assert reached.world.tick >= number + 1
            reached.close()
