"""Observations that are waited for: an agent asks once and is answered when there is something to decide on.

Nothing is polled and nothing computed in advance: after each tick, and after what happens between ticks, `look` goes
through the few who wait, and whose wait is over is read for as anybody who asks, in the slack between ticks.

One wait a player: a second one ends the first.

Not here: what an observation holds (sight), and when it is read (reads).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from games.runtime.players import PlayerState
from games.runtime.world import World
from server import messages
from server.link import Link
from server.shard.pace import Pace
from worldline import protocol

Read = Callable[[Link[Any], messages.ObservePlayer], None]


@dataclass(slots=True)
class _Waiting:
    """A request that waits. ``scanned`` is the n of the first event that has not been looked at."""

    link: Link[Any]
    message: messages.ObservePlayer
    wait: messages.Wait
    timer: asyncio.TimerHandle
    scanned: int


class Waits:
    """Who waits in one world. ``read`` computes and sends an observation, soon."""

    def __init__(self, world: World, pace: Pace, read: Read) -> None:
        self._world = world
        self._pace = pace
        self._read = read
        self._waiting: dict[str, _Waiting] = {}

    def put(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        """Keep a request for a player of this world until its wait is over, which may be at once."""
        wait = message.wait
        assert wait is not None
        self.wake(message.player, "now")  # a second wait ends the first
        if wait.until == "tick" and wait.after_tick is None:
            wait.after_tick = self._world.tick
        timer = asyncio.get_running_loop().call_later(wait.wait_ms / 1000, self.wake, message.player, "timeout")
        self._waiting[message.player] = _Waiting(link, message, wait, timer, message.since)
        self._look_at(message.player)

    def look(self) -> None:
        """Something has happened in the world: wake those who waited for it."""
        for player in list(self._waiting):
            self._look_at(player)

    def wake(self, player: str, woke: protocol.Woke) -> None:
        """End the wait of a player, if it waits."""
        waiting = self.take(player)
        if waiting is not None:
            waiting.message.woke = woke
            self._read(waiting.link, waiting.message)

    def wake_all(self, woke: protocol.Woke) -> None:
        """End all waits."""
        for player in list(self._waiting):
            self.wake(player, woke)

    def take(self, player: str) -> _Waiting | None:
        """Take a wait out without ending it: the caller answers."""
        waiting = self._waiting.pop(player, None)
        if waiting is not None:
            waiting.timer.cancel()
            waiting.message.wait = None
        return waiting

    def take_all(self) -> list[_Waiting]:
        """Take all waits out: the caller answers."""
        return [waiting for player in list(self._waiting) if (waiting := self.take(player)) is not None]

    def forget(self, link: Link[Any]) -> None:
        """A gateway is gone: nobody waits behind it any more."""
        for player, waiting in list(self._waiting.items()):
            if waiting.link is link:
                self.take(player)

    def _look_at(self, player: str) -> None:
        waiting, state = self._waiting[player], self._world.players.get(player)
        woke = "now" if state is None else self._over(waiting, state)
        if woke is not None:
            self.wake(player, woke)

    def _over(self, waiting: _Waiting, state: PlayerState) -> protocol.Woke | None:
        """Why a wait is over; None if it is not."""
        wait, world = waiting.wait, self._world
        if world.finished is not None or (state.ended is not None and wait.until in ("turn", "end")):
            return "end"
        if wait.until == "event" and self._event_came(waiting, state):
            return "event"
        if wait.after_tick is not None and world.tick <= wait.after_tick:
            return None
        if wait.until == "turn":
            return "turn" if self._pace.your_turn(state.id) else None
        return "tick" if wait.until == "tick" else None

    def _event_came(self, waiting: _Waiting, state: PlayerState) -> bool:
        """Whether there is an event that this wait is for. Each event is looked at once."""
        if state.next_event <= waiting.scanned:
            return False
        kinds, events = waiting.wait.kinds, self._world.code.manifest.events
        came = state.events_since(waiting.scanned).items
        waiting.scanned = state.next_event
        return any(
            event.kind in kinds if kinds else not (spec := events.get(event.kind)) or not spec.quiet for event in came
        )
