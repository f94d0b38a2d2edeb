"""What /metrics answers: the supervisor knows all processes, so it is asked each time.

Not here: the figures themselves (``server/metrics.py``).
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Final

from server import messages
from server.gateway.http import NO_STORE
from server.gateway.paths import Asked, Body
from server.link import Link

KIND: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Prometheus' text format."""


class MetricsDesk:
    """Asks for each reader of /metrics. ``control`` is the link to the supervisor."""

    def __init__(self, control: Link[Any]) -> None:
        self._control = control
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[bytes]] = {}

    async def body(self, _: Asked) -> Body:
        """How the whole server is doing now. If that takes too long, whoever waits for this cancels it."""
        number = next(self._numbers)
        answered = self._asked[number] = asyncio.get_running_loop().create_future()
        try:
            self._control.send(messages.AskMetrics(request=number))
            return Body(content=await answered, kind=KIND, cache=NO_STORE)
        finally:
            del self._asked[number]

    def made(self, made: messages.MetricsMade) -> None:
        """The supervisor has answered."""
        answered = self._asked.get(made.request)
        if answered is not None and not answered.done():
            answered.set_result(made.text)
