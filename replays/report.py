"""Reports of divergences: all that is known about a world that is not the same when it is computed again.

    running = replay(data, world)
    try:
        running.run()
    except Diverged as error:
        write_report(divergence_report(running, error), path)

What the log says of a world are fingerprints, outcomes and checkpoints, not states. So the recorded state is that of
the first snapshot on disk from the divergence on, and the recomputed one that of the same tick, to which the world is
let run on. Without such a snapshot only the recomputed state is known.

A report is one JSON object, `Report`; ``worldline replay explain`` opens it. Not here: how it is printed, and who looks
for divergences (``verify.py``).

Invariant: making a report changes nothing in the data folder.
"""

from __future__ import annotations

import time
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from eventlog import records
from eventlog.disk import RealDisk, write_new
from eventlog.errors import EventLogError
from eventlog.snapshots import Snapshots
from games.errors import GameError, SnapshotUnreadable, WorldFaulted
from games.runtime.plain import plain_state
from games.runtime.sandbox import lua_version
from games.runtime.world import World
from replays.differences import Difference, differences
from replays.errors import Diverged, ReplayError
from replays.replay import Replay
from replays.seeing import AppliedInput, inputs_between
from replays.standing import decode_standing

FORMAT: Final = "worldline divergence report"
VERSION: Final = 1
MAX_DIFFERENCES: Final = 10_000
"""Of a state; a world that went another way long ago differs nearly everywhere."""


class ReportUnreadable(ReplayError):
    """The file is no report, or one that this version does not know."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"{path} is no report of a divergence: {reason} → make one with `worldline replay verify --reports DIR`"
        )
        self.path = path


class OtherOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What the log says of an input, and what came of it now; None where one of them knows nothing of it."""

    player: str
    seq: int
    recorded: str | None
    recomputed: str | None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A divergence. ``tick``, ``file`` and ``offset`` name the record that differs; everything was the same up to
    ``since_tick``. ``expected`` is what the log says, ``got`` what was computed, both in hexadecimal digits: of a
    fingerprint, or the state's hash of a ``checkpoint``."""

    format: Literal["worldline divergence report"] = FORMAT
    version: int = VERSION
    made_ms: int
    """Unix time in milliseconds."""
    world: str
    game: str
    tick: int
    since_tick: int
    file: str
    offset: int
    """In bytes."""
    record: str
    """What kind of record: tick, beat, checkpoint …"""
    checkpoint: str | None
    expected: str
    got: str
    problem: str
    inputs: list[AppliedInput]
    """Of the ticks from ``since_tick`` to ``tick``, as the log has them."""
    outcomes: list[OtherOutcome]
    """Of those inputs that came out otherwise."""
    states_tick: int
    """The tick of both states."""
    recorded: dict[str, Any] | None
    """None if there is no snapshot to know it from."""
    recomputed: dict[str, Any] | None
    """None if the world breaks before that tick now."""
    differences: list[Difference]
    """Of the two states; at most 10,000."""
    code: str
    engine: str
    """Digests of what it was computed with."""
    versions_recorded: dict[str, str]
    versions_here: dict[str, str]


def divergence_report(running: Replay, error: Diverged) -> Report:
    """Say all that is known of ``error``, which a step of ``running`` has raised. ``running`` goes on from there."""
    stored = running.peek()
    record = None if stored is None else stored.record
    code, engine = running.world.code.digest, running.world.engine.digest
    # A fingerprint does not cover what nobody has seen yet: a state may differ since the last one that was compared.
    since = min(running.confirmed_tick if error.checkpoint else running.compared_tick, error.tick)
    outcomes = [] if record is None else _other_outcomes(record, running.outcomes)
    states_tick, recorded, recomputed = _states(running, error)
    found: list[Difference] = []
    if recorded is not None and recomputed is not None:
        for difference in differences(recorded, recomputed):
            found.append(difference)
            if len(found) == MAX_DIFFERENCES:
                break
    return Report(
        made_ms=time.time_ns() // 1_000_000,
        world=error.world,
        game=running.genesis.game,
        tick=error.tick,
        since_tick=since,
        file=error.file,
        offset=error.offset,
        record="" if record is None else records.NAME_OF[type(record)],
        checkpoint=error.checkpoint or None,
        expected=error.expected.hex(),
        got=error.got.hex(),
        problem=str(error),
        inputs=_inputs(running, since, error.tick),
        outcomes=outcomes,
        states_tick=states_tick,
        recorded=recorded,
        recomputed=recomputed,
        differences=found,
        code=code,
        engine=engine,
        versions_recorded=running.genesis.versions,
        versions_here=versions_here(),
    )


