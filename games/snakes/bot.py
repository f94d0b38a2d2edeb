"""A sample agent for Snakes: keeps room around itself, eats in time, and keeps out of the way of longer heads.

`decide` is the whole strategy: a pure function of one observation. `play` is the loop around it. Only the public client
is used. `worldline bot snakes` runs this file in a process of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import worldline

WAYS: Final = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}
HUNGRY: Final = 35
"""With less health than this food comes before everything but room."""

Cell = tuple[int, int]


@dataclass(frozen=True)
class Decision:
    """Where to go, and why."""

    direction: str
    note: str


async def play(player: worldline.Player) -> None:
    """Play until the world has ended; who is out watches on. Raises `worldline.Disconnected` if the server is lost."""
    try:
        seen = await player.observe()
        while player.closed is None:
            if seen.ended is not None or not seen.your_turn:
                seen = await player.observe(until="turn" if seen.ended is None else "tick")
                continue
            await player.think()
            seen = await _move(player, decide(seen.data))
    except worldline.NotPossible:
        return  # The world has closed, or the seat was given up: nothing is left to play.


async def _move(player: worldline.Player, decision: Decision) -> worldline.Observation:
    try:
        outcome = await player.input("move", direction=decision.direction, observe=True, note=decision.note)
    except worldline.NotPossible as refusal:
        if refusal.code not in ("too_late", "not_your_turn", "already_acted"):
            raise
        return await player.observe()  # thought for too long: look at the board as it is now
    return outcome.observation or await player.observe()


def decide(data: Mapping[str, Any]) -> Decision:
    """Return the move for what is seen."""
    size = data["size"]
    me = next(snake for snake in data["snakes"] if snake["id"] == data["you"])
    head = _cell(me["body"][0])
    food = {_cell(meal) for meal in data["food"]}
    # A tail moves away, unless its snake has just eaten: then two parts of it lie on one cell.
    walls = {_cell(part) for snake in data["snakes"] for part in snake["body"][:-1]}
    feared = {
        cell
        for snake in data["snakes"]
        if snake is not me and len(snake["body"]) >= len(me["body"])
        for cell in _around(_cell(snake["body"][0]), size)
    }
    rivals = [len(snake["body"]) for snake in data["snakes"] if snake is not me]
    hungry = me["health"] < HUNGRY or len(me["body"]) <= max(rivals, default=0)
    best: tuple[tuple[float, ...], Decision] | None = None
    for direction, (dx, dz) in WAYS.items():
        cell = head[0] + dx, head[1] + dz
        if not _inside(cell, size) or cell in walls:
            continue
        room, meal = _look(cell, walls, food, size)
        roomy = room >= len(me["body"])
        far = meal if meal is not None and hungry else size * size
        rank = (roomy, cell not in feared, -far, room)
        why = f"{room} cells of room" + (f", food {meal} away" if meal is not None else ", no food in reach")
        if cell in feared:
            why += ", a longer head is near"
        if best is None or rank > best[0]:
            best = rank, Decision(direction, f"{direction}: {why}")
    return best[1] if best is not None else Decision(me["direction"], "no way out: straight on")


def _cell(point: Mapping[str, Any]) -> Cell:
    return int(point["x"]), int(point["z"])


def _inside(cell: Cell, size: int) -> bool:
    return 0 <= cell[0] < size and 0 <= cell[1] < size


def _around(cell: Cell, size: int) -> list[Cell]:
    near = [(cell[0] + dx, cell[1] + dz) for dx, dz in WAYS.values()]
    return [other for other in near if _inside(other, size)]


def _look(start: Cell, walls: set[Cell], food: set[Cell], size: int) -> tuple[int, int | None]:
    """How many cells can be reached from ``start``, and how many steps the nearest food is away."""
    steps = {start: 1}
    waiting = deque([start])
    meal = 1 if start in food else None
    while waiting:
        cell = waiting.popleft()
        for other in _around(cell, size):
            if other not in steps and other not in walls:
                steps[other] = steps[cell] + 1
                waiting.append(other)
                if meal is None and other in food:
                    meal = steps[other]
    return len(steps), meal
