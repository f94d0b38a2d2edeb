"""Promise: with ``--log json`` every line of a server's standard error is one JSON object, whatever happens, also what
bots print; a line that is about one connection, agent or world names it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer, eventually

GAME = """
local game = { inputs = {} }
function game.setup(world) world.state = { blind = false } end
function game.inputs.blind(world) world.state.blind = true end
function game.inputs.stop(world) world.finish({ why = "asked" }) end
function game.observe(world) if world.state.blind then error("it is dark\\nhere") end return {} end
return game
"""
MANIFEST = """
title = "Gloom"
summary = "Gets dark. For tests."
max_players = 8
min_players = 1
clock = "realtime"
tick_hz = 60
[inputs.blind]
help = "From now on nobody sees anything."
[inputs.stop]
help = "End it."
"""
BOT = """
import sys

async def play(player):
    print("a bot is here\\r\\n" + "long " * 4000)
    print("and complains", file=sys.stderr)
    raise RuntimeError("lost\\nits way")
"""

WORLD = re.compile(r"\bw_[0-9a-z]{10}\b")
AGENT = re.compile(r"\ba_[0-9a-z]{10}\b")
CONNECTION = re.compile(r"\b127\.0\.0\.1:\d+\b")
PROCESS = re.compile(r"supervisor|gateway-\d\d|shard-\d\d")


def lines(server: RunningServer) -> list[dict[str, Any]]:
    """All that was logged, but for a line that is being written; fails at one that is no JSON object."""
    return [json.loads(line) for line in server.stderr().split("\n")[:-1]]


def check(line: dict[str, Any], server: RunningServer) -> None:
    """What holds for each line: what it has, and that it names the one thing that its message is about."""
    assert line["level"] in ("debug", "info", "warning", "error", "critical"), line
    assert datetime.fromisoformat(line["time"]).tzinfo is not None, line
    assert PROCESS.fullmatch(line["process"]), line
    assert line["message"], line
    for name, pattern in (("world", WORLD), ("agent", AGENT), ("connection", CONNECTION)):
        named = {each for each in pattern.findall(line["message"]) if each != f"127.0.0.1:{server.port}"}
        if len(named) == 1:
            assert line.get(name) in named, line
        if name in line:
            assert pattern.fullmatch(line[name]), line


async def flood(server: RunningServer, connect_agent: Connect) -> None:
    """Send rubbish until the connection is closed for it."""
    rude = await connect_agent(server.url, "rude")
    for _ in range(200):
        await rude.connection.send("rubbish")
    assert await rude.closed() == 4029


async def no_websocket(server: RunningServer) -> None:
    """Talk to the port as nobody should."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /ws\r\n\r\n")
    await reader.read()
    writer.close()


async def test_every_line_is_an_object_that_names_what_it_is_about(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    gloom = tmp_path / "games" / "gloom"
    gloom.mkdir(parents=True)
    for name, text in (("main.lua", GAME), ("game.toml", MANIFEST), ("bot.py", BOT)):
        (gloom / name).write_text(text)
    # The processes are counted: no checker.
    options = ("--shards", "1", "--log", "json", "--log-level", "debug", "--check-every-s", "0")
    server = serve(*options, games=tmp_path / "games")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("create", game="gloom", bots=1))["world"]
    player = (await ada.ask("join", world=world))["player"]

    def logged(**wanted: str) -> bool:
        found = lines(server)
        return any(all(text in line.get(name, "") for name, text in wanted.items()) for line in found)

    await eventually(lambda: logged(world=world, message="ended with 1"), "the bot has failed")
    assert logged(world=world, level="info", message="a bot is here")
    assert logged(world=world, level="warning", message="and complains")
    assert logged(world=world, level="warning", message="RuntimeError: lost its way")
    assert max(len(line["message"]) for line in lines(server)) < 5000

    me = str(ada.welcome["agent"])
    await ada.ask("input", world=world, name="blind")
    assert (await ada.request("observe", world=world, player=player))["code"] == "internal"
    assert logged(world=world, agent=me, message="it is dark here")

    await flood(server, connect_agent)
    await no_websocket(server)
    stranger = await connect_agent(server.url, None)
    assert (await stranger.request("hello", token="wt_nobodys"))["code"] == "unauthorized"
    await stranger.closed()
    for pid in server.shard_pids():
        os.kill(pid, signal.SIGKILL)
    await ada.push("notice", code="world_recovering")
    assert (await ada.request("input", world=world, name="stop"))["status"] == "applied"
    await ada.push("closed", world=world)
    await ada.vanish()
    await eventually(lambda: logged(agent=me, connection="127.0.0.1", message="has gone"), "the end of a connection")
    assert server.terminate() == 0

    for line in lines(server):
        check(line, server)
    about = {name: [line for line in lines(server) if name in line] for name in ("connection", "agent", "world")}
    assert any("floods" in line["message"] for line in about["connection"])
    assert any("no entrance" in line["message"] for line in about["connection"])
    assert any("goes on at tick" in line["message"] for line in about["world"])
    assert any("has ended" in line["message"] for line in about["world"])
    assert {line["process"] for line in lines(server)} == {"supervisor", "gateway-00", "shard-00", "shard-01"}
