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
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Literal

import msgspec

from eventlog.errors import EventLogError, LogDamaged
from eventlog.reader import WorldBytes
from games.errors import GameError
from replays.bundle import unpacked
from replays.errors import BundleDamaged
from replays.replay import Diverged, Replay, ReplayError, Start, replay


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
    from_tick: int = 0
    """Above 0: the first files of the log are gone, and it was executed from the earliest snapshot on."""


def verify_world(data: Path, world: str) -> Verdict:
    """Re-execute the log of ``world`` (a whole id) in the data folder ``data`` and say whether it is the same world."""
    began_s = time.monotonic()
    running: Replay | None = None
    status: Literal["verified", "diverged", "damaged", "cannot"] = "verified"
    file, offset, problem = None, None, None
    try:
        running = replay(data, world, start=start_of(data, world))
        running.run()
    except Diverged as error:
        status, file, offset, problem = "diverged", error.file, error.offset, str(error)
    except LogDamaged as error:
        status, file, offset, problem = "damaged", error.path.name, error.offset, str(error)
    except (ReplayError, EventLogError, GameError) as error:
        status, problem = "cannot", str(error)
    return Verdict(
        world=world,
        status=status,
        records=0 if running is None else running.records_done,
        tick=0 if running is None else running.world.tick,
        seconds=round(time.monotonic() - began_s, 3),
        file=file,
        offset=offset,
        problem=problem,
        from_tick=0 if running is None or running.began_at_tick == running.first_tick else running.began_at_tick,
    )


def verify_bundle(path: Path) -> Verdict:
    """As `verify_world`, for the world in a replay file, with the code and the engine that are in it."""
    began_s = time.monotonic()
    failed = functools.partial(Verdict, world="", records=0, tick=0, bundle=str(path))
    try:
        with unpacked(path) as (data, world):
            found = verify_world(data, world)
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


def start_of(data: Path, world: str) -> Start:
    """What the whole of a log is executed from: its genesis, if its file is still there."""
    return "genesis" if WorldBytes.look(data, world).size(1) else "earliest"


def verify_worlds(data: Path, worlds: Sequence[str | Path]) -> Iterator[Verdict]:
    """Verify many worlds, and replay files (paths), on all cores; give each verdict as soon as it is there."""
    processes = min(len(worlds), len(os.sched_getaffinity(0)))
    if processes <= 1:
        yield from (_verify(data, each) for each in worlds)
        return
    # Fresh interpreters: a forked one would share our open files and threads.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        for done in as_completed([pool.submit(_verify, data, each) for each in worlds]):
            yield done.result()


def _verify(data: Path, world: str | Path) -> Verdict:
    return verify_bundle(world) if isinstance(world, Path) else verify_world(data, world)
