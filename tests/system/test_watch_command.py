"""Promise: ``worldline watch`` shows a world on a terminal, live and as it was, with keys that lead where they say; in
a pipe it tells what happens; what cannot be shown is said with what to do."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.system.chaos.faults import free_port
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer
from tests.system.terminal import Terminal
from tests.system.test_replays_on_screen import played
from tests.system.test_watching import on_stage, put

COMMAND = [sys.executable, "-m", "server.commands", "watch"]


def environment(server: RunningServer) -> dict[str, str]:
    """That of a person who watches what happens on this server."""
    return {**os.environ, "WORLDLINE_URL": server.url}


def watch(server: RunningServer, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command without a terminal until it ends."""
    return subprocess.run(
        [*COMMAND, *words], capture_output=True, text=True, env=environment(server), timeout=60, check=False
    )


async def test_in_a_pipe_it_tells_what_happened_and_ends_with_the_world(
    server: RunningServer, connect_agent: Connect
) -> None:
    world, shown = await played(await connect_agent(server.url, "ada"))
    told = watch(server, world[:6], "--speed", "64")
    assert (told.returncode, told.stderr) == (0, "")
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    puts = [row for row in rows if row[2].startswith("put name=")]
    assert [int(row[0]) for row in puts] == sorted(shown)
    assert puts[3][1:] == ["ada", "put name=thing 0 x=3 applied", "step 3"]
    assert sum(row[2].startswith("put {") for row in rows) == 8, "the events, too"
    later = watch(server, f"{world}@{sorted(shown)[5]}", "--speed", "64")
    assert [line.split("\t")[3] for line in later.stdout.splitlines() if "put name=" in line][-2:] == [
        "step 6",
        "step 7",
    ]


