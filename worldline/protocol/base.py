"""What all messages of the protocol share: subprotocols, bounds, types of fields, what requests and replies carry."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

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
MAX_SEATS: Final = 256  # of one agent in one world
MAX_ACT_INPUTS: Final = 256  # one for each of them
MAX_WATCH_HZ: Final = 10  # frames a second: what moves is drawn in between by whoever shows it
MIN_WATCH_HZ: Final = 0.1
MAX_LOG_RECORDS: Final = 1000
MAX_PATH_LENGTH: Final = 400
MAX_OBSERVE_HZ: Final = 60  # and no more than `Limits.rate_hz`
MIN_OBSERVE_HZ: Final = 0.1
MIN_SPEED: Final = 0.25
MAX_SPEED: Final = 64
# Deeper messages are refused as `malformed`: no game needs it, and recursion is bounded.
MAX_NESTING: Final = 32

Number = int | float
"""On the wire whole numbers have no fraction: 60, not 60.0. (A field of type float would get it back when decoded.)"""

WaitMs = Annotated[int, msgspec.Meta(ge=0, le=MAX_WAIT_MS)]
WatchHz = (
    Annotated[int, msgspec.Meta(ge=1, le=MAX_WATCH_HZ)]
    | Annotated[float, msgspec.Meta(ge=MIN_WATCH_HZ, le=MAX_WATCH_HZ)]
)
ObserveHz = (
    Annotated[int, msgspec.Meta(ge=1, le=MAX_OBSERVE_HZ)]
    | Annotated[float, msgspec.Meta(ge=MIN_OBSERVE_HZ, le=MAX_OBSERVE_HZ)]
)
Speed = Annotated[int, msgspec.Meta(ge=1, le=MAX_SPEED)] | Annotated[float, msgspec.Meta(ge=MIN_SPEED, le=MAX_SPEED)]
Natural = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Seat = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]
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
WORLD_STATUSES: Final[tuple[WorldStatus, ...]] = get_args(WorldStatus)


class Request(msgspec.Struct, tag_field="type", omit_defaults=True):
    """What every request carries. (Keyword-only in the kinds below, so that ``id`` comes first on the wire.)"""

    id: Natural


class Reply(msgspec.Struct, tag_field="type", omit_defaults=True):
    """What every reply carries. ``re`` is absent on pushes and where no id could be read.
    ``ignored`` names fields of the request that the server does not know, ``hint`` what to do about it."""

    re: int | None = None
    ignored: list[str] | None = None
    hint: str | None = None
