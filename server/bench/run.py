"""One run of the bench: a server, agents in processes of their own, a measured window, and the look into the logs.

The order: server up → all agents joined → they play and warm up → window opens → window closes → agents finish →
server stopped → logs read. Whatever goes wrong, no process stays behind.

Not here: which figures there are (``figures.py``) and how they are printed (``report.py``).
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

import msgspec

from server.audit import Audit, audit
from server.bench import messages
from server.bench.crews import BenchError, Crew, Progress, join, start_crews, tell, wait, wait_for_all
from server.bench.figures import (
    AgentFigures,
    ProcessFigures,
    ServerFigures,
    agent_figures,
    agent_processes,
    server_figures,
)
from server.bench.options import BenchOptions
from server.config import ServeConfig, default_shards
from server.supervisor import ServerStatistics, StartError, Supervisor

FINISH_WITHIN_S: Final = 60.0


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run found out. ``eager``: the control, in which each tick computes every player's observation."""

    eager: bool
    shards: int
    join_s: float
    """How long it took until all agents had a seat."""
    server: ServerFigures
    agents: AgentFigures
    agent_processes: list[ProcessFigures]
    log: Audit
    stopped_cleanly: bool

    @property
    def good(self) -> bool:
        """Whether the logs hold every acknowledged outcome and the server stopped as it should."""
        return self.log.good and self.stopped_cleanly


async def run_bench(options: BenchOptions, data: Path, *, eager: bool, progress: Progress) -> Run:
    """Do one run on ``data``. Raises `StartError` if the server cannot start, `BenchError` if the run cannot go on."""
    config = ServeConfig(
        port=0,
        data=data,
        games=tuple(Path(folder) for folder in options.game_folders),
        shards=options.shards or default_shards(),
        durability=options.durability,
        limits=not options.closed_loop,
        log_level="warning",
        keep_worlds=False,
        eager=eager,
    )
    async with Supervisor(config) as supervisor:
        failed = asyncio.ensure_future(supervisor.failed())
        measuring = asyncio.ensure_future(_measure(supervisor, options, progress))
        try:
            await asyncio.wait([failed, measuring], return_when=asyncio.FIRST_COMPLETED)
            if not measuring.done():
                raise _server_failed(failed.result())
            measured = measuring.result()
        finally:
            for task in (failed, measuring):
                task.cancel()
            await asyncio.gather(failed, measuring, return_exceptions=True)
        progress("stopping", 0, 1)
    progress("reading logs", 0, 1)
    acknowledged = [outcome for part in measured.crews for outcome in part.acknowledged]
    found = await asyncio.to_thread(audit, data, acknowledged)
    done = [crew.result() for crew in measured.crews]
    return Run(
        eager=eager,
        shards=config.shards,
        join_s=round(measured.join_s, 3),
        server=server_figures(measured.empty, measured.start, measured.end, window_s=measured.window_s),
        agents=agent_figures(done, window_s=measured.window_s),
        agent_processes=agent_processes(done, window_s=measured.window_s),
        log=found,
        stopped_cleanly=supervisor.stopped_cleanly,
    )


class _Measured(msgspec.Struct):
    """The readings of one run."""

    crews: list[Crew]
    empty: ServerStatistics
    start: ServerStatistics
    end: ServerStatistics
    join_s: float
    window_s: float


async def _measure(supervisor: Supervisor, options: BenchOptions, progress: Progress) -> _Measured:
    empty = await supervisor.statistics()
    async with start_crews(supervisor.url, options) as crews:
        join_s = await join(crews, options.agents, progress)
        tell(crews, messages.Begin())
        await wait(crews, options.warm_up_s, "warming up", progress)
        started = time.monotonic()
        tell(crews, messages.OpenWindow())
        start = await supervisor.statistics()
        await wait(crews, options.seconds, "measuring", progress)
        tell(crews, messages.CloseWindow())
        end = await supervisor.statistics()
        window_s = time.monotonic() - started
        progress("finishing", 0, 1)
        tell(crews, messages.Finish())
        await wait_for_all(crews, [crew.done for crew in crews], FINISH_WITHIN_S)
    return _Measured(crews=crews, empty=empty, start=start, end=end, join_s=join_s, window_s=window_s)


def _server_failed(error: StartError) -> BenchError:
    return BenchError(f"the server cannot go on: {error.message}", error.remedy)
