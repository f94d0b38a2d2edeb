"""Drives a world of a game by hand, without a server: for tests of a game's rules, in a few lines of Python each.

    game = Driver("tsunami", players=2)
    game.input("p_1", "move", to="home")
    game.tick(60)
    assert game.observe("p_1")["at_home"]

The entries that it applies are those that a server would log, so what holds here holds there. Errors in the game's
code, which a server survives, are raised as `GameRaised`. Not here: time; a tick comes when you say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from games.code import GameCode, find_games
from games.runtime.effects import AnyEntry, Input, Join, Leave, Silence
from games.runtime.players import InputOutcome
from games.runtime.results import TickResult
from games.runtime.world import World
from games.tracebacks import Raised, read_line

Facts = dict[str, Any]
Move = tuple[str, Mapping[str, Any]]
"""Name and args of an input."""


class GameRaised(Exception):
    """The game's code raised: ``raised`` says where."""

    def __init__(self, raised: Raised) -> None:
        self.raised = raised
        super().__init__(f"game.{raised.function} raised: {raised.text}")


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an input; ``result`` is what the game answered, None if nothing."""

    tick: int
    status: Literal["applied", "rejected"]
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    result: Any = None


class Driver:
    """A world of a game with players p_1 … p_n on seats 1 … n."""

    def __init__(
        self,
        game: GameCode | Path | str,
        *,
        players: int = 1,
        seed: int = 1,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Load a packaged game by name, or that of a folder, and seat players.

        Raises GameError if it does not load, ArgumentProblem for settings that do not fit, KeyError for an unknown
        name, GameRaised.
        """
        self.code = game if isinstance(game, GameCode) else _load(game)
        self.lines: list[str] = []
        """What the game has said to its developers."""
        self._cursors: dict[str, int] = {}
        self.world = World.load(self.code, world_id="w_driven", seed=seed, settings=settings)
        self.lines += [line.text for line in self.world.setup_lines]
        for _ in range(players):
            self.join()

    def join(self, name: str | None = None) -> str:
        """Seat one more player, between two ticks, and return its id. Raises ValueError if the world is full."""
        player, seat = self.world.next_player_id(), self.world.free_seat()
        if seat is None:
            raise ValueError(f"the world is full: {self.code.name} seats {self.code.manifest.max_players}")
        self._apply([Join(player, seat, f"a_{player}", name or f"agent {player}")], step=False)
        self._cursors[player] = 1
        return player

    def leave(self, player: str, reason: str = "left") -> None:
        """Let a player go, between two ticks."""
        self._apply([Leave(player, reason)], step=False)

    def input(self, player: str, name: str, /, **args: Any) -> Outcome:
        """Apply one input between two ticks. Raises ArgumentProblem if it does not fit what the game declares."""
        result = self._apply([self.entry(player, name, args)], step=False)
        return _outcome(result.outcomes[0])

    def entry(self, player: str, name: str, args: Mapping[str, Any]) -> Input:
        """Return the entry of a player's next input, without applying it. Raises ArgumentProblem."""
        seq = self.world.players[player].next_seq
        return Input(player, seq, name, self.code.manifest.check_input(name, dict(args)))

    def tick(self, ticks: int = 1, /, **moves: Move) -> TickResult:
        """Run ticks; ``moves`` are applied in the first: ``tick(p_1=("move", {"direction": "up"}))``.

        Where a tick waits for players (lockstep, turn), those who are to act and have no move are silent: the game's
        default input is applied for them. Stops when the world has finished. Returns what the last tick did.
        """
        result = TickResult(self.world.tick)
        if not moves and self.code.manifest.clock in ("realtime", "manual") and self.world.finished is None:
            return self._checked(self.world.run_empty(ticks))
        for _ in range(ticks):
            if self.world.finished is not None:
                break
            result, moves = self._apply(self._entries(moves), step=True), {}
        return result

    def run_until(self, done: Callable[[], bool], *, limit: int = 10_000) -> None:
        """Tick until ``done()``. Raises AssertionError if it is not so within ``limit`` ticks."""
        for _ in range(limit):
            if done():
                return
            self.tick()
        raise AssertionError(f"not so within {limit} ticks")

    def to_act(self) -> list[str]:
        """Return the players whom the next tick waits for."""
        return self.world.to_act()

    def observe(self, player: str) -> Facts:
        """Return the data of what a player sees now."""
        data = self.world.observe(player, "data").data
        return dict(msgspec.msgpack.decode(data or b"\x80"))

    def text(self, player: str) -> str:
        """Return what a player sees now, in words."""
        return self.world.observe(player, "text").text or ""

    def actions(self, player: str) -> list[Facts]:
        """Return the inputs that the game says it would accept from a player now."""
        offered = self.world.observe(player, "data").actions
        return [] if offered is None else list(msgspec.msgpack.decode(offered))

    def view(self) -> Facts:
        """Return what spectators see."""
        return dict(msgspec.msgpack.decode(self.world.view()))

    def events(self, player: str) -> list[tuple[str, Facts]]:
        """Return kind and data of what has happened to a player since the last call."""
        events = self.world.events(player, self._cursors[player])
        self._cursors[player] = events.cursor
        return [(event.kind, dict(msgspec.msgpack.decode(event.data) or {})) for event in events.items]

    def score(self, player: str) -> float:
        """Return a player's score."""
        return self.world.players[player].score

    def _entries(self, moves: Mapping[str, Move]) -> list[AnyEntry]:
        """The entries of one tick: each player acts once, in seat order where the tick waits for players."""
        if self.code.manifest.clock in ("realtime", "manual"):
            return [self.entry(player, *move) for player, move in moves.items()]
        waited = self.world.to_act()
        early = [player for player in moves if player not in waited]
        if early:
            awaited = ", ".join(waited) or "nobody"
            raise ValueError(f"{early[0]} is not to act in the next tick: that waits for {awaited}")
        default = self.code.manifest.default_input
        return [
            self.entry(player, *moves[player]) if player in moves else Silence(player, *default) for player in waited
        ]

    def _apply(self, entries: list[AnyEntry], *, step: bool) -> TickResult:
        return self._checked(self.world.apply(entries, step=step))

    def _checked(self, result: TickResult) -> TickResult:
        for line in result.debug:
            self.lines.append(line.text)
            raised = read_line(line.text)
            if raised is not None:
                raise GameRaised(raised)
        return result


def _load(game: Path | str) -> GameCode:
    return GameCode.load(game) if isinstance(game, Path) else find_games()[game]


def _outcome(outcome: InputOutcome) -> Outcome:
    return Outcome(
        tick=outcome.tick,
        status=outcome.status,
        code=outcome.code,
        message=outcome.message,
        hint=outcome.hint,
        result=msgspec.msgpack.decode(outcome.packed_result) if outcome.packed_result else None,
    )
