"""Promise: who watches, subscribes or looks things up in a wrong way is told what is wrong, and where; and what the
hint proposes works."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.server.gateway.hints import mended
from tests.system.edge_client import EdgeClient, edge_client
from tests.system.harness import RunningServer, start_server

Message = dict[str, Any]


def message(kind: str, **fields: Any) -> Message:
    """A request with id 7."""
    return {"type": kind, "id": 7, **fields}


# What is wrong: the message, the code, the path. WORLD is a manual world of echo of the agent's own, at tick 3, in
# which it has a seat; STREAM is what it watches there.
MISTAKES: Final[dict[str, tuple[Message, str, str | None]]] = {
    # watching
    "a watch with a typo": (message("control", watch="STREAN", action="stop"), "unknown_watch", "watch"),
    "an action that there is not": (message("control", watch="STREAM", action="rewind"), "invalid_args", "action"),
    "no action": (message("control", watch="STREAM"), "invalid_args", "action"),
    "a seek to nowhere": (message("control", watch="STREAM", action="seek"), "invalid_args", "tick"),
    "a seek to a word": (message("control", watch="STREAM", action="seek", tick="end"), "invalid_args", "tick"),
    "a seek before the beginning": (message("control", watch="STREAM", action="seek", tick=-1), "invalid_args", "tick"),
    "a speed of nothing": (message("control", watch="STREAM", action="speed", speed=0), "invalid_args", "speed"),
    "no speed": (message("control", watch="STREAM", action="speed"), "invalid_args", "speed"),
    "a speed of a thousand": (message("watch", world="WORLD", from_tick=0, speed=1000), "invalid_args", "speed"),
    "frames without end": (message("watch", world="WORLD", hz=1000), "invalid_args", "hz"),
    "no frames": (message("watch", world="WORLD", hz=0), "invalid_args", "hz"),
    "from a negative tick": (message("watch", world="WORLD", from_tick=-5), "invalid_args", "from_tick"),
    "the eyes of nobody": (message("watch", world="WORLD", **{"as": "p_77"}, from_tick=0), "unknown_player", "as"),
    # subscribing
    "a subscription with a typo in the player": (
        message("subscribe", world="WORLD", player="p_l", events=True),
        "unknown_player",
        "player",
    ),
    "events as a list": (message("subscribe", world="WORLD", events=["said"]), "invalid_args", "events"),
    "more observations than requests": (
        message("subscribe", world="WORLD", observe_hz=60),
        "invalid_args",
        "observe_hz",
    ),
    "observations backwards": (message("subscribe", world="WORLD", observe_hz=-1), "invalid_args", "observe_hz"),
    "since without events": (message("subscribe", world="WORLD", since=3), "invalid_args", "since"),
    "since a word": (message("subscribe", world="WORLD", events=True, since="now"), "invalid_args", "since"),
    # looking things up
    "a state of the future": (message("state", world="WORLD", tick=99), "tick_out_of_range", "tick"),
    "a state of a negative tick": (message("state", world="WORLD", tick=-1), "invalid_args", "tick"),
    "a log without limit": (message("log", world="WORLD", limit=10**6), "invalid_args", "limit"),
    "a log of no records": (message("log", world="WORLD", limit=0), "invalid_args", "limit"),
    "a log from a word": (message("log", world="WORLD", from_tick="start"), "invalid_args", "from_tick"),
    # branching off
    "a fork of the future": (message("fork", world="WORLD", tick=99), "tick_out_of_range", "tick"),
    "a fork of a word": (message("fork", world="WORLD", tick="now"), "invalid_args", "tick"),
    "a fork of no tick": (message("fork", world="WORLD"), "invalid_args", "tick"),
    "a fork that is private to a word": (
        message("fork", world="WORLD", tick=1, private="yes"),
        "invalid_args",
        "private",
    ),
    # company
    "more bots than seats": (message("create", game="tsunami", bots=60), "invalid_args", "bots"),
    "bots of a game that has none": (message("create", game="echo", bots=1), "invalid_args", "bots"),
    "less than no bots": (message("create", game="tsunami", bots=-1), "invalid_args", "bots"),
    # seats
    "a seat that there is not": (message("join", world="WORLD", seat=60), "invalid_args", "seat"),
    "seats in no world": (message("join", game="echo", seat=2), "invalid_args", "seat"),
    "a seat and many": (message("join", world="WORLD", seat=2, seats=2), "invalid_args", "seats"),
    "no seats": (message("join", game="echo", seats=0), "invalid_args", "seats"),
    "more seats than one may have": (message("join", game="tsunami", seats=5), "invalid_args", "seats"),
    "somebody else's player": (message("join", world="WORLD", player="p_5"), "unknown_player", "player"),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server for the whole table."""
    folder: Path = tmp_path_factory.mktemp("onlookers")
    server = start_server(folder / "data", "--shards", "1", "--max-worlds", "1000", cwd=folder)
    yield server
    assert server.terminate() == 0
    log = server.stderr()
    server.clean_up()
    assert "Traceback" not in log


