"""A bench's figures are those of its window: what happened before it and outside of it does not count."""

from __future__ import annotations

import copy

import msgspec
import pytest

from server.audit import Audit
from server.bench.figures import agent_figures, agent_processes, server_figures
from server.bench.machine import Machine
from server.bench.messages import AgentsDone
from server.bench.options import BenchOptions
from server.bench.report import BenchReport, closing_lines, goals_of, sections
from server.bench.run import Run
from server.histogram import Histogram
from server.messages import GatewayStatistics, ShardStatistics, WorldStatistics
from server.supervisor import ServerStatistics


def world(name: str) -> WorldStatistics:
    return WorldStatistics(
        world=name, game="tsunami", tick_hz=60.0, tick=600, players=8, ticks_run=600, running_s=10.0,
        tick_seconds=Histogram(), lateness_seconds=Histogram(), observation_seconds=Histogram(), overruns=3,
        dilated_s=0.5, observation_bytes=5_000, observations=10, lua_kib=2048.0, nodes=2100, node_writes=9_000,
        spatial_queries=1_200,
    )  # fmt: skip


def server(*worlds: WorldStatistics, cpu_s: float = 1.0, rss_bytes: int = 100 * 2**20) -> ServerStatistics:
    shard = ShardStatistics(
        request=1, shard=0, pid=11, cpu_s=cpu_s, rss_bytes=rss_bytes, journal_groups=100, journal_bytes=10_000,
        sync_seconds=Histogram(), worlds=list(worlds),
        snapshots=3,
        snapshot_bytes=120_000,
        snapshot_hold_seconds=Histogram(),
        tail_s=0.1,
    )  # fmt: skip
    gateway = GatewayStatistics(
        request=2, gateway=0, pid=12, cpu_s=2 * cpu_s, rss_bytes=1, connections=8, requests=1, refusals={}
    )
    return ServerStatistics(
        shards=[shard], gateways=[gateway], supervisor_pid=13, supervisor_cpu_s=cpu_s / 2, supervisor_rss_bytes=1
    )


def later(start: ServerStatistics, *, seconds: float, ticks: int, tick_s: float) -> ServerStatistics:
    """``start``, after each world has run ``ticks`` ticks of ``tick_s`` in ``seconds``."""
    end = copy.deepcopy(start)
    for each in end.shards[0].worlds:
        each.ticks_run += ticks
        each.running_s += seconds
        each.node_writes += 5 * ticks
        each.spatial_queries += 2 * ticks
        each.observations += 30
        each.observation_bytes += 30 * 2000
        for _ in range(ticks):
            each.tick_seconds.record(tick_s)
            each.lateness_seconds.record(tick_s / 2)
    end.shards[0].cpu_s += 0.1 * seconds
    end.shards[0].journal_groups += 200
    end.gateways[0].cpu_s += 0.2 * seconds
    end.supervisor_cpu_s += 0.01 * seconds
    return end


def test_figures_are_differences_between_the_ends_of_the_window() -> None:
    start = server(world("w_1"), world("w_2"))
    for each in start.shards[0].worlds:
        each.tick_seconds.record(3.0)  # before the window: must not be seen
    end = later(start, seconds=10.0, ticks=600, tick_s=0.0002)
    end.shards[0].worlds[1].ticks_run -= 6
    figures = server_figures(server(rss_bytes=60 * 2**20), start, end, window_s=10.0)
    assert figures.ticks == 1194
    assert [each.achieved_hz for each in figures.worlds] == [60.0, 59.4]
    assert (figures.achieved_hz_min, figures.achieved_percent_min) == (59.4, 99.0)
    assert figures.tick.p99_ms == pytest.approx(0.2, rel=0.1)
    assert figures.tick.max_ms < 1
    assert figures.lateness.p50_ms == pytest.approx(0.1, rel=0.1)
    assert (figures.overruns, figures.dilated_s) == (0, 0.0)
    assert figures.bytes_per_observation == 2000
    assert figures.observations_per_tick == pytest.approx(60 / 1194, abs=1e-4)
    assert figures.node_writes_per_tick == pytest.approx(6000 / 1194, abs=0.05)
    assert figures.shard_kib_per_world == 20 * 1024
    assert figures.journal_groups_per_s == 20.0
    assert {process.name: process.cpu_percent for process in figures.processes} == {
        "supervisor": 1.0, "gateway 0": 20.0, "shard 0": 10.0,
    }  # fmt: skip
    assert figures.server_cpu_percent == 31.0


def test_a_world_that_ended_in_the_window_is_named_and_in_no_figure() -> None:
    start = server(world("w_1"), world("w_2"))
    end = later(start, seconds=10.0, ticks=600, tick_s=0.0002)
    del end.shards[0].worlds[0]
    figures = server_figures(server(), start, end, window_s=10.0)
    assert figures.ended_worlds == ["w_1"]
    assert [each.world for each in figures.worlds] == ["w_2"]


