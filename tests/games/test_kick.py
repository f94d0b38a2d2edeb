"""Promise: a player whom the game kicks leaves as others do, once the call that said so is over."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from games.errors import SnapshotUnreadable
from games.runtime.effects import Input, Join, Leave
from games.runtime.results import Ended, Kicked
from games.runtime.world import World
from tests.games.small import act, body, error_of, join, load

RUN = '[inputs.run]\nhelp = "Run."'


def arena(run: str = "", tick: str = "", **parts: str) -> World:
    return load(
        body(
            inputs=f"function game.inputs.run(world, player, args) {run} end",
            tick=tick,
            observe="return {log = world.state.log or {}}",
            **parts,
        ),
        RUN,
    )


LEAVES = """
function game.leave(world, player, reason)
  world.state.log = world.state.log or {}
  world.state.log[player.id] = reason .. " of " .. #world.players
end
"""


def log(world: World, player: str) -> Any:
    return msgspec.msgpack.decode(world.observe(player, "data").data or b"")["log"]


def test_the_seat_is_free_and_the_game_is_told() -> None:
    world = arena("world.kick(world.player('p_2'), 'you cheat') world.kick(world.player('p_2'), 'twice')", extra=LEAVES)
    join(world)
    join(world)
    result = act(world, "p_1", "run", step=True)
    assert result.kicked == [Kicked("p_2", "you cheat")]
    assert result.ended == [Ended("p_2", "truncated", {"reason": "kicked", "message": "you cheat"})]
    assert list(world.players) == ["p_1"]
    assert world.free_seat() == 2
    assert log(world, "p_1") == {"p_2": "kicked of 2"}


def test_the_call_that_kicks_and_the_rest_of_its_entries_still_see_the_player() -> None:
    world = arena(
        "world.state.log = world.state.log or {} table.insert(world.state.log, #world.players) world.kick(player)",
        tick="if world.tick == 1 then table.insert(world.state.log, #world.players) end",
    )
    join(world)
    join(world)
    result = world.apply([Input("p_1", 1, "run", {}), Input("p_1", 2, "run", {})], step=True)
    assert [outcome.status for outcome in result.outcomes] == ["applied", "applied"]
    assert list(world.players) == ["p_2"]
    assert log(world, "p_2") == [2, 2, 2]


@pytest.mark.parametrize("at_once", [True, False])
def test_a_kick_in_a_tick_is_the_same_in_one_call_and_in_many(at_once: bool) -> None:
    world = arena(tick="if world.tick == 3 then world.kick(world.players[1]) end", extra=LEAVES)
    join(world)
    join(world)
    kicked = []
    for ticks in [5] if at_once else [1] * 5:
        kicked += world.run_empty(ticks).kicked
    assert kicked == [Kicked("p_1", "")]
    alone = arena(tick="if world.tick == 3 then world.kick(world.players[1]) end", extra=LEAVES)
    join(alone)
    join(alone)
    alone.run_empty(5)
    assert world.fingerprint() == alone.fingerprint()


def test_between_ticks_too_and_in_join() -> None:
    world = arena(extra="function game.join(world, player) if player.name == 'bob' then world.kick(player) end end")
    join(world, "ada")
    result = world.apply([Join("p_2", 2, "b", "bob")], step=False)
    assert result.kicked == [Kicked("p_2", "")]
    assert world.next_player_id() == "p_3"


def test_who_leaves_in_the_same_call_is_not_kicked_as_well() -> None:
    world = arena("world.kick(world.player('p_2'))")
    join(world)
    join(world)
    result = world.apply([Input("p_1", 1, "run", {}), Leave("p_2", "left")], step=True)
    assert result.kicked == []
    assert [ended.result for ended in result.ended] == [{"reason": "left"}]


def test_leave_may_kick_the_next() -> None:
    world = arena(
        "world.kick(player)",
        extra="function game.leave(world) if #world.players > 1 then world.kick(world.players[2]) end end",
    )
    for _ in range(3):
        join(world)
    result = act(world, "p_1", "run")
    assert [kicked.player for kicked in result.kicked] == ["p_1", "p_2", "p_3"]


def test_a_world_that_finishes_kicks_nobody() -> None:
    world = arena("world.kick(player) world.finish({won = true})")
    join(world)
    result = act(world, "p_1", "run", step=True)
    assert result.kicked == []
    assert result.ended == [Ended("p_1", "terminated", {"won": True})]


def test_a_kick_shows_in_the_fingerprint_and_is_gone_from_the_next_snapshot() -> None:
    kicking, staying = arena("world.kick(world.player('p_2'), 'go')"), arena("")
    for world in (kicking, staying):
        join(world)
        join(world)
        act(world, "p_1", "run")
    assert kicking.fingerprint() != staying.fingerprint()
    restored = World.restore(kicking.code, kicking.snapshot())
    assert list(restored.players) == ["p_1"]
    with pytest.raises(SnapshotUnreadable):
        World.restore(kicking.code, b"")


@pytest.mark.parametrize(
    ("lua", "says"),
    [
        ("world.kick('p_1')", "kick wants a player"),
        ("world.kick(player, 5)", "kick wants a text of at most 200 bytes second"),
        ("world.kick(player, string.rep('x', 201))", "kick wants a text of at most 200 bytes second"),
    ],
)
def test_wrong_use_is_named(lua: str, says: str) -> None:
    message = error_of(lua.replace("player,", "world.players[1],"))
    assert message.startswith("main.lua:")
    assert says in message
