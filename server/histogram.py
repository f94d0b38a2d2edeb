"""A histogram of durations that is cheap to fill, small to send, and mergeable.

Buckets grow by a factor of 2^(1/8) (9 %), from one microsecond to about a minute: a quantile read from it is
at most 9 % above the true value. Recording costs well under a microsecond, so it may stand in a tick.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

BUCKETS_PER_DOUBLING: Final = 8
SMALLEST_S: Final = 1e-6
BUCKETS: Final = 26 * BUCKETS_PER_DOUBLING


class Histogram(msgspec.Struct):
    """Durations in seconds, by bucket. ``counts`` is sparse: bucket number → how many."""

    counts: dict[int, int] = {}
    count: int = 0
    total_s: float = 0.0
    max_s: float = 0.0

    def record(self, seconds: float) -> None:
        """Count one duration."""
        bucket = 0
        if seconds > SMALLEST_S:
            bucket = min(BUCKETS - 1, 1 + int(math.log2(seconds / SMALLEST_S) * BUCKETS_PER_DOUBLING))
        self.counts[bucket] = self.counts.get(bucket, 0) + 1
        self.count += 1
        self.total_s += seconds
        if seconds > self.max_s:
            self.max_s = seconds

    def quantile(self, q: float) -> float:
        """The upper edge, in seconds, of the bucket that holds quantile ``q`` (0-1); 0 if nothing was recorded."""
        if not self.count:
            return 0.0
        rank = max(1, math.ceil(q * self.count))
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return min(self.max_s, _upper_edge_s(bucket))
        return self.max_s

    def merge(self, other: Histogram) -> None:
        """Add all that ``other`` has counted."""
        for bucket, count in other.counts.items():
            self.counts[bucket] = self.counts.get(bucket, 0) + count
        self.count += other.count
        self.total_s += other.total_s
        self.max_s = max(self.max_s, other.max_s)

    def minus(self, earlier: Histogram) -> Histogram:
        """What was recorded since ``earlier``, a copy of this histogram taken before.

        The greatest duration of the difference is known exactly if it is the greatest of all; else it is given as the
        upper edge of its bucket. Raises ValueError if ``earlier`` counted something that this one did not.
        """
        counts: dict[int, int] = {}
        for bucket in self.counts.keys() | earlier.counts.keys():
            since = self.counts.get(bucket, 0) - earlier.counts.get(bucket, 0)
            if since < 0:
                raise ValueError(f"not an earlier copy of this histogram: bucket {bucket} had {-since} more")
            if since:
                counts[bucket] = since
        if not counts:
            return Histogram()
        max_s = self.max_s
        if self.max_s == earlier.max_s:
            max_s = min(max_s, _upper_edge_s(max(counts)))
        return Histogram(
            counts=counts, count=self.count - earlier.count, total_s=self.total_s - earlier.total_s, max_s=max_s
        )


def _upper_edge_s(bucket: int) -> float:
    return SMALLEST_S * math.pow(2.0, bucket / BUCKETS_PER_DOUBLING)
