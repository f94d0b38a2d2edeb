"""What is pushed to a client for its players: their events, and observations so many times a second.

Events come from the shard. While the client does not read they are left out, and it is told which, once, when there is
room again. Observations are asked for from here, one at a time, and only when they can be paid for and there is room:
so the newest wins, and each counts as a request.

Invariant: for one connection at most one observation a player waits here, and of events that were left out only their
first and last number. All of it ends with the connection.

Not here: who may subscribe to what (``requests``), and the events themselves (the shard).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from server import messages
from server.gateway.backends import Backends, Waiting
from server.gateway.fanout import spread
from server.gateway.session import Seat, Session
from worldline import protocol

RETRY_MS: Final = 100  # there is room again


class Subscriptions:
    """What is pushed by one gateway."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._loop = asyncio.get_running_loop()

    def begin(self, waiting: Waiting, subscribed: protocol.Subscribed) -> None:
        """A client has subscribed, otherwise than before, or to nothing any more."""
        session, request = waiting.session, waiting.request
        assert isinstance(request, protocol.Subscribe)
        seat = session.seat(subscribed.world, subscribed.player)
        if session.gone or seat is None:
            return
        subscribed.observe_hz = request.observe_hz
        seat.events, seat.next_event = subscribed.events, subscribed.cursor
        if request.since is not None or not request.events:
            seat.skipped = None
        session.connection.on_room = partial(self._tell_skipped, session)
        if request.observe_hz == seat.observe_hz and seat.observing is not None:
            return
        self.end(seat)
        seat.observe_hz = request.observe_hz
        if request.observe_hz is not None:
            seat.observing = self._loop.create_task(self._observe(session, seat, request))

    def end(self, seat: Seat) -> None:
        """Push no observations of this player any more."""
        if seat.observing is not None:
            seat.observing.cancel()
            seat.observing = None

    def push(self, session: Session, message: protocol.Event | protocol.Observation | protocol.Notice) -> None:
        """A shard has something for a player's subscriber."""
        assert message.player is not None
        seat = session.seat(message.world or "", message.player)
        if seat is None or not seat.events:
            return
        if isinstance(message, protocol.Event):
            seat.next_event = message.n + 1
            if session.connection.full or seat.skipped is not None:
                first = message.n if seat.skipped is None else seat.skipped[0]
                seat.skipped = first, message.n
                return
        spread([session], message)

    def _tell_skipped(self, session: Session) -> None:
        """There is room again: say which events were left out."""
        for seat in session.seats():
            if seat.skipped is not None:
                (first, last), seat.skipped = seat.skipped, None
                notice = protocol.Notice(
                    code="events_skipped",
                    message=f"events {first} to {last} of {seat.player} were left out: you read too slowly; observe, "
                    f"or subscribe with since = {first}",
                    world=seat.world,
                    player=seat.player,
                    first=first,
                    last=last,
                    retry_after_ms=RETRY_MS,
                )
                spread([session], notice)

    # --- observations --------------------------------------------------------------------------------

    async def _observe(self, session: Session, seat: Seat, request: protocol.Subscribe) -> None:
        """Push what a player sees, when there is a new tick, room, and something left to pay with."""
        assert request.observe_hz is not None
        period_s = 1 / request.observe_hz
        due_s = self._loop.time()
        shown_tick = -1
        while not session.gone and session.seat(seat.world, seat.player) is seat:
            if not session.connection.behind and await session.admission.spare():
                seen = await self._look(session, seat, request)
                if isinstance(seen, protocol.Observation) and (seen.tick > shown_tick or seen.events):
                    shown_tick = seen.tick
                    session.saw(seen)
                    spread([session], seen)
            due_s = max(due_s + period_s, self._loop.time())
            await asyncio.sleep(due_s - self._loop.time())

    async def _look(self, session: Session, seat: Seat, request: protocol.Subscribe) -> messages.AnyAnswer | None:
        """What a player sees now; None if nobody can say at the moment."""
        question = messages.ObservePlayer(request=0, world=seat.world, player=seat.player, since=seat.cursor)
        waiting = Waiting(session, request, world=seat.world, pushed=self._loop.create_future())
        assert waiting.pushed is not None
        if self._backends.congested(seat.shard) or not self._backends.ask(seat.shard, question, waiting):
            return None
        return await waiting.pushed


def settle(pushed: asyncio.Future[messages.AnyAnswer | None], answer: messages.AnyAnswer | None) -> None:
    """Give a subscriber's look its answer, unless it has been given up."""
    if not pushed.done():
        pushed.set_result(answer)
