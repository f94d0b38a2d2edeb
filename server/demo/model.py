"""What a demo shows at one moment, as plain data, and how readings of the server become that.

Pure: no clock, no I/O, no drawing. Rates and times of a world are those between the last two readings, so that the
display tells of now and not of the average since the start.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from server.demo.killing import Kill
from server.messages import WorldStatistics
from server.supervisor import ServerStatistics
from worldline.protocol import PlayerSummary, WorldSummary


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened. ``kind`` chooses its colour; ``notable`` ones are shown without a terminal, too."""

    text: str
    kind: str = "server"
    """join, leave, applied, rejected, waiting, world or server."""
    world: str = ""
    tick: int | None = None
    player: str = ""
    seat: int | None = None
    note: str = ""
    notable: bool = False


class WorldRow(msgspec.Struct, frozen=True, kw_only=True):
    """One running world in the table. Times are in milliseconds; None until there are two readings."""

    world: str
    game: str
    tick: int
    players: list[PlayerSummary]
    hz: float | None = None
    tick_p50_ms: float | None = None
    tick_p99_ms: float | None = None
    late_p99_ms: float | None = None
    dilated_s: float = 0.0


class Seated(Protocol):
    """A player as the map and the line below it need it."""

    @property
    def name(self) -> str:
        """What others see."""

    @property
    def seat(self) -> int:
        """Its number on the map."""

    @property
    def score(self) -> float:
        """How it stands."""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """What the map shows."""

    world: str
    tick: int
    view: Any
    players: list[PlayerSummary]


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that is on the display at one moment. ``lines`` are the latest, newest last, of ``lines_ever`` so far."""

    title: str
    up_s: float
    worlds: Sequence[WorldRow]
    scene: Scene | None
    lines: Sequence[Line]
    lines_ever: int
    kill: Kill | None = None
    """The latest kill of a tick worker."""
    keys: bool = False
    """Whether keys can be pressed."""


def world_rows(
    summaries: Sequence[WorldSummary], earlier: ServerStatistics | None, later: ServerStatistics | None
) -> list[WorldRow]:
    """The worlds that run, oldest first, with what two readings of the server say about each."""
    before, after = _by_world(earlier), _by_world(later)
    running = [summary for summary in reversed(summaries) if summary.status in ("waiting", "running")]
    return [_row(summary, *_pair(before.get(summary.world), after.get(summary.world))) for summary in running]


def best_players(row: WorldRow, count: int) -> list[PlayerSummary]:
    """The leading players of a world, best first."""
    return sorted(row.players, key=lambda player: (-player.score, player.seat))[:count]


def _row(summary: WorldSummary, before: WorldStatistics | None, after: WorldStatistics | None) -> WorldRow:
    row = WorldRow(
        world=summary.world,
        game=summary.game,
        tick=max(summary.tick, after.tick if after is not None else 0),
        players=summary.players,
        dilated_s=after.dilated_s if after is not None else 0.0,
    )
    if before is None or after is None or after.running_s <= before.running_s:
        return row
    ticks = after.tick_seconds.minus(before.tick_seconds)
    return msgspec.structs.replace(
        row,
        hz=(after.ticks_run - before.ticks_run) / (after.running_s - before.running_s),
        tick_p50_ms=1000 * ticks.quantile(0.5),
        tick_p99_ms=1000 * ticks.quantile(0.99),
        late_p99_ms=1000 * after.lateness_seconds.minus(before.lateness_seconds).quantile(0.99),
    )


def _pair(
    before: tuple[int, WorldStatistics] | None, after: tuple[int, WorldStatistics] | None
) -> tuple[WorldStatistics | None, WorldStatistics | None]:
    """Two readings that can be compared: a world that has another process now has begun to count anew there."""
    comparable = before is not None and after is not None and before[0] == after[0]
    return before[1] if before is not None and comparable else None, None if after is None else after[1]


def _by_world(statistics: ServerStatistics | None) -> Mapping[str, tuple[int, WorldStatistics]]:
    """The process and the reading of each world."""
    if statistics is None:
        return {}
    return {world.world: (shard.pid, world) for shard in statistics.shards for world in shard.worlds}
