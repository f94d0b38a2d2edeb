"""Promise: a process that dies is replaced; one that keeps dying right after its start, only a few times."""

from __future__ import annotations

from server.slots import EXCUSED_DELAY_S, FIRST_DELAY_S, SHORT_LIFE_S, SHORT_LIVES_LIMIT, RestartPolicy


def test_what_lived_well_is_replaced_at_once() -> None:
    policy = RestartPolicy()
    assert [policy.died(SHORT_LIFE_S) for _ in range(50)] == [0.0] * 50


def test_what_dies_at_once_is_replaced_later_each_time_and_then_no_more() -> None:
    policy = RestartPolicy()
    delays = [policy.died(0.0) for _ in range(SHORT_LIVES_LIMIT)]
    assert delays == [FIRST_DELAY_S * factor for factor in (1, 2, 4, 8, 16)]
    assert policy.died(0.0) is None


def test_a_good_life_makes_short_ones_forgotten() -> None:
    policy = RestartPolicy()
    for _ in range(3):
        for _ in range(SHORT_LIVES_LIMIT):
            assert policy.died(0.0) is not None
        assert policy.died(SHORT_LIFE_S + 1) == 0.0


def test_what_dies_by_the_hand_of_others_is_always_replaced_and_soon() -> None:
    policy = RestartPolicy()
    delays = [policy.died(0.0, excused=True) for _ in range(100)]
    assert delays[0] == FIRST_DELAY_S
    assert max(delay for delay in delays if delay is not None) == EXCUSED_DELAY_S
    assert None not in delays
    assert policy.died(0.0) == FIRST_DELAY_S, "the first death of its own"
