"""Commands that start processes of their own, run so that a test can tell whether one of them stayed behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.system.harness import MARK, marked_processes

ENDS_WITHIN_S: Final = 5.0
RUNS_FOR_AT_MOST_S: Final = 90.0


class Family:
    """All processes that carry one mark in their environment."""

    def __init__(self) -> None:
        self.mark = uuid.uuid4().hex

    @property
    def environment(self) -> dict[str, str]:
        """The environment to start the first of them with."""
        return {**os.environ, MARK: self.mark}

    def members(self) -> dict[int, str]:
        """The living ones: pid → command line."""
        return marked_processes(self.mark)

    def leftovers(self) -> dict[int, str]:
        """Those that are still there a while after all should have ended."""
        deadline_s = time.monotonic() + ENDS_WITHIN_S
        while (members := self.members()) and time.monotonic() < deadline_s:
            time.sleep(0.02)  # the kernel ends them one after the other; nothing tells us when it is done
        return members


@contextlib.contextmanager
def nobody_left_behind() -> Iterator[Family]:
    """Fails if a process of the family outlives the block, after killing it."""
    family = Family()
    try:
        yield family
    finally:
        leftovers = family.leftovers()
        for pid in leftovers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)
    assert not leftovers, f"left behind: {leftovers}"


def run(cwd: Path, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one `worldline` command to its end, without a terminal; whoever it started must be gone by then."""
    with nobody_left_behind() as family:
        return subprocess.run(
            [sys.executable, "-m", "server.commands", *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUNS_FOR_AT_MOST_S,
            check=False,
            env={**family.environment, **(environment or {})},
        )
