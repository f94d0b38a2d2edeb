"""How many faults the tests have made, by kind: counted where they fire, told at the end of a run.

A test that makes faults takes the fixture `tried` and calls it for each fault, or once with their number. Each of these
tests fails if anything acknowledged is lost or doubled: a run that passes has lost and doubled nothing in all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, Literal, get_args

import pytest

FaultKind = Literal[
    "a bit flipped in a world log",
    "a bit flipped in a journal",
    "a bit flipped in a snapshot",
    "the last group of a journal torn at a byte",
    "a world log cut at a byte",
    "a call to the disk that fails",
    "a call to the disk that finds no room",
    "power lost at a call to the disk",
    "a process killed at a system call (strace)",
    "a process killed while it writes",
    "a tick worker killed under playing agents",
    "a gateway killed under playing agents",
    "a whole server killed under playing agents",
    "a whole server stopped for a while and continued",
    "a connection cut at a byte",
]
KINDS: Final[tuple[FaultKind, ...]] = get_args(FaultKind)
PROPERTY: Final = "faults tried"


class Tried:
    """The faults of one test."""

    def __init__(self) -> None:
        self.counts: Counter[FaultKind] = Counter()

    def __call__(self, kind: FaultKind, count: int = 1) -> None:
        """``count`` faults of this kind have fired."""
        self.counts[kind] += count


_all: Counter[str] = Counter()


@pytest.fixture
def tried(request: pytest.FixtureRequest) -> Iterator[Tried]:
    """Counts the faults that a test makes: ``tried("a bit flipped in a world log")`` for each of them."""
    counted = Tried()
    yield counted
    request.node.user_properties.append((PROPERTY, dict(counted.counts)))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Gather what tests have counted, also in other processes."""
    if report.when == "teardown":
        for name, counts in report.user_properties:
            if name == PROPERTY:
                assert isinstance(counts, dict)
                _all.update(counts)


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many faults were tried."""
    if _all:
        terminalreporter.section("FAULTS TRIED")
        for kind in KINDS:
            if _all[kind]:
                terminalreporter.write_line(f"{_all[kind]:>7,} × {kind}")
