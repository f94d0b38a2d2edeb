"""What gateways ask of the supervisor, whose lobby knows all worlds.

Invariant: each question has one answer, from ``from_supervisor.py``, which bears its ``request``.

Not here: what is only reported (``to_supervisor.py``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from server.messages.base import Message
from worldline import protocol


class AskPlace(Message, tag="ask_place"):
    """Where shall this agent play: in ``world``, or in any world of ``game``? Answered by `Placed` or `Refused`."""

    request: int
    agent: str
    game: str | None = None
    world: str | None = None
    invited: bool = False
    """The client has shown the join code of ``world``."""
    seats: int = 1
    seat: int | None = None
    player: str | None = None
    """One that the agent has in ``world``."""


class AskCreate(Message, tag="ask_create"):
    """Make a new world that belongs to this agent. Answered by `WorldMade` or `Refused`."""

    request: int
    agent: str
    game: str
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    seed: int | None = None
    clock: str | None = None
    private: bool = False
    ranked: bool = True
    bots: int = 0
    """How many of the game's sample bots shall play in it."""
    by_developer: bool = False


class AskWorlds(Message, tag="ask_worlds"):
    """One page of worlds, newest first. Answered by `WorldsFound`."""

    request: int
    limit: int
    game: str | None = None
    status: protocol.WorldStatus | None = None
    agent: str | None = None
    """Only worlds in which this agent has a player."""
    after: str | None = None
    world: str | None = None
    """Only this one."""


class AskWorld(Message, tag="ask_world"):
    """Is there such a world? Answered by `WorldFound`."""

    request: int
    world: str


class AskGameCounts(Message, tag="ask_game_counts"):
    """How busy is each game? Answered by `GameCounts`."""

    request: int


class AskSession(Message, tag="ask_session"):
    """Which players has this session, which has its agent in other sessions, and which did it lose? Answered by
    `SessionFound`."""

    request: int
    session: str
    agent: str


class AskFork(Message, tag="ask_fork"):
    """Make a fork of ``world`` after ``tick`` that belongs to this agent. Answered by `WorldMade` or `Refused`."""

    request: int
    agent: str
    role: protocol.Role
    world: str
    tick: int
    private: bool = False
    key: str | None = None


class AskLeaderboard(Message, tag="ask_leaderboard"):
    """Who has played a game best? ``after``: how many standings were told before. Answered by `LeaderboardFound` or
    `Refused`."""

    request: int
    game: str
    limit: int
    after: int = 0


class AskMetrics(Message, tag="ask_metrics"):
    """How is the whole server doing, as Prometheus reads it? Answered by `MetricsMade`."""

    request: int


AnyQuestion = (
    AskPlace | AskCreate | AskWorlds | AskWorld | AskGameCounts | AskSession | AskFork | AskLeaderboard | AskMetrics
)
