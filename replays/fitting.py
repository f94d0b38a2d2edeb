"""What of a log still fits a world that goes its own way on the same inputs: with other code, or one input changed.

An entry that the world cannot take any more (of a player who is gone, an input that is not declared, a world that has
finished) is left out and named; an input that fits gets the seq that comes next for its player in this world.

Not here: when a world goes its own way (``execution.py``), and what that is good for (``rerun.py``, ``rerecord.py``).

Invariant: what is let through fits the world as it is, one after another; every other entry is in `Fitting.left_out`.
"""

from __future__ import annotations

from collections import Counter

import msgspec

from games.errors import ArgumentProblem
from games.runtime.effects import AnyEntry, Input
from games.runtime.world import World
from replays.words import entry_text


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A logged ``entry``, in words, that did not fit a world at ``tick``, and why."""

    tick: int
    entry: str
    why: str


class Fitting:
    """What fitted one world, and what did not."""

    def __init__(self) -> None:
        self.left_out: list[LeftOut] = []
        """All that did not fit."""
        self.fitted: list[tuple[int, AnyEntry]] = []
        """Which entries of the last record fitted, by their places in it."""

    def fit(self, world: World, tick: int, entries: list[AnyEntry]) -> list[AnyEntry]:
        """Those of a record's entries that fit the world as it is, with the seqs that come next in it."""
        fitting: list[AnyEntry] = []
        given: Counter[str] = Counter()
        self.fitted = []
        for place, entry in enumerate(entries):
            renumbered = entry
            if isinstance(entry, Input) and entry.player in world.players:
                seq = world.players[entry.player].next_seq + given[entry.player]
                renumbered = Input(player=entry.player, seq=seq, name=entry.name, args=entry.args)
            why = _misfit(world, [*fitting, renumbered])
            if why is None:
                fitting.append(renumbered)
                self.fitted.append((place, renumbered))
                if isinstance(entry, Input):
                    given[entry.player] += 1
            else:
                self.left_out.append(LeftOut(tick=tick, entry=entry_text(entry), why=why))
        return fitting


def _misfit(world: World, entries: list[AnyEntry]) -> str | None:
    """Why the last of these does not fit, if those before it do."""
    if world.finished is not None:
        return "the world has finished"
    entry = entries[-1]
    try:
        world.check(entries)
        if isinstance(entry, Input):
            world.code.manifest.check_input(entry.name, entry.args)
    except (ValueError, ArgumentProblem) as problem:
        return str(problem)
    return None
