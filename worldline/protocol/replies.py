"""What a server answers when all is well. (When not, it answers an `Error`: ``errors.py``.)"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from worldline.protocol.base import Number, Reply, Role, Woke, WorldStatus
from worldline.protocol.errors import Error


class Limits(msgspec.Struct, kw_only=True):
    """What this connection may do, and with ``agent_rate_hz`` all connections of its agent. Rates are null when limits
    are off."""

    rate_hz: Number | None
    burst: int | None
    agent_rate_hz: Number | None
    max_open_requests: int
    max_message_bytes: int
    max_reply_bytes: int
    max_note_bytes: int
    max_wait_ms: int
    silence_s: int


class ResumedPlayer(msgspec.Struct, kw_only=True):
    """A player that your agent has. ``next_seq`` is the seq of its next input, ``cursor`` the n of its next event.
    ``yours``: your session drives it from here; else another session has it, ``driven`` says whether a connection
    speaks for it there, and `Join` takes it."""

    world: str
    game: str
    player: str
    seat: int
    status: WorldStatus
    tick: int
    next_seq: int
    cursor: int
    driven: bool
    yours: bool = True


class LostPlayer(msgspec.Struct, kw_only=True):
    """A player that your session had until ``tick``. ``reason`` as in `Closed`: timeout, finished, idle …"""

    world: str
    player: str
    reason: str
    tick: int


class Welcome(Reply, tag="welcome", kw_only=True):
    """Who you are here, and what the limits are. ``features`` names optional parts of the protocol.

    ``resume`` is for the hello of a later connection; ``resumed`` says whether this one went on with an earlier
    session, whose ``players`` are yours again; ``lost`` are those that ended otherwise than by leaving."""

    session: str
    resume: str
    resumed: bool
    agent: str
    name: str
    role: Role
    durability: Literal["durable", "written"]
    server: str
    server_time_ms: int
    features: list[str]
    limits: Limits
    players: list[ResumedPlayer]
    lost: list[LostPlayer]


class GameSummary(msgspec.Struct, kw_only=True):
    """One line of `GamesReply`. ``has_bot``: sample bots can play in its worlds, see `Create`."""

    game: str
    title: str
    summary: str
    max_players: int
    clock: str
    tick_hz: Number
    players: int
    worlds: int
    digest: str
    has_bot: bool = False


class GamesReply(Reply, tag="games", kw_only=True):
    """The games of this server."""

    games: list[GameSummary]


class Spectate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Who may watch a world of a game without a seat in it: ``live``, ``delayed`` by ``delay_s``, ``after`` its end, or
    nobody (``off``)."""

    when: Literal["live", "delayed", "after", "off"]
    delay_s: Number = 0


class RulesReply(Reply, tag="rules", kw_only=True):
    """How a game is played. ``inputs``, ``events``, ``settings`` are JSON Schemas by name, ``observation`` is one.
    ``deadline_ms``: how long a tick of a lockstep or turn game waits for an input."""

    game: str
    title: str
    clock: str
    tick_hz: Number
    grace_s: Number
    seats_per_agent: int
    spectate: Spectate
    markdown: str
    inputs: dict[str, Any]
    events: dict[str, Any]
    observation: dict[str, Any]
    settings: dict[str, Any]
    digest: str
    deadline_ms: int | None = None


class PlayerSummary(msgspec.Struct, kw_only=True):
    """A player as others see it."""

    player: str
    agent: str
    name: str
    seat: int
    score: Number
    connected: bool


class WorldSummary(msgspec.Struct, kw_only=True):
    """One line of `WorldsReply`. ``clock``: who says when it ticks: realtime, lockstep (all who play), turn or manual
    (its owner). ``waiting_for``: the players whose input the next tick waits for. ``owner``: the agent that made it;
    if with settings, a seed or a clock of its choice, or for its friends, the world is not ``ranked``. So many
    ``spectators`` watch it. ``verified_tick``: up to here it was computed again from its log and came out the same;
    ``diverged_tick``: here it did not."""

    world: str
    game: str
    status: WorldStatus
    tick: int
    clock: str
    players: list[PlayerSummary]
    seats_free: int
    digest: str
    owner: str | None = None
    ranked: bool = True
    private: bool = False
    waiting_for: list[str] = []
    spectators: int = 0
    verified_tick: int | None = None
    diverged_tick: int | None = None


class WorldsReply(Reply, tag="worlds", kw_only=True):
    """A page of worlds; send ``next`` again for the page after it."""

    worlds: list[WorldSummary]
    next: str | None = None


