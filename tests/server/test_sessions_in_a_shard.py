"""Promise: a shard keeps a player whose connection is gone for its grace, gives it back to a session that returns with
everything it has missed, and says what became of one that was gone for too long."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from server import messages
from server.link import Link, connect_unix
from tests.server.shards import WORLD, RunningShard, running_shard
from worldline import protocol


async def attach(shard: RunningShard, player: str = "p_1") -> Any:
    return await shard.ask(messages.AttachPlayer, player=player, session="s_1")


async def test_a_player_comes_back_with_its_seat_seq_and_missed_events(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join("a_1")
        await shard.join("a_2")
        await shard.input("say", {"text": "one"}, player="p_2")
        seen = await shard.ask(messages.ObservePlayer, player="p_1", since=1)
        await shard.input("count", {"by": 1}, seen_tick=seen.tick)
        await shard.input("say", {"text": "two"}, player="p_2")
        lost_on_the_way = await shard.ask(messages.ObservePlayer, player="p_1", since=seen.cursor)
        shard.gateway.send(messages.PlayerDetached(world=WORLD, player="p_1", session="s_1"))
        await shard.input("say", {"text": "three"}, player="p_2")
        back = await attach(shard)
        assert isinstance(back, messages.PlayerAttached)
        player = back.player
        assert (player.seat, player.next_seq, player.status, player.driven) == (1, 2, "running", True)
        assert (back.since, player.cursor) == (2, 4)
        assert player.tick >= lost_on_the_way.tick
        again = await shard.ask(messages.ObservePlayer, player="p_1", since=back.since)
        assert [(event.n, event.data["text"]) for event in again.events] == [(2, "two"), (3, "three")]
        assert again.missed == 0


async def test_who_is_back_in_time_is_not_taken_out(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("short_lived")
        await shard.join("a_1")
        await shard.join("a_2")
        for player in ("p_1", "p_2"):
            shard.gateway.send(messages.PlayerDetached(world=WORLD, player=player, session="s_1"))
        assert isinstance(await attach(shard, "p_1"), messages.PlayerAttached)
        left = await shard.report(messages.PlayerLeft)  # grace_s = 1: only the one that stayed away
        assert (left.player, left.reason) == ("p_2", "timeout")
        gone = await attach(shard, "p_2")
        assert isinstance(gone, messages.PlayerAbsent)
        assert (gone.reason, gone.tick) == ("timeout", left.tick)
        assert isinstance(await attach(shard, "p_1"), messages.PlayerAttached)


async def test_a_world_that_has_ended_says_why(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join()
        outcome = await shard.input("count", {"by": 1})
        shard.control.send(messages.CloseWorld(world=WORLD, reason="operator"))
        changed = await shard.push(protocol.Closed)
        gone = await attach(shard)
        assert isinstance(gone, messages.PlayerAbsent)
        assert (gone.reason, changed.reason) == ("operator", "operator")
        assert gone.tick >= outcome.tick > 0


async def test_an_old_gateway_cannot_detach_what_a_new_one_drives(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open("short_lived")
        await shard.join("a_1")
        await shard.join("a_2")
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def on_message(_: Link[Any], message: Any) -> None:
            if isinstance(message, messages.PlayerAttached) and not answered.done():
                answered.set_result(message)

        newer = await connect_unix(
            str(short_folder / "shard.sock"), messages.ShardToGateway, on_message, lambda _: None
        )
        newer.send(messages.AttachPlayer(request=1, world=WORLD, player="p_1", session="s_1"))
        assert (await answered).player.player == "p_1"
        shard.gateway.send(messages.PlayerDetached(world=WORLD, player="p_1", session="s_1"))
        shard.gateway.send(messages.PlayerDetached(world=WORLD, player="p_2", session="s_1"))
        left = await shard.report(messages.PlayerLeft)
        assert left.player == "p_2"
        pulse = shard.shard._hosts[WORLD].pulse()
        assert [(standing.player, standing.connected) for standing in pulse.players] == [("p_1", True)]
        newer.close()


async def test_what_is_no_longer_kept_is_counted_as_missed(short_folder: Path) -> None:
    async with running_shard(short_folder) as shard:
        await shard.open()
        await shard.join("a_1")
        await shard.join("a_2")
        shard.gateway.send(messages.PlayerDetached(world=WORLD, player="p_1", session="s_1"))
        for _ in range(3):  # 300 events; 256 are kept
            await asyncio.gather(*(shard.input("say", {"text": "?"}, player="p_2") for _ in range(100)))
        back = await attach(shard)
        assert isinstance(back, messages.PlayerAttached)
        assert (back.since, back.player.cursor) == (1, 301)
        seen = await shard.ask(messages.ObservePlayer, player="p_1", since=back.since)
        assert (seen.missed, [event.n for event in seen.events]) == (44, list(range(45, 301)))


async def test_a_session_that_lost_its_player_to_another_cannot_leave_it_alone(short_folder: Path) -> None:
    """Its gateway may tell of its end before it has heard of the loss."""
    async with running_shard(short_folder) as shard:
        await shard.open("short_lived")
        await shard.join("a_1")
        await shard.join("a_2")
        joining = shard.ask(messages.JoinWorld, agent="a_1", session="s_2", name="a", player="p_1", take=True)
        for player, session in (("p_1", "s_1"), ("p_2", "s_1")):
            shard.gateway.send(messages.PlayerDetached(world=WORLD, player=player, session=session))
        assert isinstance(await joining, protocol.Joined)
        assert (await shard.report(messages.PlayerTaken)).session == "s_2"
        assert (await shard.push(protocol.Closed)).reason == "taken_over"
        assert (await shard.report(messages.PlayerLeft)).player == "p_2", "grace_s = 1: only the one left alone"
        assert shard.shard._hosts[WORLD].pulse().players[0].connected
