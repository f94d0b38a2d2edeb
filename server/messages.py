"""What supervisor, gateways and shards tell each other. Whoever reads this file and
``worldline/protocol.py`` knows the system.

Four vocabularies, one per direction of talk:

==============================  ==========================================================
`GatewayToShard`                what players do (joined to a world by the lobby's placement)
`ShardToGateway`                answers to that, and pushes; sent only when durable
`ToSupervisor`                  questions of gateways to the lobby, reports of shards
`FromSupervisor`                configuration, placement, orders
==============================  ==========================================================

Every message is a MessagePack frame on a unix socket (``server/link.py``). ``request`` is a number that the
asking process chose; the answer carries it back. A link that breaks loses its open questions: whoever
asked answers its own clients for them.

Not here: anything a client sees. Answers embed the structs of ``worldline.protocol`` as they will go out.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from server.histogram import Histogram
from worldline import protocol

# --- gateway → shard ---------------------------------------------------------------------------------


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The base of all internal messages."""


class JoinWorld(Message, tag="join"):
    """Seat this agent in the world the lobby placed it in. The answer is `protocol.Joined`."""

    request: int
    world: str
    agent: str
    session: str
    name: str
    observe: bool = False


class PlayerInput(Message, tag="input"):
    """Apply this input at the next tick. The answer is `protocol.Outcome`."""

    request: int
    world: str
    player: str
    name: str
    args: dict[str, Any]
    seq: int | None = None
    note: str | None = None
    seen_tick: int | None = None
    observe: bool = False
    since: int = 1
    """With ``observe``: the first event the observation shall hold."""


class ObservePlayer(Message, tag="observe"):
    """What does this player see. The answer is `protocol.Observation`."""

    request: int
    world: str
    player: str
    since: int
    named: bool = False
    """The client itself has named ``since``: it has everything before."""
    format: protocol.Format = "both"


class LeaveWorld(Message, tag="leave"):
    """Take this player out. The answer is `protocol.Left`."""

    request: int
    world: str
    player: str


class AttachPlayer(Message, tag="attach"):
    """The session of this player is back: it is driven from here now, and its grace ends. The answer is
    `PlayerAttached` or `PlayerAbsent`."""

    request: int
    world: str
    player: str


class PlayerDriven(Message, tag="driven"):
    """This gateway speaks for the player, in a world that has come back on this shard. No answer."""

    world: str
    player: str


class PlayerDetached(Message, tag="detached"):
    """The connection that drove this player is gone: its grace begins. No answer."""

    world: str
    player: str


GatewayToShard = JoinWorld | PlayerInput | ObservePlayer | LeaveWorld | AttachPlayer | PlayerDriven | PlayerDetached

# --- shard → gateway ---------------------------------------------------------------------------------


AnyAnswer = protocol.Joined | protocol.Outcome | protocol.Observation | protocol.Left | protocol.Error


class Answer(Message, tag="answer"):
    """The one reply to a request of a gateway."""

    request: int
    message: AnyAnswer


class Push(Message, tag="push"):
    """For all connections with a player in ``world``, or only for the one that drives ``player``."""

    world: str
    message: protocol.Started | protocol.Closed | protocol.Notice
    player: str | None = None


class PlayerAttached(Message, tag="attached"):
    """The answer to `AttachPlayer`. ``since``: the first event that the next observation shall hold, so that what the
    last connection may not have delivered comes again."""

    request: int
    player: protocol.ResumedPlayer
    since: int


class PlayerAbsent(Message, tag="absent"):
    """The answer to `AttachPlayer` for a player that is gone: since which tick, and why."""

    request: int
    reason: str
    tick: int


ShardToGateway = Answer | Push | PlayerAttached | PlayerAbsent

# --- gateway, shard → supervisor ---------------------------------------------------------------------


class GatewayReady(Message, tag="gateway_ready"):
    """The gateway accepts connections."""


class AskPlace(Message, tag="ask_place"):
    """Where shall this agent play: in ``world``, or in any world of ``game``? Answered by `Placed` or `Refused`."""

    request: int
    agent: str
    game: str | None = None
    world: str | None = None


class AskWorlds(Message, tag="ask_worlds"):
    """One page of worlds, newest first. Answered by `WorldsFound`."""

    request: int
    limit: int
    game: str | None = None
    status: protocol.WorldStatus | None = None
    agent: str | None = None
    """Only worlds in which this agent has a player."""
    after: str | None = None