class EventItem(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Something that happened to a player. ``n`` counts 1, 2, 3 … per player."""

    n: int
    tick: int
    kind: str
    data: Any = None


class OfferedAction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An input that would be accepted now. ``args`` and ``why`` only if the game says more than names."""

    name: str
    args: dict[str, Any] | None = None
    why: str | None = None


class Observation(Reply, tag="observation", kw_only=True):
    """What a player may know at ``tick``: the game's ``data`` and ``text``, and events since ``since``.

    ``cursor`` is the n to pass as ``since`` next time; ``missed`` counts events that were no longer kept.
    ``ended`` is set once the player is out: by the rules (terminated), or left, timed out, kicked, closed
    (truncated); ``result`` is then the game's. ``actions`` are inputs that would be accepted now; absent if the game
    does not say. In lockstep and turn games ``your_turn`` says whether an input of yours is awaited, ``time_left_ms``
    for how long; then the game's default is applied. ``woke``: why a wait is over; ``now`` if it was cut short."""

    world: str
    player: str
    tick: int
    game_time_s: Number
    status: WorldStatus
    cursor: int
    missed: int
    events: list[EventItem]
    score: Number
    total_reward: Number
    data: Any = None
    text: str | None = None
    actions: list[OfferedAction] | None = None
    ended: Literal["terminated", "truncated"] | None = None
    result: Any = None
    time_left_ms: int | None = None
    your_turn: bool | None = None
    woke: Woke | None = None


class Subscribed(Reply, tag="subscribed", kw_only=True):
    """What is pushed for a player from now on. ``cursor``: the n of the first event of which that is true."""

    world: str
    player: str
    events: bool
    cursor: int
    observe_hz: Number | None = None


class Created(Reply, tag="created", kw_only=True):
    """The world is yours. ``join_code``: with it others join a private world."""

    world: str
    join_code: str | None = None


class Forked(Reply, tag="forked", kw_only=True):
    """The fork is there, and yours. ``join_code``: with it others join a private one."""

    world: str
    join_code: str | None = None


class Stepped(Reply, tag="stepped", kw_only=True):
    """The ticks have run; ``tick`` is the last of them. Fewer than were asked for, if the game ended in one."""

    world: str
    tick: int


class Playing(Reply, tag="playing", kw_only=True):
    """The world runs by its game's clock, from ``tick`` on."""

    world: str
    tick: int


class Stopped(Reply, tag="stopped", kw_only=True):
    """The world has ended; ``tick`` was its last."""

    world: str
    tick: int


class SeatedPlayer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One of several players that you have joined as."""

    player: str
    seat: int
    next_seq: int
    cursor: int
    observation: Observation | None = None


class Joined(Reply, tag="joined", kw_only=True):
    """You have a seat. ``next_seq`` is the seq of your next input, ``cursor`` the n of your next event. If you asked
    for several ``seats``, ``players`` are all of them, the first included."""

    world: str
    game: str
    player: str
    seat: int
    next_seq: int
    cursor: int
    status: WorldStatus
    tick: int
    clock: str
    tick_hz: Number
    digest: str
    observation: Observation | None = None
    players: list[SeatedPlayer] | None = None


class Outcome(Reply, tag="outcome", kw_only=True):
    """What became of an input: final, durable, in the log at ``tick``.

    ``applied``, or ``rejected`` by the game's rules with the game's ``code``, ``message`` and ``hint``. Only
    ``pending`` is not final: its tick has not run yet, ``tick`` is the world's present one, and the same input with the
    same seq waits on.
    ``duplicate``: this seq was applied before; this is the first outcome again. ``stale_ticks`` = tick - seen_tick."""

    world: str
    player: str
    seq: int
    status: Literal["applied", "rejected", "pending"]
    tick: int
    code: str | None = None
    message: str | None = None
    result: Any = None
    stale_ticks: int | None = None
    duplicate: bool = False
    observation: Observation | None = None

    @property
    def ok(self) -> bool:
        """Whether the game applied the input."""
        return self.status == "applied"


class Acted(Reply, tag="acted", kw_only=True):
    """What became of an `Act`, by ``tick``. ``outcomes`` are those of its inputs, in their order; an input whose player
    has gone before it could be applied has an `Error` there. ``observations``: what each of your players sees then."""

    world: str
    tick: int
    outcomes: list[Outcome | Error]
    observations: list[Observation] | None = None


class Left(Reply, tag="left", kw_only=True):
    """The seat is free again."""

    world: str
    player: str


class LeaderboardEntry(msgspec.Struct, kw_only=True):
    """An agent's best score, and the world where it got it. Equal scores have the same ``rank``."""

    rank: int
    agent: str
    name: str
    score: Number
    world: str


class LeaderboardReply(Reply, tag="leaderboard", kw_only=True):
    """A page of a game's leaderboard, best first; send ``next`` again for the page after it."""

    entries: list[LeaderboardEntry]
    next: str | None = None


class Pong(Reply, tag="pong", kw_only=True):
    """The answer to `Ping`."""

    server_time_ms: int
