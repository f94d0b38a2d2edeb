"""How a server refuses, and with which codes it closes a connection."""

from __future__ import annotations

from typing import Any, Final, Literal

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
    "unknown_watch": "mend",
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
    "live_world": "not_possible",
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
