"""Promise: what agents did is in the log whatever happens to the server, and the log alone makes the world again."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from eventlog.reader import read_world
from eventlog.records import Genesis, InputEntry, Tick
from tests.eventlog import second_decoder
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import GAMES, Agent, RunningServer, eventually

REPLAY_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from replays.replay import replay
done = replay(Path(sys.argv[1]), sys.argv[2]).run()
print(done.records_done, done.world.tick, done.world.players["p_1"].score)
"""


async def play(agent: Agent, world: str, moves: int) -> list[dict[str, Any]]:
    """Walk about in Tsunami; returns the outcomes."""
    outcomes = []
    for number in range(moves):
        args = {"x": 300 - 40 * number, "z": -80 + 20 * number}
        note = f"step {number}"
        outcomes.append(await agent.ask("input", world=world, name="move", args=args, note=note, observe=True))
    return outcomes


def re_execute(server: RunningServer, world: str, hash_seed: str) -> list[str]:
    """Re-execute a log in a process of its own, with another hash seed than the shard had."""
    done = subprocess.run(
        [sys.executable, "-c", REPLAY_IN_ANOTHER_PROCESS, str(server.data), world],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


async def test_what_was_acknowledged_survives_kill_minus_nine_and_re_executes(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    world = (await ada.ask("join", game="tsunami"))["world"]
    assert (await bob.ask("join", game="tsunami"))["world"] == world
    outcomes = [
        outcome for agents in await asyncio.gather(play(ada, world, 8), play(bob, world, 8)) for outcome in agents
    ]
    server.kill()

    logged = {
        (entry.player, entry.seq): record.tick
        for record in (stored.record for stored in read_world(server.data, world))
        if isinstance(record, Tick)
        for entry in record.entries
        if isinstance(entry, InputEntry)
    }
    assert {(outcome["player"], outcome["seq"]): outcome["tick"] for outcome in outcomes} == logged

    command = [sys.executable, "-m", "server.commands", "log", "show", world, "--json", "--data", str(server.data)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    notes = [
        entry["note"]
        for record in map(json.loads, shown.stdout.splitlines())
        for entry in record.get("entries", [])
        if entry["kind"] == "input" and entry["player"] == "p_1"
    ]
    assert notes == [f"step {number}" for number in range(8)]

    first, second = re_execute(server, world, "1"), re_execute(server, world, "2")
    assert first == second
    assert int(first[1]) >= max(outcome["tick"] for outcome in outcomes)


async def test_a_second_decoder_accounts_for_every_byte_of_a_recorded_game(
    serve: ServerFactory, connect_agent: Connect
) -> None:
    server = serve("--shards", "1")
    agents = [await connect_agent(server.url, f"agent {number}") for number in range(3)]
    (world,) = {(await one.ask("join", game="tsunami"))["world"] for one in agents}
    await asyncio.gather(*(play(one, world, 10) for one in agents))
    await agents[2].ask("leave", world=world)
    server.kill()

    # The journal alone holds the whole game: nothing of it has been let go yet.
    reader = second_decoder.WorldReader(world)
    for _, data in sorted(
        second_decoder.worlds_in(second_decoder.read_journal(server.data / "journal/shard-00"))[world].items()
    ):
        reader.read_file(data)
    ours = [(type(stored.record).__name__.lower(), stored.offset) for stored in read_world(server.data, world)]
    assert [(record.name, record.offset) for record in reader.records] == ours
    inputs = [
        entry
        for record in reader.records
        if record.name == "tick"
        for entry in record.fields["entries"]
        if entry["kind"] == "input"
    ]
    assert len(inputs) == 30
    for field in ("player", "seq", "args", "note", "observed_tick", "received_ms"):
        assert len({json.dumps(entry[field]) for entry in inputs}) > 1, f"{field} is always the same"


async def test_the_log_says_what_each_agent_had_seen(serve: ServerFactory, connect_agent: Connect) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    await ada.ask("input", world=world, name="count", args={"by": 1}, seen_tick=0)
    seen = await ada.ask("observe", world=world)
    outcome = await ada.ask("input", world=world, name="count", args={"by": 2}, seen_tick=seen["tick"], note="two more")
    assert outcome["stale_ticks"] == outcome["tick"] - seen["tick"]
    assert server.terminate() == 0
    entries = [
        entry
        for record in (stored.record for stored in read_world(server.data, world))
        if isinstance(record, Tick)
        for entry in record.entries
        if isinstance(entry, InputEntry)
    ]
    assert [(entry.seen_tick, entry.observed_tick, entry.note) for entry in entries] == [
        (0, None, None),
        (seen["tick"], seen["tick"], "two more"),
    ]


async def test_the_code_that_a_log_names_is_what_ran_whatever_became_of_the_files(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    games = tmp_path / "games"
    shutil.copytree(GAMES / "echo", games / "echo")
    server = serve("--shards", "1", games=games)
    ada = await connect_agent(server.url, "ada")
    first = (await ada.ask("join", game="echo"))["world"]

    main = games / "echo" / "main.lua"
    main.write_text(main.read_text().replace("+ args.by", "+ 10 * args.by"))
    os.kill(server.shard_pids()[0], signal.SIGKILL)  # its successor could read the changed file
    await ada.push("closed", world=first)
    await eventually(lambda: joined(ada, "echo"), "a new world can be joined")
    (second,) = [world["world"] for world in (await ada.ask("worlds", mine=True, status="running"))["worlds"]]
    assert (await ada.ask("input", world=second, name="count", args={"by": 5}))["result"] == {"total": 5}
    server.kill()

    genesis = [next(read_world(server.data, world)).record for world in (first, second)]
    assert isinstance(genesis[0], Genesis)
    assert isinstance(genesis[1], Genesis)
    assert genesis[0].digest == genesis[1].digest
    re_execute(server, second, "1")


async def joined(agent: Agent, game: str) -> bool:
    """Whether a join has worked; a refusal's own time is waited for."""
    reply = await agent.request("join", game=game)
    if reply["type"] == "error":
        await asyncio.sleep(reply["retry_after_ms"] / 1000)
    return bool(reply["type"] == "joined")
