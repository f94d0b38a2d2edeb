"""Promise: a careless agent is told what is wrong, where, and what to send instead; and sending that works."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.gateway.hints import mended
from tests.system.careless.mistakes import MISTAKES
from tests.system.edge_client import EdgeClient, edge_client
from tests.system.harness import RunningServer, start_server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for the whole table."""
    folder: Path = tmp_path_factory.mktemp("careless")
    server = start_server(folder / "data", "--shards", "1", "--max-worlds", "1000", cwd=folder)
    yield server
    assert server.terminate() == 0
    log = server.stderr()
    server.clean_up()
    assert "Traceback" not in log
    assert "internal error" not in log


@contextlib.asynccontextmanager
async def careless_agent(url: str) -> AsyncIterator[tuple[EdgeClient, dict[str, str]]]:
    """An agent with seats in worlds of each kind: by the names of the table."""
    async with edge_client(url) as other, edge_client(url) as client:

        async def ask(who: EdgeClient, kind: str, **fields: Any) -> dict[str, Any]:
            reply = await who.ask({"type": kind, "id": 7, **fields})
            assert reply["type"] != "error", reply
            return reply

        taken = (await ask(other, "create", game="echo", clock="manual"))["world"]
        await ask(other, "join", world=taken)
        world = (await ask(client, "join", game="echo"))["world"]
        own = (await ask(client, "create", game="echo", clock="manual"))["world"]
        await ask(client, "join", world=own)
        await ask(client, "step", world=own, ticks=3)
        duel = (await ask(other, "create", game="duel"))["world"]
        await ask(other, "join", world=duel)
        await ask(client, "join", world=duel)
        yield client, {"WORLD": world, "OWN": own, "TAKEN": taken, "DUEL": duel}
        await client.ask({"type": "leave", "id": 7, "world": world})  # the next agent plays in the same world


def placed(message: dict[str, Any], worlds: dict[str, str]) -> dict[str, Any]:
    """``message`` with the worlds in it."""
    text = json.dumps(message)
    for name, world in worlds.items():
        text = text.replace(f'"{name}"', f'"{world}"')
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("wrong", MISTAKES)
async def test_what_the_hint_proposes_works(shared: RunningServer, wrong: str) -> None:
    mistake = MISTAKES[wrong]
    async with careless_agent(shared.url) as (client, worlds):
        message = placed(mistake.message, worlds)
        error = await client.ask(message)
        assert (error["type"], error.get("code"), error.get("path")) == ("error", mistake.code, mistake.path), error
        assert error["re"] == 7
        assert "retry_after_ms" not in error, "the same again would fail again"
        assert len(error["message"]) < 400
        reply = await client.ask(mended(message, error))
        assert reply["type"] != "error", (error, reply)
