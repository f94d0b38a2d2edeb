"""Promise: with tokens, an agent is the same over connections and restarts, on a running server at once; revoking ends
it; guests may be kept out; and a server whose tokens cannot be read does not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import worldline
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer, run_serve


def tokens(data: Path, *arguments: str) -> str:
    """Run ``worldline tokens`` as an operator would; what it prints."""
    command = [sys.executable, "-m", "server.commands", "tokens", *arguments, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


async def test_an_agent_with_a_token_is_the_same_before_and_after_a_restart(serve: ServerFactory) -> None:
    server = serve("--shards", "1", "--guests", "none")
    token = tokens(server.data, "create", "ada")
    async with worldline.connect(server.url, token=token, name="not ada") as client:
        assert (client.name, client.role) == ("ada", "agent")
        me = await client.join("echo")
        assert (await me.input("count", by=2)).ok
        agent = client.agent
    async with worldline.connect(server.url, token=token) as client:
        assert client.agent == agent
    server.terminate()
    later = serve("--shards", "1", "--guests", "none")
    async with worldline.connect(later.url, token=token) as client:
        assert client.agent == agent


async def test_revoking_a_token_ends_its_agents_sessions(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    token = tokens(server.data, "create", "ada", "--role", "developer")
    ada, guest = await connect_agent(server.url, None), await connect_agent(server.url, "bob")
    assert (await ada.ask("hello", token=token))["role"] == "developer"
    tokens(server.data, "revoke", "ada")
    assert await ada.closed() == 1008
    assert (await guest.ask("ping"))["type"] == "pong"
    with pytest.raises(worldline.InvalidRequest) as refused:
        async with worldline.connect(server.url, token=token):
            pass
    assert refused.value.code == "unauthorized"


async def test_a_client_whose_token_is_revoked_is_told_and_stays_away(server: RunningServer) -> None:
    token = tokens(server.data, "create", "ada")
    async with worldline.connect(server.url, token=token) as client:
        me = await client.join("echo")
        tokens(server.data, "revoke", "ada")
        with pytest.raises(worldline.Disconnected) as ended:
            while True:
                await me.observe()
        assert ended.value.close_code == 1008


async def test_the_environment_says_the_token(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLDLINE_TOKEN", tokens(server.data, "create", "ada"))
    async with worldline.connect(server.url) as client:
        assert client.name == "ada"
    bot = [sys.executable, "-m", "server.commands", "bot", "tsunami", "--think", "0", "--seconds", "1", "--url"]
    done = subprocess.run([*bot, server.url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    many = subprocess.run([*bot, server.url, "--count", "2"], capture_output=True, text=True, check=False)
    assert many.returncode == 2
    assert "a token is one agent" in many.stderr


async def test_where_others_can_connect_guests_are_spectators(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--host", "0.0.0.0")
    guest = await connect_agent(f"ws://127.0.0.1:{server.port}/ws", "bob")
    assert guest.welcome["role"] == "spectator"
    assert (await guest.request("join", game="echo"))["code"] == "forbidden"
    assert (await guest.ask("worlds"))["worlds"] == []


async def test_who_plays_is_known_by_the_token_in_the_log(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    agent = tokens(server.data, "create", "ada", "--json")
    ada = await connect_agent(server.url, None)
    token = agent.partition('"token":"')[2].partition('"')[0]
    welcome = await ada.ask("hello", token=token)
    world = (await ada.ask("join", game="echo"))["world"]
    command = [sys.executable, "-m", "server.commands", "log", "show", world, "--json", "--data", str(server.data)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert welcome["agent"] in shown
    assert token not in shown


def test_a_server_whose_tokens_cannot_be_read_does_not_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    tokens(data, "create", "ada")
    (data / "tokens.json").write_text("not this")
    done = run_serve(data, cwd=tmp_path)
    assert done.returncode == 1
    assert "tokens.json is not a file of tokens" in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("error: ")
