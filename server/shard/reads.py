"""Requests that only read: what a player observes, what a world's view shows. They are served in the slack.

Ticks come first: as soon as one is due, what is left waits until it has run.

Not here: what is seen (host), and requests that change a world (worker).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from games.errors import ObservationFailed, WorldFaulted
from server import messages
from server.callpage import CallPage
from server.link import Link
from server.shard.host import WorldHost

_log = logging.getLogger("worldline.shard")


class Reads:
    """What waits to be read. ``may_read`` says whether there is time now, ``host_of`` knows the worlds here."""

    def __init__(
        self,
        calls: CallPage,
        *,
        may_read: Callable[[], bool],
        host_of: Callable[[str], WorldHost | None],
        observe: Callable[[Link[Any], messages.ObservePlayer], None],
        answer_view: Callable[[messages.ViewReply, WorldHost | None], None],
    ) -> None:
        """``observe`` answers a player's request; ``answer_view`` sends a view on, with the world that it is of."""
        self._calls = calls
        self._may_read = may_read
        self._host_of = host_of
        self._observe = observe
        self._answer_view = answer_view
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Link[Any], messages.ObservePlayer | messages.AskView]] = deque()
        self._serving = False

    def put(self, link: Link[Any], message: messages.ObservePlayer | messages.AskView) -> None:
        """Serve this request when there is time."""
        self._waiting.append((link, message))
        if not self._serving:
            self._serving = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        while self._waiting:
            if not self._may_read():
                self._loop.call_soon(self._serve)  # behind the tick, whose timer is due
                return
            link, message = self._waiting.popleft()
            if isinstance(message, messages.AskView):
                self._view(message)
            else:
                self._observe(link, message)
        self._serving = False

    def _view(self, message: messages.AskView) -> None:
        host = self._host_of(message.world)
        view: Any = None
        tick = 0
        if host is not None:
            try:
                with self._calls.during(host.id, host.world.tick, "view"):
                    view, tick = msgspec.Raw(host.world.view()), host.world.tick
            except (ObservationFailed, WorldFaulted) as error:
                _log.warning("world %s has no view: %s", message.world, error)
        self._answer_view(messages.ViewReply(request=message.request, world=message.world, tick=tick, view=view), host)
