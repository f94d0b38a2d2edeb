"""Promise: a child's death is noticed at once, however it dies, and a slot fills its place again, within bounds."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from server.children import Child, spawn
from server.slots import SHORT_LIVES_LIMIT, Slot

WITHIN_S = 30.0

Spawn = Callable[[], Awaitable[Child]]


@pytest.fixture
async def spawn_child() -> AsyncIterator[Spawn]:
    """Start gateways that wait for their configuration: real processes, cheap to start. All are killed at the end."""
    children: list[Child] = []
    lost: list[Child] = []

    async def start() -> Child:
        child = await spawn("gateway", len(children), lambda _child, _message: None, lost.append)
        children.append(child)
        return child

    yield start
    for child in children:
        child.kill()
        await asyncio.wait_for(child.gone, WITHIN_S)
    assert [lost.count(child) for child in children] == [1] * len(children), "each is lost exactly once"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_death_by_signal_is_noticed_and_named(spawn_child: Spawn, number: signal.Signals) -> None:
    child = await spawn_child()
    assert child.ending == "still running"
    os.kill(child.pid, number)
    await asyncio.wait_for(child.gone, WITHIN_S)
    assert child.exit_code == -number and child.ending == f"signal {number:d} ({number.name})"
    assert child.ready.done() and not child.is_ready, "nobody waits for it to become ready any more"
    child.kill()  # harmless, and hits no other process


async def test_a_death_by_itself_is_noticed_and_named(spawn_child: Spawn) -> None:
    child = await spawn_child()
    child._link.close()  # type: ignore[union-attr] # a child that loses its supervisor ends itself
    await asyncio.wait_for(child.gone, WITHIN_S)
    assert child.ending == "exit code 1"


async def test_a_child_has_no_descriptor_but_its_own(spawn_child: Spawn) -> None:
    first = await spawn_child()
    second = await spawn_child()
    # If the second had inherited the first's control link, the first's death would not close it.
    os.kill(first.pid, signal.SIGKILL)
    await asyncio.wait_for(first.gone, WITHIN_S)
    assert not second.gone.done()


async def test_a_slot_replaces_what_dies_and_stops_when_told(spawn_child: Spawn) -> None:
    started: asyncio.Queue[Child] = asyncio.Queue()

    async def start() -> Child:
        child = await spawn_child()
        child.mark_ready()
        started.put_nowait(child)
        return child

    slot = Slot("a slot", start, lambda _: None)
    first = await asyncio.wait_for(started.get(), WITHIN_S)
    await asyncio.wait_for(slot.settled, WITHIN_S)
    assert slot.ready_child is first
    os.kill(first.pid, signal.SIGKILL)
    second = await asyncio.wait_for(started.get(), WITHIN_S)
    assert slot.last_ending == "signal 9 (SIGKILL)"
    assert slot.ready_child == second
    # It has no configuration yet, so it does not know how to drain: it is killed, and that is said.
    assert await slot.stop(within_s=0.1) is False
    assert started.empty()


async def test_a_slot_gives_up_on_what_dies_right_after_its_start(spawn_child: Spawn) -> None:
    starts = 0
    given_up: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()

    async def start() -> Child:
        nonlocal starts
        starts += 1
        child = await spawn_child()
        os.kill(child.pid, signal.SIGSEGV)
        return child

    slot = Slot("a slot", start, given_up.set_result)
    assert await asyncio.wait_for(given_up, 2 * WITHIN_S) is slot
    assert starts == SHORT_LIVES_LIMIT + 1
    assert slot.given_up and slot.settled.done() and slot.last_ending == "signal 11 (SIGSEGV)"
    assert await slot.stop(within_s=1.0) is True


async def test_a_slot_counts_a_start_that_fails_as_a_death() -> None:
    given_up: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()

    async def start() -> Child:
        raise BlockingIOError(11, "no more processes")

    slot = Slot("a slot", start, given_up.set_result)
    await asyncio.wait_for(given_up, WITHIN_S)
    assert "no more processes" in slot.last_ending


async def test_a_slot_that_is_stopped_during_a_start_leaves_no_process(spawn_child: Spawn) -> None:
    entered = asyncio.Event()

    async def start() -> Child:
        entered.set()
        return await spawn_child()

    slot = Slot("a slot", start, lambda _: None)
    await entered.wait()
    await asyncio.wait_for(slot.stop(within_s=0.1), WITHIN_S)
    assert slot.child is None or slot.child.gone.done()


async def test_a_child_that_is_stuck_in_its_start_does_not_hold_up_a_stop(spawn_child: Spawn) -> None:
    slot = Slot("a slot", spawn_child, lambda _: None)
    while slot.child is None:
        await asyncio.sleep(0)
    os.kill(slot.child.pid, signal.SIGSTOP)
    assert not await asyncio.wait_for(slot.stop(within_s=10 * WITHIN_S), WITHIN_S)
    assert slot.child.gone.done()
