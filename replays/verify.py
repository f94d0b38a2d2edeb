"""Is every recorded world still the same world when it is computed again?

A verdict per world: the whole log re-executed with every fingerprint equal, or the first place where it is not. Worlds
are independent, so many are verified at once, each in a process of its own; one bad world stops no other.

Not here: how a log is re-executed (``replay.py``), and damage that can be seen without running anything.
"""

from __future__ import annotations

import functools
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from eventlog.errors import EventLogError, LogDamaged
from eventlog.records import Checkpoint
from games.errors import GameError
from replays.bundle import unpacked
from replays.errors import BundleDamaged
from replays.origins import first_tick
from replays.replay import Diverged, Replay, ReplayError, replay, start_of
from replays.report import cannot_promise, divergence_report, in_short, write_report

NAMED: Final = 5
"""Places that a verdict names; a report has all."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What re-execution says of one world.

    ``records`` and ``tick`` say how far it came. ``file`` and ``offset`` (bytes) name the record at which it went
    wrong, ``problem`` says how, with what to do about it.
    """

    world: str
    status: Literal["verified", "diverged", "damaged", "cannot"]
    records: int
    tick: int
    seconds: float
    file: str | None = None
    offset: int | None = None
    problem: str | None = None
    bundle: str | None = None
    """The replay file that holds the world, if it was verified there; damage names its byte."""
    differs: list[str] = []
    """Of a world that diverged: what differs, as far as it is known, the first of it."""
    report: str | None = None
    """The file that says everything about it."""
    from_tick: int = 0
    """Above 0: the first files of the log are gone, and it was executed from the earliest snapshot on."""


class Stretch(msgspec.Struct, frozen=True):
    """Part of a log: from the last snapshot up to ``from_tick`` to the checkpoint of ``to_tick``; None: to its end."""

    from_tick: int = 0
    to_tick: int | None = None


WHOLE: Final = Stretch()


def verify_world(
    data: Path,
    world: str,
    *,
    reports: Path | None = None,
    stretch: Stretch = WHOLE,
    before_step: Callable[[], object] | None = None,
) -> Verdict:
    """Re-execute the log of ``world`` (a whole id) in the data folder ``data`` and say whether it is the same world.

    ``reports``: the folder in which a divergence is reported (``report.py``), made if it is not there. ``before_step``
    is called before each record. Raises OSError if a report cannot be written.
    """
    began_s = time.monotonic()
    running: Replay | None = None
    said: dict[str, Any] = {"status": "verified"}
    try:
        running = replay(data, world, start=start_of(data, world))
        if stretch.from_tick > running.world.tick:
            running.seek(stretch.from_tick)
        _run(running, stretch.to_tick, before_step or _nothing)
    except Diverged as error:
        if running is None:  # a fork, at what it begins with: there is no state before it to compare with
            said = {"status": "diverged", "file": error.file, "offset": error.offset, "problem": str(error)}
        else:
            said = _came_to(running) | _diverged(running, error, reports)
    except LogDamaged as error:
        said = {"status": "damaged", "file": error.path.name, "offset": error.offset, "problem": str(error)}
    except (ReplayError, EventLogError, GameError) as error:
        said = {"status": "cannot", "problem": str(error)}
    seconds = round(time.monotonic() - began_s, 3)
    fields: dict[str, Any] = {"world": world, "seconds": seconds} | _came_to(running) | said
    return Verdict(**fields)


def _run(running: Replay, to_tick: int | None, before_step: Callable[[], object]) -> None:
    """Execute the log up to the checkpoint of ``to_tick``, or what there is of it."""
    while True:
        before_step()
        stored = running.step()
        if stored is None:
            return
        if to_tick is not None and isinstance(stored.record, Checkpoint) and stored.record.tick >= to_tick:
            return


def _nothing() -> None:
    """What is done before a step that nobody watches."""


def _came_to(running: Replay | None) -> dict[str, Any]:
    """How far a replay has come."""
    if running is None:
        return {"records": 0, "tick": 0}
    from_tick = 0 if running.began_at_tick == first_tick(running.genesis) else running.began_at_tick
    return {"records": running.records_done, "tick": running.world.tick, "from_tick": from_tick}


def _diverged(running: Replay, error: Diverged, reports: Path | None) -> dict[str, Any]:
    """What a verdict says of a divergence."""
    unsure = cannot_promise(running.genesis.versions)
    if unsure is not None:
        what = f"{error.world}@{error.tick} comes out otherwise, but {unsure}"
        return {"status": "cannot", "problem": f"{what} → verify it with the version that played it"}
    report = divergence_report(running, error)
    said: dict[str, Any] = {
        "status": "diverged",
        "file": error.file,
        "offset": error.offset,
        "problem": str(error),
        "differs": in_short(report)[:NAMED],
    }
    if reports is not None:
        reports.mkdir(parents=True, exist_ok=True)
        path = reports / f"{error.world}@{error.tick}.json"
        path.unlink(missing_ok=True)  # an earlier one, of the same
        write_report(report, path)
        said["report"] = str(path)
    return said


def verify_bundle(path: Path, *, reports: Path | None = None) -> Verdict:
    """As `verify_world`, for the world in a replay file, with the code and the engine that are in it."""
    began_s = time.monotonic()
    failed = functools.partial(Verdict, world="", records=0, tick=0, bundle=str(path))
    try:
        with unpacked(path) as (data, world):
            found = verify_world(data, world, reports=reports)
    except BundleDamaged as error:
        seconds = round(time.monotonic() - began_s, 3)
        return failed(status="damaged", seconds=seconds, file=path.name, offset=error.offset, problem=str(error))
    except (ReplayError, EventLogError) as error:
        return failed(status="cannot", seconds=round(time.monotonic() - began_s, 3), problem=str(error))
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror or error} → name a file from `worldline replay export`"
        return failed(status="cannot", seconds=round(time.monotonic() - began_s, 3), problem=problem)
    if found.problem is None:
        return msgspec.structs.replace(found, bundle=str(path))
    what, _, remedy = found.problem.partition(" → ")
    explained = f"{path}: {what} → import it with `worldline replay import {path}`, then {remedy}"
    return msgspec.structs.replace(found, bundle=str(path), problem=explained)


def verify_worlds(data: Path, worlds: Sequence[str | Path], *, reports: Path | None = None) -> Iterator[Verdict]:
    """Verify many worlds, and replay files (paths), on all cores; give each verdict as soon as it is there."""
    processes = min(len(worlds), len(os.sched_getaffinity(0)))
    if processes <= 1:
        yield from (_verify(data, each, reports) for each in worlds)
        return
    # Fresh interpreters: a forked one would share our open files and threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {pool.submit(_verify, data, each, reports): each for each in worlds}
        for done in as_completed(running):
            try:
                yield done.result()
            except BrokenProcessPool:
                yield _killed(running[done])


def _killed(world: str | Path) -> Verdict:
    """What is to be said of a world whose process was killed, or one of its neighbours': which, nobody knows."""
    problem = f"{world} was not done: a process that re-executed worlds was killed → verify it again, by itself"
    name, bundle = ("", str(world)) if isinstance(world, Path) else (world, None)
    return Verdict(world=name, status="cannot", records=0, tick=0, seconds=0.0, problem=problem, bundle=bundle)


def _verify(data: Path, world: str | Path, reports: Path | None) -> Verdict:
    if isinstance(world, Path):
        return verify_bundle(world, reports=reports)
    return verify_world(data, world, reports=reports)
