"""The wire protocol, version 1: every message a client may say or hear, as msgspec Structs.

This file is the single source of the protocol. One WebSocket message is one of these structs, written
as JSON (subprotocol ``worldline.v1.json``, text frames) or as MessagePack (``worldline.v1.msgpack``,
binary frames) with the same field names. The field ``type`` names the struct.

Every request carries ``id``, chosen by the client and unique among its open requests; exactly one reply
carries ``re`` = that id: an answer or an `Error`. Messages without ``re`` are pushes. In requests,
absent and null mean the same. Names say their unit (``_ms``, ``_s``, ``_hz``, ``_bytes``); a bare
``tick`` is a tick number.

Not here: how the server treats unknown fields and wrong frames (``server/gateway/decoding.py``), and
what a game's own inputs look like (each game declares them; `Rules` carries their JSON Schemas).
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec

JSON_SUBPROTOCOL: Final = "worldline.v1.json"
MSGPACK_SUBPROTOCOL: Final = "worldline.v1.msgpack"
SUBPROTOCOLS: Final = (JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL)

# Integers stay exact in every client language up to here (IEEE doubles).
MAX_INTEGER: Final = 2**53 - 1
MAX_ID_LENGTH: Final = 40
MAX_NAME_LENGTH: Final = 64
MAX_NOTE_BYTES: Final = 16_384
MAX_STEP_TICKS: Final = 10_000
MAX_WAIT_MS: Final = 25_000  # shorter than what proxies and HTTP clients allow a silent request
MAX_KINDS: Final = 64
# Deeper messages are refused as `malformed`: no game needs it, and recursion is bounded.
MAX_NESTING: Final = 32

Number = int | float
"""On the wire whole numbers have no fraction: 60, not 60.0. (A field of type float would get it back when decoded.)"""
WaitMs = Annotated[int, msgspec.Meta(ge=0, le=MAX_WAIT_MS)]
Natural = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Ident = Annotated[str, msgspec.Meta(max_length=MAX_ID_LENGTH)]
Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_LENGTH)]
Format = Literal["data", "text", "both"]
Until = Literal["tick", "event", "turn", "end"]
Woke = Literal["now", "tick", "event", "turn", "end", "timeout"]

Role = Literal["spectator", "agent", "developer"]
"""What one may do: look at the games and worlds there are; play as well; or everything, for makers of games and agents.
Each may do what those before it may."""

WorldStatus = Literal["waiting", "running", "paused", "recovering", "finished", "closed", "faulted", "damaged"]
"""``waiting`` for min_players, ``running``, ``paused`` (it stands still and can be observed; it goes on by itself),
``recovering`` (its shard died; it comes back), ``finished`` by the rules,
``closed`` (idle, operator), ``faulted`` (the game broke: its log stays readable), ``damaged`` (its log cannot be
believed)."""


class Request(msgspec.Struct, tag_field="type", omit_defaults=True):
    """What every request carries. (Keyword-only in the kinds below, so that ``id`` comes first on the wire.)"""

    id: Natural


class Hello(Request, tag="hello", kw_only=True):
    """The first message of a connection, within ten seconds. With ``resume``, the token of an earlier welcome, the
    connection goes on with that session and drives its players. ``token`` proves which agent one is; the header
    ``Authorization: Bearer`` of the upgrade does the same."""

    name: Name | None = None
    client: Name | None = None
    token: str | None = None
    resume: str | None = None


class Games(Request, tag="games", kw_only=True):
    """Which games can be played here."""


class Rules(Request, tag="rules", kw_only=True):
    """How one game is played: its SKILL.md and the JSON Schemas of its inputs, events and observation."""

    game: Ident


class Worlds(Request, tag="worlds", kw_only=True):
    """Which worlds exist, newest first. ``limit`` and ``next`` page through them."""

    game: Ident | None = None
    status: WorldStatus | None = None
    mine: bool = False
    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] | None = None
    next: Ident | None = None


class Create(Request, tag="create", kw_only=True):
    """Make a world of your own: with ``settings``, a ``seed`` or the manual ``clock`` it is not ranked; a ``private``
    one is joined by its join code only."""

    game: Ident
    settings: dict[str, Any] | None = None
    seed: Natural | None = None
    clock: Literal["manual"] | None = None
    private: bool = False


class Join(Request, tag="join", kw_only=True):
    """Take a seat, in ``world`` or by ``game``: the player you already have in a running world of that game,
    else a free seat, else a new world. Safe to repeat. Others than its owner join a private world with its
    ``join_code``."""

    game: Ident | None = None
    world: Ident | None = None
    join_code: Ident | None = None
    observe: bool = False


class Input(Request, tag="input", kw_only=True):
    """Do something in a world. ``seq`` (1, 2, 3 … per player) makes it safely repeatable.

    ``expires_tick``: applied by that tick, or refused `too_late`; in lockstep and turn worlds it is ``seen_tick`` + 1
    if you do not say otherwise. If its tick has not run after ``wait_ms`` the outcome is `pending`: send it again with
    its seq to wait on."""

    world: Ident
    name: Ident
    player: Ident | None = None
    args: dict[str, Any] | None = None
    seq: Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)] | None = None
    note: str | None = None
    seen_tick: Natural | None = None
    expires_tick: Natural | None = None
    observe: bool = False
    wait_ms: WaitMs | None = None


class Observe(Request, tag="observe", kw_only=True):
    """What a player of yours may know now, and the events since ``since`` (or since your last look).

    With ``until``, ``after_tick`` or ``wait_ms`` it is answered later: after a tick (the next, or the first beyond
    ``after_tick``), when there is an event (of ``kinds``; else any that the game does not call quiet), when an input of
    yours is awaited (turn), when the game is over for you (end); after ``wait_ms`` in any case. Together with another
    ``until``, ``after_tick`` says how old a turn or an end may not be. A second wait for the same player ends the
    first."""

    world: Ident
    player: Ident | None = None
    since: Natural | None = None
    format: Format = "both"
    until: Until | None = None
    after_tick: Natural | None = None
    kinds: Annotated[list[Ident], msgspec.Meta(max_length=MAX_KINDS)] | None = None
    wait_ms: WaitMs | None = None


class Leave(Request, tag="leave", kw_only=True):
    """Give a seat back."""

    world: Ident
    player: Ident | None = None


class Step(Request, tag="step", kw_only=True):
    """Run ``ticks`` ticks of a manual world of yours, now; with ``at_tick`` only if it is at that tick, so that a
    repeated step does not step twice."""

    world: Ident
    ticks: Annotated[int, msgspec.Meta(ge=1, le=MAX_STEP_TICKS)]
    at_tick: Natural | None = None


class Play(Request, tag="play", kw_only=True):
    """Let a manual world of yours run by its game's own clock from now on."""

    world: Ident


