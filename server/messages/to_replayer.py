"""What gateways ask of replayers: streams of what has been, and what a log or a state holds. Answered with the messages
of ``to_gateway.py``."""

from __future__ import annotations

from server.messages.base import Message
from server.messages.to_shard import NeedWhole, StopWatching
from worldline import protocol


class OpenStream(Message, tag="open_stream"):
    """Show this world from ``from_tick`` on; None: as soon as its game allows it to be shown. The answer is `Watched`
    or `protocol.Error`; the gateway gets the stream from then on, until it says `StopWatching`."""

    request: int
    world: str
    agent: str
    role: protocol.Role
    hz: float
    from_tick: int | None = None
    at_end: bool = False
    """Without ``from_tick``, of a world that has ended: at its end, not at its beginning."""
    shown_tick: int = 0
    """Up to which tick this viewer has been shown the world, which its log may not reach yet."""
    playing: bool = True
    speed: float = 1.0
    view_as: str | None = None
    """With the observations of this player."""


class CancelStream(Message, tag="cancel_stream"):
    """The stream that ``request`` asks for is not wanted any more; no answer is awaited."""

    request: int


class ReadLog(Message, tag="read_log"):
    """A page of a world's log, from ``from_tick`` on; None: from where it begins. The answer is `protocol.LogReply` or
    `protocol.Error`."""

    request: int
    world: str
    agent: str
    role: protocol.Role
    from_tick: int | None
    limit: int
    kinds: list[str] | None = None
    player: str | None = None


class ReadState(Message, tag="read_state"):
    """How a world stood. The answer is `protocol.StateReply` or `protocol.Error`."""

    request: int
    world: str
    agent: str
    role: protocol.Role
    tick: int | None = None
    path: str | None = None


GatewayToReplayer = OpenStream | ReadLog | ReadState | CancelStream | NeedWhole | StopWatching
