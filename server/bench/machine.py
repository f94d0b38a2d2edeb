"""What a bench ran on: without it a figure means nothing.

The disk is measured, not named: `measure_sync_s` does what a shard's journal does for each group.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec

SYNC_SAMPLES: Final = 40
SYNC_BLOCK_BYTES: Final = 4096


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """The machine and the versions that a run used."""

    cpu: str
    cores: int
    kernel: str
    python: str
    luajit: str
    worldline: str
    sync_p50_ms: float
    """Median time of a 4 KiB write with fdatasync in the data folder."""
    load_1m: float
    """The machine's load before the run: far above 0, others were at work."""


def describe_machine(folder: Path) -> Machine:
    """Look at this machine; the sync of ``folder``'s disk is measured. Raises OSError if it cannot be written."""
    from importlib.metadata import PackageNotFoundError, version

    from lupa import luajit21

    try:
        worldline = version("worldline")
    except PackageNotFoundError:
        worldline = "not installed"
    lua = luajit21.LuaRuntime(register_eval=False, register_builtins=False)
    return Machine(
        cpu=_cpu_model(),
        cores=len(os.sched_getaffinity(0)),
        kernel=f"{platform.system()} {platform.release()}",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        luajit=str(lua.execute("return jit.version")),
        worldline=worldline,
        sync_p50_ms=round(measure_sync_s(folder) * 1000, 3),
        load_1m=round(os.getloadavg()[0], 2),
    )


def measure_sync_s(folder: Path) -> float:
    """The median time, in seconds, of writing 4 KiB over zeros and fdatasync, as a journal does."""
    block = os.urandom(SYNC_BLOCK_BYTES)
    durations = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        descriptor = file.fileno()
        os.pwrite(descriptor, bytes(SYNC_BLOCK_BYTES * SYNC_SAMPLES), 0)
        os.fsync(descriptor)
        for number in range(SYNC_SAMPLES):
            started = time.perf_counter()
            os.pwrite(descriptor, block, number * SYNC_BLOCK_BYTES)
            os.fdatasync(descriptor)
            durations.append(time.perf_counter() - started)
    return sorted(durations)[SYNC_SAMPLES // 2]


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model", "Hardware"):
            return value.strip()
    return platform.machine()
