"""Promise: in a fork the players are there without an agent; who takes one goes on as it, unnoticed by the game."""

from __future__ import annotations

import pytest

from games.runtime.effects import Input, Join, Leave, Take
from games.runtime.snapshots import forked, state_hash
from games.runtime.world import World
from tests.games.small import code

MAIN = """
local game = { inputs = {} }
function game.setup(world) world.state.sums = {} end
function game.join(world, player) world.state.sums[player.id] = 0 end
function game.leave(world, player) world.state.sums[player.id] = nil end
function game.inputs.add(world, player, args)
  world.state.sums[player.id] = world.state.sums[player.id] + world.random(9)
  world.emit(player, "added", {})
end
function game.observe(world, player) return { sums = world.state.sums, name = player.name } end
return game
"""
TOML = '[inputs.add]\nhelp = "Add."\n[events.added]\nhelp = "Added."\n'


def parent() -> World:
    """Two players, each with an outcome and an event."""
    world = World.load(code(MAIN, TOML), world_id="w_parent", seed=1)
    world.apply([Join(player=f"p_{n}", seat=n, agent=f"a_{n}", name=f"n{n}") for n in (1, 2)], step=True)
    world.apply([Input(player=f"p_{n}", seq=1, name="add", args={}) for n in (1, 2)], step=True)
    return world


def fork(world: World) -> World:
    saved = forked(world.snapshot(), world="w_fork", clock="manual")
    return World.restore(world.code, saved, engine=world.engine)


def test_the_players_are_there_and_nobodys() -> None:
    before, world = parent(), fork(parent())
    assert (world.id, world.tick, world.clock) == ("w_fork", before.tick, "manual")
    assert [player.id for player in world.vacant_players()] == ["p_1", "p_2"]
    for player in world.players.values():
        assert (player.agent, player.next_seq, player.outcomes) == ("", 1, {})
        assert player.events == before.players[player.id].events
    assert world.observe("p_1").data == before.observe("p_1").data
    assert not before.vacant_players()


def test_who_takes_one_goes_on_as_it_with_seqs_from_one() -> None:
    one, other = parent(), fork(parent())
    other.apply([Take(player="p_2", agent="a_new", name="new")], step=False)
    taken = other.players["p_2"]
    assert (taken.agent, taken.name, taken.seat) == ("a_new", "new", 2)
    assert [player.id for player in other.vacant_players()] == ["p_1"]
    one.apply([Input(player="p_2", seq=2, name="add", args={})], step=True)
    other.apply([Input(player="p_2", seq=1, name="add", args={})], step=True)
    assert one.inspection.packed_state() == other.inspection.packed_state(), "the game saw the same"


def test_a_take_counts_in_the_hash_and_not_in_the_fingerprint() -> None:
    """It is in the log, as a join; the game and what players see do not depend on it."""
    taken, vacant = fork(parent()), fork(parent())
    taken.apply([Take(player="p_1", agent="a_new", name="n1")], step=False)
    assert state_hash(taken.snapshot()) != state_hash(vacant.snapshot())
    assert taken.fingerprint() == vacant.fingerprint()


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ([Take(player="p_3", agent="a_new", name="new")], "p_3 is not seated"),
        ([Take(player="p_1", agent="a_new", name="n")] * 2, "the seat of p_1 cannot be taken: it is not vacant"),
        ([Leave(player="p_1", reason="left"), Take(player="p_1", agent="a", name="n")], "p_1 is not seated"),
        ([Join(player="p_3", seat=1, agent="a_new", name="new")], "seat 1 is not free"),
    ],
)
def test_what_does_not_fit_changes_nothing(entries: list[Take | Leave | Join], says: str) -> None:
    world = fork(parent())
    before = state_hash(world.snapshot())
    with pytest.raises(ValueError, match=says):
        world.apply(entries, step=True)
    assert state_hash(world.snapshot()) == before


def test_a_player_that_somebody_plays_cannot_be_taken() -> None:
    with pytest.raises(ValueError, match="not vacant"):
        parent().apply([Take(player="p_1", agent="a_new", name="new")], step=False)


def test_new_players_are_counted_on_from_the_parents() -> None:
    world = fork(parent())
    assert world.next_player_id() == "p_3"
    world.apply([Join(player="p_3", seat=3, agent="a_3", name="n3")], step=True)
    assert [player.id for player in world.vacant_players()] == ["p_1", "p_2"]
