"""How many ticks a second a world of Snakes makes in this process, with the inputs of four bots: no sockets, no log.

    python -m tests.benchmarks.snakes_steps [--rounds 5]

The games are played once by the sample bots, to know their moves; then the same moves are stepped, game after game, and
only that is timed, with the question whom each tick waits for. A world runs its first few hundred ticks slower than the
rest, because its Lua is still being compiled: so two figures stand side by side, of all games and of the longest ones.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from games.runtime.effects import Input
from tests.games.snakes_driver import Board, sensibly

GAMES = 24
LONGEST = 4
MAX_TURNS = 2000


def recorded(seed: int) -> list[list[Any]]:
    """The entries of each turn of one game of four bots."""
    board, turns = Board(4, seed), []
    while board.world.finished is None and board.world.tick < MAX_TURNS:
        entries = [
            Input(player, board.world.players[player].next_seq, "move", {"direction": sensibly(board.seen(player))})
            for player in board.world.to_act()
        ]
        turns.append(entries)
        board.world.apply(entries, step=True)
    return turns


def ticks_per_second(games: dict[int, list[list[Any]]]) -> float:
    """Step these games (by seed) once, asking whom each tick waits for, as a server does."""
    boards = [Board(4, seed) for seed in games]
    began_s = time.perf_counter()
    for board, turns in zip(boards, games.values(), strict=True):
        world = board.world
        for entries in turns:
            world.apply(entries, step=True)
            world.to_act()
    return sum(map(len, games.values())) / (time.perf_counter() - began_s)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    games = {seed: recorded(seed) for seed in range(GAMES)}
    longest = dict(sorted(games.items(), key=lambda game: -len(game[1]))[:LONGEST])
    chosen = {f"all {GAMES} games": games, f"the {LONGEST} longest": longest}
    rates: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, some in chosen.items():
            rates[name].append(ticks_per_second(some))
    for name, some in chosen.items():
        turns = [entries for game in some.values() for entries in game]
        inputs = sum(map(len, turns)) / len(turns)
        middle, least, most = statistics.median(rates[name]), min(rates[name]), max(rates[name])
        print(
            f"{name}: {len(turns) / len(some):.0f} ticks each, {inputs:.1f} inputs a tick: "
            f"median {middle:,.0f} ticks/s ({least:,.0f} to {most:,.0f} in {rounds} rounds)"
        )


if __name__ == "__main__":
    main()
