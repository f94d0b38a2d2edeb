"""What a client raises: one class per thing that a caller can do about it.

The three columns of the protocol's table of error codes are three classes: mend the request (`InvalidRequest`),
do something else (`NotPossible`), or send the same again later (`TryLater`). `Disconnected` is the fourth: nobody knows
what became of the request. A game that rejects an input is none of these: that is an `worldline.Outcome`.
"""

from __future__ import annotations

from typing import Any

from worldline import protocol


class WorldlineError(Exception):
    """A request was refused: nothing happened.

    ``code`` is one of `worldline.protocol.ERROR_CODES` (newer servers may send others), ``hint`` says what to do next,
    ``path`` where in the request the trouble is, ``valid`` what would be accepted there, ``retry_after_ms`` is set if
    the same request may succeed after that time.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        path: str | None = None,
        valid: list[str] | None = None,
        data: dict[str, Any] | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        self.code = code
        self.message = message
        self.hint = hint
        self.path = path
        self.valid = valid or []
        self.data = data or {}
        self.retry_after_ms = retry_after_ms
        super().__init__(f"{code}: {message}" + (f" → {hint}" if hint else ""))


class InvalidRequest(WorldlineError):
    """The request must be changed."""


class NotPossible(WorldlineError):
    """Not possible as things stand: there is no such seat, the world has ended, the seq is taken."""


class TryLater(WorldlineError):
    """The same request may succeed after ``retry_after_ms``."""


class Disconnected(WorldlineError):
    """There is no connection, and the client has stopped trying: it could not come back in time, or shall not.

    ``close_code`` is the WebSocket close code (None if the server was never reached). ``retry_after_ms`` is the
    server's wish for when to come back, where it gave one. What became of open inputs is not known: the log has it.
    """

    def __init__(self, message: str, *, hint: str, close_code: int | None = None, retry_after_ms: int | None = None):
        super().__init__("disconnected", message, hint=hint, retry_after_ms=retry_after_ms)
        self.close_code = close_code


_BY_REMEDY: dict[str, type[WorldlineError]] = {
    "mend": InvalidRequest,
    "not_possible": NotPossible,
    "try_later": TryLater,
}


def error_from(reply: protocol.Error) -> WorldlineError:
    """The exception for an error reply. Codes that this client does not know are read by the protocol's one rule:
    with ``retry_after_ms`` the same may succeed later, without it the request must change."""
    known = protocol.ERROR_CODES.get(reply.code)
    by_rule = "mend" if reply.retry_after_ms is None else "try_later"
    return _BY_REMEDY[by_rule if known is None else known.remedy](
        reply.code,
        reply.message,
        hint=reply.hint,
        path=reply.path,
        valid=reply.valid,
        data=reply.data,
        retry_after_ms=reply.retry_after_ms,
    )
