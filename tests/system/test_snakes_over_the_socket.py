"""Promise: the sample bots play whole games of Snakes over a real server, and the logs re-execute to the same."""

from __future__ import annotations

import asyncio

import worldline
from eventlog.reader import read_world
from eventlog.records import Checkpoint, Close, InputEntry, Tick
from games.snakes.bot import play
from replays.verify import verify_world
from tests.system.conftest import ServerFactory


async def test_four_bots_play_a_game_to_its_end_each_turn_with_a_note(serve: ServerFactory) -> None:
    server = serve("--limits", "off", games=None)

    async def bot(number: int) -> worldline.Player:
        async with worldline.connect(server.url, name=f"bot {number}") as client:
            player = await client.join("snakes")
            await asyncio.wait_for(play(player), 120)
            return player

    players = await asyncio.gather(*(bot(number) for number in range(4)))
    (world,) = {player.world for player in players}
    assert {player.closed for player in players} == {"finished"}
    turns = {player.result["turns"] for player in players}
    assert server.terminate() == 0
    assert verify_world(server.data, world).status == "verified"
    records = [stored.record for stored in read_world(server.data, world)]
    ticks = [record for record in records if isinstance(record, Tick) and record.ran]
    assert [tick.tick for tick in ticks] == list(range(1, len(ticks) + 1)), "every tick has its record"
    assert turns == {len(ticks)}
    assert isinstance(next(record for record in reversed(records) if not isinstance(record, Checkpoint)), Close)
    inputs = [entry for tick in ticks for entry in tick.entries if isinstance(entry, InputEntry)]
    assert len(inputs) == sum(len(tick.entries) for tick in ticks), "no bot was ever silent"
    assert all(entry.note for entry in inputs)
    assert all(entry.seen_tick == tick.tick - 1 for tick in ticks for entry in tick.entries if entry in inputs)
