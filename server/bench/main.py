"""A whole bench from options to report: the machine, the data folder, one or two runs, and progress while they last.

Not here: a single run (``run.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvloop

from server.bench.crews import BenchError, Progress
from server.bench.machine import describe_machine
from server.bench.messages import Phase
from server.bench.options import BenchOptions
from server.bench.report import BenchReport, goals_of
from server.bench.run import Run, run_bench
from server.botrunner import find_bot
from server.logs import configure_logging


def bench(options: BenchOptions, controls: Sequence[bool], *, command: str) -> BenchReport:
    """Run once for each of ``controls`` (whether it is the eager control). ``command`` is how it was asked for.

    Raises `StartError` or `BenchError`; Ctrl-C and SIGTERM end the run, with no process left, as KeyboardInterrupt.
    """
    configure_logging("text", "warning", "bench")
    if options.policy == "bot" and find_bot(options.game, [Path(folder) for folder in options.game_folders]) is None:
        raise BenchError(
            f"there is no bot for a game {options.game!r}", "use --policy random, or name its folder with --games"
        )
    started = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with _data_folder(options) as data:
        try:
            machine = describe_machine(data)
        except OSError as error:
            raise BenchError(f"cannot write to {data}: {error.strerror}", "use another --data") from error
        runs = []
        for eager in controls:
            # Each of two runs gets a folder of its own, so that neither reads the other's logs.
            folder = data / ("eager" if eager else "lazy") if len(controls) > 1 else data
            with _progress("eager" if eager else "lazy") as progress:
                runs.append(_run(options, folder, eager=eager, progress=progress))
    reference = options.is_reference and not controls[0]
    return BenchReport(
        started=started,
        command=command,
        machine=machine,
        options=options,
        runs=runs,
        goals=goals_of(runs[0]) if reference else [],
    )


def _run(options: BenchOptions, data: Path, *, eager: bool, progress: Progress) -> Run:
    async def main() -> Run:
        task = asyncio.ensure_future(run_bench(options, data, eager=eager, progress=progress))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        return await task

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


@contextlib.contextmanager
def _data_folder(options: BenchOptions) -> Iterator[Path]:
    if options.data is not None:
        folder = Path(options.data)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"cannot make {folder}: {error.strerror}", "use another --data") from error
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="worldline-bench-") as temporary:
        yield Path(temporary)


@contextlib.contextmanager
def _progress(name: str) -> Iterator[Progress]:
    """A bar on standard error; in a pipe, one line for each thing that begins."""
    if not sys.stderr.isatty():
        begun: list[Phase] = []

        def say(phase: Phase, _done: float, out_of: float) -> None:
            if phase not in begun:
                begun.append(phase)
                unit = {"joining": f" {out_of:g} agents", "measuring": f" for {out_of:g} s"}.get(phase, "")
                os.write(sys.stderr.fileno(), f"bench ({name}): {phase}{unit}\n".encode())

        yield say
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    with Bar(
        TextColumn(f"{name}: {{task.description}}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bar:
        task = bar.add_task("starting", total=None)

        def show(phase: Phase, done: float, out_of: float) -> None:
            bar.update(task, description=phase, completed=round(done), total=round(out_of))

        yield show
