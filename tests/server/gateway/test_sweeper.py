"""Promise: quiet connections are pinged, thinking is allowed for three minutes, and a connection that is silent,
stalled, full for too long or never greets is ended by its own rule - never by another."""

from __future__ import annotations

from typing import Any

import pytest

from server.gateway.limits import FloodWindow, GatewayLimits
from server.gateway.sweeper import Signs, Verdict, verdict

NOW_S = 10_000.0

LIVELY: dict[str, Any] = {
    "greeted": True,
    "opened_at_s": NOW_S - 600,
    "heard_at_s": NOW_S - 1,
    "pinged_at_s": None,
    "unanswered_since_s": None,
    "full_since_s": None,
    "waiting_bytes": 0,
}

TABLE: list[tuple[dict[str, Any], Verdict | None]] = [
    ({}, None),
    ({"heard_at_s": NOW_S - 19.9}, None),
    ({"heard_at_s": NOW_S - 20}, "ping"),
    ({"heard_at_s": NOW_S - 30, "pinged_at_s": NOW_S - 10, "unanswered_since_s": NOW_S - 10}, None),
    ({"heard_at_s": NOW_S - 50, "pinged_at_s": NOW_S - 20, "unanswered_since_s": NOW_S - 30}, "ping"),
    # A model that blocks its own loop answers no pings, and nothing waits for it.
    ({"heard_at_s": NOW_S - 179, "pinged_at_s": NOW_S - 5, "unanswered_since_s": NOW_S - 159}, None),
    ({"heard_at_s": NOW_S - 180, "pinged_at_s": NOW_S - 5, "unanswered_since_s": NOW_S - 160}, "silent"),
    # It has stopped reading, and bytes wait.
    (
        {"heard_at_s": NOW_S - 79, "pinged_at_s": NOW_S - 1, "unanswered_since_s": NOW_S - 59, "waiting_bytes": 9},
        None,
    ),
    (
        {"heard_at_s": NOW_S - 80, "pinged_at_s": NOW_S - 1, "unanswered_since_s": NOW_S - 60, "waiting_bytes": 9},
        "stalled",
    ),
    ({"full_since_s": NOW_S - 19.9, "waiting_bytes": 300_000}, None),
    ({"full_since_s": NOW_S - 20, "waiting_bytes": 300_000}, "full"),
    ({"greeted": False, "opened_at_s": NOW_S - 9.9}, None),
    ({"greeted": False, "opened_at_s": NOW_S - 10}, "no_hello"),
]


@pytest.mark.parametrize(("signs", "expected"), TABLE)
def test_each_connection_is_judged_by_its_own_rule(signs: dict[str, Any], expected: Verdict | None) -> None:
    assert verdict(Signs(**{**LIVELY, **signs}), NOW_S, GatewayLimits()) == expected


def test_a_hundred_refusals_in_ten_seconds_are_a_flood() -> None:
    fast = FloodWindow(100, 10.0)
    assert [fast.refused(n * 0.1) for n in range(100)] == [False] * 99 + [True]
    slow = FloodWindow(100, 10.0)
    assert not any(slow.refused(n * 0.102) for n in range(500))
