"""The outline of a world's log: how far it goes, who played, and what each player was shown. No game is run.

Where the first files of a log are gone, it begins with the earliest snapshot; where it is damaged, it ends before that.

Not here: what stood in the world (``seeing.py``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.errors import FormatTooNew, LogDamaged, SnapshotDamaged
from eventlog.piece import LogEnd
from eventlog.reader import read_world, read_world_from, stands_in
from eventlog.snapshot_file import Snapshot
from eventlog.snapshots import Snapshots
from eventlog.worldbytes import WorldBytes
from replays.errors import CannotReplay, TickOutOfRange
from replays.origins import first_tick
from replays.reading import behind, log_start
from replays.standing import Standing, decode_standing


class Part(msgspec.Struct, kw_only=True):
    """A player's part in a world."""

    player: str
    seat: int
    agent: str
    name: str
    joined_tick: int
    left_tick: int | None = None
    left_reason: str | None = None


class Outline(msgspec.Struct, kw_only=True):
    """What the records of a log say without being executed."""

    world: str
    genesis: records.Genesis
    first_tick: int = 0
    """Above 0: it was forked from another world there, or the first files of the log are gone, and it can be executed
    from the earliest snapshot on."""
    last_tick: int = 0
    ended: records.Close | records.Fault | None = None
    parts: dict[str, Part] = {}
    """All who ever joined, by player, in order."""
    observed: dict[str, list[int]] = {}
    """By player the ticks of the observations that its inputs were decided on, ascending. A player was shown more, but
    only of these does the log say that they were sent."""
    visitors: dict[str, None] = {}
    """The agents that have a seat or had one."""
    faulted_ticks: list[int] = []
    """Those that broke the world."""
    claimed_ticks: list[int] = []
    """Those of which there is a checkpoint."""
    damage: LogDamaged | None = None
    """What ends it before the log does."""

    def check_tick(self, tick: int) -> int:
        """Return ``tick``. Raises `TickOutOfRange`, and `LogDamaged` for what comes after the damage."""
        if self.damage is not None and tick > self.last_tick:
            raise self.damage
        if not self.first_tick <= tick <= self.last_tick:
            raise TickOutOfRange(self.world, tick, self.first_tick, self.last_tick)
        return tick

    def end(self) -> int:
        """The tick at which the log ends. Raises `LogDamaged` if nobody can see that."""
        if self.damage is not None:
            raise self.damage
        return self.last_tick

    def last_observed(self, player: str, by_tick: int) -> int | None:
        """The tick of the last observation, up to ``by_tick``, that the log knows this player was sent; else None."""
        ticks = self.observed.get(player, [])
        place = bisect_right(ticks, by_tick)
        return ticks[place - 1] if place else None

    def go_on_from(self, standing: Standing) -> None:
        """Know what a snapshot says of the log before it, at the tick `first_tick`."""
        for entry in standing.joined:
            self._take_entry(entry, self.first_tick)
        self.visitors |= dict.fromkeys(standing.visitors)

    def take(self, stored: StoredRecord) -> None:
        """Take the next record."""
        record = stored.record
        self.last_tick = records.last_tick_of(record, self.last_tick)
        match record:
            case records.Close() | records.Fault():
                self.ended = record
                if isinstance(record, records.Fault):
                    self.faulted_ticks.append(record.tick)
            case records.Checkpoint():
                self.claimed_ticks.append(record.tick)
            case records.Tick():
                for entry in record.entries:
                    self._take_entry(entry, record.tick)

    def _take_entry(self, entry: records.Entry, tick: int) -> None:
        match entry:
            case records.JoinEntry():
                self.parts[entry.player] = Part(
                    player=entry.player, seat=entry.seat, agent=entry.agent, name=entry.name, joined_tick=tick
                )
                self.visitors[entry.agent] = None
            case records.LeaveEntry() if entry.player in self.parts:
                part = self.parts[entry.player]
                part.left_tick, part.left_reason = tick, entry.reason
            case records.InputEntry() if entry.observed_tick is not None:
                ticks = self.observed.setdefault(entry.player, [])
                if not ticks or ticks[-1] < entry.observed_tick:
                    ticks.append(entry.observed_tick)


def earliest_kept(data: Path, world: str) -> Snapshot | None:
    """The snapshot with which a log begins whose first file is gone; None if that is there, or nothing can be seen.

    Raises the errors of ``eventlog``."""
    source = WorldBytes.look(data, world)
    if source.size(1):
        return None
    snapshots = Snapshots(data, world)
    for tick in snapshots.ticks():
        try:
            snapshot = snapshots.read(tick)
        except (SnapshotDamaged, FormatTooNew):
            continue
        if source.size(snapshot.position.file) and stands_in(source, snapshot.position):
            return snapshot
    return None


class Beginning(NamedTuple):
    """The first that there is of a log: its ``outline``, the tick ``until`` which the world may have been shown there,
    and the records ``stored`` from its ``position`` on."""

    outline: Outline
    until: int
    position: LogEnd
    stored: Iterator[StoredRecord]


def beginning(data: Path, world: str) -> Beginning:
    """Where a log begins: with its genesis, or the earliest snapshot.

    Raises `CannotReplay` for a log without beginning, and the errors of ``eventlog``."""
    if WorldBytes.look(data, world).size(1):
        stored = read_world(data, world)
        first = next(stored, None)
        if first is None or not isinstance(first.record, records.Genesis):
            raise CannotReplay(world, 0, "its log does not begin with a genesis record")
        found = Outline(world=world, genesis=first.record, first_tick=first_tick(first.record))
        found.take(first)
        return Beginning(found, 0, behind(first, log_start(world)), stored)
    earliest = earliest_kept(data, world)
    if earliest is None:
        raise CannotReplay(world, 0, "the first files of its log are missing, and there is no snapshot")
    place = earliest.position
    found = Outline(world=world, genesis=earliest.genesis, first_tick=earliest.tick, last_tick=place.tick)
    standing = decode_standing(earliest.state)
    found.go_on_from(standing)
    return Beginning(found, standing.until, place, read_world_from(data, place))


def outline(data: Path, world: str) -> Outline:
    """Read the outline of ``world`` (a whole id), of a running one as far as its log goes.

    Raises as `beginning`; what is damaged further on is its end, see `Outline.damage`.
    """
    found, _, _, stored = beginning(data, world)
    try:
        for each in stored:
            found.take(each)
    except LogDamaged as damage:
        found.damage = damage
    return found
