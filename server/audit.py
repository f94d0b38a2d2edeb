"""Is every outcome that an agent was told in the logs, once? "Acknowledged is durable", checked by bench and demo.

The logs are read from disk with the log's own reader, so every byte's checks hold as well: a damaged log fails the
audit even if no outcome of this run is in it. They may be read while a server writes them: what an agent was told
before the reading began must be there. How the last inputs came out is noted by a record that may not have come yet.

Not here: re-execution (whether the log leads to the same world).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from eventlog import records
from eventlog.errors import EventLogError
from eventlog.reader import read_world
from eventlog.store import Store

PROBLEMS_NAMED: Final = 10


class Acknowledged(msgspec.Struct, frozen=True, array_like=True):
    """An outcome that an agent was told: it must be in the log, at this tick, with this status."""

    world: str
    player: str
    seq: int
    tick: int
    status: str


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What the logs say about the acknowledged outcomes. Good if ``lost`` is 0 and there is no problem."""

    acknowledged: int
    found: int
    doubled: int
    """Inputs, or their outcomes, that a log has more than once."""
    logged: int
    """Outcomes in the logs of the worlds that were played; an agent may have stopped before it heard of one."""
    worlds_read: int
    problems: list[str]
    """The first few, for people."""

    @property
    def lost(self) -> int:
        """Acknowledged outcomes that the logs do not have as they were told."""
        return self.acknowledged - self.found

    @property
    def good(self) -> bool:
        """Whether nothing that was acknowledged is missing or different, and every log is whole."""
        return not self.lost and not self.problems


def audit(data: Path, acknowledged: Iterable[Acknowledged], *, all_worlds: bool = True) -> Audit:
    """Look for each acknowledged outcome in the logs under ``data``: world, player, seq, tick and status.

    Every log is read; without ``all_worlds`` only those of worlds that somebody was told of.
    """
    told = list(acknowledged)
    played = {outcome.world for outcome in told}
    logged: dict[tuple[str, str, int], tuple[int, str | None]] = {}
    problems: list[str] = []
    doubled = 0
    worlds = Store.read_only(data).world_ids() if all_worlds else sorted(played)
    for world in worlds:
        try:
            for player, seq, tick, status in _outcomes(data, world):
                key = (world, player, seq)
                if key in logged:
                    doubled += 1
                    problems.append(f"{world}: {player} seq {seq} is in the log twice, the second time at tick {tick}")
                elif world in played:
                    logged[key] = (tick, status)
        except EventLogError as error:
            problems.append(str(error))
    found = 0
    for outcome in told:
        kept = logged.get((outcome.world, outcome.player, outcome.seq))
        if kept in ((outcome.tick, outcome.status), (outcome.tick, None)):
            found += 1
        else:
            what = "is not in the log" if kept is None else f"is {kept[1]} at tick {kept[0]} in the log"
            problems.append(
                f"{outcome.world}: {outcome.player} was told that its seq {outcome.seq} was {outcome.status} "
                f"at tick {outcome.tick}; it {what}"
            )
    return Audit(
        acknowledged=len(told),
        found=found,
        doubled=doubled,
        logged=len(logged),
        worlds_read=len(worlds),
        problems=[*problems[:PROBLEMS_NAMED], *_rest(len(problems) - PROBLEMS_NAMED)],
    )


def _outcomes(data: Path, world: str) -> Iterator[tuple[str, int, int, str | None]]:
    """Every outcome in one log: player, seq, tick, status.

    It is noted in a record after its input's: for inputs of the last tick that has any, the status may be None.
    """
    ticks: dict[tuple[str, int], int] = {}
    last: dict[tuple[str, int], int] = {}  # of the record that no other has followed which could note outcomes
    for stored in read_world(data, world):
        record = stored.record
        if isinstance(record, records.Tick | records.Beat | records.Fault | records.Close):
            ticks |= last
            last = {}
            for note in record.outcomes:
                tick = ticks.pop((note.player, note.seq), None)
                if tick is not None:
                    yield note.player, note.seq, tick, note.status
        if isinstance(record, records.Tick):
            for entry in record.entries:
                if isinstance(entry, records.InputEntry):
                    last[entry.player, entry.seq] = record.tick
    for (player, seq), tick in last.items():
        yield player, seq, tick, None


def _rest(count: int) -> list[str]:
    return [f"and {count} more"] if count > 0 else []


# --- what somebody was told, on disk -------------------------------------------------------------------


def to_line(outcome: Acknowledged) -> bytes:
    """One JSON object on one line."""
    return msgspec.json.encode(msgspec.structs.asdict(outcome)) + b"\n"


def read_lines(path: Path) -> list[Acknowledged]:
    """Read what was written with `to_line`, up to the last whole line. Raises OSError, `msgspec.ValidationError`."""
    lines = path.read_bytes().split(b"\n")[:-1]
    return [Acknowledged(**msgspec.json.decode(line)) for line in lines]
