"""The server's figures for Prometheus: each one, its labels, and what it means.

Every process counts for itself and tells the supervisor when it is asked. Here all of it becomes one page, in which no
counter ever runs backwards: what a process had counted that has died or does not answer stays in the sums, as it was
when it answered last.

The label values of a figure are few and known; none holds anything that a client has chosen.

Not here: what is counted where (``server/shard/meters.py``, ``server/gateway/gateway.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from server.histogram import BUCKETS_PER_DOUBLING, SMALLEST_S, Histogram
from server.messages import GatewayStatistics, ShardStatistics, WorldCounters
from worldline import protocol

PREFIX: Final = "worldline"
FIRST_DOUBLING: Final = 4
LAST_DOUBLING: Final = 24
"""Bucket bounds are 1 µs doubled so often: from 16 µs to 17 s. They are bounds of our own histograms too, so counts are
exact."""


class ProcessUse(msgspec.Struct, frozen=True):
    """What a process has used that is not asked for anything else."""

    name: str
    cpu_s: float
    rss_bytes: int


class ServerStatistics(msgspec.Struct, kw_only=True):
    """What the server has done and used since its start. A child that does not answer is left out."""

    shards: list[ShardStatistics]
    gateways: list[GatewayStatistics]
    supervisor_pid: int
    supervisor_cpu_s: float
    supervisor_rss_bytes: int
    replayers: list[ProcessUse] = []


class Metrics:
    """Keeps the sums of one server."""

    def __init__(self) -> None:
        self._shards: dict[int, ShardStatistics] = {}  # by pid: the last answer of those that live
        self._gateways: dict[int, GatewayStatistics] = {}
        self._counted = WorldCounters()  # by those that have died, likewise the next three
        self._sync_seconds = Histogram()
        self._snapshot_seconds = Histogram()
        self._refusals: Counter[str] = Counter()
        self._disconnects: Counter[str] = Counter()
        self._requests = 0
        self._restarts: Counter[str] = Counter()
        self._checked_ticks = 0
        self._divergences = 0
        self._check_failures: Counter[str] = Counter({"damaged": 0, "cannot": 0, "lost": 0})

    def shard_died(self, cause: str) -> None:
        """A shard has died while the server runs, and is replaced."""
        self._restarts[cause] += 1

    def world_checked(self, ticks: int) -> None:
        """So many ticks of a world were computed again, and came out the same."""
        self._checked_ticks += ticks

    def world_diverged(self) -> None:
        """A world did not come out the same."""
        self._divergences += 1

    def check_failed(self, cause: str) -> None:
        """A world could not be computed again."""
        self._check_failures[cause] += 1

    def take(self, answers: ServerStatistics, living: Iterable[int]) -> None:
        """Take in what the processes have answered. ``living`` are the process ids of all that are there."""
        self._shards |= {answer.pid: answer for answer in answers.shards}
        self._gateways |= {answer.pid: answer for answer in answers.gateways}
        there = set(living)
        for pid in self._shards.keys() - there:
            shard = self._shards.pop(pid)
            self._counted.add(shard.counters)
            self._sync_seconds.merge(shard.sync_seconds)
            self._snapshot_seconds.merge(shard.snapshot_hold_seconds)
        for pid in self._gateways.keys() - there:
            gateway = self._gateways.pop(pid)
            self._refusals.update(gateway.refusals)
            self._disconnects.update(gateway.disconnects)
            self._requests += gateway.requests

    def page(self, supervisor: ServerStatistics, worlds: Sequence[protocol.WorldSummary]) -> bytes:
        """The page as Prometheus reads it. ``worlds`` are those that the lobby lists."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(
            _Page([*self._of_worlds(worlds), *self._of_checks(), *self._of_clients(), *self._of_processes(supervisor)])
        )
        return generate_latest(registry)

    # --- the figures ---------------------------------------------------------------------------------

    def _of_worlds(self, worlds: Sequence[protocol.WorldSummary]) -> Iterator[Metric]:
        counted = WorldCounters()
        sync_seconds, snapshot_seconds = Histogram(), Histogram()
        for counters in (self._counted, *(shard.counters for shard in self._shards.values())):
            counted.add(counters)
        for sync in (self._sync_seconds, *(shard.sync_seconds for shard in self._shards.values())):
            sync_seconds.merge(sync)
        for hold in (self._snapshot_seconds, *(shard.snapshot_hold_seconds for shard in self._shards.values())):
            snapshot_seconds.merge(hold)
        yield _histogram("tick_seconds", "Time of one tick of one world.", counted.tick_seconds)
        yield _histogram(
            "tick_lateness_seconds", "How long after its due time a tick began.", counted.tick_lateness_seconds
        )
        yield _counter(
            "ticks_delayed",
            "Ticks that delayed their world, because they took too long or because their shard was busy.",
            "cause",
            {"slow_tick": counted.slow_ticks, "busy_shard": counted.late_ticks},
        )
        yield _counter(
            "inputs",
            "Inputs by what became of them; failed: the game raised.",
            "outcome",
            {"applied": 0, "rejected": 0, "failed": 0} | counted.inputs,
        )
        yield _histogram(
            "input_to_durable_seconds",
            "From an input's arrival in its shard until its outcome was durable.",
            counted.input_to_durable_seconds,
        )
        yield _counter("observations", "Observations computed.", None, {"": counted.observation_seconds.count})
        yield _histogram("observation_seconds", "Time to compute an observation.", counted.observation_seconds)
        yield _histogram("journal_sync_seconds", "Time of one sync of a journal.", sync_seconds)
        yield _histogram("snapshot_seconds", "How long a snapshot held up the ticks.", snapshot_seconds)
        yield _gauge(
            "inbox_depth",
            "Inputs, joins and leaves that wait for a tick.",
            None,
            {"": sum(shard.inbox_depth for shard in self._shards.values())},
        )
        yield _gauge("worlds", "Worlds that the lobby lists, by status.", "status", _by_status(worlds))

    def _of_checks(self) -> Iterator[Metric]:
        yield _counter(
            "checked_ticks", "Ticks that were computed again and came out the same.", None, {"": self._checked_ticks}
        )
        yield _counter("divergences", "Worlds that did not come out the same.", None, {"": self._divergences})
        yield _counter(
            "check_failures", "Worlds that could not be computed again, by cause.", "cause", self._check_failures
        )

    def _of_clients(self) -> Iterator[Metric]:
        gateways = self._gateways.values()
        refusals, disconnects = Counter(self._refusals), Counter(self._disconnects)
        for gateway in gateways:
            refusals.update(gateway.refusals)
            disconnects.update(gateway.disconnects)
        requests = self._requests + sum(gateway.requests for gateway in gateways)
        roles = {"spectator": 0, "agent": 0, "developer": 0}
        for gateway in gateways:
            for role, count in gateway.roles.items():
                roles[role] += count
        yield _counter("requests", "Requests that came in.", None, {"": requests})
        yield _counter("refusals", "Requests that were refused, by error code.", "code", refusals)
        yield _gauge("connections", "Connections that have said hello, by role.", "role", roles)
        yield _counter("disconnects", "Connections that have ended, by cause.", "cause", disconnects)
        yield _gauge(
            "outbox_bytes",
            "What clients have not read yet.",
            None,
            {"": sum(gateway.outbox_bytes for gateway in gateways)},
        )

    def _of_processes(self, supervisor: ServerStatistics) -> Iterator[Metric]:
        yield _counter("shard_restarts", "Shards that have died and were replaced, by cause.", "cause", self._restarts)
        cpu_s = {"supervisor": supervisor.supervisor_cpu_s}
        rss_bytes = {"supervisor": float(supervisor.supervisor_rss_bytes)}
        for shard in self._shards.values():
            cpu_s[f"shard-{shard.shard:02}"] = shard.cpu_s
            rss_bytes[f"shard-{shard.shard:02}"] = shard.rss_bytes
        for gateway in self._gateways.values():
            cpu_s[f"gateway-{gateway.gateway:02}"] = gateway.cpu_s
            rss_bytes[f"gateway-{gateway.gateway:02}"] = gateway.rss_bytes
        for replayer in supervisor.replayers:
            cpu_s[replayer.name], rss_bytes[replayer.name] = replayer.cpu_s, replayer.rss_bytes
        yield _counter("process_cpu_seconds", "Processor time, of each process that lives.", "process", cpu_s)
        yield _gauge("process_resident_bytes", "Memory, of each process that lives.", "process", rss_bytes)