class Ping(Request, tag="ping", kw_only=True):
    """Is the server there, and what time is it there. Free of charge up to ten a second."""


ClientMessage = Hello | Games | Rules | Worlds | Create | Join | Input | Observe | Leave | Step | Play | Ping
REQUESTS: Final[tuple[type[Request], ...]] = (
    Hello,
    Games,
    Rules,
    Worlds,
    Create,
    Join,
    Input,
    Observe,
    Leave,
    Step,
    Play,
    Ping,
)
REQUEST_TYPES: Final[dict[str, type[Request]]] = {str(kind.__struct_config__.tag): kind for kind in REQUESTS}


# --- replies -----------------------------------------------------------------------------------------


class Reply(msgspec.Struct, tag_field="type", omit_defaults=True):
    """What every reply carries. ``re`` is absent on pushes and where no id could be read.
    ``ignored`` names fields of the request that the server does not know, ``hint`` what to do about it."""

    re: int | None = None
    ignored: list[str] | None = None
    hint: str | None = None


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
    """A player that your session has. ``next_seq`` is the seq of its next input, ``cursor`` the n of its next event.
    ``driven``: a connection speaks for it; after a resume it is yours."""

    world: str
    game: str
    player: str
    seat: int
    status: WorldStatus
    tick: int
    next_seq: int
    cursor: int
    driven: bool


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
    """One line of `GamesReply`."""

    game: str
    title: str
    summary: str
    max_players: int
    clock: str
    tick_hz: Number
    players: int
    worlds: int
    digest: str


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
    if with settings, a seed or a clock of its choice, or for its friends, the world is not ``ranked``."""

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


class Created(Reply, tag="created", kw_only=True):
    """The world is yours. ``join_code``: with it others join a private world."""

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


class Joined(Reply, tag="joined", kw_only=True):
    """You have a seat. ``next_seq`` is the seq of your next input, ``cursor`` the n of your next event."""

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


class Left(Reply, tag="left", kw_only=True):
    """The seat is free again."""

    world: str
    player: str


class Pong(Reply, tag="pong", kw_only=True):
    """The answer to `Ping`."""

    server_time_ms: int


class Error(Reply, tag="error", kw_only=True):
    """The request was refused: nothing happened. ``retry_after_ms`` present = the same request may succeed later,
    absent = change the request. ``path`` says where in the request, ``valid`` what would be accepted there."""

    code: str
    message: str
    path: str | None = None
    valid: list[str] | None = None
    data: dict[str, Any] | None = None
    retry_after_ms: int | None = None


# --- pushes ------------------------------------------------------------------------------------------


class Started(Reply, tag="started", kw_only=True):
    """A world you sit in has enough players: it runs."""

    world: str
    tick: int


class Closed(Reply, tag="closed", kw_only=True):
    """A world you sit in has ended, or (with ``player``) your player in it has."""

    world: str
    reason: str
    player: str | None = None
    result: Any = None


class RulesChanged(Reply, tag="rules_changed", kw_only=True):
    """A world you sit in goes on with other code from after ``tick`` on, its state being what it was: its author has
    saved the game. ``rules`` tells how it is played now."""

    world: str
    game: str
    digest: str
    tick: int


class Notice(Reply, tag="notice", kw_only=True):
    """Something about the server that you may want to know. ``clock_slow``: the world runs at ``rate`` (0-1) of its
    speed because its machine is overloaded; ``world_recovering``: its shard has died, requests wait until it is back;
    ``world_paused``: it stands still and takes nothing, ``message`` says why; ``world_resumed``: it goes on;
    ``draining``: the server is about to stop; ``code_broken``, for developers: a game was saved that cannot be used, or
    its tick raised in ``world``, at ``line`` of ``file``."""

    code: Literal["draining", "clock_slow", "world_recovering", "world_paused", "world_resumed", "code_broken"]
    message: str
    world: str | None = None
    file: str | None = None
    line: int | None = None
    rate: Number | None = None
    retry_after_ms: int | None = None


ServerMessage = (
    Welcome
    | GamesReply
    | RulesReply
    | WorldsReply
    | Created
    | Joined
    | Outcome
    | Observation
    | Left
    | Stepped
    | Playing
    | Pong
    | Error
    | Started
    | Closed
    | RulesChanged
    | Notice
)

# --- errors and closes -------------------------------------------------------------------------------

ERROR_CODES: Final[dict[str, Literal["mend", "not_possible", "try_later"]]] = {
    # Mend the message.
    "malformed": "mend",
    "unknown_type": "mend",
    "invalid_args": "mend",
    "too_large": "mend",
    "hello_required": "mend",
    "unauthorized": "mend",
    "forbidden": "mend",
    "unknown_game": "mend",
    "unknown_world": "mend",
    "unknown_player": "mend",
    "unknown_input": "mend",
    # Not possible as things stand.
    "not_joined": "not_possible",
    "not_owner": "not_possible",
    "not_your_turn": "not_possible",
    "already_acted": "not_possible",
    "too_late": "not_possible",
    "wrong_tick": "not_possible",
    "seq_conflict": "not_possible",
    "world_full": "not_possible",
    "world_closed": "not_possible",
    "world_faulted": "not_possible",
    "world_damaged": "not_possible",
    # The same may succeed after retry_after_ms.
    "rate_limited": "try_later",
    "overloaded": "try_later",
    "too_many_open": "try_later",
    "not_started": "try_later",
    "world_paused": "try_later",
    "draining": "try_later",
    "too_many_worlds": "try_later",
    "internal": "try_later",
}
"""Every error code the server sends, with what a client can do about it."""

CLOSE_DONE: Final = 1000
CLOSE_PROTOCOL: Final = 1008  # refused, do not retry
CLOSE_TOO_BIG: Final = 1009  # mend the message
CLOSE_FAULT: Final = 1011
CLOSE_RESTART: Final = 1012  # come back after retry_after_ms
CLOSE_TAKEN_OVER: Final = 4001  # a newer connection of the session has taken over: do not retry
CLOSE_TOO_SLOW: Final = 4008  # too slow or silent: come back after retry_after_ms
CLOSE_FLOODING: Final = 4029  # 100 refusals in 10 s
