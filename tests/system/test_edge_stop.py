"""Promise: SIGTERM ends the server within three seconds, also with readers that have stopped; everyone else is told
when to come back."""

from __future__ import annotations

import asyncio
import time

from tests.system.conftest import ServerFactory
from tests.system.edge_client import WITHIN_S, EdgeClient, edge_client, stop_reading
from tests.system.harness import RunningServer

STOP_WITHIN_S = 3.0


async def stuff(client: EdgeClient) -> None:
    """Ask for far more than the kernel keeps, and read none of it."""
    await client.ask({"type": "join", "id": 2, "game": "tsunami"})
    stop_reading(client)
    for number in range(60):
        await client.send({"type": "rules", "id": 100 + number, "game": "tsunami"})


async def test_a_stalled_reader_does_not_delay_the_stop(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--limits", "off")
    async with (
        edge_client(server.url, small_buffers=True) as deaf,
        edge_client(server.url, small_buffers=True) as idle_deaf,
        edge_client(server.url) as polite,
    ):
        await stuff(deaf)
        stop_reading(idle_deaf)
        await polite.ask({"type": "join", "id": 2, "game": "echo"})
        code = await asyncio.gather(stopped_within(server), polite.ended())
        exit_code, took_s = code[0]
        assert exit_code == 0
        assert took_s < STOP_WITHIN_S
        close_code, reason = code[1]
        assert close_code == 1012
        assert 1000 <= int(reason.partition(";")[0].removeprefix("retry_after_ms=")) <= 2000
        told = [push["code"] for push in polite.pushes if push["type"] == "notice" and push["code"] != "clock_slow"]
        assert told in ([], ["draining"])
    assert server.orphans() == {}


async def stopped_within(server: RunningServer) -> tuple[int, float]:
    began_s = time.monotonic()
    exit_code = await asyncio.to_thread(server.terminate)
    return exit_code, time.monotonic() - began_s


async def test_a_connection_at_the_wrong_moment_is_refused_and_not_left_hanging(serve: ServerFactory) -> None:
    server = serve("--shards", "1")
    stopping = asyncio.create_task(stopped_within(server))
    endings: set[str] = set()
    while not stopping.done():
        try:
            async with asyncio.timeout(WITHIN_S), edge_client(server.url) as client:
                await client.ended()
            endings.add("closed")
        except TimeoutError:
            endings.add("hanging")
        except Exception as error:
            endings.add(type(error).__name__)
    assert (await stopping)[0] == 0
    assert "hanging" not in endings
