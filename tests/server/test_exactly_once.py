"""An input is applied exactly once: its seq decides, however often and in whatever order it is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from server import messages
from tests.server.shards import running_shard
from worldline import protocol


async def test_the_same_seq_again_gives_the_first_outcome(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        first = await shard.input("count", {"by": 5}, seq=1)
        again = await shard.input("count", {"by": 5}, seq=1)
        assert (first.status, first.duplicate, first.result) == ("applied", False, {"total": 5})
        assert (again.status, again.duplicate, again.result) == ("applied", True, {"total": 5})
        assert (again.seq, again.tick) == (first.seq, first.tick)
        second = await shard.input("count", {"by": 5}, seq=2)
        assert second.result == {"total": 10}


async def test_the_same_seq_twice_before_its_tick_is_applied_once(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        answers = await asyncio.gather(*(shard.input("count", {"by": 7}, seq=1) for _ in range(3)))
        assert [answer.result for answer in answers] == [{"total": 7}] * 3
        assert len({answer.tick for answer in answers}) == 1


async def test_without_a_seq_the_server_counts(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        answers = await asyncio.gather(*(shard.input("count", {"by": 1}) for _ in range(10)))
        assert [answer.seq for answer in answers] == list(range(1, 11))
        assert [answer.result["total"] for answer in answers] == list(range(1, 11))


async def test_a_rejected_input_uses_its_seq_up_and_a_refused_one_does_not(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        refused = await shard.input("count", {"by": "many"}, seq=1)
        assert isinstance(refused, protocol.Error)
        assert refused.code == "invalid_args"
        rejected = await shard.input("count", {"by": 500}, seq=1)
        assert (rejected.status, rejected.code) == ("rejected", "too_much")
        again = await shard.input("count", {"by": 500}, seq=1)
        assert (again.status, again.code, again.duplicate) == ("rejected", "too_much", True)
        assert (await shard.input("count", {"by": 2}, seq=2)).result == {"total": 2}


@pytest.mark.parametrize(
    ("seq", "by", "expected"),
    [(5, 1, {"expected_seq": 3}), (1, 9, {"expected_seq": 3}), (2, 1, {"expected_seq": 3})],
    ids=["a gap", "another input under a used seq", "another input under the last seq"],
)
async def test_a_wrong_seq_is_refused_with_the_right_one(
    short_folder: Path, seq: int, by: int, expected: dict[str, int]
) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        await shard.input("count", {"by": 1}, seq=1)
        await shard.input("count", {"by": 2}, seq=2)
        refused = await shard.input("count", {"by": by}, seq=seq)
        assert isinstance(refused, protocol.Error)
        assert (refused.code, refused.data) == ("seq_conflict", expected)
        right = await shard.input("count", {"by": 3}, seq=expected["expected_seq"])
        assert right.result == {"total": 6}


async def test_an_outcome_that_is_no_longer_kept_is_not_applied_again(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        for seq in range(1, 71):
            await shard.input("count", {"by": 1}, seq=seq)
        old = await shard.input("count", {"by": 1}, seq=2)
        assert isinstance(old, protocol.Error)
        assert (old.code, old.data) == ("seq_conflict", {"expected_seq": 71, "oldest_seq": 7})
        kept = await shard.input("count", {"by": 1}, seq=7)
        assert (kept.duplicate, kept.result) == (True, {"total": 7})


async def test_an_agent_that_joins_twice_gets_one_seat(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join("a_1")  # the world ticks from here on: the next joins wait for a tick
        first, second = await asyncio.gather(shard.join("a_2"), shard.join("a_2"))
        third = await shard.join("a_2")
        assert (first.player, second.player, third.player) == ("p_2", "p_2", "p_2")
        await shard.report(messages.PlayerJoined)
        assert len([report for report in shard.reports if isinstance(report, messages.PlayerJoined)]) == 2


async def test_a_full_world_refuses_and_seats_again_after_a_leave(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("short_lived")
        seats = shard.code.manifest.max_players
        for number in range(seats):
            await shard.join(f"a_{number}")
        refused = await shard.ask(messages.JoinWorld, agent="a_late", session="s_1", name="late")
        assert (refused.code, type(refused)) == ("world_full", protocol.Error)
        left = await shard.ask(messages.LeaveWorld, player="p_1")
        assert isinstance(left, protocol.Left)
        assert (await shard.join("a_late")).seat == 1
