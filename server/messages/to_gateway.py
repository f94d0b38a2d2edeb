"""What shards tell gateways: answers, and pushes; sent only when what they report is durable."""

from __future__ import annotations

from server.messages.base import Message
from worldline import protocol

AnyAnswer = (
    protocol.Joined
    | protocol.Outcome
    | protocol.Acted
    | protocol.Observation
    | protocol.Subscribed
    | protocol.Left
    | protocol.Stepped
    | protocol.Playing
    | protocol.Stopped
    | protocol.LogReply
    | protocol.StateReply
    | protocol.Error
)


class Answer(Message, tag="answer"):
    """The one reply to a request of a gateway."""

    request: int
    message: AnyAnswer


AnyPush = (
    protocol.Started | protocol.Closed | protocol.RulesChanged | protocol.Notice | protocol.Event | protocol.Observation
)


class Push(Message, tag="push"):
    """For all connections with a player in ``world``, or only for the one that drives ``player``."""

    world: str
    message: AnyPush
    player: str | None = None


class PlayerAttached(Message, tag="attached"):
    """The answer to `AttachPlayer`; the player says whether it is ``yours`` now. ``since``: the first event that the
    next observation shall hold, so that what the last connection may not have delivered comes again."""

    request: int
    player: protocol.ResumedPlayer
    since: int


class PlayerAbsent(Message, tag="absent"):
    """The answer to `AttachPlayer` for a player that is gone: since which tick, and why."""

    request: int
    reason: str
    tick: int


class CodeBroken(Message, tag="code_broken"):
    """For the developers who are connected: code of a game cannot be used, or raised in ``world``. From a shard, or
    from the supervisor."""

    game: str
    message: str
    file: str
    line: int | None = None
    world: str | None = None


class Watched(Message, tag="watched"):
    """The answer to `WatchWorld`. ``pages`` are what follows the reply: `protocol.Static`, each as MessagePack.
    ``opening`` counts the answers of this kind that open this stream for this gateway."""

    request: int
    watching: protocol.Watching
    pages: list[bytes]
    opening: int


class WatchDelayed(Message, tag="watch_delayed"):
    """The answer to `WatchWorld` where a game is shown only after some time: a replayer does that."""

    request: int


class Framed(Message, tag="framed"):
    """Frame ``number`` of a stream: one `protocol.Frame` of ``tick`` as MessagePack, or several that belong together.
    ``base`` is the number of the frame that it builds on; None: it is whole, and for those who have not had this
    number."""

    watch: str
    number: int
    tick: int
    frames: list[bytes]
    base: int | None = None


class StreamEnded(Message, tag="stream_ended"):
    """A stream cannot go on, for a reason that is for people. From replayers."""

    watch: str
    reason: str


ShardToGateway = (
    Answer | Push | PlayerAttached | PlayerAbsent | Watched | WatchDelayed | Framed | StreamEnded | CodeBroken
)
