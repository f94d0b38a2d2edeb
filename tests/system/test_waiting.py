"""Agents that wait, over a real server: their turns, their events, a crash meanwhile, and the end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import worldline
from tests.system.harness import RunningServer

Start = Callable[..., RunningServer]


async def test_players_who_wait_for_their_turn_play_a_game_without_asking_in_vain(serve: Start) -> None:
    server = serve()
    looks = 0

    async def play(player: worldline.Player) -> list[int]:
        nonlocal looks
        ticks: list[int] = []
        while len(ticks) < 5:
            seen = await player.observe(until="turn")
            looks += 1
            assert (seen.woke, seen.your_turn) == ("turn", True)
            ticks.append((await player.input("pick", n=len(ticks))).tick)
        return ticks

    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        players = [await ada.join("rounds"), await ben.join("rounds")]
        first, second = await asyncio.gather(*(play(player) for player in players))
    assert sorted(first + second) == list(range(1, 11)), "each tick was one player's turn"
    assert looks == 10, "one look for each turn"


async def test_a_wait_is_answered_when_its_world_has_come_back_from_a_crash(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        me, _ = await ada.join("duel"), await ben.join("duel")
        waiting = asyncio.create_task(me.observe(until="tick"))
        await ada.ping()  # the wait has been sent on before this was answered
        assert not waiting.done()
        for pid in server.shard_pids():
            os.kill(pid, signal.SIGKILL)
        assert (await waiting).woke == "now"


async def test_events_come_as_they_happen_until_the_end(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        me, other = await ada.join("duel"), await ben.join("duel")

        async def listen() -> list[int]:
            return [event.tick async for event in me.events(kinds=["picked"])]

        listening = asyncio.create_task(listen())
        for n in range(3):
            await asyncio.gather(me.input("pick", n=n), other.input("pick", n=n))
        await asyncio.gather(me.input("stop"), other.input("pick", n=0))
        assert await listening == [1, 2, 3]


async def test_an_input_is_waited_for_as_long_as_its_caller_wants(serve: Start) -> None:
    server = serve()
    async with worldline.connect(server.url, name="ada") as ada, worldline.connect(server.url, name="ben") as ben:
        me, other = await ada.join("duel"), await ben.join("duel")
        pending = await me.input("pick", n=3, wait_s=0.01)
        assert (pending.status, pending.ok) == ("pending", False)
        final = asyncio.create_task(me.input("pick", n=3))
        await other.input("pick", n=1)
        outcome = await final
        assert (outcome.status, outcome.seq, outcome.tick) == ("applied", pending.seq, 1)