class _Page(Collector):
    """Families that were made elsewhere, as the library's registry wants them."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """All of them."""
        return self._families


def _by_status(worlds: Sequence[protocol.WorldSummary]) -> dict[str, float]:
    statuses: tuple[protocol.WorldStatus, ...] = protocol.WORLD_STATUSES
    return {status: sum(world.status == status for world in worlds) for status in statuses}


def _counter(name: str, says: str, label: str | None, values: Mapping[str, float]) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", says, labels=[label] if label else [])
    for value, count in sorted(values.items()):
        family.add_metric([value] if label else [], count)
    return family


def _gauge(name: str, says: str, label: str | None, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", says, labels=[label] if label else [])
    for value, level in sorted(values.items()):
        family.add_metric([value] if label else [], level)
    return family


def _histogram(name: str, says: str, durations: Histogram) -> Metric:
    buckets: list[tuple[str, float]] = []
    below = 0
    counts = sorted(durations.counts.items())
    for doubling in range(FIRST_DOUBLING, LAST_DOUBLING + 1):
        while counts and counts[0][0] <= doubling * BUCKETS_PER_DOUBLING:
            below += counts.pop(0)[1]
        buckets.append((repr(SMALLEST_S * 2.0**doubling), below))
    buckets.append(("+Inf", durations.count))
    return HistogramMetricFamily(f"{PREFIX}_{name}", says, buckets=buckets, sum_value=durations.total_s)
