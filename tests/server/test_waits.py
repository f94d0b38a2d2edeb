"""An agent that waits is answered when what it waits for has happened: once, not before it is durable, and for free."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from server import messages
from tests.eventlog.disks import GatedDisk
from tests.server.shards import RunningShard, running_shard
from worldline import protocol

LONG_MS = protocol.MAX_WAIT_MS


def wait(shard: RunningShard, until: protocol.Until, player: str = "p_1", **fields: Any) -> asyncio.Future[Any]:
    """Wait as a gateway asks for it."""
    since = fields.pop("since", 1)
    asked = messages.Wait(until=until, wait_ms=fields.pop("wait_ms", LONG_MS), **fields)
    return shard.ask(messages.ObservePlayer, player=player, since=since, wait=asked)


async def arrived(shard: RunningShard, player: str = "p_1") -> None:
    """Return when what was asked before has come to the shard: whoever asks now is answered after it."""
    await shard.ask(messages.ObservePlayer, player=player, since=1)


async def two_in_a_duel(shard: RunningShard) -> None:
    await shard.open("duel")
    await shard.join("a_1")
    await shard.join("a_2")


async def test_a_wait_for_a_tick_ends_with_the_first_tick_beyond_the_named_one(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        joined = await shard.join()
        seen = await wait(shard, "tick", after_tick=joined.tick + 7)
        assert (seen.woke, seen.tick > joined.tick + 7) == ("tick", True)
        again = await wait(shard, "tick")
        assert (again.woke, again.tick > seen.tick) == ("tick", True), "without after_tick: the next one"
        past = await wait(shard, "tick", after_tick=0)
        assert past.woke == "tick", "at once, if there has been one"


async def test_a_wait_computes_nothing_until_it_is_over(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        (host,) = shard.shard._hosts.values()
        seen = wait(shard, "tick", after_tick=40)
        while host.world.tick < 40:
            await asyncio.sleep(0)
            assert host.world.observations_computed == 0
        assert (await seen).tick > 40
        assert host.world.observations_computed == 1


async def test_a_wait_for_a_turn_ends_when_an_input_is_awaited(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        at_once = await wait(shard, "turn")
        assert (at_once.woke, at_once.your_turn, at_once.tick) == ("turn", True, 0)
        first = shard.input("pick", {"n": 1})
        waiting = wait(shard, "turn")
        await arrived(shard)
        assert not waiting.done(), "it has acted: now the other is awaited"
        await asyncio.gather(first, shard.input("pick", {"n": 2}, player="p_2"))
        seen = await waiting
        assert (seen.woke, seen.your_turn, seen.tick) == ("turn", True, 1)


async def test_a_wait_for_a_turn_ends_when_the_player_is_out(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        out = shard.input("retire", {})
        waiting = wait(shard, "turn")
        await asyncio.gather(out, shard.input("pick", {"n": 2}, player="p_2"))
        seen = await waiting
        assert (seen.woke, seen.ended, seen.result) == ("end", "terminated", {"at": 1})


async def test_a_wait_for_an_event_ends_with_one_of_its_kinds(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        waiting = wait(shard, "event", kinds=["said"])
        await shard.input("count", {"by": 1})
        assert not waiting.done()
        await shard.input("say", {"text": "now"})
        seen = await waiting
        assert (seen.woke, [event.kind for event in seen.events]) == ("event", ["said"])
        at_once = await wait(shard, "event")
        assert (at_once.woke, len(at_once.events)) == ("event", 1), "one that is there already is enough"
        waiting = wait(shard, "event", since=seen.cursor)
        await arrived(shard)
        assert not waiting.done(), "old ones do not count"
        await shard.input("say", {"text": "again"})
        assert [event.data["text"] for event in (await waiting).events] == ["again"]


async def test_a_wait_ends_with_the_world_and_shows_its_end(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        waiting = wait(shard, "end", player="p_2")
        await arrived(shard)
        stop = shard.input("stop", {})
        await asyncio.gather(stop, shard.input("pick", {"n": 2}, player="p_2"))
        seen = await waiting
        assert (seen.woke, seen.status, seen.tick) == ("end", "finished", 1)


async def test_a_wait_ends_after_its_time(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        seen = await wait(shard, "tick", wait_ms=20)
        assert (seen.woke, seen.tick) == ("timeout", 0)
        seen = await wait(shard, "tick", wait_ms=0)
        assert seen.woke == "timeout"


async def test_a_second_wait_of_a_player_ends_the_first(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        first, other = wait(shard, "tick"), wait(shard, "tick", player="p_2")
        second = wait(shard, "event")
        assert (await first).woke == "now"
        assert not second.done()
        assert not other.done(), "the wait of another player is none of its business"


async def test_a_wait_ends_when_the_world_stands_still(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        waiting = wait(shard, "tick")
        await arrived(shard)
        (host,) = shard.shard._hosts.values()
        host.course.pause("for a test")
        seen = await waiting
        assert (seen.woke, seen.status) == ("now", "paused")
        seen = await wait(shard, "tick")
        assert (seen.woke, seen.status) == ("now", "paused")


async def test_what_ends_a_wait_is_durable(short_folder: Path) -> None:
    disk = GatedDisk()
    async with running_shard(short_folder, disk=disk) as shard:
        await two_in_a_duel(shard)
        waiting = wait(shard, "tick")
        await arrived(shard)
        disk.shut()
        first, second = shard.input("pick", {"n": 1}), shard.input("pick", {"n": 2}, player="p_2")
        await asyncio.to_thread(disk.wait_for_sync)
        (host,) = shard.shard._hosts.values()
        while host.world.tick < 1:
            await asyncio.sleep(0)
        for _ in range(100):  # turns of the loop, in which an answer could leave
            await asyncio.sleep(0)
        assert not waiting.done()
        disk.lift()
        assert (await waiting).tick == 1
        await asyncio.gather(first, second)


async def test_what_can_never_come_is_refused_with_what_can(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        error = await wait(shard, "turn")
        assert (error.code, error.path, error.valid) == ("invalid_args", "until", ["tick", "event", "end"])
        error = await wait(shard, "event", kinds=["sayd"])
        assert (error.code, error.path, error.valid) == ("invalid_args", "kinds", ["said"])
        assert "did you mean said?" in error.message


async def test_an_input_whose_tick_is_long_in_coming_is_pending_and_can_be_waited_for_again(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        pending = await shard.input("pick", {"n": 1}, seq=1, wait_ms=10)
        assert (pending.status, pending.seq, pending.tick) == ("pending", 1, 0)
        assert pending.hint == "it is taken, and waits for the next tick; send it again with seq = 1 to wait on"
        again = shard.input("pick", {"n": 1}, seq=1)
        other = await shard.input("pick", {"n": 2}, player="p_2", wait_ms=LONG_MS)
        outcome = await again
        assert (outcome.status, outcome.tick, outcome.duplicate) == ("applied", 1, False)
        assert other.tick == 1


async def test_who_has_been_told_that_its_input_is_pending_is_not_answered_twice(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await two_in_a_duel(shard)
        quick, patient = shard.input("pick", {"n": 1}, seq=1, wait_ms=0), shard.input("pick", {"n": 1}, seq=1)
        assert (await quick).status == "pending"
        await shard.input("pick", {"n": 2}, player="p_2")
        assert (
            await patient
        ).status == "applied"  # a second answer to the first would have raised in the test's gateway