class AskWorld(Message, tag="ask_world"):
    """Is there such a world? Answered by `WorldFound`."""

    request: int
    world: str


class AskGameCounts(Message, tag="ask_game_counts"):
    """How busy is each game? Answered by `GameCounts`."""

    request: int


class AskSession(Message, tag="ask_session"):
    """Which players has this session, and which did it lose? Answered by `SessionFound`."""

    request: int
    session: str


class ShardReady(Message, tag="shard_ready"):
    """The shard accepts gateways and worlds."""


class WorldOpened(Message, tag="world_opened"):
    """The world's genesis is durable; it can be joined."""

    world: str


class WorldNotOpened(Message, tag="world_not_opened"):
    """The world could not be made. ``reason`` says why, for people."""

    world: str
    reason: str


class RestoredPlayer(Message):
    """A player's part of `WorldRestored`. Nobody drives it yet."""

    player: str
    agent: str
    session: str
    name: str
    seat: int
    score: protocol.Number


class WorldRestored(Message, tag="world_restored"):
    """The world goes on: the same one, at a tick not lower than any that was shown. Its grace periods begin now."""

    world: str
    game: str
    digest: str
    clock: str
    max_players: int
    status: protocol.WorldStatus
    tick: int
    players: list[RestoredPlayer]


class WorldNotRestored(Message, tag="world_not_restored"):
    """The world does not come back: its log is ``damaged`` (or does not give the same world again), or says that it has
    ended. ``reason`` says why, for people."""

    world: str
    status: protocol.WorldStatus
    reason: str


class PlayerJoined(Message, tag="player_joined"):
    """Durably seated."""

    world: str
    player: str
    agent: str
    session: str
    name: str
    seat: int


class JoinRefused(Message, tag="join_refused"):
    """The lobby's reservation for this agent is void."""

    world: str
    agent: str


class PlayerLeft(Message, tag="player_left"):
    """The seat is durably free. ``reason``: left (its own request), timeout."""

    world: str
    player: str
    reason: str
    tick: int


class WorldChanged(Message, tag="world_changed"):
    """The world has another status now. ``reason`` for ends: idle, operator, …"""

    world: str
    status: protocol.WorldStatus
    tick: int
    reason: str | None = None


class PlayerStanding(Message):
    """A player's part of a `WorldPulse`."""

    player: str
    score: protocol.Number
    connected: bool


class WorldPulse(Message, tag="world_pulse"):
    """How a world is doing, once a second."""

    world: str
    tick: int
    players: list[PlayerStanding]


class ViewReply(Message, tag="view"):
    """The answer to `AskView`. ``view`` is what the game's ``view`` returned: {nodes, camera?, size?}."""

    request: int
    world: str
    tick: int
    view: Any


class WorldStatistics(Message):
    """What a world has cost since it was opened."""

    world: str
    game: str
    tick_hz: float
    tick: int
    players: int
    ticks_run: int
    running_s: float
    """Monotonic time since the first tick."""
    tick_seconds: Histogram
    lateness_seconds: Histogram
    observation_seconds: Histogram
    overruns: int
    """Ticks that took longer than 1/tick_hz."""
    dilated_s: float
    """By how much the world's clock has fallen behind real time: ticks run late, never skipped."""
    observation_bytes: int
    observations: int
    lua_kib: float
    nodes: int
    node_writes: int
    spatial_queries: int


class ShardStatistics(Message, tag="shard_statistics"):
    """The answer to `AskStatistics` by a shard."""

    request: int
    shard: int
    pid: int
    cpu_s: float
    rss_bytes: int
    journal_groups: int
    journal_bytes: int
    sync_seconds: Histogram
    worlds: list[WorldStatistics]


class GatewayStatistics(Message, tag="gateway_statistics"):
    """The answer to `AskStatistics` by a gateway."""

    request: int
    gateway: int
    pid: int
    cpu_s: float
    rss_bytes: int
    connections: int
    requests: int
    refusals: dict[str, int]


ToSupervisor = (
    GatewayReady
    | AskPlace
    | AskWorlds
    | AskWorld
    | AskGameCounts
    | AskSession
    | ShardReady
    | WorldOpened
    | WorldNotOpened
    | WorldRestored
    | WorldNotRestored
    | PlayerJoined
    | JoinRefused
    | PlayerLeft
    | WorldChanged
    | WorldPulse
    | ViewReply
    | ShardStatistics
    | GatewayStatistics
)

# --- supervisor → gateway, shard ---------------------------------------------------------------------


