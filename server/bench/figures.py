"""From counters to figures: what happened between the two ends of a bench's window.

Servers count from their start; a window is the difference of two readings. Pure functions over plain data: no
clock, no I/O. Times in figures are milliseconds, CPU is percent of one core.

Not here: which figure is good enough, and how figures are shown (``report.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

import msgspec

from server.bench.messages import AgentsDone
from server.histogram import Histogram
from server.messages import ShardStatistics, WorldStatistics
from server.supervisor import ServerStatistics


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution of durations, at most 9 % above the truth (the width of a histogram's bucket)."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


class WorldFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One world in the window."""

    world: str
    game: str
    shard: int
    players: int
    nodes: int
    ticks: int
    nominal_hz: float
    achieved_hz: float
    achieved_percent: float
    tick: Quantiles
    lateness: Quantiles
    overruns: int
    dilated_s: float
    observations: int
    lua_kib: float


class ProcessFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One process in the window. ``server`` is false for the agents' processes."""

    name: str
    pid: int
    server: bool
    cpu_percent: float
    rss_bytes: int


class ServerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """All worlds and processes of the server in the window."""

    window_s: float
    worlds: list[WorldFigures]
    ended_worlds: list[str]
    """Worlds that were there when the window opened and not when it closed; they are in no figure."""
    processes: list[ProcessFigures]
    server_cpu_percent: float
    tick: Quantiles
    lateness: Quantiles
    ticks: int
    achieved_hz_min: float
    achieved_percent_min: float
    overruns: int
    dilated_s: float
    observe: Quantiles
    """Time to compute one observation in the shard."""
    observations_per_tick: float
    bytes_per_observation: float
    """As MessagePack, data and text, as computed in the shard."""
    node_writes_per_tick: float
    spatial_queries_per_tick: float
    lua_kib_per_world_max: float
    shard_kib_per_world: float
    """How much the shards' memory grew from before the first world, divided by the worlds."""
    sync: Quantiles
    journal_groups_per_s: float
    journal_bytes_per_s: float


class AgentFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the agents saw in the window: the latency from sending a request to having its answer, and what came."""

    decisions: int
    inputs: int
    observes: int
    inputs_percent: float
    outcomes_per_s: float
    outcome: Quantiles
    observation: Quantiles
    applied: int
    rejected: dict[str, int]
    refused: dict[str, int]
    unanswered: int
    crashed: dict[str, int]
    json_bytes_p50: int
    """An observation as JSON, as an agent receives it (data, text, events)."""
    json_bytes_max: int


def quantiles(histogram: Histogram) -> Quantiles:
    """The figures of one histogram."""
    return Quantiles(
        count=histogram.count,
        p50_ms=_ms(histogram.quantile(0.5)),
        p99_ms=_ms(histogram.quantile(0.99)),
        max_ms=_ms(histogram.max_s),
    )


def server_figures(
    empty: ServerStatistics, start: ServerStatistics, end: ServerStatistics, *, window_s: float
) -> ServerFigures:
    """The server between ``start`` and ``end``, ``window_s`` seconds apart; ``empty`` is before the first world."""
    before = {world.world: world for shard in start.shards for world in shard.worlds}
    pairs = [
        (shard, before[world.world], world) for shard in end.shards for world in shard.worlds if world.world in before
    ]
    ticks = sum(late.ticks_run - early.ticks_run for _, early, late in pairs)
    worlds = [_world_figures(shard, early, late) for shard, early, late in pairs]
    observe = _merged(late.observation_seconds.minus(early.observation_seconds) for _, early, late in pairs)
    observations = sum(late.observations - early.observations for _, early, late in pairs)
    observation_bytes = sum(late.observation_bytes - early.observation_bytes for _, early, late in pairs)
    processes = _processes(start, end, window_s)
    grown = sum(shard.rss_bytes for shard in end.shards) - sum(shard.rss_bytes for shard in empty.shards)
    return ServerFigures(
        window_s=round(window_s, 3),
        worlds=worlds,
        ended_worlds=sorted(before.keys() - {world.world for world in worlds}),
        processes=processes,
        server_cpu_percent=round(sum(process.cpu_percent for process in processes), 1),
        tick=quantiles(_merged(late.tick_seconds.minus(early.tick_seconds) for _, early, late in pairs)),
        lateness=quantiles(_merged(late.lateness_seconds.minus(early.lateness_seconds) for _, early, late in pairs)),
        ticks=ticks,
        achieved_hz_min=min((world.achieved_hz for world in worlds), default=0.0),
        achieved_percent_min=min((world.achieved_percent for world in worlds), default=0.0),
        overruns=sum(world.overruns for world in worlds),
        dilated_s=round(sum(world.dilated_s for world in worlds), 3),
        observe=quantiles(observe),
        observations_per_tick=_ratio(observations, ticks, 4),
        bytes_per_observation=_ratio(observation_bytes, observations, 0),
        node_writes_per_tick=_ratio(sum(late.node_writes - early.node_writes for _, early, late in pairs), ticks, 1),
        spatial_queries_per_tick=_ratio(
            sum(late.spatial_queries - early.spatial_queries for _, early, late in pairs), ticks, 1
        ),
        lua_kib_per_world_max=round(max((late.lua_kib for _, _, late in pairs), default=0.0), 0),
        shard_kib_per_world=_ratio(grown / 1024, sum(len(shard.worlds) for shard in end.shards), 0),
        sync=quantiles(_since(start, end)),
        journal_groups_per_s=_ratio(_total(end, "journal_groups") - _total(start, "journal_groups"), window_s, 1),
        journal_bytes_per_s=_ratio(_total(end, "journal_bytes") - _total(start, "journal_bytes"), window_s, 0),
    )


def agent_figures(done: Sequence[AgentsDone], *, window_s: float) -> AgentFigures:
    """What all agent processes together measured."""
    outcome = _merged(part.outcome_seconds for part in done)
    observation = _merged(part.observation_seconds for part in done)
    sizes = sorted(size for part in done for size in part.json_bytes)
    decisions = outcome.count + observation.count
    return AgentFigures(
        decisions=decisions,
        inputs=outcome.count,
        observes=observation.count,
        inputs_percent=_ratio(100 * outcome.count, decisions, 1),
        outcomes_per_s=_ratio(outcome.count, window_s, 1),
        outcome=quantiles(outcome),
        observation=quantiles(observation),
        applied=sum(part.applied for part in done),
        rejected=_summed(part.rejected for part in done),
        refused=_summed(part.refused for part in done),
        unanswered=sum(part.unanswered for part in done),
        crashed=_summed(part.crashed for part in done),
        json_bytes_p50=sizes[len(sizes) // 2] if sizes else 0,
        json_bytes_max=sizes[-1] if sizes else 0,
    )


def agent_processes(done: Sequence[AgentsDone], *, window_s: float) -> list[ProcessFigures]:
    """The agents' processes: not part of the server, but on the same cores."""
    return [
        ProcessFigures(
            name=f"agents {number}",
            pid=part.pid,
            server=False,
            cpu_percent=_ratio(100 * part.cpu_s, window_s, 1),
            rss_bytes=part.rss_bytes,
        )
        for number, part in enumerate(done)
    ]


