"""Promise: what the log of a world holds can be read over plain HTTP, page by page, by whoever may read it over the
socket, and by nobody else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from eventlog.json_form import json_form
from eventlog.reader import read_world
from server.tokens import create_token
from tests.replays.recording import WORLD, Recording
from tests.replays.test_code_entries import version
from tests.system.conftest import Connect, ServerFactory
from tests.system.edge_client import plain_http
from tests.system.harness import RunningServer
from tests.system.test_reading_over_the_socket import whole_log


async def fetch(server: RunningServer, path: str, token: str | None = None) -> tuple[int, dict[str, str], bytes]:
    """Ask for a path, with a token or without."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost"]
    lines += [] if token is None else [f"Authorization: Bearer {token}"]
    return await plain_http(server.url, "\r\n".join([*lines, "", ""]).encode())


async def test_the_pages_together_are_the_log(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    for seq in range(1, 41):  # 640 KiB of notes: three pages at least
        note = f"{seq} " + "x" * 16_000
        await ada.ask("input", world=world, name="count", args={"by": 1}, seq=seq, note=note)
    await ada.ask("leave", world=world)
    read, pages, path = list[dict[str, Any]](), 0, f"/worlds/{world}/log.jsonl"
    while path:
        status, headers, body = await fetch(server, path)
        assert (status, headers["content-type"]) == (200, "application/jsonl; charset=utf-8"), body
        assert len(body) <= 262_144
        read += [json.loads(line) for line in body.splitlines()]
        pages += 1
        path, _, relation = headers.get("link", "").partition(">; ")
        assert relation in ("", 'rel="next"')
        path = path.removeprefix("<")
    assert pages >= 3
    assert server.terminate() == 0
    shown = subprocess.run(
        [sys.executable, "-m", "server.commands", "log", "show", world, "--json", "--data", str(server.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    log = [json.loads(line) for line in shown.stdout.splitlines()]
    # It has gone on since: what was read is how it begins, and has all that ada did.
    assert log[: len(read)] == read
    entries = [entry for record in read for entry in record.get("entries", [])]
    assert [entry["seq"] for entry in entries if entry["kind"] == "input"] == list(range(1, 41))


async def test_what_speaks_of_earlier_ticks_is_lost_between_no_two_pages(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    recording = Recording(data, version(1), seed=5, settings={})
    player = recording.join()
    for step in range(1, 5):  # a note of 100 KB a step: three pages at least
        recording.input(player, "add", {}, note=f"{step} " + "x" * 100_000)
        recording.checkpoint(late_by=70)
        recording.undo(player, "add", {}, version(step))
    recording.checkpoint(late_by=70)
    await recording.close()
    log = list(json_form(read_world(data, WORLD)))
    server = serve("--shards", "1", "--limits", "off", data=data, games=None)
    read, pages, path = list[dict[str, Any]](), 0, f"/worlds/{WORLD}/log.jsonl"
    while path:
        status, headers, body = await fetch(server, path)
        assert status == 200, body
        read += [json.loads(line) for line in body.splitlines()]
        pages += 1
        path = headers.get("link", "").partition(">; ")[0].removeprefix("<")
    assert pages >= 3
    assert read == log
    ada = await connect_agent(server.url, "ada")
    for limit in (1, 2, 3, 7, 1000):
        assert await whole_log(ada, WORLD, limit=limit) == log, limit


async def test_who_may_not_read_it_over_the_socket_may_not_over_http(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1", "--guests", "none", "--fair-play", "on")
    _, ada = create_token(server.data, "ada", "agent")
    _, bob = create_token(server.data, "bob", "agent")
    _, eve = create_token(server.data, "eve", "developer")
    player = await connect_agent(server.url, None)
    await player.ask("hello", token=ada)
    world = (await player.ask("join", game="echo"))["world"]
    path = f"/worlds/{world}/log.jsonl"
    seen = {token: (await fetch(server, path, token))[0] for token in (None, ada, bob, eve, "wl_wrong")}
    assert seen == {None: 401, ada: 403, bob: 403, eve: 200, "wl_wrong": 401}
    refused = json.loads((await fetch(server, path, ada))[2])
    assert refused["code"] == (await player.request("log", world=world))["code"] == "live_world"
    assert refused["hint"]


async def test_what_is_not_there_is_said(server: RunningServer) -> None:
    status, _, body = await fetch(server, "/worlds/w_0000000000/log.jsonl")
    assert (status, json.loads(body)["code"]) == (404, "unknown_world")
    status, _, body = await fetch(server, "/worlds/w_0000000000/log.jsonl?tick=1")
    assert (status, json.loads(body)["code"]) == (400, "invalid_args")
    assert (await fetch(server, "/worlds/w_0000000000/log.json"))[0] == 404
