"""Promise: spectators may come in crowds, read slowly or not at all, and vanish without a word: when they are gone,
every process holds what it held before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from pathlib import Path
from typing import Any

from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import edge_client, stop_reading
from tests.system.harness import Agent, RunningServer, eventually
from tests.system.test_replays_on_screen import played
from tests.system.test_watching import on_stage

COUNTING = Path(__file__).parent / "counting"
ROUNDS = 16
AT_ONCE = 12
RATES_HZ = (10, 5, 2, 1)
CONNECTION, VIEWER = "server.gateway.connection.GatewayConnection", "server.gateway.watching.Viewer"
HELD = (
    CONNECTION, VIEWER, "server.gateway.watching.Stream",
    "server.gateway.backends.Waiting", "server.shard.audience.Stream", "server.replayer.screening.Screening",
    "server.films.Film", "replays.replay.Replay", "replays.keyframes.Keyframe", "server.link.Link",
    "server.replayer.chronicle.Chronicle", "games.runtime.world.World", "outbox bytes", "file descriptors",
)  # fmt: skip
"""What must come back to where it began. Replays, worlds and keyframes that are kept on purpose have bounds, which the
first crowd fills."""


async def holds(folder: Path, pid: int) -> dict[str, int]:
    """What a process holds."""
    reader, writer = await asyncio.open_unix_connection(str(folder / str(pid)))
    said: dict[str, int] = json.loads(await reader.read())
    writer.close()
    return {what: said.get(what, 0) for what in HELD}


async def held(server: RunningServer, folder: Path) -> dict[str, dict[str, int]]:
    """What each kind of process holds."""
    kinds = ("server.gateway", "server.shard", "server.replayer")
    family = {kind: pid for pid, command in server.family().items() for kind in kinds if f"-m {kind} " in command}
    return {kind: await holds(folder, pid) for kind, pid in sorted(family.items())}


async def come_and_vanish(
    server: RunningServer, ada: Agent, live: str, ended: str, number: int, asking: asyncio.Lock
) -> None:
    """One spectator: what it does depends on its number; then its connection is cut off, with nothing said before."""
    ways: list[dict[str, Any]] = [
        {"world": live, "hz": RATES_HZ[number % len(RATES_HZ)]},
        {"world": ended, "speed": 64},
        {"world": live, "from_tick": 0, "speed": 16},
        {"world": ended, "from_tick": number % 8, "as": "p_1"},
    ]
    is_slow = number % 3 == 0
    async with edge_client(server.url, small_buffers=is_slow) as client:
        await client.send({"type": "watch", "id": 2, **ways[number % len(ways)]})
        if number % 5 != 4:  # else it does not even wait for the answer
            watching = await client.hear()
            assert watching["type"] == "watching", watching
            for tick in range(number % 4):
                await client.send(
                    {"type": "control", "id": 3, "watch": watching["watch"], "action": "seek", "tick": tick}
                )
            if is_slow:
                stop_reading(client)
                for x in (1, 2):
                    fill = {"count": 500, "label": 300, "x": number + x / 10}
                    async with asking:
                        await ada.ask("input", world=live, name="fill", args=fill)
        client.connection.transport.abort()


async def crowd(server: RunningServer, ada: Agent, live: str, ended: str) -> None:
    """Many at once. A spectator that is cut off may have been in the middle of something."""
    asking = asyncio.Lock()

    async def one(number: int) -> None:
        with contextlib.suppress(ConnectionError):
            await come_and_vanish(server, ada, live, ended, number, asking)

    await asyncio.gather(*(one(number) for number in range(AT_ONCE)))


async def test_when_they_are_gone_all_is_as_it_was_before(
    serve: ServerFactory, connect_agent: Connect, short_folder: Path
) -> None:
    path = os.pathsep.join([str(COUNTING), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {"PYTHONPATH": path, "WORLDLINE_TEST_COUNTS": str(short_folder)}
    server = serve("--shards", "1", "--limits", "off", environment=environment)
    ada = await connect_agent(server.url, "ada")
    ended, _ = await played(ada)
    live = await on_stage(ada)
    for _ in range(2):  # what is kept on purpose is full then
        await crowd(server, ada, live, ended)

    async def rests() -> bool:
        found = (await held(server, short_folder))["server.gateway"]
        return (found[CONNECTION], found[VIEWER]) == (1, 0)  # ada's

    await eventually(rests, "the first crowd is gone")
    before = await held(server, short_folder)
    assert before["server.replayer"]["replays.replay.Replay"] > 0, "what is counted is there to be counted"
    assert before["server.gateway"]["file descriptors"] > 0
    for _ in range(ROUNDS):
        await crowd(server, ada, live, ended)
    after = before

    async def nothing_more() -> bool:
        nonlocal after
        after = await held(server, short_folder)
        return all(after[kind][what] <= before[kind][what] for kind in before for what in HELD)

    try:
        await eventually(nothing_more, "nothing is left of the crowds")
    except AssertionError:
        grown = {
            f"{kind} {what}": (before[kind][what], after[kind][what])
            for kind in before
            for what in HELD
            if after[kind][what] > before[kind][what]
        }
        raise AssertionError(f"it has grown, from and to: {grown}") from None