def _world_figures(shard: ShardStatistics, early: WorldStatistics, late: WorldStatistics) -> WorldFigures:
    ticks = late.ticks_run - early.ticks_run
    achieved_hz = _ratio(ticks, late.running_s - early.running_s, 2)
    return WorldFigures(
        world=late.world,
        game=late.game,
        shard=shard.shard,
        players=late.players,
        nodes=late.nodes,
        ticks=ticks,
        nominal_hz=late.tick_hz,
        achieved_hz=achieved_hz,
        achieved_percent=_ratio(100 * achieved_hz, late.tick_hz, 2),
        tick=quantiles(late.tick_seconds.minus(early.tick_seconds)),
        lateness=quantiles(late.lateness_seconds.minus(early.lateness_seconds)),
        overruns=late.overruns - early.overruns,
        dilated_s=round(late.dilated_s - early.dilated_s, 3),
        observations=late.observations - early.observations,
        lua_kib=round(late.lua_kib, 0),
    )


def _processes(start: ServerStatistics, end: ServerStatistics, window_s: float) -> list[ProcessFigures]:
    used_s = {shard.pid: shard.cpu_s for shard in start.shards} | {gate.pid: gate.cpu_s for gate in start.gateways}

    def figures(name: str, pid: int, cpu_s: float, rss_bytes: int) -> ProcessFigures:
        percent = _ratio(100 * (cpu_s - used_s.get(pid, 0.0)), window_s, 1)
        return ProcessFigures(name=name, pid=pid, server=True, cpu_percent=percent, rss_bytes=rss_bytes)

    used_s[end.supervisor_pid] = start.supervisor_cpu_s
    return [
        figures("supervisor", end.supervisor_pid, end.supervisor_cpu_s, end.supervisor_rss_bytes),
        *(figures(f"gateway {gate.gateway}", gate.pid, gate.cpu_s, gate.rss_bytes) for gate in end.gateways),
        *(figures(f"shard {shard.shard}", shard.pid, shard.cpu_s, shard.rss_bytes) for shard in end.shards),
    ]


def _since(start: ServerStatistics, end: ServerStatistics) -> Histogram:
    """The journals' syncs of the window. A shard that was restarted in it has forgotten the time before."""
    before = {shard.pid: shard.sync_seconds for shard in start.shards}
    return _merged(shard.sync_seconds.minus(before.get(shard.pid, Histogram())) for shard in end.shards)


def _total(statistics: ServerStatistics, counter: Literal["journal_groups", "journal_bytes"]) -> int:
    return sum(getattr(shard, counter) for shard in statistics.shards)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def _ratio(part: float, whole: float, digits: int) -> float:
    return round(part / whole, digits) if whole else 0.0


def _merged(histograms: Iterable[Histogram]) -> Histogram:
    total = Histogram()
    for histogram in histograms:
        total.merge(histogram)
    return total


def _summed(counts: Iterable[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for key, count in part.items():
            total[key] = total.get(key, 0) + count
    return dict(sorted(total.items(), key=lambda item: -item[1]))