class ConfigureGateway(Message, tag="configure_gateway"):
    """The first message a gateway gets. ``listen_fd`` is the listening socket, inherited."""

    gateway: int
    listen_fd: int
    game_folders: list[str]
    durability: Literal["durable", "written"]
    limits: bool
    secret: bytes
    """Signs resume tokens."""
    log_format: Literal["text", "json"]
    log_level: str


class ConfigureShard(Message, tag="configure_shard"):
    """The first message a shard gets. It binds ``socket_path`` for gateways and writes to the journal folder
    ``data/journal/shard-NN`` and ``data/worlds/``."""

    shard: int
    data: str
    socket_path: str
    call_page_path: str
    """Where it notes its calls into Lua (``server/callpage.py``)."""
    durability: Literal["durable", "written"]
    limits: bool
    log_format: Literal["text", "json"]
    log_level: str
    eager: bool = False
    """Compute every player's observation in every tick: the control of ``worldline bench --eager``, not for play."""


class ShardUp(Message, tag="shard_up"):
    """To gateways: connect to this shard."""

    shard: int
    socket_path: str


class ShardDown(Message, tag="shard_down"):
    """To gateways: this shard has died; its worlds will come back elsewhere (`WorldMoved`), or not (`WorldGone`)."""

    shard: int
    worlds: list[str]


class WorldMoved(Message, tag="world_moved"):
    """To gateways: the world is back, on this shard."""

    world: str
    shard: int


class WorldGone(Message, tag="world_gone"):
    """To gateways: the world does not come back. ``reason`` says why, for people."""

    world: str
    status: protocol.WorldStatus
    reason: str


class Placed(Message, tag="placed"):
    """The answer to `AskPlace`: a place is reserved in ``world``; send `JoinWorld` to ``shard``."""

    request: int
    world: str
    game: str
    shard: int


class Refused(Message, tag="refused"):
    """The answer to a question that failed."""

    request: int
    error: protocol.Error


class WorldsFound(Message, tag="worlds_found"):
    """The answer to `AskWorlds`."""

    request: int
    worlds: list[protocol.WorldSummary]
    next: str | None = None


class WorldFound(Message, tag="world_found"):
    """The answer to `AskWorld`: its summary and why it ended, or the ``nearest`` existing names (at most 20)."""

    request: int
    world: protocol.WorldSummary | None = None
    reason: str | None = None
    nearest: list[str] = []


class GameCounts(Message, tag="game_counts"):
    """The answer to `AskGameCounts`: players and unfinished worlds by game."""

    request: int
    players: dict[str, int]
    worlds: dict[str, int]


class SessionPlayer(Message):
    """A player in a `SessionFound`. ``tick`` is the last that the lobby has heard of."""

    world: str
    player: str
    shard: int
    tick: int


class SessionFound(Message, tag="session_found"):
    """The answer to `AskSession`: what it has in worlds that run, and what it lost otherwise than by leaving."""

    request: int
    players: list[SessionPlayer]
    lost: list[protocol.LostPlayer]


class OpenWorld(Message, tag="open_world"):
    """To a shard: make a new world. Answered by `WorldOpened` or `WorldNotOpened`.

    The code is named by its digest and read from the data folder: what a log names is what was run.
    """

    world: str
    game: str
    digest: str
    seed: int


class RestoreWorld(Message, tag="restore_world"):
    """To a shard: go on with an unfinished world where its log ends. Answered by `WorldRestored` or
    `WorldNotRestored`.

    ``not_run``: the tick in which it took a shard down. That tick is never run again: the world ends there, as faulted,
    for the reason given."""

    world: str
    not_run: int | None = None
    reason: str = ""


class CloseWorld(Message, tag="close_world"):
    """To a shard: end a world."""

    world: str
    reason: str


class AskView(Message, tag="ask_view"):
    """To a shard: what would a spectator see? Answered by `ViewReply`."""

    request: int
    world: str


class AskStatistics(Message, tag="ask_statistics"):
    """To a shard or gateway: how are you doing?"""

    request: int


class Drain(Message, tag="drain"):
    """To a shard or gateway: finish what is promised, close everything, exit with 0."""


FromSupervisor = (
    ConfigureGateway
    | ConfigureShard
    | ShardUp
    | ShardDown
    | WorldMoved
    | WorldGone
    | Placed
    | Refused
    | WorldsFound
    | WorldFound
    | GameCounts
    | SessionFound
    | OpenWorld
    | RestoreWorld
    | CloseWorld
    | AskView
    | AskStatistics
    | Drain
)
