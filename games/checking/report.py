"""What a check has found: problems with their places, figures, notes. Plain data that crosses between processes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from games.runtime.effects import AnyEntry

Kind = Literal[
    "does_not_load",
    "raises",
    "looking_raises",
    "looking_writes",
    "to_act_fails",
    "observation_misfit",
    "number_lost",
    "not_saveable",
    "restored_differs",
    "not_deterministic",
    "rejection_dropped",
    "skill_outdated",
    "replay_differs",
    "replay_unusable",
    "stuck",
    "faulted",
]
"""``raises``: an input, tick, timer, join or leave. ``number_lost``: NaN or infinity. ``stuck``: a call that does not
come back, or takes its process down. ``faulted``: the world ended for a reason that no other kind names."""


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something to mend. ``line`` is None where no line can be named."""

    kind: Kind
    file: str
    line: int | None
    message: str
    times: int = 1
    first: str = ""
    """When it was first seen: ``world 1, tick 12``; empty for what the files alone show."""


class Spread(msgspec.Struct, frozen=True):
    """Of many measured values the median, the 99th percentile and the largest."""

    p50: float
    p99: float
    most: float


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """What was played, and what it cost. Times are of this machine, as it was."""

    worlds: int
    finished: int
    ticks: int
    players: int
    """Seated in all."""
    applied: int
    rejected: int
    refused: int
    """Wrong inputs that the declarations kept from the game."""
    tick_ms: Spread
    observation_ms: Spread
    observation_bytes: Spread
    snapshot_bytes: int
    lua_kib: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that a check has found about a game. ``figures`` is None if it could not be played."""

    game: str
    origin: str
    problems: list[Problem]
    notes: list[str]
    figures: Figures | None
    seconds: float = 0.0
    replays: int = 0
    """Golden replays that went the same way again."""


class Step(msgspec.Struct, array_like=True, frozen=True):
    """One call of `World.apply`."""

    entries: list[AnyEntry]
    step: bool


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """After ``steps`` steps a world was at ``tick`` and had this fingerprint and hash of its state."""

    steps: int
    tick: int
    fingerprint: bytes
    hash: bytes


class Course(msgspec.Struct, array_like=True):
    """All that was applied to one world, so that another process can do it again."""

    seed: int
    steps: list[Step] = []
    marks: list[Mark] = []


class Played(msgspec.Struct, frozen=True, kw_only=True):
    """What the process that plays hands back."""

    problems: list[Problem]
    notes: list[str]
    figures: Figures
    courses: list[Course]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """What a process is to do: play (``courses`` None), or compute these courses again."""

    name: str
    origin: str
    files: dict[str, bytes]
    engine: dict[str, bytes]
    seed: int
    ticks: int
    courses: list[Course] | None = None


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of values; all 0 for none."""
    ordered = sorted(values) or [0.0]
    last = len(ordered) - 1
    return Spread(ordered[last // 2], ordered[round(last * 0.99)], ordered[last])
