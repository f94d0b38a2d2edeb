"""What a bench says at the end: the figures in tables, against the figures to be reached, and as JSON.

The figures to be reached are those of the project's reference load: 100 agents that decide every 2-5 s in Tsunami,
on two cores. They are shown beside the measured ones and judge nothing: a bench fails only when an acknowledged outcome
is not in the logs, or the server did not stop as it should.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from server.bench.figures import ProcessFigures, Quantiles, WorldFigures
from server.bench.machine import Machine
from server.bench.options import BenchOptions
from server.bench.run import Run
from server.commands.output import human_bytes

FORMAT: Final = 1  # of the JSON


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """One figure to be reached under the reference load."""

    name: str
    measured: float
    unit: str
    bound: float
    at_least: bool
    reached: bool


class BenchReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole result: what is written to ``--out``. Two runs (lazy, then eager) after ``--compare``, else one."""

    format: int = FORMAT
    started: str
    """When, in UTC."""
    command: str
    machine: Machine
    options: BenchOptions
    runs: list[Run]
    goals: list[Goal]
    """Empty unless this was the reference load."""

    @property
    def good(self) -> bool:
        """Whether every acknowledged outcome is in the logs and every server stopped cleanly."""
        return all(run.good for run in self.runs)


def goals_of(run: Run) -> list[Goal]:
    """The figures to be reached, with what this run measured."""

    def goal(name: str, measured: float, unit: str, bound: float, *, at_least: bool = False) -> Goal:
        reached = measured >= bound if at_least else measured <= bound
        return Goal(name=name, measured=measured, unit=unit, bound=bound, at_least=at_least, reached=reached)

    server, agents = run.server, run.agents
    return [
        goal("rate, slowest world", server.achieved_percent_min, "% of nominal", 99.5, at_least=True),
        goal("nodes, smallest world", min((w.nodes for w in server.worlds), default=0), "", 2000, at_least=True),
        goal("tick time p50, slowest world", max((w.tick.p50_ms for w in server.worlds), default=0.0), "ms", 0.2),
        goal("tick time p99, slowest world", max((w.tick.p99_ms for w in server.worlds), default=0.0), "ms", 1.0),
        goal("lateness p99, latest world", max((w.lateness.p99_ms for w in server.worlds), default=0.0), "ms", 5.0),
        goal("outcome latency p50", agents.outcome.p50_ms, "ms", 20.0),
        goal("outcome latency p99", agents.outcome.p99_ms, "ms", 40.0),
        goal("processor, whole server", server.server_cpu_percent, "% of a core", 60.0),
        goal("largest observation as JSON", agents.json_bytes_max, "bytes", 4096),
        goal("memory of a world in its shard", round(server.shard_kib_per_world / 1024, 2), "MiB", 6.0),
        goal("inputs among the decisions", agents.inputs_percent, "%", 50.0, at_least=True),
    ]


Section = tuple[str, Sequence[str], list[Sequence[str]]]
"""A title, the headings, the rows."""


def sections(report: BenchReport) -> Iterator[Section]:
    """The report as tables. With two runs each figure has a column for each, and one for the ratio."""
    yield "machine", ("", ""), _machine_rows(report)
    names = ["eager" if run.eager else "lazy" for run in report.runs]
    headings = ["", *names, "eager / lazy"] if len(names) > 1 else ["", ""]
    yield "figures", headings, [_figure_row(report.runs, *figure) for figure in FIGURES]
    for run, name in zip(report.runs, names, strict=True):
        suffix = f" ({name})" if len(names) > 1 else ""
        yield f"worlds{suffix}", WORLD_HEADINGS, [_world_row(world) for world in run.server.worlds]
        processes = [*run.server.processes, *run.agent_processes]
        yield f"processes{suffix}", ("", "pid", "CPU %", "memory"), [_process_row(process) for process in processes]
    if report.goals:
        yield "to be reached", ("", "measured", "goal", ""), [_goal_row(goal) for goal in report.goals]


def closing_lines(report: BenchReport) -> Iterator[str]:
    """What comes after the tables: above all, whether the logs hold what the agents were told."""
    for run in report.runs:
        log = run.log
        yield f"{log.acknowledged} outcomes acknowledged, {log.found} found in the logs of {log.worlds_read} worlds"
        for problem in log.problems:
            yield f"problem: {problem}"
        for what, count in {**run.agents.refused, **run.agents.crashed}.items():
            yield f"note: {count} x {what}"
        if run.agents.unanswered:
            yield f"problem: {run.agents.unanswered} requests were never answered"
        if run.server.ended_worlds:
            yield f"note: ended while they were measured: {' '.join(run.server.ended_worlds)}"
        if not run.stopped_cleanly:
            yield "problem: a shard had to be killed at the end"


# --- figures, one line each: a name, how to get it, how to write it -------------------------------------

Figure = tuple[str, Callable[[Run], float | Quantiles], str]

