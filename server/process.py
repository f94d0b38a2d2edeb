"""What every child process of the server needs: an environment to start in, and what it does first; and what it uses.

A child never outlives its parent: an orphaned shard could append to a journal beside a new server. It ignores SIGINT
and SIGTERM, which a terminal or a service manager sends to the whole group: only the supervisor decides when a child
stops, by the `Drain` message, so that nothing is cut off in the middle.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import site
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import uvloop

BOTS_TOKEN_VARIABLE: Final = "WORLDLINE_BOTS_TOKEN"
"""The environment of the bots that a server runs: the token by which it knows them."""

_PR_SET_PDEATHSIG: Final = 1
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_CLOCK_TICKS_HZ: Final = os.sysconf("SC_CLK_TCK")
_UTIME_FIELD: Final = 11  # of /proc/PID/stat, counted behind the command's name


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel to kill this process when its parent ends. Exits at once if the parent has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        sys.exit(1)


def run_child(main: Callable[[int], Awaitable[None]]) -> None:
    """Run a child's ``main(control_fd)`` on uvloop. Its command line is: control socket's fd, parent's pid."""
    control_fd, parent_pid = int(sys.argv[1]), int(sys.argv[2])
    die_with_parent(parent_pid)
    _allow_many_files()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

    async def start() -> None:
        await main(control_fd)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(start())


def _allow_many_files() -> None:
    """A shard holds one file open for each world, a gateway one socket for each client: take all the kernel grants."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def python_environment() -> dict[str, str]:
    """The environment of a child process: it must find the same packages as we did, from any working directory."""
    # A token that somebody has for a server elsewhere is nothing that a child of ours may show to this one.
    inheritable = {name: value for name, value in os.environ.items() if name != "WORLDLINE_TOKEN"}
    root = str(Path(__file__).resolve().parent.parent)
    if root in {*site.getsitepackages(), site.getusersitepackages()}:
        return inheritable
    inherited = os.environ.get("PYTHONPATH")
    return {**inheritable, "PYTHONPATH": root + os.pathsep + inherited if inherited else root}


def resident_bytes(pid: int | None = None) -> int:
    """How much memory a process holds right now, by default this one. Raises OSError if there is none."""
    return int(Path(f"/proc/{pid or 'self'}/statm").read_text().split()[1]) * _PAGE_BYTES


def cpu_seconds() -> float:
    """The processor time that this process has used, user and system."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_seconds_of(pid: int) -> float:
    """The processor time, user and system, that a living process has used. Raises OSError if there is none."""
    fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    return (int(fields[_UTIME_FIELD]) + int(fields[_UTIME_FIELD + 1])) / _CLOCK_TICKS_HZ


def out_of_memory_kills() -> int | None:
    """How many processes the kernel has killed since it was started because memory ran out; None if it does not say."""
    try:
        counters = Path("/proc/vmstat").read_text()
    except OSError:
        return None
    for line in counters.splitlines():
        name, _, count = line.partition(" ")
        if name == "oom_kill":
            return int(count)
    return None
