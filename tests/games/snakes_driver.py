"""Plays a world of Snakes in this process: no server, no clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from games.code import GameCode
from games.driving import Driver
from games.runtime.results import TickResult
from games.snakes.bot import decide

CODE = GameCode.load(Path(__file__).parents[2] / "games" / "snakes")
WAYS = ("up", "down", "left", "right")

Strategy = Callable[[Mapping[str, Any]], str]


class Board(Driver):
    """A world with so many snakes."""

    def __init__(self, snakes: int, seed: int) -> None:
        super().__init__(CODE, players=snakes, seed=seed)

    def seen(self, player: str = "p_1") -> dict[str, Any]:
        """What a player sees."""
        return self.observe(player)

    def head(self, player: str) -> tuple[int, int]:
        """Where a snake's head is."""
        (body,) = (snake["body"] for snake in self.seen()["snakes"] if snake["id"] == player)
        return body[0]["x"], body[0]["z"]

    def turn(self, **moves: str) -> TickResult:
        """Play a turn: a move for each player named, silence for all others who live."""
        return self.tick(1, **{player: ("move", {"direction": way}) for player, way in moves.items()})

    def died(self) -> dict[str, tuple[str, str | None]]:
        """Who has died of what, and by whom."""
        events = [msgspec.msgpack.decode(e.data) for e in self.world.events("p_1", 1).items if e.kind == "died"]
        return {event["snake"]: (event["cause"], event.get("by")) for event in events}


def starting_at(*starts: tuple[int, int]) -> Board:
    """A board where p_1, p_2 … hatch at these places."""
    for seed in range(10_000):
        board = Board(len(starts), seed)
        if tuple(board.head(f"p_{i}") for i in range(1, len(starts) + 1)) == starts:
            return board
    raise AssertionError(f"no seed lets snakes hatch at {starts}")


def sensibly(data: Mapping[str, Any]) -> str:
    """The sample bot's move."""
    return decide(data).direction


def at_random(choice: random.Random) -> Strategy:
    """A strategy that does not look."""
    return lambda _: choice.choice(WAYS)


def play(board: Board, strategies: Mapping[str, Strategy], turns: int = 1000) -> dict[str, float]:
    """Play to the end, or for so many turns; returns the scores."""
    while board.world.finished is None and board.world.tick < turns:
        board.turn(**{player: strategies[player](board.seen(player)) for player in board.world.to_act()})
    return {player: state.score for player, state in board.world.players.items()}
