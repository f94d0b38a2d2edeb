"""The inputs of a recorded game in other circumstances: with other code, or with one input changed.

Nothing is compared with the log, and what no longer fits (a player who is gone, an input that is not declared any more)
is left out and named. So everything but the one change is as it was; but players do not think again, and what they sent
later may make little sense then.

Not here: where exactly other code makes the difference (``bisect.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from eventlog import records
from games.code import Engine, GameCode
from games.errors import WorldFaulted
from games.runtime.effects import AnyEntry, Input
from games.runtime.players import InputOutcome
from replays import calls
from replays.errors import CannotReplay, NotPossible, UnknownPlayer
from replays.execution import LastScore
from replays.fitting import LeftOut
from replays.outline import Outline, outline
from replays.replay import Replay, replay, start_of
from replays.seeing import replay_at
from replays.words import handler_text


class SideBySide(msgspec.Struct, frozen=True, kw_only=True):
    """A player's score as it was, and as it is now, at the end or when it left; None where it never played."""

    player: str
    name: str
    was: float | None
    now: float | None


class Rerun(msgspec.Struct, frozen=True, kw_only=True):
    """Two courses of a world: ``tick`` is the last one of each, ``result`` how it finished, if it did."""

    world: str
    tick_was: int
    tick_now: int
    result_was: Any
    result_now: Any
    scores: list[SideBySide]
    parted_tick: int | None
    """The tick of the first record by which they are known to differ; None: the same happened in both."""
    left_out: list[LeftOut]
    broke: str | None = None
    """What broke the world now, if something did."""


class WhatIf(msgspec.Struct, frozen=True, kw_only=True):
    """A `Rerun` with one input changed: what came of it, at ``tick``, and the ``instead`` of which logged inputs."""

    tick: int
    input: str
    instead: list[str]
    status: Literal["applied", "rejected"] | None
    code: str | None
    message: str | None
    result: Any
    rerun: Rerun


def rerun(data: Path, world: str, code: GameCode) -> Rerun:
    """Play the inputs of ``world`` (a whole id) again from its beginning with ``code`` and the engine of today.

    Raises `NotPossible` for a log whose beginning is missing, `GameError` and `ArgumentProblem` if the game
    does not load with the world's settings, and the errors of ``eventlog``.
    """
    check_whole(data, world)
    was = replay(data, world).run()
    now = replay(data, world, instead=(code, Engine.current()), strict=False)
    return _side_by_side(was, now, _run(now))


def what_if(data: Path, world: str, tick: int, player: str, name: str, args: dict[str, Any], *, ticks: int) -> WhatIf:
    """See what would have come of it if ``player`` had sent this input after ``tick``, in place of what it sent there.

    Both courses run for ``ticks`` ticks, at most to the end of the log. Raises `TickOutOfRange`, `UnknownPlayer`,
    `NotPossible`, `ArgumentProblem` for an input that does not fit the game, and what `replay_at` does.
    """
    known = outline(data, world)
    was = replay_at(data, world, tick, known=known)
    if player not in was.world.players:
        raise UnknownPlayer(world, tick, player, was.world.players)
    checked = was.world.code.manifest.check_input(name, args)
    _check_possible(was, known, tick, player)
    now = replay(data, world, strict=False)
    now.go_to(was.checkpoint())
    now.fingerprint = was.fingerprint
    instead, outcome, broke = _change(now, player, name, checked)
    last = tick + ticks if tick + ticks < known.last_tick else known.end()
    was.advance(last)
    broke = broke or _advance(now, last)
    return WhatIf(
        tick=tick + 1,
        input=f"{player} {name} {msgspec.json.encode(checked).decode()}",
        instead=instead,
        status=None if outcome is None else outcome.status,
        code=None if outcome is None else outcome.code,
        message=None if outcome is None else outcome.message,
        result=msgspec.msgpack.decode(outcome.packed_result) if outcome is not None and outcome.packed_result else None,
        rerun=_side_by_side(was, now, broke),
    )


