"""The wire protocol, version 1: every message a client may say or hear, as msgspec Structs.

This package is the single source of the protocol. One WebSocket message is one of these structs, written
as JSON (subprotocol ``worldline.v1.json``, text frames) or as MessagePack (``worldline.v1.msgpack``,
binary frames) with the same field names. The field ``type`` names the struct.

Every request carries ``id``, chosen by the client and unique among its open requests; exactly one reply
carries ``re`` = that id: an answer or an `Error`. Messages without ``re`` are pushes. In requests,
absent and null mean the same. Names say their unit (``_ms``, ``_s``, ``_hz``, ``_bytes``); a bare
``tick`` is a tick number.

Whoever adds a message adds it to the union that it belongs to, to `ANSWERS` or `PUSHES`, and an example to
``worldline/protocol/examples.py``: from these follow the published descriptions (``worldline/protocol/asyncapi.py``).

Not here: how the server treats unknown fields and wrong frames (``server/gateway/decoding.py``), and
what a game's own inputs look like (each game declares them; `Rules` carries their JSON Schemas).
"""

from __future__ import annotations

from typing import Final

from worldline.protocol.base import (
    JSON_SUBPROTOCOL,
    MAX_ACT_INPUTS,
    MAX_ID_LENGTH,
    MAX_INTEGER,
    MAX_KINDS,
    MAX_LOG_RECORDS,
    MAX_NAME_LENGTH,
    MAX_NESTING,
    MAX_NOTE_BYTES,
    MAX_OBSERVE_HZ,
    MAX_PATH_LENGTH,
    MAX_SEATS,
    MAX_SPEED,
    MAX_STEP_TICKS,
    MAX_WAIT_MS,
    MAX_WATCH_HZ,
    MIN_OBSERVE_HZ,
    MIN_SPEED,
    MIN_WATCH_HZ,
    MSGPACK_SUBPROTOCOL,
    SUBPROTOCOLS,
    WORLD_STATUSES,
    Format,
    Ident,
    Name,
    Natural,
    Number,
    Reply,
    Request,
    Role,
    Seat,
    Until,
    WaitMs,
    Woke,
    WorldStatus,
)
from worldline.protocol.errors import (
    CLOSE_CODES,
    CLOSE_DONE,
    CLOSE_FAULT,
    CLOSE_FLOODING,
    CLOSE_PROTOCOL,
    CLOSE_RESTART,
    CLOSE_TAKEN_OVER,
    CLOSE_TOO_BIG,
    CLOSE_TOO_SLOW,
    ERROR_CODES,
    Error,
    ErrorCode,
)
from worldline.protocol.pushes import Closed, Event, Notice, RulesChanged, Started
from worldline.protocol.replies import (
    Acted,
    Created,
    EventItem,
    Forked,
    GamesReply,
    GameSummary,
    Joined,
    LeaderboardEntry,
    LeaderboardReply,
    Left,
    Limits,
    LostPlayer,
    Observation,
    OfferedAction,
    Outcome,
    PlayerSummary,
    Playing,
    Pong,
    ResumedPlayer,
    RulesReply,
    SeatedPlayer,
    Spectate,
    Stepped,
    Stopped,
    Subscribed,
    Welcome,
    WorldsReply,
    WorldSummary,
)
from worldline.protocol.requests import (
    REQUEST_TYPES,
    REQUESTS,
    Act,
    ActInput,
    ClientMessage,
    Control,
    Create,
    Fork,
    Games,
    Hello,
    Input,
    Join,
    Leaderboard,
    Leave,
    Log,
    Observe,
    Ping,
    Play,
    Rules,
    State,
    Step,
    Stop,
    Subscribe,
    Watch,
    Worlds,
)
from worldline.protocol.watching import (
    Frame,
    LogReply,
    Mark,
    Scene,
    StateReply,
    Static,
    WatchedEvent,
    WatchedInput,
    WatchedPlayer,
    Watching,
)

ServerMessage = (
    Welcome
    | GamesReply
    | RulesReply
    | WorldsReply
    | Created
    | Joined
    | Outcome
    | Acted
    | Observation
    | Left
    | Stepped
    | Playing
    | Stopped
    | LeaderboardReply
    | Watching
    | Forked
    | LogReply
    | StateReply
    | Static
    | Frame
    | Pong
    | Error
    | Subscribed
    | Event
    | Started
    | Closed
    | RulesChanged
    | Notice
)

