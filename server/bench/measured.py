"""What an agent feels, measured: a player whose requests are timed, and the window in which that counts.

Latency is taken around the call of the public client, in the agent's process: from the decision being sent to its
answer being in the agent's hands. Every outcome is kept, so that the bench can look for it in the logs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from typing import Any, Final, TypeVar

import msgspec

import worldline
from server.audit import Acknowledged
from server.histogram import Histogram
from server.process import cpu_seconds

JSON_SAMPLES: Final = 4096  # sizes kept

Reply = TypeVar("Reply")


class Window:
    """What is measured between opening and closing. A request belongs to the window in which it was sent."""

    def __init__(self) -> None:
        self.cpu_from_s = cpu_seconds()
        self.cpu_s = 0.0
        self.outcome_seconds = Histogram()
        self.observation_seconds = Histogram()
        self.json_bytes: list[int] = []
        self.observations = 0
        self.applied = 0
        self.rejected: dict[str, int] = {}
        self.refused: dict[str, int] = {}

    def close(self) -> None:
        """Note the processor time used since it was opened."""
        self.cpu_s = cpu_seconds() - self.cpu_from_s

    def note_observation(self, observation: worldline.Observation, *, sample: int) -> None:
        """Keep the size of one of ``sample`` observations."""
        self.observations += 1
        if self.observations % sample == 0 and len(self.json_bytes) < JSON_SAMPLES:
            self.json_bytes.append(len(msgspec.json.encode(observation)))

    def note_outcome(self, outcome: worldline.Outcome) -> None:
        """Count an outcome by its status."""
        if outcome.status == "applied":
            self.applied += 1
        else:
            count(self.rejected, outcome.code or "none")


class Tally:
    """What all agents of a process share: the open window, and what is kept for the whole run.

    ``json_sample``: the size of one of so many observations is measured. ``stopping``: nothing new is sent.
    """

    def __init__(self, *, json_sample: int) -> None:
        self.window: Window | None = None
        self.acknowledged: list[Acknowledged] = []
        self.decisions = 0
        self.json_sample = json_sample
        self.stopping = False


class MeasuredPlayer:
    """A `worldline.Player` whose inputs and observes are timed. Everything else is the player's own.

    ``busy`` while a request waits for its answer.
    """

    def __init__(self, player: worldline.Player, tally: Tally) -> None:
        self.busy = False
        self._player = player
        self._tally = tally

    def __getattr__(self, name: str) -> Any:
        return getattr(self._player, name)

    async def input(self, name: str, args: Mapping[str, Any] | None = None, /, **more: Any) -> worldline.Outcome:
        """`worldline.Player.input`, timed."""
        window = self._tally.window
        outcome, seconds = await self._timed(window, self._player.input(name, args, **more))
        self._tally.acknowledged.append(
            Acknowledged(outcome.world, outcome.player, outcome.seq, outcome.tick, outcome.status)
        )
        if window is not None:
            window.outcome_seconds.record(seconds)
            window.note_outcome(outcome)
            if outcome.observation is not None:
                window.note_observation(outcome.observation, sample=self._tally.json_sample)
        self._end_if_stopping()
        return outcome

    async def observe(self, **options: Any) -> worldline.Observation:
        """`worldline.Player.observe`, timed."""
        window = self._tally.window
        observation, seconds = await self._timed(window, self._player.observe(**options))
        if window is not None:
            window.observation_seconds.record(seconds)
            window.note_observation(observation, sample=self._tally.json_sample)
        self._end_if_stopping()
        return observation

    async def _timed(self, window: Window | None, request: Awaitable[Reply]) -> tuple[Reply, float]:
        self.busy = True
        started = time.perf_counter()
        try:
            reply = await request
        except worldline.WorldlineError as error:
            if window is not None:
                count(window.refused, error.code)
            raise
        finally:
            self.busy = False
            self._tally.decisions += 1
        return reply, time.perf_counter() - started

    def _end_if_stopping(self) -> None:
        """End the agent after its last answer, as if it had been cancelled while it thought."""
        if self._tally.stopping:
            raise asyncio.CancelledError


def count(counts: dict[str, int], key: str) -> None:
    """Add one to ``key``."""
    counts[key] = counts.get(key, 0) + 1
