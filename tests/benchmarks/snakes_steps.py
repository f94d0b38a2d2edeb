"""How many ticks a second a world of Snakes makes in this process, with the inputs of four bots: no sockets, no log.

    python -m tests.benchmarks.snakes_steps [--rounds 5]

The moves are recorded first, with the sample bots; then the same entries are applied again, and only that is timed,
with the question whom each tick waits for. The first few hundred ticks of a world are slower, because its Lua is still
being compiled. So two figures stand side by side: of whole games in worlds of their own, and of worlds that go on,
because whoever is out makes room for a new snake at once.
"""

from __future__ import annotations

import argparse
import statistics
import time

from games.runtime.effects import AnyEntry, Input, Join, Leave
from tests.games.snakes_driver import Board, sensibly

GAMES = 24
LASTING = 3
LASTING_TICKS = 3000

Turns = list[list[AnyEntry]]
"""The entries of each tick; joins and leaves of a lasting world come with the inputs."""


def recorded(seed: int, *, lasting: bool) -> Turns:
    """The turns of a game of four bots; of one that lasts, until only one snake is left all the same."""
    board = Board(4, seed)
    turns: Turns = []
    while board.world.finished is None and board.world.tick < LASTING_TICKS:
        entries: list[AnyEntry] = []
        for player, state in list(board.world.players.items()) if lasting else []:
            if state.ended is not None:
                joins = board.world.next_player_id(after=sum(isinstance(entry, Join) for entry in entries))
                entries += [Leave(player, "left"), Join(joins, state.seat, f"a_{joins}", joins)]
        for player in board.world.to_act():
            move = {"direction": sensibly(board.seen(player))}
            entries.append(Input(player, board.world.players[player].next_seq, "move", move))
        turns.append(entries)
        board.world.apply(entries, step=True)
    return turns


def ticks_per_second(games: dict[int, Turns]) -> float:
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
    games = {seed: recorded(seed, lasting=False) for seed in range(GAMES)}
    lasting = {seed: recorded(seed, lasting=True) for seed in range(GAMES)}
    longest = dict(sorted(lasting.items(), key=lambda game: -len(game[1]))[:LASTING])
    chosen = {f"{GAMES} games": games, f"{LASTING} worlds that go on": longest}
    rates: dict[str, list[float]] = {name: [] for name in chosen}
    for _ in range(rounds):
        for name, some in chosen.items():
            rates[name].append(ticks_per_second(some))
    for name, some in chosen.items():
        turns = [entries for game in some.values() for entries in game]
        inputs = sum(isinstance(entry, Input) for entries in turns for entry in entries) / len(turns)
        middle, least, most = statistics.median(rates[name]), min(rates[name]), max(rates[name])
        print(
            f"{name}: {len(turns) / len(some):.0f} ticks each, {inputs:.1f} inputs a tick: "
            f"median {middle:,.0f} ticks/s ({least:,.0f} to {most:,.0f} in {rounds} rounds)"
        )


if __name__ == "__main__":
    main()
