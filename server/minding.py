"""Watching a child that calls into worlds: it is killed when a call does not come back, and its death has a reason.

Not here: when a call has taken too long (``server/callpage.py``), whose fault a death was (``server/blame.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time

from server.blame import Death
from server.callpage import WATCH_EVERY_S, Call, CallReader, CallWatch, Stuck
from server.children import Child
from server.process import cpu_seconds_of, out_of_memory_kills

_log = logging.getLogger("worldline.supervisor")


async def mind(child: Child, calls: CallReader, timeout_s: float) -> tuple[Call | None, Death]:
    """See a child to its end; kill it if a call takes more than ``timeout_s`` of processor time.

    Return the call during which it died, and how.
    """
    memory_kills = out_of_memory_kills()
    stuck = await _kill_if_stuck(child, calls, timeout_s)
    short_of_memory = memory_kills is None or memory_kills != out_of_memory_kills()
    return calls.read(), _death(child, stuck, short_of_memory=short_of_memory)


async def _kill_if_stuck(child: Child, calls: CallReader, timeout_s: float) -> Stuck | None:
    """Return when the child is gone: why it was killed here, None if it was not."""
    watch = CallWatch(timeout_s)
    stuck: Stuck | None = None
    while not child.gone.done():
        call = calls.read()
        with contextlib.suppress(OSError):  # it has just died: `gone` comes next
            stuck = watch.judge(call, 0.0 if call is None else cpu_seconds_of(child.pid), time.monotonic())
        if stuck is not None:
            about = {} if call is None else {"world": call.world}
            _log.error("%s is killed: %s", child.name, stuck.why, extra=about)
            child.kill()
            await child.gone
        else:
            await asyncio.wait([child.gone], timeout=WATCH_EVERY_S)
    return stuck


def _death(child: Child, stuck: Stuck | None, *, short_of_memory: bool) -> Death:
    """How a child died. ``stuck``: why it was killed here; ``short_of_memory``: the kernel has killed for that."""
    if stuck is not None:
        return Death("stuck" if stuck.busy else "unclear", stuck.why)
    why = f"its shard ended with {child.ending}"
    if child.exit_code != -signal.SIGKILL:
        return Death("crashed", why)
    return Death("unclear" if short_of_memory else "killed", why)
