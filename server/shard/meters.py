"""What a world costs, counted as it runs."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from eventlog.ticket import Ticket
from games.runtime.players import InputOutcome
from server.histogram import Histogram
from server.messages import WorldCounters

GAME_ERROR: Final = "game_error"
"""The code of an input whose handler raised."""


@dataclass(slots=True)
class Meters:
    """Counters of one world since it was opened; see `server.messages.WorldStatistics` for their meaning."""

    started_at_s: float | None = None
    ticks_run: int = 0
    overruns: int = 0
    late_starts: int = 0
    dilated_s: float = 0.0
    tick_seconds: Histogram = field(default_factory=Histogram)
    tick_cpu_s: float = 0.0
    lateness_seconds: Histogram = field(default_factory=Histogram)
    observation_seconds: Histogram = field(default_factory=Histogram)
    inputs: Counter[str] = field(default_factory=Counter)
    input_to_durable_seconds: Histogram = field(default_factory=Histogram)
    observations: int = 0
    observation_bytes: int = 0
    ticks_at_last_check: int = 0
    last_check_s: float | None = None
    told_slow_at_s: float | None = None

    def ticked(self, *, lateness_s: float, took_s: float, period_s: float) -> None:
        """Count one tick that began ``lateness_s`` after its deadline and took ``took_s``."""
        self.ticks_run += 1
        self.tick_seconds.record(took_s)
        self.lateness_seconds.record(max(0.0, lateness_s))
        if took_s > period_s:
            self.overruns += 1
        elif lateness_s > period_s:
            self.late_starts += 1

    def observed(self, *, took_s: float, size_bytes: int) -> None:
        """Count one observation that was computed."""
        self.observations += 1
        self.observation_bytes += size_bytes
        self.observation_seconds.record(took_s)

    def came_out(self, outcome: InputOutcome) -> None:
        """Count what became of an input."""
        self.inputs["failed" if outcome.code == GAME_ERROR else outcome.status] += 1

    def time_until_durable(self, received_ms: Sequence[int], after: Ticket | None) -> None:
        """Measure from when inputs came in (milliseconds since 1970) to when their outcomes may leave."""
        if not received_ms or after is None:
            return

        def durable(_: Ticket) -> None:
            now_ms = time.time_ns() // 1_000_000
            for since_ms in received_ms:
                self.input_to_durable_seconds.record(max(0, now_ms - since_ms) / 1000)

        after.add_done_callback(durable)

    def rate_since_last_check(self, now_s: float, tick_hz: float) -> float:
        """The share (0-1) of its nominal speed at which the world ran since this was asked last."""
        last_s, self.last_check_s = self.last_check_s, now_s
        ticks, self.ticks_at_last_check = self.ticks_run - self.ticks_at_last_check, self.ticks_run
        if self.started_at_s is None or last_s is None or last_s < self.started_at_s:
            return 1.0
        return min(1.0, ticks / (tick_hz * (now_s - last_s)))

    def may_tell_slow(self, now_s: float, every_s: float) -> bool:
        """Whether players may be told again that the world is slow: at most once in ``every_s``."""
        if self.told_slow_at_s is not None and now_s - self.told_slow_at_s < every_s:
            return False
        self.told_slow_at_s = now_s
        return True

    def counters(self) -> WorldCounters:
        """What has been counted here, as a part of what the whole shard has."""
        return WorldCounters(
            tick_seconds=self.tick_seconds,
            tick_lateness_seconds=self.lateness_seconds,
            observation_seconds=self.observation_seconds,
            input_to_durable_seconds=self.input_to_durable_seconds,
            slow_ticks=self.overruns,
            late_ticks=self.late_starts,
            inputs=dict(self.inputs),
        )