ANSWERS: Final[dict[type[Request], type[Reply]]] = {
    Hello: Welcome,
    Games: GamesReply,
    Rules: RulesReply,
    Worlds: WorldsReply,
    Create: Created,
    Join: Joined,
    Act: Acted,
    Input: Outcome,
    Observe: Observation,
    Subscribe: Subscribed,
    Leave: Left,
    Step: Stepped,
    Play: Playing,
    Stop: Stopped,
    Leaderboard: LeaderboardReply,
    Watch: Watching,
    Control: Watching,
    Log: LogReply,
    State: StateReply,
    Fork: Forked,
    Ping: Pong,
}
"""What answers each request when all is well; an `Error` when not."""

PUSHES: Final[tuple[type[Reply], ...]] = (
    Started,
    Closed,
    Event,
    Observation,
    RulesChanged,
    Notice,
    Watching,
    Static,
    Frame,
)
"""What may come unasked: without ``re``."""

__all__ = [
    "ANSWERS",
    "CLOSE_CODES",
    "CLOSE_DONE",
    "CLOSE_FAULT",
    "CLOSE_FLOODING",
    "CLOSE_PROTOCOL",
    "CLOSE_RESTART",
    "CLOSE_TAKEN_OVER",
    "CLOSE_TOO_BIG",
    "CLOSE_TOO_SLOW",
    "ERROR_CODES",
    "JSON_SUBPROTOCOL",
    "MAX_ACT_INPUTS",
    "MAX_ID_LENGTH",
    "MAX_INTEGER",
    "MAX_KINDS",
    "MAX_LOG_RECORDS",
    "MAX_NAME_LENGTH",
    "MAX_NESTING",
    "MAX_NOTE_BYTES",
    "MAX_OBSERVE_HZ",
    "MAX_PATH_LENGTH",
    "MAX_SEATS",
    "MAX_SPEED",
    "MAX_STEP_TICKS",
    "MAX_WAIT_MS",
    "MAX_WATCH_HZ",
    "MIN_OBSERVE_HZ",
    "MIN_SPEED",
    "MIN_WATCH_HZ",
    "MSGPACK_SUBPROTOCOL",
    "PUSHES",
    "REQUESTS",
    "REQUEST_TYPES",
    "SUBPROTOCOLS",
    "WORLD_STATUSES",
    "Act",
    "ActInput",
    "Acted",
    "ClientMessage",
    "Closed",
    "Control",
    "Create",
    "Created",
    "Error",
    "ErrorCode",
    "Event",
    "EventItem",
    "Fork",
    "Forked",
    "Format",
    "Frame",
    "GameSummary",
    "Games",
    "GamesReply",
    "Hello",
    "Ident",
    "Input",
    "Join",
    "Joined",
    "Leaderboard",
    "LeaderboardEntry",
    "LeaderboardReply",
    "Leave",
    "Left",
    "Limits",
    "Log",
    "LogReply",
    "LostPlayer",
    "Mark",
    "Name",
    "Natural",
    "Notice",
    "Number",
    "Observation",
    "Observe",
    "OfferedAction",
    "Outcome",
    "Ping",
    "Play",
    "PlayerSummary",
    "Playing",
    "Pong",
    "Reply",
    "Request",
    "ResumedPlayer",
    "Role",
    "Rules",
    "RulesChanged",
    "RulesReply",
    "Scene",
    "Seat",
    "SeatedPlayer",
    "ServerMessage",
    "Spectate",
    "Started",
    "State",
    "StateReply",
    "Static",
    "Step",
    "Stepped",
    "Stop",
    "Stopped",
    "Subscribe",
    "Subscribed",
    "Until",
    "WaitMs",
    "Watch",
    "WatchedEvent",
    "WatchedInput",
    "WatchedPlayer",
    "Watching",
    "Welcome",
    "Woke",
    "WorldStatus",
    "WorldSummary",
    "Worlds",
    "WorldsReply",
]
