"""What only reads: what a player observes, what a world's view shows, what spectators get. It is done in the slack.

Ticks come first: as soon as one is due, what is left waits until it has run.

Not here: what is seen (host), and requests that change a world (router).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from functools import partial
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
        watch: Callable[[Link[Any], messages.WatchWorld], None],
        answer_view: Callable[[messages.ViewReply, WorldHost | None], None],
    ) -> None:
        """``observe`` answers a player's request, ``watch`` a spectator's; ``answer_view`` sends a view on, with the
        world that it is of."""
        self._calls = calls
        self._may_read = may_read
        self._host_of = host_of
        self._observe = observe
        self._watch = watch
        self._answer_view = answer_view
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Callable[[], None]] = deque()
        self._serving = False

    def put(self, link: Link[Any], message: messages.ObservePlayer | messages.WatchWorld | messages.AskView) -> None:
        """Serve this request when there is time."""
        match message:
            case messages.ObservePlayer():
                self._later(partial(self._observe, link, message))
            case messages.WatchWorld():
                self._later(partial(self._watch, link, message))
            case messages.AskView():
                self._later(partial(self._view, message))

    def look(self, world: str, job: Callable[[], None]) -> None:
        """Do something that looks at a world's view when there is time, if the world is still here then. If that breaks
        the world, it ends."""
        self._later(partial(self._look, world, job))

    def _later(self, job: Callable[[], None]) -> None:
        self._waiting.append(job)
        if not self._serving:
            self._serving = True
            self._loop.call_soon(self._serve)

    def _serve(self) -> None:
        while self._waiting:
            if not self._may_read():
                self._loop.call_soon(self._serve)  # behind the tick, whose timer is due
                return
            self._waiting.popleft()()
        self._serving = False

    def _look(self, world: str, job: Callable[[], None]) -> None:
        host = self._host_of(world)
        if host is not None:
            try:
                with self._calls.during(host.id, host.world.tick, "view"):
                    job()
            except WorldFaulted as fault:
                host.course.end_faulted(fault)

    def _view(self, message: messages.AskView) -> None:
        host = self._host_of(message.world)
        view: Any = None
        tick = 0
        if host is not None:
            try:
                with self._calls.during(host.id, host.world.tick, "view"):
                    view, tick = msgspec.Raw(host.world.view()), host.world.tick
            except (ObservationFailed, WorldFaulted) as error:
                _log.warning("world %s has no view: %s", message.world, error, extra={"world": message.world})
        self._answer_view(messages.ViewReply(request=message.request, world=message.world, tick=tick, view=view), host)