def check_whole(data: Path, world: str) -> None:
    """Raise `NotPossible` if the beginning of a log is missing: other code must have begun there, too."""
    if start_of(data, world) != "genesis":
        tick = outline(data, world).first_tick
        raise NotPossible(world, tick, "the log before this tick is missing", "take a world whose log is whole")


def _check_possible(was: Replay, known: Outline, tick: int, player: str) -> None:
    world = was.world
    if tick >= known.last_tick or world.finished is not None:
        raise NotPossible(world.id, tick, "nothing is logged after it", "name an earlier tick")
    if was.world.players[player].ended is not None:
        raise NotPossible(world.id, tick, f"{player} is out", "name an earlier tick, or another player")
    if world.clock in ("lockstep", "turn") and player not in world.to_act():
        waited = ", ".join(world.to_act()) or "nobody"
        raise NotPossible(world.id, tick, f"the next tick does not wait for {player}", f"it waits for {waited}")


def _change(
    now: Replay, player: str, name: str, args: dict[str, Any]
) -> tuple[list[str], InputOutcome | None, str | None]:
    """Run the next tick with another input. Returns what it is instead of, what came of it, and what broke."""
    world, stored = now.world, now.peek()
    logged = stored.record if stored is not None else None
    changed = Input(player=player, seq=world.players[player].next_seq, name=name, args=args)
    instead: list[str] = []
    entries: list[AnyEntry] = []
    if isinstance(logged, records.Tick) and logged.ran and logged.ticks == 1 and logged.tick == world.tick + 1:
        for entry in logged.entries:
            if isinstance(entry, records.InputEntry | records.TimeoutEntry) and entry.player == player:
                instead.append(_said(entry))
                if len(instead) == 1:
                    entries.append(changed)
            else:
                entries.append(now.runnable(logged.tick, entry))
        now.skip()
    elif stored is not None and isinstance(logged, records.Tick) and logged.ticks > 1:
        now.execute_part(stored, world.tick)  # the record of many ticks goes on behind this one
    if changed not in entries:
        entries.append(changed)
    try:
        with calls.during(world.tick + 1, world.tick + 1, ", ".join(map(handler_text, entries))):
            result = world.apply(entries, step=True)
    except WorldFaulted as fault:
        return instead, None, str(fault)
    mine = [outcome for outcome in result.outcomes if (outcome.player, outcome.seq) == (player, changed.seq)]
    return instead, mine[0] if mine else None, None


def _said(entry: records.InputEntry | records.TimeoutEntry) -> str:
    if isinstance(entry, records.TimeoutEntry):
        return f"{entry.player} was silent"
    return f"{entry.player} {entry.name} {msgspec.json.encode(entry.args).decode()}"


def _run(now: Replay) -> str | None:
    """Run to the end; returns what broke the world, if something did."""
    try:
        now.run()
    except (CannotReplay, WorldFaulted) as problem:
        return str(problem).partition(" → ")[0]
    return None


def _advance(now: Replay, tick: int) -> str | None:
    try:
        now.advance(tick)
    except (CannotReplay, WorldFaulted) as problem:
        return str(problem).partition(" → ")[0]
    return None


def _side_by_side(was: Replay, now: Replay, broke: str | None) -> Rerun:
    scores_was, scores_now = _scores(was), _scores(now)
    return Rerun(
        world=was.world.id,
        tick_was=was.world.tick,
        tick_now=now.world.tick,
        result_was=was.world.finished,
        result_now=now.world.finished,
        scores=[
            SideBySide(
                player=player,
                name=(scores_was.get(player) or scores_now[player]).name,
                was=scores_was[player].score if player in scores_was else None,
                now=scores_now[player].score if player in scores_now else None,
            )
            for player in sorted({**scores_was, **scores_now}, key=lambda player: int(player.removeprefix("p_")))
        ],
        parted_tick=now.parted_tick,
        left_out=now.fitting.left_out,
        broke=broke,
    )


def _scores(of: Replay) -> dict[str, LastScore]:
    """The scores of all who play, and of those who have left as they went."""
    seated = {player.id: LastScore(player.name, player.score) for player in of.world.players.values()}
    return {**of.left, **seated}
