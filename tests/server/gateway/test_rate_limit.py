"""Promise: a refused request that waits its own `retry_after_ms`, while nothing else is sent, succeeds - each of them,
however many were refused in whatever rhythm."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.gateway.admission import Admission, Agents, RequestBucket, Wait, admit
from server.gateway.limits import GatewayLimits
from server.rates import retry_after_ms

ROOT = Path(__file__).resolve().parents[3]

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
        while (first_wait := await admit(bucket)) is None:
            pass  # use up the burst
        retry_at_s = [loop.now_s + first_wait.wait_ms / 1000]
        for pause_ms in pauses_ms:
            wait = await admit(bucket)
            if wait is None:
                # An acceptance starts a new count; what was promised before it was promised without it.
                retry_at_s.clear()
            else:
                retry_at_s.append(loop.now_s + wait.wait_ms / 1000)
            # Nothing else is sent from the last refusal on: stop before the first promise falls due.
            if retry_at_s and loop.now_s + pause_ms / 1000 >= min(retry_at_s):
                break
            loop.now_s += pause_ms / 1000
        for at_s in sorted(retry_at_s):
            loop.now_s = max(loop.now_s, at_s)
            assert await admit(bucket) is None

    stepped(scenario)


@given(
    sends=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 150)), min_size=1, max_size=150),
    warm=st.lists(st.integers(0, 3), max_size=60),
    rate_hz=st.sampled_from([7.0, 10.0]),
    agent_rate_hz=st.sampled_from([10.0, 20.0, 33.0]),
)
def test_so_it_is_with_several_connections_of_one_agent(
    sends: list[tuple[int, int]], warm: list[int], rate_hz: float, agent_rate_hz: float
) -> None:
    """Up to four connections use up their own buckets and the one that they share, in any order and rhythm."""

    async def scenario(loop: SteppedLoop) -> None:
        shared = RequestBucket(agent_rate_hz, 40)
        own = [RequestBucket(rate_hz, 20) for _ in range(4)]
        for number in warm:
            await admit(own[number], shared)
        promised: list[tuple[float, int]] = []
        for number, pause_ms in sends:
            wait = await admit(own[number], shared)
            if wait is None:
                promised.clear()
                for bucket in (*own, shared):
                    bucket.refused = 0  # as if nobody had been refused before: those promises are void
            else:
                promised.append((loop.now_s + wait.wait_ms / 1000, number))
            if promised and loop.now_s + pause_ms / 1000 >= min(promised)[0]:
                break
            loop.now_s += pause_ms / 1000
        for at_s, number in sorted(promised):
            loop.now_s = max(loop.now_s, at_s)
            assert await admit(own[number], shared) is None

    stepped(scenario)


def test_a_request_takes_of_both_buckets_or_of_none() -> None:
    async def scenario(loop: SteppedLoop) -> None:
        own, shared = RequestBucket(10, 20), RequestBucket(20, 3)
        for _ in range(3):
            assert await admit(own, shared) is None
        wait = await admit(own, shared)
        assert wait == Wait(wait_ms=51, rate_hz=20, burst=3, of_agent=True)
        assert (own.free, shared.free) == (17, 0)
        loop.now_s += 0.051
        assert await admit(own, shared) is None
        for _ in range(20):
            await admit(own)
        wait = await admit(own, shared)
        assert wait is not None
        assert not wait.of_agent

    stepped(scenario)


def test_reconnecting_brings_nothing() -> None:
    """What an agent has used up stays used up, for as long as it would have taken to come back."""

    async def scenario(loop: SteppedLoop) -> list[float]:
        agents = Agents(GatewayLimits())
        free = []
        for pause_s in (0.0, 0.5, 2.0):
            loop.now_s += pause_s
            bucket = await agents.arrive("a_1", loop.now_s)
            assert bucket is not None
            free.append(round(bucket.free, 1))
            while await admit(bucket) is None:
                pass
            agents.depart("a_1", loop.now_s)
        return free

    assert stepped(scenario) == [40, 10, 40]


def test_many_agents_that_come_and_go_cost_little_and_are_forgotten() -> None:
    """100,000 in the same instant, and some more: at most 64 MiB; when their time is over none is remembered."""
    command = [sys.executable, "-m", "tests.benchmarks.many_identities", "110000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    figures = json.loads(done.stdout)
    assert (figures["remembered"], figures["remembered_later"]) == (100_000, 0)
    assert 0 < figures["grown_bytes"] <= 64 * 2**20


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
    async def scenario(_loop: SteppedLoop) -> int:
        admission = Admission(GatewayLimits())
        for _ in range(19):
            await admission.malformed()
        accepted = 0
        while await admission.request() is None:
            accepted += 1
        return accepted

    assert stepped(scenario) == 1


def test_without_limits_nothing_is_refused() -> None:
    async def scenario(_loop: SteppedLoop) -> None:
        admission = Admission(GatewayLimits(rate_limited=False))
        for _ in range(500):
            assert await admission.request() is None
            assert await admission.ping() is None

    stepped(scenario)
    assert GatewayLimits(rate_limited=False).announced().rate_hz is None