FIGURES: Final[tuple[Figure, ...]] = (
    ("worlds", lambda run: len(run.server.worlds), ".0f"),
    ("all agents seated after, s", lambda run: run.join_s, ".2f"),
    ("window, s", lambda run: run.server.window_s, ".1f"),
    ("tick time, ms", lambda run: run.server.tick, ".3f"),
    ("tick lateness, ms", lambda run: run.server.lateness, ".3f"),
    ("slowest world, Hz", lambda run: run.server.achieved_hz_min, ".2f"),
    ("slowest world, % of nominal", lambda run: run.server.achieved_percent_min, ".2f"),
    ("overruns", lambda run: run.server.overruns, ".0f"),
    ("dilated, s", lambda run: run.server.dilated_s, ".3f"),
    ("outcome latency, ms", lambda run: run.agents.outcome, ".1f"),
    ("observation latency, ms", lambda run: run.agents.observation, ".1f"),
    ("decisions", lambda run: run.agents.decisions, ".0f"),
    ("of them inputs, %", lambda run: run.agents.inputs_percent, ".1f"),
    ("outcomes a second", lambda run: run.agents.outcomes_per_s, ".1f"),
    ("rejected by the game", lambda run: sum(run.agents.rejected.values()), ".0f"),
    ("computing an observation, ms", lambda run: run.server.observe, ".3f"),
    ("observations a tick", lambda run: run.server.observations_per_tick, ".4f"),
    ("bytes of an observation", lambda run: run.server.bytes_per_observation, ".0f"),
    ("as JSON, median bytes", lambda run: run.agents.json_bytes_p50, ".0f"),
    ("as JSON, most bytes", lambda run: run.agents.json_bytes_max, ".0f"),
    ("node writes a tick", lambda run: run.server.node_writes_per_tick, ".1f"),
    ("spatial queries a tick", lambda run: run.server.spatial_queries_per_tick, ".1f"),
    ("sync of the journal, ms", lambda run: run.server.sync, ".3f"),
    ("groups a second", lambda run: run.server.journal_groups_per_s, ".1f"),
    ("journal bytes a second", lambda run: run.server.journal_bytes_per_s, ".0f"),
    ("processor, whole server, %", lambda run: run.server.server_cpu_percent, ".1f"),
    ("memory of a world in its shard, KiB", lambda run: run.server.shard_kib_per_world, ".0f"),
    ("Lua memory, largest world, KiB", lambda run: run.server.lua_kib_per_world_max, ".0f"),
)

WORLD_HEADINGS: Final = (
    "world", "shard", "players", "nodes", "Hz",
    "tick ms p50 · p99 · max", "late ms p50 · p99 · max", "overruns", "dilated s", "Lua KiB",
)  # fmt: skip


def _figure_row(runs: Sequence[Run], name: str, get: Callable[[Run], float | Quantiles], form: str) -> Sequence[str]:
    values = [get(run) for run in runs]
    cells = [_cell(value, form) for value in values]
    if isinstance(values[0], Quantiles):
        name += " (p50 · p99 · max)"
    return [name, *cells, _ratio(values)] if len(runs) > 1 else [name, *cells]


def _cell(value: float | Quantiles, form: str) -> str:
    if isinstance(value, Quantiles):
        if not value.count:
            return "-"
        return " · ".join(format(part, form) for part in (value.p50_ms, value.p99_ms, value.max_ms))
    return format(value, form)


def _ratio(values: Sequence[float | Quantiles]) -> str:
    """The second run's figure over the first's; of a distribution, of p50 and p99."""
    lazy, eager = values
    if isinstance(lazy, Quantiles) and isinstance(eager, Quantiles):
        if not (lazy.count and eager.count):
            return "-"
        return " · ".join(_ratio(pair) for pair in ((lazy.p50_ms, eager.p50_ms), (lazy.p99_ms, eager.p99_ms)))
    assert not isinstance(lazy, Quantiles)
    assert not isinstance(eager, Quantiles)
    return f"{eager / lazy:.2f}" if lazy else "-"


def _machine_rows(report: BenchReport) -> list[Sequence[str]]:
    machine, options = report.machine, report.options
    think = "closed loop" if options.closed_loop else "a decision every {:g}-{:g} s".format(*options.think_s)
    return [
        ("load", f"{options.agents} agents, {options.game}, {think}, {options.policy} policy, {options.seconds:g} s"),
        ("server", f"{report.runs[0].shards} shards, 1 gateway, {options.durability}, worldline {machine.worldline}"),
        ("processor", f"{machine.cpu}, {machine.cores} cores, load before {machine.load_1m:g}"),
        ("system", f"{machine.kernel}, {machine.python}, {machine.luajit}"),
        ("disk", f"sync p50 {machine.sync_p50_ms:g} ms"),
    ]


def _world_row(world: WorldFigures) -> Sequence[str]:
    return [
        world.world,
        str(world.shard),
        str(world.players),
        str(world.nodes),
        f"{world.achieved_hz:.2f}",
        _cell(world.tick, ".2f"),
        _cell(world.lateness, ".2f"),
        str(world.overruns),
        f"{world.dilated_s:.2f}",
        f"{world.lua_kib:.0f}",
    ]


def _process_row(process: ProcessFigures) -> Sequence[str]:
    return [process.name, str(process.pid), f"{process.cpu_percent:.1f}", human_bytes(process.rss_bytes)]


def _goal_row(goal: Goal) -> Sequence[str]:
    sign = "≥" if goal.at_least else "≤"
    verdict = "reached" if goal.reached else "missed"
    return [goal.name, f"{goal.measured:g} {goal.unit}".strip(), f"{sign} {goal.bound:g} {goal.unit}".strip(), verdict]
