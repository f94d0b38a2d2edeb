"""Promise: a game's rules are tested in a few lines of Python: a world is loaded, played by hand, and looked at; what
the server survives (an error in the game's code) is raised."""

from __future__ import annotations

from pathlib import Path

import pytest

from games.driving import Driver, GameRaised
from games.errors import ArgumentProblem
from tests.games.small import body, code

SHOUT = """
[inputs.shout]
help = "Shout."
args.text = { type = "string", max_length = 5 }
[events.heard]
help = "Somebody shouted."
args.text = { type = "string", max_length = 5 }
"""
SHOUTING = body(
    setup="world.state.shouts = 0",
    observe="return { shouts = world.state.shouts, tick = world.tick }",
    inputs="""
function game.inputs.shout(world, player, args)
  if args.text == "" then return world.reject("silent", "That was no shout.", { hint = "say something" }) end
  if args.text == "bug" then return nil + 1 end
  world.state.shouts = world.state.shouts + 1
  world.emit("all", "heard", { text = args.text })
  world.score(player, world.state.shouts)
  return { loud = true }
end
function game.actions() return { { name = "shout", why = "you can" } } end
""",
)
WAITING = 'clock = "lockstep"\n' + SHOUT + "[inputs.shout.default]\ntext = 'hm'\n"


def test_a_realtime_world_is_played_by_hand() -> None:
    game = Driver(code(SHOUTING, SHOUT), players=2)
    outcome = game.input("p_1", "shout", text="hey")
    assert (outcome.status, outcome.result) == ("applied", {"loud": True})
    game.tick(10)
    assert game.observe("p_2") == {"shouts": 1, "tick": 10}
    assert game.events("p_2") == [("heard", {"text": "hey"})]
    assert game.events("p_2") == [], "each event is told once"
    assert (game.score("p_1"), game.score("p_2")) == (1, 0)
    assert game.text("p_1") == "shouts: 1\ntick: 10"
    assert game.actions("p_1") == [{"name": "shout"}]
    assert game.view() == {"nodes": []}
    game.tick(2, p_1=("shout", {"text": "a"}), p_2=("shout", {"text": "b"}))
    assert game.observe("p_1") == {"shouts": 3, "tick": 12}
    game.leave("p_2")
    assert game.join("late") == "p_3"
    assert game.world.players["p_3"].seat == 2


def test_a_rejection_says_why() -> None:
    outcome = Driver(code(SHOUTING, SHOUT)).input("p_1", "shout", text="")
    assert (outcome.status, outcome.code, outcome.hint) == ("rejected", "silent", "say something")


def test_who_is_silent_gets_the_default_input() -> None:
    game = Driver(code(SHOUTING, WAITING), players=2)
    assert game.to_act() == ["p_1", "p_2"]
    game.tick(p_2=("shout", {"text": "hey"}))
    assert [data["text"] for _, data in game.events("p_1")] == ["hm", "hey"], "in seat order"
    game.tick(3)
    assert game.observe("p_1")["shouts"] == 8


def test_an_input_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ArgumentProblem, match="at most 5 characters"):
        Driver(code(SHOUTING, SHOUT)).input("p_1", "shout", text="louder")


def test_an_error_in_the_game_is_raised_with_its_place() -> None:
    with pytest.raises(GameRaised, match=r"inputs\.shout raised: main\.lua:\d+: attempt to") as caught:
        Driver(code(SHOUTING, SHOUT)).input("p_1", "shout", text="bug")
    assert (caught.value.raised.file, caught.value.raised.function) == ("main.lua", "inputs.shout")


def test_packaged_games_are_known_by_name_and_others_by_folder() -> None:
    assert Driver("snakes", players=2).observe("p_1")["size"] == 11
    folder = Path(__file__).parents[2] / "games" / "parley"
    assert Driver(folder, players=2, settings={"rounds": 3}).observe("p_1")["rounds"] == 3


def test_run_until_gives_up() -> None:
    game = Driver(code(SHOUTING, SHOUT))
    game.run_until(lambda: game.observe("p_1")["tick"] == 7)
    with pytest.raises(AssertionError, match="within 5 ticks"):
        game.run_until(lambda: False, limit=5)
