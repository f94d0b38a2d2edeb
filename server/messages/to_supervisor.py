"""What the supervisor hears: what gateways, shards, replayers and checkers report, and the questions of gateways.

Not here: how the questions read (``questions.py``).
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from server.histogram import Histogram
from server.messages.base import Message
from server.messages.questions import AnyQuestion
from worldline import protocol


class GatewayReady(Message, tag="gateway_ready"):
    """The gateway accepts connections."""


class ShardReady(Message, tag="shard_ready"):
    """The shard accepts gateways and worlds."""


class WorldOpened(Message, tag="world_opened"):
    """The world's genesis is durable; it can be joined."""

    world: str


class WorldNotOpened(Message, tag="world_not_opened"):
    """The world could not be made. ``reason`` says why, for people. ``later``: nothing is wrong with it; the shard
    takes no world at the moment."""

    world: str
    reason: str
    later: bool = False


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
    seats_per_agent: int
    status: protocol.WorldStatus
    tick: int
    players: list[RestoredPlayer]
    owner: str | None = None
    ranked: bool = True
    private: bool = False


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


class PlayerTaken(Message, tag="player_taken"):
    """Another session of its agent drives the player from now on."""

    world: str
    player: str
    session: str


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


class WorldReleased(Message, tag="world_released"):
    """The world has ended, all of it is durable in its own files, and the shard and its journal are done with them."""

    world: str


class PlayerStanding(Message):
    """A player's part of a `WorldPulse`."""

    player: str
    score: protocol.Number
    connected: bool


class WorldReloaded(Message, tag="world_reloaded"):
    """The world goes on with the code of this digest."""

    world: str
    digest: str


class WorldPulse(Message, tag="world_pulse"):
    """How a world is doing, once a second."""

    world: str
    tick: int
    clock: str
    players: list[PlayerStanding]
    waiting_for: list[str] = msgspec.field(default_factory=list)
    """The players whose input the next tick waits for."""


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
    tick_cpu_s: float = 0.0
    """Processor time of its ticks, with what was answered after each."""


class WorldCounters(Message):
    """What all worlds of a shard have counted since its start, those that have ended included."""

    tick_seconds: Histogram = msgspec.field(default_factory=Histogram)
    tick_lateness_seconds: Histogram = msgspec.field(default_factory=Histogram)
    observation_seconds: Histogram = msgspec.field(default_factory=Histogram)
    input_to_durable_seconds: Histogram = msgspec.field(default_factory=Histogram)
    slow_ticks: int = 0
    """Ticks that took longer than 1/tick_hz."""
    late_ticks: int = 0
    """Other ticks that began more than 1/tick_hz after their time."""
    inputs: dict[str, int] = msgspec.field(default_factory=dict)
    """By what became of them: applied, rejected, failed (the game raised)."""

    def add(self, other: WorldCounters) -> None:
        """Add what ``other`` has counted."""
        self.tick_seconds.merge(other.tick_seconds)
        self.tick_lateness_seconds.merge(other.tick_lateness_seconds)
        self.observation_seconds.merge(other.observation_seconds)
        self.input_to_durable_seconds.merge(other.input_to_durable_seconds)
        self.slow_ticks += other.slow_ticks
        self.late_ticks += other.late_ticks
        for outcome, count in other.inputs.items():
            self.inputs[outcome] = self.inputs.get(outcome, 0) + count


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
    snapshots: int
    snapshot_bytes: int
    snapshot_hold_seconds: Histogram
    """How long each snapshot held up the ticks."""
    tail_s: float
    """About how long it would take to execute again what came after the last snapshots."""
    worlds: list[WorldStatistics]
    counters: WorldCounters = msgspec.field(default_factory=WorldCounters)
    inbox_depth: int = 0
    """Inputs, joins and leaves that wait for a tick."""


class ForkMade(Message, tag="fork_made"):
    """From a replayer: the fork is in the data folder; or why not."""

    request: int
    game: str = ""
    digest: str = ""
    error: protocol.Error | None = None


class AskReplayer(Message, tag="ask_replayer"):
    """Somebody wants to see what has been: start this replayer if it does not run. Answered by `ReplayerUp`, or
    `ReplayerDown` if it cannot run. ``gone``: where one listened that this gateway has lost."""

    replayer: int
    gone: str | None = None


class ReplayerReady(Message, tag="replayer_ready"):
    """The replayer accepts gateways."""


class WorldChecked(Message, tag="world_checked"):
    """The answer to `CheckWorld`. ``tick`` is how far it came; ``problem`` says what is wrong and what to do,
    ``differs`` what differs, ``report`` names the file that says everything."""

    world: str
    status: Literal["verified", "diverged", "damaged", "cannot"]
    tick: int
    differs: list[str]
    problem: str | None = None
    report: str | None = None


class WorldSpectators(Message, tag="world_spectators"):
    """So many clients of this gateway watch the world, each with one stream or several."""

    world: str
    viewers: int


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
    roles: dict[str, int] = msgspec.field(default_factory=dict)
    """Connections that have said hello, by role."""
    disconnects: dict[str, int] = msgspec.field(default_factory=dict)
    """By why the connection ended."""
    outbox_bytes: int = 0
    """What clients have not read yet, as far as this process knows."""


ToSupervisor = (
    AnyQuestion
    | GatewayReady
    | ShardReady
    | WorldOpened
    | WorldNotOpened
    | WorldRestored
    | WorldNotRestored
    | PlayerJoined
    | PlayerTaken
    | JoinRefused
    | PlayerLeft
    | WorldChanged
    | WorldReloaded
    | WorldReleased
    | WorldPulse
    | ViewReply
    | ShardStatistics
    | GatewayStatistics
    | WorldSpectators
    | ForkMade
    | AskReplayer
    | ReplayerReady
    | WorldChecked
)
