"""What waits for a world's next tick, in order of arrival, and the rule of `seq`.

An input is applied exactly once. Its key is (player, seq); seqs are 1, 2, 3 … per player, and only an outcome uses one
up. So a seq that comes again is either waiting here, or has its outcome in the world already, or is a mistake.

No I/O, no clock. The inbox is bounded: a full one refuses, it never drops.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from games.errors import ArgumentProblem
from games.manifest import Manifest
from server import messages
from server.link import Link
from worldline import protocol

INBOX_LIMIT: Final = 256  # entries per world and tick: more than 8 players at 10 inputs/s can need in a long pause
INBOX_LIMIT_BYTES: Final = 2 * 2**20  # of args and notes: one tick's record must fit into the log (4 MiB)


class Asker(NamedTuple):
    """Who waits for an answer: a gateway's link and its request number."""

    link: Link[Any]
    request: int


@dataclass(slots=True)
class PendingJoin:
    """A player to be seated. An agent that asks twice before the tick gets one seat and two answers; of several seats
    that are asked for at once the last has the askers."""

    askers: list[JoinAsker]
    agent: str
    session: str
    name: str
    seat: int | None = None
    """The one that is wanted; None: the lowest that is free."""
    player: str = ""
    """Named when the join is logged."""


class JoinAsker(NamedTuple):
    """One request for seats: for a session that drives them from then on, those that its agent has already, and those
    that are to come."""

    asker: Asker
    session: str
    observe: bool
    players: tuple[str, ...]
    coming: tuple[PendingJoin, ...] = ()
    several: bool = False
    """It asked for more than one seat."""

    @property
    def all_players(self) -> list[str]:
        """All of its players, once those that were to come have been named."""
        return [*self.players, *(pending.player for pending in self.coming)]


@dataclass(slots=True)
class PendingLeave:
    """A player to be taken out; nobody asked if the server itself decided it."""

    asker: Asker | None
    player: str
    reason: str


class InputAsker(NamedTuple):
    """One request that waits for an input's outcome, which may be one of several of an act."""

    asker: Asker
    observe: bool
    since: int
    act: Act | None = None
    place: int = 0
    """Which of the inputs of ``act`` it is."""


@dataclass(slots=True)
class PendingInput:
    """An input with its seq. The same input sent twice before its tick waits once, for two askers."""

    player: str
    seq: int
    name: str
    args: dict[str, Any]
    note: str | None
    seen_tick: int | None
    received_ms: int
    askers: list[InputAsker]
    size_bytes: int
    """Of args and note, as the log will hold them."""
    observed_tick: int | None = None
    """The last tick that its agent had been shown; noted when the input is logged."""


@dataclass(slots=True, eq=False)
class Act:
    """A request that lets several players act. Its inputs wait in the inbox as others do."""

    asker: Asker
    message: messages.ActPlayers
    outcomes: list[protocol.Outcome | protocol.Error | None]
    """By input, as far as they are known."""
    pending: list[PendingInput]
    begun: bool = False
    ticking: bool = False
    """Its ticks have not all run."""
    refusal: protocol.Error | None = None
    """Why there are fewer ticks than it wanted."""
    timer: asyncio.TimerHandle | None = None
    answered: bool = False

    @property
    def complete(self) -> bool:
        """Whether all is known that there is to know of it."""
        return not self.ticking and None not in self.outcomes


@dataclass(slots=True)
class PendingSilence:
    """A player who did not act in time: the game's default input is applied for it."""

    player: str


@dataclass(slots=True)
class PendingClock:
    """The world's owner lets it run by this clock from now on."""

    asker: Asker
    clock: str


Pending = PendingJoin | PendingLeave | PendingInput | PendingSilence | PendingClock


class Inbox:
    """The bounded queue of one world."""

    def __init__(self) -> None:
        self._queue: deque[Pending] = deque()
        self._inputs: dict[str, dict[int, PendingInput]] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._queue)

    @property
    def full(self) -> bool:
        """Whether nothing more can be taken before the next tick."""
        return not self.has_room(1)

    def has_room(self, entries: int) -> bool:
        """Whether so many can be taken before the next tick."""
        return len(self._queue) + entries <= INBOX_LIMIT and self._bytes < INBOX_LIMIT_BYTES

    def put(self, pending: Pending) -> None:
        """Queue ``pending``. The caller has asked `full`; leaves that the server decides are always taken."""
        self._queue.append(pending)
        if isinstance(pending, PendingInput):
            self._inputs.setdefault(pending.player, {})[pending.seq] = pending
            self._bytes += pending.size_bytes

    def drain(self) -> list[Pending]:
        """Take everything, in order of arrival."""
        drained = list(self._queue)
        self._queue.clear()
        self._inputs.clear()
        self._bytes = 0
        return drained

    @property
    def acting(self) -> Collection[str]:
        """The players with an input here."""
        return self._inputs.keys()

    def drop(self, player: str) -> list[Pending]:
        """Take out what this player has waiting: it is no longer seated."""
        dropped: list[Pending] = [
            pending
            for pending in self._queue
            if isinstance(pending, PendingInput | PendingLeave) and pending.player == player
        ]
        self._queue = deque(pending for pending in self._queue if pending not in dropped)
        for pending in self._inputs.pop(player, {}).values():
            self._bytes -= pending.size_bytes
        return dropped

    def unfit(self, manifest: Manifest) -> list[tuple[PendingInput, ArgumentProblem | None]]:
        """Take out the inputs that this manifest does not declare so, each with what is wrong with it; and those behind
        them of the same player, whose seq is too high then, with None."""
        taken: dict[str, PendingInput] = {}
        unfit: list[tuple[PendingInput, ArgumentProblem | None]] = []
        for pending in self.drain():
            problem = None
            if isinstance(pending, PendingInput):
                try:
                    pending.args = manifest.check_input(pending.name, pending.args)
                except ArgumentProblem as found:
                    problem = found
                if problem is not None or pending.player in taken:
                    taken.setdefault(pending.player, pending)
                    unfit.append((pending, problem))
                    continue
            self.put(pending)
        return unfit

    def expected_seq(self, player: str, next_seq: int) -> int:
        """The seq that the player's next new input must have; ``next_seq`` is what the world says."""
        return next_seq + len(self._inputs.get(player, ()))

    def waiting(self, player: str, seq: int) -> PendingInput | None:
        """The input with this seq, if it waits here."""
        return self._inputs.get(player, {}).get(seq)

    @property
    def joins_waiting(self) -> int:
        """How many are about to be seated."""
        return sum(isinstance(pending, PendingJoin) for pending in self._queue)

    def joins_of(self, agent: str) -> list[PendingJoin]:
        """This agent's joins that wait here."""
        return [pending for pending in self._queue if isinstance(pending, PendingJoin) and pending.agent == agent]

    @property
    def seats_wanted(self) -> set[int]:
        """The seats that those want who are about to be seated, and name one."""
        wanted = (pending.seat for pending in self._queue if isinstance(pending, PendingJoin))
        return {seat for seat in wanted if seat is not None}

    def leave_waiting(self, player: str) -> bool:
        """Whether this player is about to be taken out."""
        return any(isinstance(pending, PendingLeave) and pending.player == player for pending in self._queue)
