"""Promise: under ``serve --dev`` a running world goes on with a game's code when it is saved, state kept and log whole;
code that cannot be used changes nothing and is shown with file and line; a tick that raises is taken back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from eventlog.reader import read_world
from eventlog.records import CodeEntry, Tick
from replays.replay import replay
from replays.verify import verify_world
from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import Agent, RunningServer, eventually

MAIN = """
local game = {{ inputs = {{}} }}
local loaded = 0
function game.setup(world) world.state.total, world.state.ticks, world.state.bomb = 0, 0, false end
function game.inputs.add(world, player, args)
  world.state.total = world.state.total + {step}
  return {{ total = world.state.total }}
end
function game.inputs.bomb(world, player, args) world.state.bomb = true end
function game.inputs.wait(world, player, args) end
function game.tick(world, dt)
  loaded = loaded + 1
  world.state.ticks = world.state.ticks + 1
  {tick}
end
function game.observe(world, player)
  return {{ total = world.state.total, ticks = world.state.ticks, bomb = world.state.bomb, loaded = loaded }}
end
{extra}
return game
"""
TOML = """
title = "Tally"
summary = "Adds up."
max_players = 4
clock = "{clock}"
{more}
[inputs.add]
help = "Add."
[inputs.bomb]
help = "Break it."
[inputs.wait]
help = "Do nothing."
{default}
"""
BOOM = 'if world.state.bomb then world.state.total = 999 error("boom") end'


class Game:
    """A game that is being written: a folder, and a server that serves it."""

    def __init__(self, folder: Path, clock: str = "realtime") -> None:
        self.folder = folder / "tally"
        self.folder.mkdir(parents=True)
        self.clock = clock
        self.save_toml()
        self.save(1)

    def save(self, step: int, *, tick: str = "", extra: str = "") -> None:
        """Save main.lua: ``step`` is what ``add`` adds."""
        self.save_text("main.lua", MAIN.format(step=step, tick=tick, extra=extra))

    def save_toml(self, more: str = "") -> None:
        """Save game.toml."""
        default = "[inputs.wait.default]" if self.clock == "lockstep" else ""
        self.save_text("game.toml", TOML.format(clock=self.clock, more=more, default=default))

    def save_text(self, name: str, text: str) -> None:
        """Save a file, as editors do: another one takes its place."""
        (self.folder / f"{name}.new").write_text(text)
        (self.folder / f"{name}.new").rename(self.folder / name)

    def serve(self, serve: ServerFactory, *arguments: str) -> RunningServer:
        """Start a server that serves it."""
        return serve("--dev", "--shards", "1", "--limits", "off", *arguments, games=self.folder)


async def join(player: Agent) -> str:
    """Take a seat in the game; returns the world."""
    return str((await player.ask("join", game="tally"))["world"])


async def add(player: Agent, world: str) -> Any:
    """Add, and return the total."""
    return (await player.ask("input", world=world, name="add", args={}))["result"]["total"]


async def seen(player: Agent, world: str) -> dict[str, Any]:
    """What the player sees."""
    return dict((await player.ask("observe", world=world))["data"])


def code_entries(data: Path, world: str) -> list[str]:
    """The digests of the code entries in a world's log."""
    ticks = [stored.record for stored in read_world(data, world) if isinstance(stored.record, Tick)]
    return [entry.digest for tick in ticks for entry in tick.entries if isinstance(entry, CodeEntry)]


def assert_verified(data: Path, *worlds: str) -> None:
    """Each world is the same when it is computed again."""
    for world in worlds:
        verdict = verify_world(data, world)
        assert verdict.status == "verified", verdict.problem


