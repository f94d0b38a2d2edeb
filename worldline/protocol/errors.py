"""How a server refuses, and with which codes it closes a connection."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from worldline.protocol.base import Reply


class Error(Reply, tag="error", kw_only=True):
    """The request was refused: nothing happened. ``retry_after_ms`` present = the same request may succeed later,
    absent = change the request. ``path`` says where in the request, ``valid`` what would be accepted there."""

    code: str
    message: str
    path: str | None = None
    valid: list[str] | None = None
    data: dict[str, Any] | None = None
    retry_after_ms: int | None = None


class ErrorCode(msgspec.Struct, frozen=True):
    """What a code tells. ``remedy``: mend the message; or it is not possible as things stand; or try the same later.
    ``data`` are the facts for programs that come with it."""

    remedy: Literal["mend", "not_possible", "try_later"]
    when: str
    data: tuple[str, ...] = ()


ERROR_CODES: Final[dict[str, ErrorCode]] = {
    # Mend the message.
    "malformed": ErrorCode(
        "mend", "not JSON or MessagePack, a frame of the wrong kind, invalid UTF-8, nested too deep"
    ),
    "unknown_type": ErrorCode("mend", "there is no such request"),
    "invalid_args": ErrorCode("mend", "a value is wrong or missing, or the id is still open"),
    "too_large": ErrorCode("mend", "the note, or the reply", ("limit_bytes",)),
    "hello_required": ErrorCode("mend", "the first message is hello"),
    "unauthorized": ErrorCode("mend", "the token is not known here, or there is none and no guests are let in"),
    "forbidden": ErrorCode(
        "mend",
        "your role may not do this; or the world is private, and its join code was not shown",
        ("needs_role",),
    ),
    "unknown_game": ErrorCode("mend", "there is no game of this name"),
    "unknown_world": ErrorCode("mend", "there is no world of this name"),
    "unknown_player": ErrorCode("mend", "there is no player of this name, or it is not yours"),
    "unknown_input": ErrorCode("mend", "the game has no input of this name"),
    "tick_out_of_range": ErrorCode("mend", "the world has no such tick (yet)", ("first_tick", "last_tick")),
    "unknown_watch": ErrorCode("mend", "you watch no stream of this name, or it has ended"),
    # Not possible as things stand.
    "already_joined": ErrorCode(
        "not_possible",
        "you have as many seats in this world as one agent may have, or another session of yours drives the player",
        ("player", "seats_per_agent", "driven"),
    ),
    "not_joined": ErrorCode("not_possible", "you have no seat in this world"),
    "not_owner": ErrorCode("not_possible", "only the agent that made the world may say when it ticks, or end it"),
    "not_your_turn": ErrorCode(
        "not_possible", "the next tick does not wait for an input of yours; you may be out", ("waiting_for",)
    ),
    "already_acted": ErrorCode("not_possible", "your input for this tick is here", ("tick",)),
    "too_late": ErrorCode("not_possible", "the last tick that was to apply the input has run", ("tick",)),
    "wrong_tick": ErrorCode("not_possible", "the step was to begin at another tick", ("tick",)),
    "seq_conflict": ErrorCode(
        "not_possible", "a gap, or this seq belongs to another input", ("expected_seq", "oldest_seq")
    ),
    "world_full": ErrorCode("not_possible", "every seat is taken"),
    "world_closed": ErrorCode("not_possible", "the world has ended", ("reason",)),
    "world_faulted": ErrorCode("not_possible", "the game of this world broke; its log stays readable", ("reason",)),
    "world_damaged": ErrorCode("not_possible", "the log of this world cannot be believed", ("reason",)),
    "live_world": ErrorCode("not_possible", "you may not see this of a world before it has ended"),
    # The same may succeed after retry_after_ms.
    "rate_limited": ErrorCode("try_later", "too many requests"),
    "overloaded": ErrorCode(
        "try_later",
        "a world's inbox is full, a process is behind, your replies wait unread, or you have too many connections",
    ),
    "too_many_open": ErrorCode(
        "try_later", "too many of your requests wait for their reply, or you watch too many streams"
    ),
    "not_started": ErrorCode("try_later", "the world waits for more players"),
    "world_paused": ErrorCode("try_later", "the world stands still; nothing was done or kept, the seq is free"),
    "draining": ErrorCode("try_later", "the server is about to stop"),
    "too_many_worlds": ErrorCode("try_later", "the server runs as many worlds as it takes, or your agent does"),
    "internal": ErrorCode("try_later", "the server failed; its log has more under this reference", ("reference",)),
}
"""Every error code the server sends, with what a client can do about it."""

CLOSE_DONE: Final = 1000
CLOSE_PROTOCOL: Final = 1008
CLOSE_TOO_BIG: Final = 1009
CLOSE_FAULT: Final = 1011
CLOSE_RESTART: Final = 1012
CLOSE_TAKEN_OVER: Final = 4001
CLOSE_TOO_SLOW: Final = 4008
CLOSE_FLOODING: Final = 4029

CLOSE_CODES: Final[dict[int, str]] = {
    CLOSE_DONE: "done",
    CLOSE_PROTOCOL: "no hello in time, or not let in, or your token was revoked: do not retry as you are",
    CLOSE_TOO_BIG: "a message was too big: mend it",
    CLOSE_FAULT: "the server failed",
    CLOSE_RESTART: "the server restarts: come back after N",
    CLOSE_TAKEN_OVER: "a newer connection of your session has taken over: do not retry",
    CLOSE_TOO_SLOW: "too slow, or silent: come back after N",
    CLOSE_FLOODING: (
        "100 refusals within 10 s that you could have spared yourself: come back after N, and heed `retry_after_ms`"
    ),
}
"""Every code with which the server closes a connection. N is in the reason: ``retry_after_ms=N; text``."""
