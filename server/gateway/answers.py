"""The way back to clients: the one reply to each request, and what becomes of who is refused too often.

Invariant: a request that was answered is open no more; nothing is written to a session that has gone.

Not here: pushes (``fanout``), and how bytes wait for a slow reader (``connection``).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter
from typing import Final

from server.gateway import refusals
from server.gateway.backends import Waiting
from server.gateway.connection import GatewayConnection, close_reason
from server.gateway.entrance import Entrance
from server.gateway.limits import GatewayLimits
from server.gateway.replies import encode, fitting, without_waiting
from server.gateway.session import Session
from worldline import protocol

_OF_WORLDS: Final = ("world_closed", "world_faulted", "world_damaged")
_OF_LIMITS: Final = ("rate_limited", "too_many_open")

_log = logging.getLogger("worldline.gateway")


class Answers:
    """Answers for one gateway. ``refusals`` counts its errors by code."""

    def __init__(self, limits: GatewayLimits, entrance: Entrance) -> None:
        self._limits = limits
        self._entrance = entrance
        self._loop = asyncio.get_running_loop()
        self.refusals: Counter[str] = Counter()

    def reply(self, waiting: Waiting, message: protocol.Reply) -> None:
        """The one reply to a request."""
        waiting.session.open_ids.discard(waiting.request.id)
        message.re = waiting.request.id
        if waiting.ignored is not None:
            message.ignored = waiting.ignored
            message.hint = message.hint or waiting.hint
        if isinstance(message, protocol.Error):
            self.refuse(waiting.session, message)
        else:
            self._send(waiting.session, message)

    def refuse(self, session: Session, error: protocol.Error) -> None:
        """Send a refusal; too many that a client could have spared itself end its connection."""
        self.refusals[error.code] += 1
        self._send(session, error)
        now_s = self._loop.time()
        if error.code == "unauthorized":
            self._entrance.visitors.failed(session.connection.address, now_s)
            session.connection.close_soon(protocol.CLOSE_PROTOCOL, close_reason(error.message))
        elif (
            not session.gone and session.flood is not None and is_own_doing(error.code) and session.flood.refused(now_s)
        ):
            wait_ms = round(self._limits.flood_s * 1000)
            text = f"{self._limits.flood_refusals} refusals in {self._limits.flood_s:g} s"
            session.dismissed = True
            _log.info("%s floods: its connection is closed", session.connection.peer, extra=session.connection.about)
            session.connection.close_soon(protocol.CLOSE_FLOODING, close_reason(text, wait_ms))

    def _send(self, session: Session, message: protocol.Reply) -> None:
        if session.gone:
            return
        connection = session.connection
        if connection.full:
            message = without_waiting(message)
        try:
            data = fitting(message, connection.encoding, self._limits.max_reply_bytes)
        except (TypeError, ValueError, RecursionError):
            # A game's data may hold what cannot be written; its request still gets its one reply.
            data = encode(internal(message.re, connection), connection.encoding)
        connection.send_now(data)


def is_own_doing(code: str) -> bool:
    """Whether a client could have spared itself a refusal with this code; else it is the server's or its world's."""
    known = protocol.ERROR_CODES.get(code)
    if code in _OF_WORLDS or known is None:
        return False
    return known.remedy != "try_later" or code in _OF_LIMITS


def internal(number: int | None, connection: GatewayConnection) -> protocol.Error:
    """Log what has just been caught, under a reference that the client gets."""
    reference = secrets.token_hex(4)
    _log.exception("internal error, reference %s", reference, extra=connection.about)
    return refusals.internal(reference, number)
