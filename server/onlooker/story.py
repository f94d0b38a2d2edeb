"""What happens in a watched world, as lines to show: made of the frames that a spectator is sent.

Pure: no connection, no drawing. Names, notes and what games say are other people's text: a line stays one line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

import msgspec

from server.demo.feed import arguments, one_line
from server.demo.model import Line
from worldline import protocol

LINES_KEPT: Final = 200


class Story:
    """The lines of one screen, oldest first, up to the tick that is shown."""

    def __init__(self) -> None:
        self.lines: deque[Line] = deque(maxlen=LINES_KEPT)
        self._names: dict[str, tuple[str, int]] = {}
        """Name and seat of all who are or were there, by player."""
        self._there: set[str] = set()

    def begin(self, watching: protocol.Watching) -> None:
        """What is shown begins anew at another tick: what happens later is not told before it happens."""
        self.lines = deque((line for line in self.lines if (line.tick or 0) < watching.tick), maxlen=LINES_KEPT)
        self._names |= _names(watching.players)
        self._there = {each.player for each in watching.players}

    def tell(self, frame: protocol.Frame) -> list[Line]:
        """The lines that ``frame`` gives, in order; they are kept, too."""
        came, gone = self._players(frame)
        told: list[tuple[int, Line]] = [(item.tick, self._input(item)) for item in frame.inputs]
        told += [(item.tick, self._event(item)) for item in frame.events]
        fresh = [*came, *(line for _, line in sorted(told, key=lambda pair: pair[0])), *gone]
        if frame.skipped:
            fresh.append(_line(frame.tick, f"{frame.skipped} more are left out here", "server"))
        self.lines.extend(fresh)
        return fresh

    def _players(self, frame: protocol.Frame) -> tuple[list[Line], list[Line]]:
        """Who has come, and who has gone."""
        if frame.players is None:
            return [], []
        before, self._there = self._there, {each.player for each in frame.players}
        self._names |= _names(frame.players)
        came = [
            _line(frame.tick, f"joined on seat {each.seat}", "join", each.name, each.seat)
            for each in frame.players
            if each.player not in before
        ]
        gone = [_line(frame.tick, "is gone", "leave", *self._names[player]) for player in sorted(before - self._there)]
        return came, gone

    def _input(self, item: protocol.WatchedInput) -> Line:
        name, seat = self._names.get(item.player, (item.player, None))
        status = item.status if item.code is None else f"{item.status}: {item.code}"
        text = f"{item.name} {arguments(item.args)}".rstrip() + f" {status}"
        return _line(item.tick, text, item.status, name, seat, item.note or "")

    def _event(self, item: protocol.WatchedEvent) -> Line:
        text = item.kind if item.data is None else f"{item.kind} {msgspec.json.encode(item.data).decode()}"
        if len(item.players) == 1:
            name, seat = self._names.get(item.players[0], (item.players[0], None))
            return _line(item.tick, text, "event", name, seat)
        to_all = set(item.players) >= self._there
        names = "all" if to_all else ", ".join(self._names.get(each, (each, None))[0] for each in item.players)
        return _line(item.tick, f"{text} to {names}", "event")


def _names(players: Sequence[protocol.WatchedPlayer]) -> dict[str, tuple[str, int]]:
    return {each.player: (each.name, each.seat) for each in players}


def _line(tick: int, text: str, kind: str, player: str = "", seat: int | None = None, note: str = "") -> Line:
    return Line(tick=tick, text=one_line(text), kind=kind, player=one_line(player), seat=seat, note=one_line(note))
