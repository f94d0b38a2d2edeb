"""Seats that are promised in one world: an agent that was placed there holds them until its shard has seated it.

Pure bookkeeping: no clock (times are passed in, seconds on one monotonic clock). Not here: who may have how many seats
(the shard says), and where there is room (``server/lobby.py``).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class _Promise:
    seats: int
    until_s: float


class Reservations:
    """What is promised in one world, by agent, oldest first."""

    def __init__(self) -> None:
        self._promises: dict[str, _Promise] = {}

    def __bool__(self) -> bool:
        return bool(self._promises)

    def __contains__(self, agent: object) -> bool:
        return agent in self._promises

    @property
    def seats(self) -> int:
        """How many seats are promised."""
        return sum(promise.seats for promise in self._promises.values())

    @property
    def agents(self) -> list[str]:
        """To whom."""
        return list(self._promises)

    def seats_of(self, agent: str) -> int:
        """How many seats are promised to this agent."""
        promise = self._promises.get(agent)
        return 0 if promise is None else promise.seats

    def promise(self, agent: str, seats: int, until_s: float) -> None:
        """``agent`` holds at least so many seats until then."""
        self._promises[agent] = _Promise(max(seats, self.seats_of(agent)), until_s)

    def keep(self, agent: str) -> None:
        """One of the agent's seats is taken now, if it was promised."""
        promise = self._promises.get(agent)
        if promise is not None:
            promise.seats -= 1
            if not promise.seats:
                del self._promises[agent]

    def drop(self, agent: str) -> None:
        """Nothing is promised to this agent any more."""
        self._promises.pop(agent, None)

    def drop_youngest(self) -> None:
        """The promise that was made last does not hold."""
        self._promises.popitem()

    def expire(self, agent: str, until_s: float) -> None:
        """The time of a promise has come. One that was renewed since holds on."""
        promise = self._promises.get(agent)
        if promise is not None and promise.until_s == until_s:
            del self._promises[agent]

    def clear(self) -> None:
        """Nothing is promised here any more."""
        self._promises.clear()
