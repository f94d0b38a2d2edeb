"""What the engine remembers about each player: score, rewards, events not yet seen, outcomes already given.

Plain data without any Lua: a snapshot can write it as it stands. Rings are bounded, so a player costs a bounded
amount of memory however long a world lives.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, Literal

import msgspec

MAX_EVENTS: Final = 256
"""So many events are kept for a player who does not look; older ones count as missed."""
MAX_OUTCOMES: Final = 64
"""So many outcomes are kept to answer a repeated input with."""

_sorted = msgspec.msgpack.Encoder(order="sorted")


def input_digest(name: str, args: dict[str, Any]) -> bytes:
    """Return 8 bytes that are equal for the same input, in whatever order its args were sent."""
    return hashlib.blake2b(_sorted.encode((name, args)), digest_size=8).digest()


class Event(msgspec.Struct, array_like=True, frozen=True):
    """Something that happened to a player. ``n`` counts 1, 2, 3 … per player; ``data`` is one MessagePack value."""

    n: int
    tick: int
    kind: str
    data: msgspec.Raw


class Events(msgspec.Struct, frozen=True):
    """Events from ``since`` on. ``cursor`` is the n of the next event; ``missed`` counts those no longer kept."""

    items: list[Event]
    cursor: int
    missed: int


class InputOutcome(msgspec.Struct, array_like=True, frozen=True):
    """What became of an input at ``tick``."""

    player: str
    seq: int
    tick: int
    status: Literal["applied", "rejected"]
    code: str | None
    message: str | None
    hint: str | None
    packed_result: bytes
    """What the game answered, as one MessagePack value; empty if nothing."""
    digest: bytes
    """`input_digest` of what was sent: the same seq with another digest is another input."""

    @property
    def result(self) -> msgspec.Raw | None:
        """What the game answered, ready to be put into a message; None if nothing."""
        return msgspec.Raw(self.packed_result) if self.packed_result else None


class PlayerState(msgspec.Struct, array_like=True):
    """A seated player."""

    id: str
    seat: int
    agent: str
    """Whose player it is; empty: nobody's, as all are in a fork."""
    name: str
    score: float = 0.0
    reward: float = 0.0
    """Sum of what the game rewarded, if it ever did."""
    is_rewarded: bool = False
    next_seq: int = 1
    """The seq of the next input: one more than the last outcome's."""
    next_event: int = 1
    ended: Literal["terminated", "truncated"] | None = None
    """``terminated``: out by the rules. ``truncated``: the world ran out of ticks."""
    result: Any = None
    events: list[Event] = []
    """The last ones, oldest first; cut to MAX_EVENTS."""
    outcomes: dict[int, InputOutcome] = {}
    """The last ones by seq, oldest first; cut to MAX_OUTCOMES."""

    @property
    def is_vacant(self) -> bool:
        """Whether nobody plays it, and the next one to join may."""
        return not self.agent

    @property
    def total_reward(self) -> float:
        """What the game rewarded; the score, if it never rewards."""
        return self.reward if self.is_rewarded else self.score

    def add_event(self, tick: int, kind: str, data: msgspec.Raw) -> None:
        """Keep an event, and forget the oldest if there are too many."""
        self.events.append(Event(self.next_event, tick, kind, data))
        self.next_event += 1
        if len(self.events) > MAX_EVENTS:
            del self.events[0]

    def add_outcome(self, outcome: InputOutcome) -> None:
        """Keep an outcome, and forget the oldest if there are too many."""
        self.outcomes[outcome.seq] = outcome
        self.next_seq = outcome.seq + 1
        if len(self.outcomes) > MAX_OUTCOMES:
            del self.outcomes[next(iter(self.outcomes))]

    def events_since(self, since: int) -> Events:
        """Return the kept events with n ≥ ``since``."""
        since = max(1, since)
        oldest = self.next_event - len(self.events)
        return Events(
            items=self.events[max(0, since - oldest) :],
            cursor=self.next_event,
            missed=max(0, min(oldest, self.next_event) - since),
        )
