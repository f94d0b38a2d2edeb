"""Promise: a refused request that waits its own `retry_after_ms`, while nothing else is sent, succeeds - each of them,
however many were refused in whatever rhythm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.limits import Admission, GatewayLimits, RequestBucket, retry_after_ms

Result = TypeVar("Result")


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still until it is moved."""

    now_s = 1000.0

    def time(self) -> float:
        return self.now_s


def stepped(scenario: Callable[[SteppedLoop], Awaitable[Result]]) -> Result:
    """Run a scenario on a loop of its own whose time it moves itself."""

    async def run() -> Result:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SteppedLoop)
        return await scenario(loop)

    with asyncio.Runner(loop_factory=SteppedLoop) as runner:
        return runner.run(run())


@given(
    pauses_ms=st.lists(st.integers(0, 300), min_size=1, max_size=80),
    rate_hz=st.sampled_from([1.0, 7.0, 10.0, 50.0]),
    burst=st.integers(2, 20),
)
def test_each_refused_request_succeeds_after_its_own_time(pauses_ms: list[int], rate_hz: float, burst: int) -> None:
    async def scenario(loop: SteppedLoop) -> None:
        bucket = RequestBucket(rate_hz, burst)
        while (first_wait_ms := await bucket.admit()) is None:
            pass  # use up the burst
        retry_at_s = [loop.now_s + first_wait_ms / 1000]
        for pause_ms in pauses_ms:
            wait_ms = await bucket.admit()
            if wait_ms is None:
                # An acceptance starts a new count; what was promised before it was promised without it.
                retry_at_s.clear()
            else:
                retry_at_s.append(loop.now_s + wait_ms / 1000)
            # Nothing else is sent from the last refusal on: stop before the first promise falls due.
            if retry_at_s and loop.now_s + pause_ms / 1000 >= min(retry_at_s):
                break
            loop.now_s += pause_ms / 1000
        for at_s in sorted(retry_at_s):
            loop.now_s = max(loop.now_s, at_s)
            assert await bucket.admit() is None

    stepped(scenario)


@given(free=st.integers(0, 127).map(lambda k: k / 128), refused=st.integers(0, 200))
def test_nobody_waits_much_longer_than_needed(free: float, refused: int) -> None:
    exact_ms = 1000 * (1 - free + refused) / 10
    assert exact_ms < retry_after_ms(free, refused, 10.0) <= exact_ms + 2


def test_ten_a_second_with_a_burst_of_twenty() -> None:
    async def scenario(loop: SteppedLoop) -> tuple[int, int]:
        limits = GatewayLimits()
        admission = Admission(limits)
        at_once = 0
        while await admission.request() is None:
            at_once += 1
        in_ten_seconds = 0
        for _ in range(1000):
            loop.now_s += 0.01
            in_ten_seconds += await admission.request() is None
        return at_once, in_ten_seconds

    at_once, in_ten_seconds = stepped(scenario)
    assert at_once == 20
    assert in_ten_seconds == pytest.approx(100, abs=1)


def test_pings_are_free_up_to_ten_a_second_and_cost_a_token_beyond() -> None:
    async def scenario(loop: SteppedLoop) -> tuple[int, bool]:
        admission = Admission(GatewayLimits())
        accepted = 0
        while await admission.ping() is None:
            accepted += 1
        loop.now_s += 0.1  # one free ping and one token have come back
        return accepted, await admission.ping() is None and await admission.request() is None

    assert stepped(scenario) == (30, True)


def test_what_cannot_be_read_costs_a_token_too() -> None:
    async def scenario(loop: SteppedLoop) -> int:
        admission = Admission(GatewayLimits())
        for _ in range(19):
            await admission.malformed()
        accepted = 0
        while await admission.request() is None:
            accepted += 1
        return accepted

    assert stepped(scenario) == 1


def test_without_limits_nothing_is_refused() -> None:
    async def scenario(loop: SteppedLoop) -> None:
        admission = Admission(GatewayLimits(rate_limited=False))
        for _ in range(500):
            assert await admission.request() is None
            assert await admission.ping() is None

    stepped(scenario)
    assert GatewayLimits(rate_limited=False).announced().rate_hz is None
