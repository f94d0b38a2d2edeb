"""The rules of Snakes, the text that players read, and a bot that plays it well."""

from __future__ import annotations

import random

import pytest

from games.runtime.effects import Leave
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from games.skill import update_skill
from tests.games.snakes_driver import CODE, Board, at_random, play, sensibly, starting_at


def moves(board: Board, turns: list[dict[str, str]]) -> Board:
    """Play these turns."""
    for turn in turns:
        board.turn(**turn)
    return board


@pytest.mark.parametrize(
    ("starts", "turns", "died", "finished"),
    [
        # Off the board: (5, 1) goes up twice.
        (((5, 1), (5, 9)), [{"p_1": "up", "p_2": "left"}] * 2, {"p_1": ("wall", None)}, {"winner": "p_2", "turns": 2}),
        # Back into its own neck.
        (
            ((5, 1), (5, 9)),
            [{"p_1": "up", "p_2": "left"}, {"p_1": "down", "p_2": "left"}],
            {"p_1": ("itself", None)},
            {"winner": "p_2", "turns": 2},
        ),
        # Heads of one length meet: both are out, nobody wins.
        (
            ((1, 1), (5, 1)),
            [{"p_1": "right", "p_2": "left"}] * 2,
            {"p_1": ("head", "p_2"), "p_2": ("head", "p_1")},
            {"turns": 2},
        ),
        # The longer one (it ate at (2, 2)) survives when heads meet.
        (
            ((1, 1), (5, 1)),
            [
                {"p_1": "down", "p_2": "up"},
                {"p_1": "right", "p_2": "left"},
                {"p_1": "right", "p_2": "left"},
                {"p_1": "up", "p_2": "down"},
            ],
            {"p_2": ("head", "p_1")},
            {"winner": "p_1", "turns": 4},
        ),
        # Into another's body.
        (
            ((1, 1), (5, 1)),
            [
                {"p_1": "right", "p_2": "left"},
                {"p_1": "down", "p_2": "left"},
                {"p_1": "down", "p_2": "left"},
            ],
            {"p_2": ("body", "p_1")},
            {"winner": "p_1", "turns": 3},
        ),
    ],
    ids=["wall", "itself", "heads", "longer head", "body"],
)
def test_what_kills(
    starts: tuple[tuple[int, int], ...],
    turns: list[dict[str, str]],
    died: dict[str, tuple[str, str | None]],
    finished: dict[str, object],
) -> None:
    board = moves(starting_at(*starts), turns)
    assert board.died() == died
    assert board.world.finished == finished


def test_eating_restores_health_and_makes_longer_and_counts() -> None:
    board = moves(starting_at((1, 1), (9, 9)), [{"p_1": "down", "p_2": "up"}, {"p_1": "right", "p_2": "up"}])
    me = next(snake for snake in board.seen()["snakes"] if snake["id"] == "p_1")
    assert (me["health"], len(me["body"])) == (100, 4)
    assert me["body"][0] == {"x": 2, "z": 2}
    assert [event.kind for event in board.world.events("p_1", 1).items] == ["ate"]
    assert board.world.players["p_1"].score == 1
    assert {"x": 2, "z": 2} not in board.seen()["food"]


def test_a_tail_that_moves_away_is_no_obstacle_and_who_never_eats_starves_after_a_hundred_turns() -> None:
    for seed in range(200):
        board = Board(1, seed)
        circle = ["right", "down", "left", "up"]
        while board.world.finished is None:
            board.turn(p_1=circle[board.world.tick % 4])
        if not any(event.kind == "ate" for event in board.world.events("p_1", 1).items):
            assert board.died() == {"p_1": ("starved", None)}
            assert board.world.finished == {"turns": 100}
            return
        assert board.died()["p_1"][0] in ("starved", "itself")  # with five parts it bites itself
    raise AssertionError("in no world was the circle free of food")


def test_the_silent_go_straight_on() -> None:
    board = starting_at((1, 5), (9, 5))
    board.turn(p_1="right", p_2="left")
    board.turn()
    assert (board.head("p_1"), board.head("p_2")) == ((3, 5), (7, 5))


def test_who_is_out_may_watch_and_cannot_move() -> None:
    board = moves(starting_at((5, 1), (5, 9), (9, 5)), [{"p_1": "up", "p_2": "left", "p_3": "up"}] * 2)
    assert board.world.finished is None
    assert board.world.to_act() == ["p_2", "p_3"]
    assert board.world.players["p_1"].result == {"turn": 2, "cause": "wall"}
    assert [snake["id"] for snake in board.seen("p_1")["snakes"]] == ["p_2", "p_3"]
    assert [board.world.players[player].score for player in ("p_2", "p_3")] == [10, 10], "they have outlived one"


def test_who_comes_late_hatches_and_who_leaves_makes_the_last_one_win() -> None:
    board = moves(Board(2, 3), [{"p_1": "left"}, {"p_1": "left"}])
    if board.world.finished is None:
        late = board.join()
        assert len(next(snake for snake in board.seen()["snakes"] if snake["id"] == late)["body"]) == 3
        board.world.apply([Leave(late, "left")], step=False)
        assert board.world.finished is None
        result = board.world.apply([Leave("p_2", "left")], step=False)
        assert result.finished == {"winner": "p_1", "turns": 2}


def test_the_bot_scores_three_times_what_a_random_player_does() -> None:
    choice = random.Random(5)
    sensible: list[float] = []
    random_scores: list[float] = []
    for seed in range(12):
        players = ["p_1", "p_2", "p_3", "p_4"]
        clever = players[seed % 4]
        strategies = {player: sensibly if player == clever else at_random(choice) for player in players}
        scores = play(Board(4, seed), strategies)
        sensible.append(scores.pop(clever))
        random_scores.extend(scores.values())
    assert sum(sensible) / len(sensible) >= 3 * sum(random_scores) / len(random_scores)


def test_four_bots_play_a_long_game_whose_every_turn_is_the_same_again_from_any_snapshot() -> None:
    ends = []
    for seed in range(4):
        board, other = Board(4, seed), Board(4, seed)
        strategies = dict.fromkeys(board.world.players, sensibly)
        while board.world.finished is None and board.world.tick < 600:
            if board.world.tick % 50 == 25:
                other.world = World.restore(CODE, other.world.snapshot())
            chosen = {player: strategies[player](board.seen(player)) for player in board.world.to_act()}
            board.turn(**chosen)
            other.turn(**chosen)
        assert state_hash(board.world.snapshot()) == state_hash(other.world.snapshot())
        assert board.world.fingerprint() == other.world.fingerprint()
        ends.append(board.world.tick)
    assert max(ends) > 60, f"games of bots that play well are worth watching: {ends}"


def test_the_text_shows_the_board_and_what_is_next_to_the_head() -> None:
    board = starting_at((5, 1), (5, 9))
    text = board.world.observe("p_1", "text").text or ""
    assert text.startswith("turn 0 · you are A at (5,1), heading up · health 100 · length 3\nnext to you: up free")
    assert "B is p_2: length 3, health 100" in text
    assert text.splitlines()[-10] == ".....A....."
    assert len(text) < 500


def test_the_guide_is_up_to_date_and_what_is_seen_fits_its_declaration() -> None:
    assert update_skill(CODE.skill, CODE.manifest) == CODE.skill
    board = moves(Board(4, 1), [{}] * 3)
    assert [board.world.misfit(player) for player in board.world.players] == [None] * 4
