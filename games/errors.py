"""What can go wrong with a game, and whose mistake it is.

`GameError`            the game's files are wrong: refused before anything runs
`ArgumentProblem`      an agent's input (or somebody's settings) does not fit what the game declares
`ObservationFailed`    the game's observe, describe or view raised: the world goes on
`WorldFaulted`         the world can go on no longer; its log stays
`StateNotSaveable`     the game keeps something that no snapshot can hold: the world itself goes on
`SnapshotUnreadable`   bytes are no snapshot, or one in another form
"""

from __future__ import annotations

from typing import Any, Literal

FaultKind = Literal[
    "tick_failed", "to_act_failed", "observe_writes", "result", "resource", "memory", "not_saveable", "stuck", "engine"
]
"""``tick_failed``: game.tick raised too often in a row. ``to_act_failed``: game.to_act could not say whom to wait for.
``observe_writes``: looking changed the world. ``result``: what the game finished with does not fit into the log.
``resource``: out of memory or stack. ``memory``: the game held too much after a call. ``not_saveable``: the game keeps
something that no snapshot can hold. ``stuck``: a tick took its process down, or never came back. ``engine``: a bug of
Worldline's own Lua code."""


class GameError(Exception):
    """The files of a game cannot be used. ``line`` is None where no line can be named."""

    def __init__(self, path: str, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        where = path if line is None else f"{path}:{line}"
        super().__init__(f"{where}: {reason}")


class ArgumentProblem(Exception):
    """What was sent does not fit what the game declares.

    ``path`` is where in the request (``args.x``, ``name``, ``settings.wave_interval_s``), ``valid`` lists what would be
    accepted there (at most 20), ``hint`` ends in ``suggestion`` as JSON: args that the declaration accepts.
    """

    def __init__(
        self,
        kind: Literal["unknown_input", "invalid_args"],
        path: str,
        message: str,
        hint: str,
        *,
        valid: list[str] | None = None,
        suggestion: dict[str, Any] | None = None,
    ) -> None:
        self.kind: Literal["unknown_input", "invalid_args"] = kind
        self.path = path
        self.message = message
        self.hint = hint
        self.valid = valid
        self.suggestion = suggestion
        super().__init__(f"{path}: {message}. {hint}")


class ObservationFailed(Exception):
    """The game's own code failed while it said what somebody sees. Nothing of the world has changed."""

    def __init__(self, world: str, tick: int, message: str, traceback: str, function: str = "game.observe") -> None:
        self.world = world
        self.tick = tick
        self.message = message
        self.traceback = traceback
        self.function = function
        super().__init__(f"{world}@{tick}: {message}")


class WorldFaulted(Exception):
    """The world can go on no longer. Nothing more may be run in it."""

    def __init__(self, world: str, tick: int, kind: FaultKind, message: str) -> None:
        self.world = world
        self.tick = tick
        self.kind: FaultKind = kind
        self.message = message
        super().__init__(f"{world}@{tick}: {kind}: {message}")


class StateNotSaveable(Exception):
    """The game keeps something that a snapshot cannot hold. Nothing of the world has changed.

    ``path`` is where, as Lua reads it (``state.teams[2].leader``, ``scene:get(7).data.bag``), ``reason`` goes on after
    it (``is the same table as state.players.p1: store an id``).
    """

    def __init__(self, world: str, tick: int, path: str, reason: str) -> None:
        self.world = world
        self.tick = tick
        self.path = path
        self.reason = reason
        super().__init__(f"{world}@{tick}: {path} {reason}")


class SnapshotUnreadable(Exception):
    """These bytes are no snapshot of a world, or one that this version or this engine cannot read."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"the snapshot cannot be used: {reason} → take an older one, or none: the log gives the same")