def versions_here() -> dict[str, str]:
    """Of what a world depends on beside its code and engine, as the genesis of a log has them, here."""
    return {"lua": lua_version(), **{name: _version(name) for name in ("lupa", "worldline")}}


@cache  # each new world says it, and reading it takes a millisecond
def _version(package: str) -> str:
    return metadata.version(package)


def cannot_promise(recorded: dict[str, str]) -> str | None:
    """Why a difference proves nothing: another LuaJIT has played the world; None if it was the one that is here."""
    then, here = recorded.get("lua"), lua_version()
    if then is None or then == here:
        return None
    return f"it was played with {then}, here is {here}, and that the same comes out of both is not promised"


def write_report(report: Report, path: Path) -> None:
    """Write a report to a new file, durably. Raises OSError."""
    write_new(RealDisk(), path, msgspec.json.encode(report))


def read_report(path: Path) -> Report:
    """Read what `write_report` wrote. Raises `ReportUnreadable`, and OSError."""
    content = path.read_bytes()
    try:
        head = msgspec.json.decode(content, type=_Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReportUnreadable(path, f"it does not begin as one ({error})") from error
    if head.version > VERSION:
        raise ReportUnreadable(path, f"it has form {head.version}, this version reads form {VERSION}")
    try:
        return msgspec.json.decode(content, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReportUnreadable(path, str(error)) from error


class _Head(msgspec.Struct):
    format: Literal["worldline divergence report"]
    version: int


def in_short(report: Report) -> list[str]:
    """What differs, in a few lines: outcomes first, then the game's own state, then the rest."""
    lines = [
        f"{each.player} seq {each.seq} was {each.recorded or 'not noted'}, now {each.recomputed or 'not noted'}"
        for each in report.outcomes
    ]
    for each in sorted(report.differences, key=lambda each: not each.path.startswith("state.")):
        was, now = (_text(value) for value in (each.a, each.b))
        lines.append(f"{each.path} at tick {report.states_tick} was {was}, now {now}")
    return lines


def _text(value: Any) -> str:
    text = "nothing" if value is msgspec.UNSET else msgspec.json.encode(value).decode()
    return text if len(text) <= 60 else f"{text[:59]}…"


def _states(running: Replay, error: Diverged) -> tuple[int, dict[str, Any] | None, dict[str, Any] | None]:
    """The tick of both states, the recorded and the recomputed one."""
    snapshots = Snapshots(running.data, error.world)
    later = sorted(snapshots.usable(), key=lambda each: each.tick)
    for snapshot in (each for each in later if each.tick >= error.tick):
        try:
            code, engine = running.load(snapshot.genesis, snapshot.code, snapshot.engine)
            then = World.restore(code, decode_standing(snapshot.state).snapshot, engine=engine)
        except (SnapshotUnreadable, GameError, EventLogError):
            continue  # a later one, or none
        recorded = plain_state(then)
        then.close()
        return snapshot.tick, recorded, _recomputed(running, snapshot.tick)
    claimed = running.claimed_state(error.tick) if error.checkpoint else None
    return (error.tick, None, _recomputed(running, error.tick if claimed else running.world.tick))


def _recomputed(running: Replay, tick: int) -> dict[str, Any] | None:
    """The state after ``tick`` as it is computed, which may be behind where ``running`` stands."""
    claimed = running.claimed_state(tick)
    if claimed is not None:
        then = World.restore(running.world.code, claimed, engine=running.world.engine)
        found = plain_state(then)
        then.close()
        return found
    running.strict = False
    try:
        running.advance(tick)
    except (ReplayError, WorldFaulted, EventLogError, GameError):
        return None  # it breaks, or its log does: what it would have come to is not known
    return plain_state(running.world) if running.world.faulted is None else None


def _other_outcomes(record: records.Record, now: list[records.OutcomeNote]) -> list[OtherOutcome]:
    if not isinstance(record, records.Tick | records.Beat | records.Close | records.Fault):
        return []
    then = {(note.player, note.seq): _outcome(note) for note in record.outcomes}
    found = {(note.player, note.seq): _outcome(note) for note in now}
    return [
        OtherOutcome(player=player, seq=seq, recorded=then.get((player, seq)), recomputed=found.get((player, seq)))
        for player, seq in dict.fromkeys((*then, *found))
        if then.get((player, seq)) != found.get((player, seq))
    ]


def _outcome(note: records.OutcomeNote) -> str:
    return f"{note.status} ({note.code})" if note.code else note.status


def _inputs(running: Replay, first_tick: int, last_tick: int) -> list[AppliedInput]:
    try:
        return list(inputs_between(running.data, running.genesis.world, first_tick, last_tick))
    except EventLogError:
        return []  # the log is damaged as well: that has an error of its own
