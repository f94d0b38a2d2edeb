"""Worlds that the supervisor has given to this shard, and which are not here yet: new ones, and those to be restored.

They are made one per turn of the loop: loading takes milliseconds, and the ticks of others come first. While the shard
stands still, those that are to come back wait; who waits for a new one is told to come later.

Invariant: each order has one answer, which says that the world is here, durably, or why it is not; unless the shard
ends before.

Not here: how a world is made or restored (opening).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

from eventlog.errors import EventLogError
from eventlog.ticket import Ticket
from games.code import Engine
from games.errors import ArgumentProblem, GameError, WorldFaulted
from replays.replay import ReplayError
from replays.shelf import Shelf
from server import messages
from server.callpage import CallPage
from server.shard import opening
from server.shard.host import WorldHost

_log = logging.getLogger("worldline.shard")


class Arrivals:
    """What waits to be opened in one shard."""

    def __init__(
        self,
        config: messages.ConfigureShard,
        shelf: Shelf,
        engine: Engine,
        calls: CallPage,
        report: Callable[[messages.Message, Ticket | None], None],
        *,
        may_open: Callable[[], bool],
        settle: Callable[[opening.Opened], WorldHost],
        reload: Callable[[str], None],
    ) -> None:
        """``report`` tells the supervisor, ``may_open`` says whether there is time now, ``settle`` gives a world its
        host, and ``reload`` lets it go on with the code that was saved last."""
        self._data = Path(config.data)
        self._shard = config.shard
        self._shelf = shelf
        self._engine = engine
        self._calls = calls
        self._report = report
        self._may_open = may_open
        self._settle = settle
        self._reload = reload
        self._loop = asyncio.get_running_loop()
        self._orders: deque[messages.OpenWorld | messages.RestoreWorld] = deque()
        self._why_paused: str | None = None

    def put(self, order: messages.OpenWorld | messages.RestoreWorld) -> None:
        """Open this world when it is its turn."""
        self._orders.append(order)
        self._loop.call_soon(self._open_next)

    def pause(self, reason: str) -> None:
        """Open no world until `resume`; ``reason`` is for people."""
        self._why_paused = reason

    def resume(self) -> None:
        """Open those that have waited."""
        self._why_paused = None
        for _ in self._orders:
            self._loop.call_soon(self._open_next)

    def stop(self) -> None:
        """Open no world any more: the next server does."""
        self._orders.clear()

    def _open_next(self) -> None:
        if not self._orders:
            return
        if not self._may_open():
            self._loop.call_soon(self._open_next)
            return
        if self._why_paused is not None:
            self._refuse_new(self._why_paused)
            return
        order = self._orders.popleft()
        if isinstance(order, messages.OpenWorld):
            self._open(order)
        else:
            self._restore(order)

    def _refuse_new(self, reason: str) -> None:
        """Nobody is waiting for long for a world that cannot be made now. Those that are to come back wait."""
        for order in list(self._orders):
            if isinstance(order, messages.OpenWorld):
                self._orders.remove(order)
                self._report(messages.WorldNotOpened(world=order.world, reason=reason, later=True), None)

    def _open(self, order: messages.OpenWorld) -> None:
        try:
            code = self._shelf.code(order.game, order.digest)
            with self._calls.during(order.world, 0, "setup"):
                opened = opening.make(code, self._engine, order, shard=self._shard)
        except (GameError, ArgumentProblem, EventLogError, ReplayError) as error:
            about = {"world": order.world}
            _log.error("world %s of %s could not be made: %s", order.world, order.game, error, extra=about)
            self._report(messages.WorldNotOpened(world=order.world, reason=str(error)), None)
            return
        host = self._settle(opened)
        _log.info("world %s of %s begins", host.id, order.game, extra={"world": host.id})
        host.course.telling.debug(opened.world.setup_lines)
        self._report(messages.WorldOpened(world=host.id), host.course.ticket)
        self._reload(host.id)

    def _restore(self, order: messages.RestoreWorld) -> None:
        try:
            opened = opening.restore(
                self._data,
                order.world,
                not_run=order.not_run,
                shard=self._shard,
                calls=self._calls,
                shelf=self._shelf,
            )
        except (GameError, EventLogError, ReplayError, WorldFaulted, opening.LogEnded) as error:
            status = error.status if isinstance(error, opening.LogEnded) else "damaged"
            answer = messages.WorldNotRestored(world=order.world, status=status, reason=str(error))
            self._report(answer, None)
            return
        host = self._settle(opened)
        self._report(host.restored(opened.joined), host.course.ticket)
        if order.not_run is None:
            host.course.go_on()
            self._reload(host.id)
        else:
            host.course.end_at(order.not_run, order.reason)
