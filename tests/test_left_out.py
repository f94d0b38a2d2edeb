"""Promise: what this machine cannot test is named loudly, and is a failure where REQUIRE_ALL is set."""

from __future__ import annotations

from pathlib import Path

import pytest

NEEDY = """
import pytest

@pytest.mark.needs("a-program-that-nobody-has")
def test_needy(): raise AssertionError("must not run")

@pytest.mark.needs("sh")
def test_served(): pass
"""


@pytest.fixture
def needy(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest((Path(__file__).parent / "conftest.py").read_text().replace("pytest_plugins", "_plugins"))
    pytester.makepyfile(NEEDY)
    return pytester


def test_a_missing_program_is_named_at_the_end(needy: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUIRE_ALL", raising=False)
    result = needy.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["!*NOT RUN ON THIS MACHINE*!", "1 tests need a-program-that-nobody-has *"])


def test_a_missing_program_fails_where_all_is_required(needy: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUIRE_ALL", "1")
    result = needy.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, errors=1)