async def test_as_a_player_it_tells_what_that_player_saw(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    await put(ada, world, "chair", 1)
    sent = await ada.ask("observe", world=world)
    await put(ada, world, "table", 3)
    await ada.ask("input", world=world, name="finish")
    await ada.push("closed", world=world)
    told = watch(server, world, "--speed", "64", "--as", "p_1")
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    assert [row[2] for row in rows if row[1] == "p_1"] == [sent["text"]] == ["things: 2"]


async def test_each_line_of_json_is_the_whole_world_at_a_tick(server: RunningServer, connect_agent: Connect) -> None:
    world, shown = await played(await connect_agent(server.url, "ada"))
    told = watch(server, world, "--speed", "16", "--json")
    assert told.returncode == 0, told.stderr
    moments: list[dict[str, Any]] = [json.loads(line) for line in told.stdout.splitlines()]
    assert [each["tick"] for each in moments] == sorted({each["tick"] for each in moments})
    for moment in moments:
        there = {node["name"]: node["x"] for node in moment["scene"]["nodes"] if node["kind"] == "thing"}
        assert there == shown.get(max((tick for tick in shown if tick <= moment["tick"]), default=-1), {})
    inputs = [told["tick"] for moment in moments for told in moment["inputs"] if told["name"] == "put"]
    assert inputs == sorted(shown)
    assert [each["name"] for each in moments[-1]["players"]] == ["ada"]


async def test_a_reader_that_has_enough_is_no_failure(server: RunningServer, connect_agent: Connect) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    await put(ada, world, "chair", 1)
    process = subprocess.Popen(
        [*COMMAND, world, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(server),
    )
    assert process.stdout is not None and process.stderr is not None
    moment = json.loads(process.stdout.readline())
    assert (moment["world"], moment["live"]) == (world, True)
    process.stdout.close()
    # Nothing happens there: it hears of it all the same.
    assert (await asyncio.to_thread(process.wait, 60), process.stderr.read()) == (0, "")
    process.stderr.close()


async def test_what_cannot_be_watched_is_said_with_what_to_do(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1", "--fair-play", "on", "--guests", "agent", "--limits", "off")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="late"))["world"]
    for words, said in [
        (("w_zzz",), "error: the server lists no world that begins with w_zzz → "),
        (("w_zzzzzzzzzz",), "error: unknown_world: "),
        ((world, "--as", "p_9"), "error: unknown_player: "),
        ((world, "--as", "p_1"), "error: live_world: "),
    ]:
        refused = watch(server, *words)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith(said) and " → " in refused.stderr
        assert len(refused.stderr.splitlines()) == 1
    for wrong in ((f"{world}@soon",), ("@4",), (world, "--speed", "100"), ()):
        assert watch(server, *wrong).returncode == 2
    server.terminate()
    gone = watch(server, world)
    assert (gone.returncode, "error: disconnected: cannot connect to" in gone.stderr) == (1, True)


async def test_a_tick_that_is_not_there_is_said(server: RunningServer, connect_agent: Connect) -> None:
    world, _ = await played(await connect_agent(server.url, "ada"))
    refused = watch(server, f"{world}@99999999")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: tick_out_of_range: ")


async def test_the_keys_lead_through_a_world_that_was(
    server: RunningServer, connect_agent: Connect, tmp_path: Path
) -> None:
    ada = await connect_agent(server.url, "ada")
    world, shown = await played(ada, end=False)
    await ada.ask("observe", world=world, after_tick=max(shown) + 60, wait_ms=20_000)
    await ada.ask("input", world=world, name="finish")
    await ada.push("closed", world=world)
    tick = sorted(shown)[4]
    terminal = Terminal(tmp_path, environment(server), "watch", f"{world}@{tick}")
    try:
        ways = terminal.ways
        terminal.read_until(rf"{world}@\d+ · stage")
        assert terminal.ways != ways, "keys come one by one, and are not shown"
        terminal.press("\x1b[H")
        terminal.read_until(rf"{world}@0 · stage · paused")
        terminal.press("\x1b[A\x1b[A.")
        terminal.read_until(rf"{world}@21 · stage · paused")
        terminal.press("\x1b[B,")
        terminal.read_until(rf"{world}@10 · stage · paused")
        terminal.press("?")
        terminal.read_until("half as fast, twice as fast")
        terminal.press("?a")
        terminal.read_until("with the eyes of p_1")
        terminal.press("++++++\x1b[H ")
        terminal.read_until("64 × as fast")
        terminal.read_until("step 7")
        terminal.read_until(rf"{world}@\d+ · stage · the end")
        terminal.press(" ")  # once more, from the beginning
        terminal.read_until(rf"{world}@0 · (?s:.*)the end(?s:.*){world}@\d+ · stage · replay")
        terminal.press("q")
        assert terminal.read_to_the_end() == 0
        assert terminal.ways == ways, "the terminal is as it was"
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()


async def test_a_world_that_runs_is_stopped_on_the_terminal_only_and_can_be_looked_at_after_its_end(
    server: RunningServer, connect_agent: Connect, tmp_path: Path
) -> None:
    ada = await connect_agent(server.url, "ada")
    world = await on_stage(ada)
    terminal = Terminal(tmp_path, environment(server), "watch", world)
    try:
        terminal.read_until(rf"{world}@\d+ · stage · live")
        await put(ada, world, "chair", 1, note="a chair is wanted")
        terminal.read_until(r"put name=chair x=1 applied +a chair is wanted")
        terminal.press(" ")
        terminal.read_until(rf"{world}@\d+ · stage · paused")
        await put(ada, world, "table", 1)
        terminal.press("l")
        terminal.read_until(r"paused(?s:.*)stage · live")
        await put(ada, world, "lamp", 2)
        terminal.read_until("put name=lamp x=2 applied")
        assert "put name=table" not in terminal.text
        await ada.ask("input", world=world, name="finish")
        terminal.read_until("ended: finished")
        terminal.press("\x1b[H")
        terminal.read_until(rf"{world}@0 · stage · paused")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.read_to_the_end() == 0
    finally:
        terminal.close()


async def test_a_server_that_is_gone_is_waited_for_but_not_for_ever(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    server = serve("--shards", "1", "--port", str(free_port()))
    world = await on_stage(await connect_agent(server.url, "ada"))
    terminal = Terminal(tmp_path, environment(server), "watch", world)
    try:
        terminal.read_until(rf"{world}@\d+ · stage · live")
        server.kill()
        terminal.read_until("no connection, trying again")
        again = serve("--shards", "1", "--port", str(server.port))
        terminal.read_until(r"no connection(?s:.*)stage · live")
        again.kill()
        terminal.read_until(r"no connection(?s:.*)stage · live(?s:.*)no connection")
        terminal.read_until(rf"error: {world} cannot be watched any further: ")
        assert terminal.read_to_the_end() == 1
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()
