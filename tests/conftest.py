"""What all tests share: a test that needs a program which this machine lacks is left out loudly, or fails.

``@pytest.mark.needs("strace")`` names such a program. Without it the test is not run, and the last lines of the
run say so; with ``REQUIRE_ALL=1`` (what CI sets) it fails instead, so that nothing is left out there.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter

import pytest

REASON = "needs a program that is not on this machine: "

pytest_plugins = ["pytester", "tests.faults_tried"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(program, …): this test runs these programs, which a machine may lack")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave a test out, or fail it, where a program that it needs is missing."""
    missing = [
        program for marker in item.iter_markers("needs") for program in marker.args if shutil.which(program) is None
    ]
    if not missing:
        return
    if os.environ.get("REQUIRE_ALL"):
        pytest.fail(f"{REASON}{', '.join(missing)} → install it, or run without REQUIRE_ALL", pytrace=False)
    pytest.skip(REASON + ", ".join(missing))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was left out, at the very end, where nobody overlooks it."""
    left_out: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if REASON in reason:
            left_out[reason.rsplit(REASON, 1)[1]] += 1
    if left_out:
        terminalreporter.section("NOT RUN ON THIS MACHINE", sep="!", red=True, bold=True)
        for programs, count in sorted(left_out.items()):
            terminalreporter.write_line(f"{count} tests need {programs} → install it to run them")
