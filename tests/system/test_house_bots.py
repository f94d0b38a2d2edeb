"""Promise: a world can be made with sample bots; they play in it, also after their tick worker has died, are an agent
each, and end with their world and with the server, however it ends."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

import worldline
from tests.system.conftest import ServerFactory
from tests.system.harness import RunningServer, eventually
from tests.system.test_leaderboard import GAME, MANIFEST
from tests.system.test_tokens import tokens

BOT = """
async def play(player):
    number = 0
    while player.closed is None:
        number += 1
        await player.input("count", by=number)
        await player.think()
"""


def crews(server: RunningServer) -> list[int]:
    """The processes of bots."""
    return [pid for pid, command in server.family().items() if " bot " in command]


async def seated(client: worldline.Client, world: str) -> list[str]:
    """Who plays in a world."""
    (found,) = [each for each in await client.worlds() if each.world == world]
    return [player.agent for player in found.players if player.connected]


async def test_bots_play_to_the_end_of_their_world(serve: ServerFactory, tmp_path: Path) -> None:
    race = tmp_path / "games" / "race"
    race.mkdir(parents=True)
    (race / "main.lua").write_text(GAME)
    (race / "game.toml").write_text(MANIFEST)
    (race / "bot.py").write_text(BOT)
    server = serve("--shards", "1", games=tmp_path / "games")
    async with worldline.connect(server.url) as client:
        made = await client.create("race", bots=3, private=True)
        me = await client.join(world=made.world)

        async def score(least: int) -> bool:
            (found,) = [each for each in await client.worlds() if each.world == made.world]
            bots = [player for player in found.players if player.agent != client.agent]
            return len({player.agent for player in bots}) == 3 and all(player.score >= least for player in bots)

        await eventually(lambda: score(3), "three bots play")
        (crew,) = crews(server)
        for pid in server.shard_pids():
            os.kill(pid, signal.SIGKILL)
        await eventually(lambda: score(6), "they play on when their tick worker has died")
        assert (await me.input("stop")).ok
        await eventually(lambda: crew not in server.family(), "the bots end with their world")


async def test_they_end_with_the_server(serve: ServerFactory) -> None:
    for end in (signal.SIGTERM, signal.SIGKILL):
        server = serve("--shards", "1", games=None)
        async with worldline.connect(server.url) as client:
            made = await client.create("tsunami", bots=2)

            async def both(client: worldline.Client = client, world: str = made.world) -> bool:
                return len(await seated(client, world)) == 2

            await eventually(both, "two bots play")
        assert crews(server)
        server.process.send_signal(end)
        server.process.wait(30)
        assert server.orphans() == {}


async def test_agents_may_have_as_many_as_the_operator_says(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--guests", "none", "--bots", "3", games=None)
    token = tokens(server.data, "create", "ada")
    async with worldline.connect(server.url, token=token, patient=False) as client:
        made = await client.create("tsunami", bots=2)
        with pytest.raises(worldline.TryLater) as refused:
            await client.create("tsunami", bots=2)
        assert (refused.value.code, refused.value.data) == ("overloaded", {"bots": 2, "limit": 3})

        async def both() -> bool:
            return len(await seated(client, made.world)) == 2

        await eventually(both, "they are let in where guests are not")


@pytest.mark.parametrize(
    ("bots", "game", "code", "word"),
    [(9, "tsunami", "invalid_args", "8"), (65, "tsunami", "invalid_args", "64"), (1, "echo", "invalid_args", "bot.py")],
)
async def test_what_cannot_be_is_refused_with_why(
    serve: ServerFactory, bots: int, game: str, code: str, word: str
) -> None:
    server = serve("--shards", "1")
    async with worldline.connect(server.url) as client:
        with pytest.raises(worldline.InvalidRequest) as refused:
            await client.create(game, bots=bots)
    assert refused.value.code == code
    assert word in refused.value.message


async def test_who_is_no_developer_gets_none(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--guests", "agent", games=None)
    async with worldline.connect(server.url) as client:
        with pytest.raises(worldline.InvalidRequest) as refused:
            await client.create("tsunami", bots=1)
    assert (refused.value.code, refused.value.data) == ("forbidden", {"needs_role": "developer"})
