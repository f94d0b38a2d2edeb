"""Promise: a player sends so many inputs a second, through however many gateways; each refused one that waits its own
`retry_after_ms`, while nothing else is sent, is taken; and nobody waits for another."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server import messages
from server.link import Link, connect_unix
from server.rates import INPUT_BURST, INPUT_RATE_HZ, InputRate
from tests.server.shards import RunningShard, running_shard
from worldline import protocol


class Clock:
    """Stands still until it is moved."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def sent(rate: InputRate, player: str = "p_1") -> int | None:
    """Send an input: None if it was taken, else when it may come again."""
    wait_ms = rate.refusal_ms(player)
    if wait_ms is None:
        rate.take(player)
    return wait_ms


@given(
    pauses_ms=st.lists(st.integers(0, 300), min_size=1, max_size=60),
    rate_hz=st.sampled_from([1.0, 3.0, 10.0, 60.0]),
    burst=st.integers(2, 12),
)
def test_each_refused_input_is_taken_after_its_own_time(pauses_ms: list[int], rate_hz: float, burst: int) -> None:
    clock = Clock()
    rate = InputRate(clock, rate_hz, burst)
    refused: list[float] = []
    for pause_ms in pauses_ms:
        clock.now_s += pause_ms / 1000
        wait_ms = sent(rate)
        if wait_ms is not None:
            refused.append(clock.now_s + wait_ms / 1000)
        else:
            refused.clear()  # something else was sent: what was promised counts no longer
    for at_s in sorted(refused):
        clock.now_s = max(clock.now_s, at_s)
        assert sent(rate) is None


def test_forty_at_once_and_then_ten_a_second_each_player_for_itself() -> None:
    clock = Clock()
    rate = InputRate(clock)
    at_once = 0
    while sent(rate) is None:
        at_once += 1
    assert at_once == INPUT_BURST == 40
    assert sent(rate, "p_2") is None
    taken = 0
    for _ in range(1000):
        clock.now_s += 0.01
        taken += sent(rate) is None
    assert taken == pytest.approx(10 * INPUT_RATE_HZ, abs=1)


def test_players_that_have_gone_are_forgotten() -> None:
    clock = Clock()
    rate = InputRate(clock)
    for number in range(10_000):
        clock.now_s += 0.01
        assert sent(rate, f"p_{number}") is None
    assert rate.remembered <= 64 + 1


# --- a real shard -----------------------------------------------------------------------------------------


async def flood(shard: RunningShard, player: str, count: int) -> list[protocol.Outcome | protocol.Error]:
    """Send so many inputs at once, in turn through two gateways."""
    second: Link[Any] = await connect_unix(
        str(shard.data.parent / "shard.sock"), messages.ShardToGateway, shard.on_gateway_message, lambda _: None
    )
    answers = [
        shard.ask(
            messages.PlayerInput,
            through=(shard.gateway, second)[number % 2],
            player=player,
            name="count",
            args={"by": 1},
        )
        for number in range(count)
    ]
    try:
        return list(await asyncio.gather(*answers))
    finally:
        second.close()


async def test_several_gateways_do_not_multiply_it(short_folder: Path) -> None:
    async with running_shard(short_folder, limits=True) as shard:
        await shard.open()
        await shard.join("a_1")
        await shard.join("a_2")
        answers = await flood(shard, "p_1", 2 * INPUT_BURST)
        refused = [answer for answer in answers if isinstance(answer, protocol.Error)]
        taken = [answer for answer in answers if isinstance(answer, protocol.Outcome)]
        # A few tenths of a second may have passed on a busy machine.
        assert INPUT_BURST <= len(taken) < 2 * INPUT_BURST
        assert {error.code for error in refused} == {"rate_limited"}
        waits_ms = [error.retry_after_ms or 0 for error in refused]
        assert waits_ms[0] > 0
        # Nothing that was refused has happened, the seqs go on where they were, and another player is not concerned.
        assert taken[-1].result == {"total": len(taken)}
        assert (await shard.input("count", {"by": 1}, player="p_2")).status == "applied"
        await asyncio.sleep(waits_ms[0] / 1000)
        again = await shard.input("count", {"by": 1}, seq=len(taken) + 1)
        assert again.result == {"total": len(taken) + 1}


@pytest.mark.parametrize(("limits", "private"), [(False, False), (True, True)])
async def test_without_limits_and_among_friends_there_is_none(short_folder: Path, limits: bool, private: bool) -> None:
    async with running_shard(short_folder, limits=limits) as shard:
        await shard.open(private=private)
        await shard.join("a_1")
        answers = await flood(shard, "p_1", 2 * INPUT_BURST)
        assert [answer for answer in answers if isinstance(answer, protocol.Error)] == []
