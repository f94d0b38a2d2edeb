"""What gateways ask of shards: what players do, in worlds where the lobby has placed them."""

from __future__ import annotations

from typing import Any

import msgspec

from server.messages.base import Message
from worldline import protocol


class JoinWorld(Message, tag="join"):
    """Seat this agent in the world the lobby placed it in: on so many ``seats``, on the ``seat`` of this number, or as
    the ``player`` that it has there. ``take``: also if another session drives it. The answer is `protocol.Joined`."""

    request: int
    world: str
    agent: str
    session: str
    name: str
    observe: bool = False
    seats: int = 1
    seat: int | None = None
    player: str | None = None
    take: bool = False


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
    expires_tick: int | None = None
    observe: bool = False
    since: int = 1
    """With ``observe``: the first event the observation shall hold."""
    wait_ms: int = protocol.MAX_WAIT_MS
    """After so long without its tick the answer is a `protocol.Outcome` that says ``pending``."""


class Viewer(Message):
    """Who is shown what there is after an `ActPlayers`. ``since``: the first event that its observation shall hold."""

    player: str
    since: int


class ActPlayers(Message, tag="act"):
    """Apply these inputs in one tick; with ``step`` run so many ticks of a manual world; only if it is at ``at_tick``,
    if given. The answer is `protocol.Acted`."""

    request: int
    world: str
    agent: str
    inputs: list[PlayerInput]
    viewers: list[Viewer]
    step: int | None = None
    at_tick: int | None = None
    wait_ms: int = protocol.MAX_WAIT_MS


class Wait(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an observation waits for, and how long at most."""

    until: protocol.Until
    wait_ms: int
    after_tick: int | None = None
    kinds: list[str] | None = None


class ObservePlayer(Message, tag="observe"):
    """What does this player see. The answer is `protocol.Observation`."""

    request: int
    world: str
    player: str
    since: int
    named: bool = False
    """The client itself has named ``since``: it has everything before."""
    format: protocol.Format = "both"
    wait: Wait | None = None
    woke: protocol.Woke | None = None
    """Why it is answered now, if it has waited; set where the wait ends."""


class SubscribePlayer(Message, tag="subscribe"):
    """Push the events of this player from number ``since`` on (None: from the next one), or with ``events`` false no
    longer. The answer is `protocol.Subscribed`."""

    request: int
    world: str
    player: str
    events: bool
    since: int | None = None


class LeaveWorld(Message, tag="leave"):
    """Take this player out. The answer is `protocol.Left`."""

    request: int
    world: str
    player: str


class StepWorld(Message, tag="step"):
    """Run so many ticks of a manual world; only if it is at ``at_tick``, if given. The answer is `protocol.Stepped`."""

    request: int
    world: str
    agent: str
    ticks: int
    at_tick: int | None = None


class PlayWorld(Message, tag="play"):
    """Let a manual world run by its game's clock from now on. The answer is `protocol.Playing`."""

    request: int
    world: str
    agent: str


class StopWorld(Message, tag="stop"):
    """End the world; ``by_developer``: whoever owns it. The answer is `protocol.Stopped`."""

    request: int
    world: str
    agent: str
    by_developer: bool


class WatchWorld(Message, tag="watch"):
    """May this agent watch the world live? The answer is `Watched` or `protocol.Error`; the gateway gets the stream
    from then on, until it says `StopWatching`."""

    request: int
    world: str
    agent: str
    role: protocol.Role
    hz: float


class NeedWhole(Message, tag="need_whole"):
    """Some viewers at this gateway do not have the base of the next frame: send one that has none."""

    world: str
    watch: str


class StopWatching(Message, tag="stop_watching"):
    """Nobody at this gateway watches this stream any more. ``opening``: the latest `Watched` of it that is known here;
    if a later one is under way, somebody does."""

    world: str
    watch: str
    opening: int


class AttachPlayer(Message, tag="attach"):
    """A session of this player's agent is here. If it is the player's own, the player is driven from here now, and its
    grace ends. The answer is `PlayerAttached` or `PlayerAbsent`."""

    request: int
    world: str
    player: str
    session: str


class PlayerDriven(Message, tag="driven"):
    """This gateway speaks for the player, in a world that has come back on this shard. No answer."""

    world: str
    player: str
    session: str
    events_since: int | None = None
    """Its events are pushed, from this one on."""


class PlayerDetached(Message, tag="detached"):
    """The connection that drove this player for this session is gone: its grace begins. No answer."""

    world: str
    player: str
    session: str


GatewayToShard = (
    JoinWorld
    | PlayerInput
    | ActPlayers
    | ObservePlayer
    | SubscribePlayer
    | LeaveWorld
    | StepWorld
    | PlayWorld
    | StopWorld
    | AttachPlayer
    | PlayerDriven
    | PlayerDetached
    | WatchWorld
    | NeedWhole
    | StopWatching
)
