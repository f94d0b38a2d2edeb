"""A player: an agent's part in one world, as its code holds it in hand. Made by `worldline.Client.join`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from worldline import protocol
from worldline.streams import Streams

if TYPE_CHECKING:
    from worldline.client import Client


class Player:
    """Your part in one world; made by `Client.join`, or by `connect` with ``resume``.

    ``world``, ``player``, ``seat``, ``game``, ``clock``, ``tick_hz`` and ``digest`` say what and where; ``tick`` is the
    highest tick you have heard of; ``observation`` the last one you got; ``closed`` is None while you play, else why
    it ended, and ``result`` is then the game's result, if it has one.

    Besides the server's reasons, ``closed`` may be ``left`` (by `leave`), ``gone`` (after a reconnect the server no
    longer knew this player) or ``session_lost`` (it did not take the session's token: expired, or another server's).
    """

    def __init__(self, client: Client, joined: protocol.Joined, seated: protocol.SeatedPlayer) -> None:
        self.client = client
        self.world = joined.world
        self.game = joined.game
        self.player = seated.player
        self.seat = seated.seat
        self.clock = joined.clock
        self.tick_hz = joined.tick_hz
        self.digest = joined.digest
        self.tick = joined.tick
        self.observation: protocol.Observation | None = None
        self.closed: str | None = None
        self.result: Any = None
        self._next_seq = seated.next_seq
        self._next_event: int | None = None  # n of the first event that no observation has brought; None: none came yet
        self._in_order = asyncio.Lock()
        self._streams = Streams(self)
        if seated.observation is not None:
            self._hear(seated.observation, named=False)
            self._see(seated.observation)

    def __repr__(self) -> str:
        return f"<Player {self.player} in {self.world} ({self.game}), seat {self.seat}, tick {self.tick}>"

    async def input(
        self,
        name: str,
        args: Mapping[str, Any] | None = None,
        /,
        *,
        observe: bool = False,
        note: str | None = None,
        expires_tick: int | None = None,
        wait_s: float | None = None,
        **more: Any,
    ) -> protocol.Outcome:
        """Do something; returns when the tick that applied it is durable.

        Arguments of the input are given by keyword, or as a mapping where their names clash with these: ``observe``
        puts what you see at that tick into ``outcome.observation``; ``note`` is your reasoning, for the log and
        spectators. ``expires_tick`` is the last tick that may apply the input, in lockstep and turn games the one after
        `observation` if you do not say otherwise: later, `NotPossible` with code too_late is raised.

        With ``wait_s`` it returns after so many seconds at most: an outcome whose status is ``pending`` says that the
        tick has not run yet; call it again in the same way to wait on.

        Cancelling the call does not take the input back: the next input waits for its outcome.

        A connection that breaks meanwhile changes nothing: the input is sent again with its seq and applied once. If
        it had been applied before, its outcome has ``duplicate`` set.
        """
        wait_ms = None if wait_s is None else wait_ms_of(wait_s)
        doing = self._input(name, {**(args or {}), **more}, observe, note, expires_tick, wait_ms)
        request = asyncio.ensure_future(doing)
        request.add_done_callback(retrieve)
        return await asyncio.shield(request)

    async def _input(
        self,
        name: str,
        args: dict[str, Any],
        observe: bool,
        note: str | None,
        expires_tick: int | None,
        wait_ms: int | None,
    ) -> protocol.Outcome:
        async with self._in_order:
            while True:
                request = protocol.Input(
                    id=self.client._next_id(),
                    world=self.world,
                    player=self.player,
                    name=name,
                    args=args,
                    seq=self._next_seq,
                    note=note,
                    seen_tick=self.observation.tick if self.observation is not None else None,
                    expires_tick=expires_tick,
                    observe=observe,
                    wait_ms=wait_ms,
                )
                # A refusal leaves the seq free; only an outcome that is final uses it up.
                outcome = await self.client._ask(request, protocol.Outcome)
                if outcome.status != "pending":
                    self._next_seq += 1
                    break
                if wait_ms is not None:
                    break
        self.tick = max(self.tick, outcome.tick)
        self._see(outcome.observation)
        return outcome

    async def observe(
        self,
        *,
        since: int | None = None,
        format: protocol.Format = "both",
        until: protocol.Until | None = None,
        after_tick: int | None = None,
        kinds: Sequence[str] | None = None,
        wait_s: float | None = None,
    ) -> protocol.Observation:
        """What you may know now, with the events since your last look (or those with n ≥ ``since``).

        ``until`` waits: for the next "tick" (or the first beyond ``after_tick``), for an "event" (of these ``kinds``;
        else any but the quiet ones), for your "turn", for the "end". It returns after ``wait_s`` in any case, without
        ``wait_s`` after the server's longest wait (25 s); ``woke`` of the observation says why it did.

        Without ``since`` each event comes in one observation only, also when the connection broke in between;
        ``missed`` counts those that the server no longer had.
        """
        request = protocol.Observe(
            id=self.client._next_id(),
            world=self.world,
            player=self.player,
            since=since,
            format=format,
            until=until,
            after_tick=after_tick,
            kinds=None if kinds is None else list(kinds),
            wait_ms=None if wait_s is None else wait_ms_of(wait_s),
        )
        observation = await self.client._ask(request, protocol.Observation)
        self._see(observation)
        return observation

    async def events(self, *, kinds: Collection[str] | None = None) -> AsyncIterator[protocol.EventItem]:
        """Your events as they come, from those on that no observation has brought yet: of these ``kinds``, else all.

        They are pushed: nothing is asked for again and again, also not when the connection breaks, and each comes once
        and in order, as long as the server keeps it (the last 256). Observations hold them all the same. Ends with the
        game, or when you leave it."""
        async for event in self._streams.events(kinds):
            yield event

    async def observations(self, hz: float) -> AsyncIterator[protocol.Observation]:
        """What you see, ``hz`` times a second while there are new ticks; of those that you do not read in time only the
        newest. It costs as many requests (``welcome.limits.rate_hz``). Ends with the game, or when you leave it."""
        async for seen in self._streams.observations(hz):
            yield seen

    async def leave(self) -> None:
        """Give the seat back."""
        request = protocol.Leave(id=self.client._next_id(), world=self.world, player=self.player)
        await self.client._ask(request, protocol.Left)
        self._end("left")

    async def think(self) -> None:
        """Sleep for a random time within the client's ``think_s``, as a slow agent would; at once if that is None."""
        if self.client.think_s is not None:
            await asyncio.sleep(random.uniform(*self.client.think_s))

    def _hear(self, observation: protocol.Observation, *, named: bool) -> None:
        """Leave out events that came before. Called for each observation in the order in which they arrive.

        After a reconnect the server begins with what it knows to have arrived, which may be less than did. ``named``:
        the caller has asked for a certain event and gets all from there.
        """
        if self._next_event is not None and not named:
            first = observation.events[0].n if observation.events else observation.cursor
            observation.missed = max(0, first - self._next_event)
            observation.events = [event for event in observation.events if event.n >= self._next_event]
        self._next_event = max(self._next_event or 1, observation.cursor)

    def _see(self, observation: protocol.Observation | None) -> None:
        if observation is not None and (self.observation is None or observation.tick >= self.observation.tick):
            self.observation = observation
            self.tick = max(self.tick, observation.tick)

    def _end(self, reason: str, result: Any = None) -> None:
        if self.closed is None:
            self.closed, self.result = reason, result
        self._streams.end()


def wait_ms_of(wait_s: float) -> int:
    """A wait as the protocol has it: never longer than the server would wait."""
    return max(0, min(protocol.MAX_WAIT_MS, round(wait_s * 1000)))


def retrieve(request: asyncio.Future[Any]) -> None:
    """Look at the result, so that an input whose caller was cancelled does not warn about an exception nobody saw."""
    if not request.cancelled():
        request.exception()
