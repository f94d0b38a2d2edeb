"""What the supervisor tells gateways and shards: configuration, placement, orders."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from server.messages.base import Message
from server.messages.to_gateway import CodeBroken
from worldline import protocol

NO_SHARD: Final = -2
"""Where a recovering world is: a question about it waits until the world has moved to a shard that has it again."""


class Tls(Message):
    """A part of `ConfigureGateway`: the files of certificate and key."""

    certificate: str
    key: str


class ServedGame(Message):
    """A part of `ConfigureGateway` and of `ReloadGame`: one version of a game. Its code is in the data folder."""

    name: str
    digest: str
    skill: str
    """SKILL.md, which is no part of the code."""
    origin: str
    """The folder it was read from, for messages to people."""


class ConfigureGateway(Message, tag="configure_gateway"):
    """The first message a gateway gets. ``listen_fd`` is the listening socket, inherited."""

    gateway: int
    listen_fd: int
    games: list[ServedGame]
    durability: Literal["durable", "written"]
    limits: bool
    guests: Literal["none", "spectator", "agent", "developer"]
    """What one may be without a token."""
    data: str
    """The data folder, for its tokens."""
    secret: bytes
    """Signs resume tokens."""
    bots_token: str
    """Shown by the bots that this server runs."""
    hosts: list[str] | None
    """None: any Host header is served; else names of this machine, and these."""
    tls: Tls | None
    """With what the socket speaks TLS; None: not at all."""
    log_format: Literal["text", "json"]
    log_level: str
    replayers: int = 1
    """How many replayers there may be."""


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
    keep_worlds: bool = True
    """When it drains: leave the worlds for another shard to go on with; else close them."""
    dev: bool = False
    """Worlds go on with the code of `ReloadGame`, stand still when it raises, and are compared around every look."""
    fair_play: bool = True
    """While a world runs, what could help a player is kept from others (``server/visibility.py``)."""
    eager: bool = False
    """Compute every player's observation in every tick: the control of ``worldline bench --eager``, not for play."""


class ConfigureReplayer(Message, tag="configure_replayer"):
    """The first message a replayer gets. It binds ``socket_path`` for gateways, and only reads ``data``."""

    replayer: int
    data: str
    socket_path: str
    call_page_path: str
    fair_play: bool
    log_format: Literal["text", "json"]
    log_level: str


REPORTS_FOLDER: Final = "reports"
"""In the data folder: what the checker has found."""


class ConfigureChecker(Message, tag="configure_checker"):
    """The first message the checker gets. It reads ``data``, and writes reports into a folder in it. It ends if a step
    of a world uses more than ``step_cpu_s`` of processor time."""

    data: str
    step_cpu_s: float
    priority: Literal["idle", "normal"]
    log_format: Literal["text", "json"]
    log_level: str


class CheckWorld(Message, tag="check_world"):
    """Re-execute a world from the snapshot of ``from_tick``, or an earlier one, to the checkpoint of ``to_tick``; None:
    to its end. Answered by `WorldChecked`; one order at a time."""

    world: str
    from_tick: int
    to_tick: int | None


class WorldDiverged(Message, tag="world_diverged"):
    """To gateways, for the developers who are connected: a world is not the same when it is computed again."""

    world: str
    message: str


class MakeFork(Message, tag="make_fork"):
    """To a replayer: put a fork of ``world`` into the data folder, as ``fork``. Answered by `ForkMade`."""

    request: int
    fork: str
    agent: str
    role: protocol.Role
    world: str
    tick: int
    shown_tick: int
    """Up to which tick the world has been shown, which its log may not reach yet."""
    private: bool


class ReplayerUp(Message, tag="replayer_up"):
    """To gateways: connect to this replayer."""

    replayer: int
    socket_path: str


class ReplayerDown(Message, tag="replayer_down"):
    """To gateways: this replayer has died, and is started again; or it is ``given_up``, until somebody asks for it."""

    replayer: int
    given_up: bool = False


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
    private: bool = False


class WorldMade(Message, tag="world_made"):
    """The answer to `AskCreate`: the world is durably open."""

    request: int
    world: str


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
    shard: int | None = None
    """Where it runs; None while it recovers and when it has ended."""
    reason: str | None = None
    nearest: list[str] = msgspec.field(default_factory=list)


class GameCounts(Message, tag="game_counts"):
    """The answer to `AskGameCounts`: players and unfinished worlds by game."""

    request: int
    players: dict[str, int]
    worlds: dict[str, int]


class SessionPlayer(Message):
    """A player in a `SessionFound`. ``tick`` is the last that the lobby has heard of; ``shard`` may be `NO_SHARD`."""

    world: str
    player: str
    shard: int
    tick: int
    yours: bool = True
    """False: another session of the same agent has it."""
    private: bool = False
    """Whether its world is."""


class SessionFound(Message, tag="session_found"):
    """The answer to `AskSession`: what it and its agent have in worlds that run, and what it lost otherwise than by
    leaving."""

    request: int
    players: list[SessionPlayer]
    lost: list[protocol.LostPlayer]


class SessionMoved(Message, tag="session_moved"):
    """Another gateway has asked for this session: it goes on there. Of two gateways that ask at once each gets this and
    its own `SessionFound` in the order in which they asked."""

    session: str


class LeaderboardFound(Message, tag="leaderboard_found"):
    """The answer to `AskLeaderboard`."""

    request: int
    entries: list[protocol.LeaderboardEntry]
    next: str | None = None


class MetricsMade(Message, tag="metrics_made"):
    """The answer to `AskMetrics`: the text of /metrics."""

    request: int
    text: bytes


class OpenWorld(Message, tag="open_world"):
    """To a shard: make a new world. Answered by `WorldOpened` or `WorldNotOpened`.

    The code is named by its digest and read from the data folder: what a log names is what was run.
    """

    world: str
    game: str
    digest: str
    seed: int
    settings: dict[str, Any] = msgspec.field(default_factory=dict)
    """Others than the game's own defaults."""
    clock: str | None = None
    """``manual``; None: the game's."""
    owner: str | None = None
    ranked: bool = True
    private: bool = False


class RestoreWorld(Message, tag="restore_world"):
    """To a shard: go on with an unfinished world where its log ends. Answered by `WorldRestored` or
    `WorldNotRestored`.

    ``not_run``: the tick in which it took a shard down. That tick is never run again: the world ends there, as faulted,
    for the reason given."""

    world: str
    not_run: int | None = None
    reason: str = ""


class ReloadGame(Message, tag="reload_game"):
    """To gateways and shards of ``serve --dev``: the game has been saved. Its rules are these from now on, and its
    worlds go on with them, those that are still to come here, too."""

    game: ServedGame


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
    | ConfigureReplayer
    | ConfigureChecker
    | CheckWorld
    | WorldDiverged
    | MakeFork
    | ReplayerUp
    | ReplayerDown
    | ShardUp
    | ShardDown
    | WorldMoved
    | WorldMade
    | WorldGone
    | Placed
    | Refused
    | WorldsFound
    | WorldFound
    | GameCounts
    | SessionFound
    | SessionMoved
    | MetricsMade
    | LeaderboardFound
    | OpenWorld
    | RestoreWorld
    | ReloadGame
    | CodeBroken
    | CloseWorld
    | AskView
    | AskStatistics
    | Drain
)
