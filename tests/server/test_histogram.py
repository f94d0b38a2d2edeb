"""Quantiles of durations can be trusted to a bucket's width, and so can those of a window between two copies."""

from __future__ import annotations

import copy
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.histogram import BUCKETS_PER_DOUBLING, Histogram

BUCKET_RATIO = 2.0 ** (1 / BUCKETS_PER_DOUBLING)
durations = st.lists(st.floats(2e-6, 50.0), min_size=1, max_size=60)


def recorded(seconds: list[float]) -> Histogram:
    histogram = Histogram()
    for value in seconds:
        histogram.record(value)
    return histogram


@given(durations, st.floats(0.01, 1.0))
def test_a_quantile_is_at_most_one_bucket_above_the_true_value(seconds: list[float], q: float) -> None:
    true = sorted(seconds)[max(1, math.ceil(q * len(seconds))) - 1]
    read = recorded(seconds).quantile(q)
    assert true * 0.999999 <= read <= true * BUCKET_RATIO * 1.000001


@given(durations, durations)
def test_minus_leaves_exactly_what_was_recorded_since(before: list[float], since: list[float]) -> None:
    histogram = recorded(before)
    start = copy.deepcopy(histogram)
    for value in since:
        histogram.record(value)
    window = histogram.minus(start)
    alone = recorded(since)
    assert window.counts == alone.counts
    assert window.count == len(since)
    assert window.total_s == pytest.approx(sum(since), rel=1e-6, abs=1e-6)
    for q in (0.5, 0.99):
        assert alone.quantile(q) * 0.999999 <= window.quantile(q) <= alone.quantile(q) * BUCKET_RATIO * 1.000001
    assert max(since) * 0.999999 <= window.max_s <= max(since) * BUCKET_RATIO * 1.000001


def test_minus_itself_is_empty() -> None:
    histogram = recorded([0.1, 0.2])
    window = histogram.minus(copy.deepcopy(histogram))
    assert (window.count, window.counts, window.max_s, window.quantile(0.99)) == (0, {}, 0.0, 0.0)


def test_a_maximum_before_the_window_is_not_the_windows_maximum() -> None:
    histogram = recorded([5.0])
    start = copy.deepcopy(histogram)
    histogram.record(0.001)
    assert histogram.minus(start).max_s == pytest.approx(0.001, rel=0.1)


def test_minus_refuses_a_copy_that_is_not_earlier() -> None:
    with pytest.raises(ValueError, match="not an earlier copy"):
        recorded([0.1]).minus(recorded([0.1, 0.2]))


def test_merge_counts_both() -> None:
    left, right = recorded([0.001, 0.002]), recorded([0.004])
    left.merge(right)
    assert left.count == 3
    assert left.max_s == 0.004
    assert left.quantile(1.0) == 0.004