async def test_a_save_goes_into_the_running_world_and_its_log(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    assert await add(ada, world) == 1
    before = (await ada.ask("rules", game="tally"))["digest"]

    game.save(100)
    changed = await ada.push("rules_changed")
    assert (changed["world"], changed["game"]) == (world, "tally")
    assert changed["digest"] != before
    assert (await ada.ask("rules", game="tally"))["digest"] == changed["digest"]
    assert await add(ada, world) == 101
    after = await seen(ada, world)
    assert after["ticks"] > after["loaded"]  # a module-level variable begins anew, world.state does not
    (listed,) = (await ada.ask("worlds", game="tally"))["worlds"]
    assert listed["digest"] == changed["digest"]
    onlooker = await connect_agent(server.url, "ben")
    marks = (await onlooker.ask("watch", world=world))["marks"]
    assert [mark["tick"] for mark in marks if mark["kind"] == "code"] == [changed["tick"]]

    assert server.terminate() == 0
    assert code_entries(server.data, world) == [changed["digest"]]
    assert_verified(server.data, world)


async def test_a_new_input_can_be_sent_once_its_rules_have_changed(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    assert (await ada.request("input", world=world, name="double", args={}))["code"] == "unknown_input"
    game.save(5, extra="function game.inputs.double(world) world.state.total = 2 * world.state.total end")
    game.save_toml("[inputs.double]\nhelp = 'Double.'")
    await eventually(lambda: len(code_entries_of(ada)) >= 1, "the rules change")

    async def doubles() -> bool:
        reply = await ada.request("input", world=world, name="double", args={})
        return bool(reply["type"] == "outcome" and reply["status"] == "applied")

    await eventually(doubles, "the new input is taken")
    server.terminate()
    assert_verified(server.data, world)


def code_entries_of(player: Agent) -> list[dict[str, Any]]:
    """The changes of rules that an agent has heard of."""
    return [push for push in player.pushes if push["type"] == "rules_changed"]


async def test_a_killed_shard_comes_back_with_the_code_of_the_last_save(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    game.save(100)
    await ada.push("rules_changed")
    assert await add(ada, world) == 100
    (pid,) = server.shard_pids()
    os.kill(pid, signal.SIGKILL)
    await ada.push("notice", code="world_resumed")
    assert await add(ada, world) == 200
    game.save(1000)
    await eventually(lambda: len(code_entries_of(ada)) == 2, "the second save")
    assert await add(ada, world) == 1200
    server.terminate()
    assert len(code_entries(server.data, world)) == 2
    assert_verified(server.data, world)


async def test_a_broken_save_is_shown_and_changes_nothing(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    game.save_text("main.lua", "local game = {}\nlocal x = = 1\nreturn game")
    notice = await ada.push("notice", code="code_broken")
    assert notice["file"].endswith("tally/main.lua")
    assert notice["line"] == 2
    assert f"{game.folder}/main.lua:2" in server.stderr()
    assert await add(ada, world) == 1

    game.save_text("game.toml", "title = 3")
    await ada.push("notice", code="code_broken", line=1)
    (pid,) = server.gateway_pids()
    os.kill(pid, signal.SIGKILL)  # a gateway that is started while the folder is broken serves what can be used
    bob = await connect_again(server, connect_agent)
    assert (await bob.ask("join", game="tally"))["world"] == world
    game.save_toml()
    game.save(10)
    await bob.push("rules_changed")
    assert await add(bob, world) == 11
    server.terminate()
    assert len(code_entries(server.data, world)) == 1
    assert_verified(server.data, world)


async def connect_again(server: RunningServer, connect_agent: Connect) -> Agent:
    """Connect once there is a gateway again."""
    found: list[Agent] = []

    async def connected() -> bool:
        try:
            found.append(await connect_agent(server.url, "bob"))
        except (OSError, TimeoutError):
            return False
        return True

    await eventually(connected, "a gateway is there again")
    return found[0]


async def test_a_module_that_never_loads_is_a_broken_save(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    game.save_text("main.lua", "while true do end")
    notice = await ada.push("notice", code="code_broken")
    assert "cannot be loaded" in notice["message"]
    assert await add(ada, world) == 1


@pytest.mark.parametrize("clock", ["realtime", "lockstep"])
async def test_a_raising_tick_is_taken_back_and_the_next_good_save_goes_on(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect, clock: str
) -> None:
    game = Game(tmp_path / "games", clock)
    game.save(1, tick=BOOM)
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    assert await add(ada, world) == 1
    refused = await ada.request("input", world=world, name="bomb", args={}, seq=2)
    assert refused["code"] == "world_paused"
    notice = await ada.push("notice", code="code_broken")
    assert (notice["world"], notice["line"]) == (world, 14)
    assert notice["file"].endswith("main.lua")
    assert "boom" in notice["message"]
    await ada.push("notice", code="world_paused")
    still = await seen(ada, world)
    assert (still["total"], still["bomb"]) == (1, False)
    assert (await ada.request("input", world=world, name="add", args={}))["code"] == "world_paused"
    assert "boom" in server.stderr()

    game.save(100)
    await ada.push("notice", code="world_resumed")
    outcome = await ada.ask("input", world=world, name="add", args={}, seq=2)
    assert outcome["result"]["total"] == 101
    assert "duplicate" not in outcome
    after = await ada.ask("observe", world=world)
    assert after["data"]["ticks"] == after["tick"]  # no tick is lost, none is counted twice
    server.terminate()
    assert len(code_entries(server.data, world)) == 2  # one takes the tick back, one is the save
    assert_verified(server.data, world)


@pytest.mark.parametrize("clock", ["realtime", "lockstep"])
async def test_a_shard_that_dies_while_its_world_waits_for_its_author_brings_it_back_as_it_stood(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect, clock: str
) -> None:
    game = Game(tmp_path / "games", clock)
    game.save(1, tick=BOOM)
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    assert (await ada.request("input", world=world, name="bomb", args={}, seq=1))["code"] == "world_paused"
    stood = await ada.ask("observe", world=world)
    (pid,) = server.shard_pids()
    os.kill(pid, signal.SIGKILL)
    await ada.push("notice", code="world_resumed")
    back = await ada.ask("observe", world=world)
    assert (back["data"]["total"], back["data"]["bomb"]) == (0, False)
    assert back["tick"] >= stood["tick"]
    assert (await ada.ask("input", world=world, name="add", args={}, seq=1))["result"]["total"] == 1
    server.terminate()
    assert_verified(server.data, world)


async def test_a_world_that_raises_by_itself_stands_where_it_was(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    """No record was written ahead of an empty tick, and a beat has promised more: the log says where it stands."""
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    game.save(1, tick='error("at once")')
    await ada.push("notice", code="world_paused")
    stands = await ada.ask("observe", world=world)
    (pid,) = server.shard_pids()
    os.kill(pid, signal.SIGKILL)
    await eventually(lambda: len([p for p in ada.pushes if p.get("code") == "world_paused"]) == 2, "it raises again")
    again = await ada.ask("observe", world=world)
    assert again["tick"] == stands["tick"] == again["data"]["ticks"]
    game.save(1)
    await eventually(lambda: len([p for p in ada.pushes if p.get("code") == "world_resumed"]) == 2, "it goes on")
    server.terminate()
    assert_verified(server.data, world)


async def test_a_world_whose_state_cannot_be_saved_keeps_its_code(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    game.save(1, tick="world.state.callback = function() end")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    await add(ada, world)
    game.save(100)
    notice = await ada.push("notice", code="code_broken", world=world)
    assert "state.callback" in notice["message"]
    assert await add(ada, world) == 2
    server.terminate()
    assert code_entries(server.data, world) == []


async def test_worlds_on_two_shards_all_go_on(tmp_path: Path, serve: ServerFactory, connect_agent: Connect) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve, "--shards", "2")
    ada, bob = await connect_agent(server.url, "ada"), await connect_agent(server.url, "bob")
    worlds = []
    for player in (ada, bob):
        worlds.append((await player.ask("create", game="tally"))["world"])
        await player.ask("join", world=worlds[-1])
    game.save(100)
    for player, world in zip((ada, bob), worlds, strict=True):
        await player.push("rules_changed", world=world)
        assert await add(player, world) == 100
    server.terminate()
    assert_verified(server.data, *worlds)


async def test_what_a_world_began_with_is_for_new_worlds(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    game.save_toml("tick_hz = 30")
    await eventually(lambda: "for new worlds only: tick_hz" in server.stderr(), "the terminal says so")
    assert code_entries_of(ada) == []
    made = (await ada.ask("create", game="tally"))["world"]
    assert (await ada.ask("join", world=made))["tick_hz"] == 30
    assert await add(ada, world) == 1
    game.save(100)
    await ada.push("rules_changed", world=world)
    server.terminate()
    walk = replay(server.data, world).run()
    assert walk.world.code.manifest.tick_hz == 60
    assert_verified(server.data, world, made)


async def test_a_game_that_changed_between_two_servers_goes_on_with_what_is_there(
    tmp_path: Path, serve: ServerFactory, connect_agent: Connect
) -> None:
    game = Game(tmp_path / "games")
    server = game.serve(serve)
    ada = await connect_agent(server.url, "ada")
    world = await join(ada)
    assert await add(ada, world) == 1
    assert server.terminate() == 0
    game.save(100)
    second = game.serve(serve)
    again = await connect_agent(second.url, None)
    await again.ask("hello", resume=ada.welcome["resume"])
    assert await add(again, world) == 101
    second.terminate()
    assert_verified(second.data, world)


async def test_without_dev_nothing_is_watched(tmp_path: Path, serve: ServerFactory, connect_agent: Connect) -> None:
    game = Game(tmp_path / "games")
    plain = serve("--shards", "1", games=game.folder)
    ada = await connect_agent(plain.url, "ada")
    world = await join(ada)
    watched = game.serve(serve, "--data", str(tmp_path / "other"))
    bob = await connect_agent(watched.url, "bob")
    await join(bob)
    game.save(100)
    await bob.push("rules_changed")
    assert await add(ada, world) == 1