@contextlib.asynccontextmanager
async def onlooker(url: str) -> AsyncIterator[tuple[EdgeClient, str, str]]:
    """An agent with a seat in a world of its own, which it watches: the client, the world, the stream."""
    async with edge_client(url) as client:

        async def done(kind: str, **fields: Any) -> Message:
            reply = await client.ask(message(kind, **fields))
            assert reply["type"] != "error", reply
            return reply

        world = (await done("create", game="echo", clock="manual"))["world"]
        await done("join", world=world)
        await done("step", world=world, ticks=3)
        watching = await done("watch", world=world)
        yield client, world, watching["watch"]


@pytest.mark.parametrize("wrong", MISTAKES)
async def test_what_the_hint_proposes_works(shared: RunningServer, wrong: str) -> None:
    async with onlooker(shared.url) as (client, world, stream):
        sent, code, path = MISTAKES[wrong]
        request = json.loads(json.dumps(sent).replace("WORLD", world).replace("STREAM", stream))
        error = await client.ask(request)
        assert (error["type"], error["re"], error.get("code"), error.get("path")) == ("error", 7, code, path), error
        assert "retry_after_ms" not in error, "the same again would fail again"
        reply = await client.ask(mended(request, error))
        assert reply["type"] != "error", (error, reply)


# The same where play is fair and a guest is an agent. WORLD is the agent's, and ranked.
NOT_FOR_PLAYERS: Final[dict[str, tuple[Message, str, str | None]]] = {
    "watching one's own game": (message("watch", world="WORLD"), "live_world", "world"),
    "the log of one's own game": (message("log", world="WORLD"), "live_world", "world"),
    "the state of one's own game": (message("state", world="WORLD"), "live_world", "world"),
    "a fork of one's own game": (message("fork", world="WORLD", tick=0), "live_world", "world"),
    "bots without being a developer": (message("create", game="tsunami", bots=3), "forbidden", "bots"),
    "a seed without being a developer": (message("create", game="echo", seed=3), "forbidden", "type"),
    "a clock without being a developer": (message("create", game="echo", clock="manual"), "forbidden", "type"),
}


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server on which a player cannot cheat by watching."""
    folder: Path = tmp_path_factory.mktemp("fair")
    server = start_server(folder / "data", "--shards", "1", "--fair-play", "on", "--guests", "agent", cwd=folder)
    yield server
    assert server.terminate() == 0
    server.clean_up()


@pytest.mark.parametrize("wrong", NOT_FOR_PLAYERS)
async def test_what_a_player_may_not_do_is_refused_with_what_it_may(fair: RunningServer, wrong: str) -> None:
    async with edge_client(fair.url) as client:
        world = (await client.ask(message("join", game="echo")))["world"]
        sent, code, path = NOT_FOR_PLAYERS[wrong]
        request = json.loads(json.dumps(sent).replace("WORLD", world))
        error = await client.ask(request)
        assert (error["type"], error["re"], error.get("code"), error.get("path")) == ("error", 7, code, path), error
        reply = await client.ask(mended(request, error))
        assert reply["type"] != "error", (error, reply)
