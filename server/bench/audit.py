"""Is every outcome that an agent was told in the logs? The promise "acknowledged is durable", checked after each bench.

All logs of the data folder are read from disk with the log's own reader, so every byte's checks hold as well: a damaged
log fails the audit even if no outcome of this run is in it.

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
from server.bench.messages import Acknowledged

PROBLEMS_NAMED: Final = 10


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What the logs say about the acknowledged outcomes. Good if ``found == acknowledged`` and there is no problem."""

    acknowledged: int
    found: int
    logged: int
    """Outcomes in the logs of the worlds that were played; an agent may have stopped before it heard of one."""
    worlds_read: int
    problems: list[str]
    """The first few, for people."""

    @property
    def good(self) -> bool:
        """Whether nothing that was acknowledged is missing or different, and every log is whole."""
        return self.found == self.acknowledged and not self.problems


def audit(data: Path, acknowledged: Iterable[Acknowledged]) -> Audit:
    """Read every log under ``data`` and look for each acknowledged outcome: world, player, seq, tick and status."""
    told = list(acknowledged)
    played = {outcome.world for outcome in told}
    logged: dict[tuple[str, str, int], tuple[int, str]] = {}
    problems: list[str] = []
    worlds = Store.read_only(data).world_ids()
    for world in worlds:
        try:
            for player, seq, tick, status in _outcomes(data, world):
                key = (world, player, seq)
                if key in logged:
                    problems.append(
                        f"{world}: {player} seq {seq} has two outcomes in the log, the second at tick {tick}"
                    )
                elif world in played:
                    logged[key] = (tick, status)
        except EventLogError as error:
            problems.append(str(error))
    found = 0
    for outcome in told:
        kept = logged.get((outcome.world, outcome.player, outcome.seq))
        if kept == (outcome.tick, outcome.status):
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
        logged=len(logged),
        worlds_read=len(worlds),
        problems=[*problems[:PROBLEMS_NAMED], *_rest(len(problems) - PROBLEMS_NAMED)],
    )


def _outcomes(data: Path, world: str) -> Iterator[tuple[str, int, int, str]]:
    """Every outcome in one log: player, seq, tick, status. An outcome is noted in a record after its input's."""
    ticks: dict[tuple[str, int], int] = {}
    for stored in read_world(data, world):
        record = stored.record
        if isinstance(record, records.Tick | records.Beat | records.Fault | records.Close):
            for note in record.outcomes:
                tick = ticks.pop((note.player, note.seq), None)
                if tick is not None:
                    yield note.player, note.seq, tick, note.status
        if isinstance(record, records.Tick):
            for entry in record.entries:
                if isinstance(entry, records.InputEntry):
                    ticks[entry.player, entry.seq] = record.tick


def _rest(count: int) -> list[str]:
    return [f"and {count} more"] if count > 0 else []