def test_a_shard_that_was_replaced_counts_from_its_own_start() -> None:
    start = server(world("w_1"))
    end = later(start, seconds=10.0, ticks=600, tick_s=0.0002)
    end.shards[0].pid, end.shards[0].cpu_s = 99, 0.5
    end.shards[0].sync_seconds.record(0.002)
    figures = server_figures(server(), start, end, window_s=10.0)
    assert next(process.cpu_percent for process in figures.processes if process.pid == 99) == 5.0
    assert figures.sync.count == 1


def done(pid: int, outcome_s: float) -> AgentsDone:
    outcomes, observations = Histogram(), Histogram()
    for _ in range(30):
        outcomes.record(outcome_s)
    for _ in range(10):
        observations.record(0.001)
    return AgentsDone(
        pid=pid, cpu_s=0.4, rss_bytes=5, outcome_seconds=outcomes, observation_seconds=observations,
        json_bytes=[1000, 3000], applied=25, rejected={"too_far": 5}, refused={"rate_limited": 1}, unanswered=0,
        crashed={},
    )  # fmt: skip


def test_agents_of_all_processes_count_together() -> None:
    figures = agent_figures([done(1, 0.010), done(2, 0.030)], window_s=10.0)
    assert (figures.decisions, figures.inputs, figures.observes, figures.inputs_percent) == (80, 60, 20, 75.0)
    assert figures.outcomes_per_s == 6.0
    assert figures.outcome.p50_ms == pytest.approx(10, rel=0.1)
    assert figures.outcome.p99_ms == pytest.approx(30, rel=0.1)
    assert (figures.applied, figures.rejected, figures.refused) == (50, {"too_far": 10}, {"rate_limited": 2})
    assert (figures.json_bytes_p50, figures.json_bytes_max) == (3000, 3000)
    assert [process.cpu_percent for process in agent_processes([done(1, 0.01)], window_s=10.0)] == [4.0]


def run(*, eager: bool = False, tick_s: float = 0.00015, found: int = 60) -> Run:
    start = server(world("w_1"))
    end = later(start, seconds=10.0, ticks=600, tick_s=tick_s)
    parts = [done(1, 0.010), done(2, 0.030)]
    return Run(
        eager=eager,
        shards=2,
        join_s=1.0,
        server=server_figures(server(rss_bytes=96 * 2**20), start, end, window_s=10.0),
        agents=agent_figures(parts, window_s=10.0),
        agent_processes=agent_processes(parts, window_s=10.0),
        log=Audit(acknowledged=60, doubled=0, found=found, logged=60, worlds_read=1, problems=[]),
        stopped_cleanly=True,
    )


def report(*runs: Run) -> BenchReport:
    machine = Machine(
        cpu="a processor", cores=2, kernel="Linux 6", python="CPython 3.11", luajit="LuaJIT 2.1", worldline="0.1.0",
        sync_p50_ms=0.5, load_1m=0.1,
    )  # fmt: skip
    return BenchReport(
        started="2026-11-23T00:00:00+00:00",
        command="worldline bench",
        machine=machine,
        options=BenchOptions(),
        runs=list(runs),
        goals=goals_of(runs[0]),
    )


def test_goals_say_reached_or_missed() -> None:
    assert {goal.name: goal.reached for goal in goals_of(run())}["tick time p50, slowest world"] is True
    assert {goal.name: goal.reached for goal in goals_of(run(tick_s=0.0005))}["tick time p50, slowest world"] is False
    assert all(goal.reached for goal in goals_of(run()))


def text_of(result: BenchReport) -> str:
    lines = [" | ".join(row) for _, _, rows in sections(result) for row in rows]
    return "\n".join([*lines, *closing_lines(result)])


def test_the_report_shows_figures_goals_and_what_the_logs_say() -> None:
    text = text_of(report(run()))
    assert "slowest world, Hz | 60.00" in text
    assert "tick time p50, slowest world | 0.15 ms | ≤ 0.2 ms | reached" in text.replace("0.155", "0.15")
    assert "60 outcomes acknowledged, 60 found in the logs of 1 worlds" in text


def test_lazy_and_eager_stand_side_by_side_with_their_ratio() -> None:
    result = report(run(), run(eager=True, tick_s=0.0006))
    (row,) = [row for _, _, rows in sections(result) for row in rows if row[0].startswith("tick time, ms")]
    assert len(row) == 4
    assert 3.5 < float(row[3].split(" · ")[0]) < 4.5


def test_a_missing_outcome_makes_the_bench_fail() -> None:
    assert report(run()).good
    assert not report(run(found=59)).good
    assert not report(run(), msgspec.structs.replace(run(), stopped_cleanly=False)).good
