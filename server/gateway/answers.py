"""The way back to clients: the one reply to each request, and the refusals of the gateway itself.

Invariant: a request that was answered is open no more; nothing is written to a session that has gone.

Not here: pushes (``fanout``), and how bytes wait for a slow reader (``connection``).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter

from server.gateway import refusals
from server.gateway.backends import Waiting
from server.gateway.connection import close_reason
from server.gateway.entrance import Entrance
from server.gateway.limits import GatewayLimits
from server.gateway.replies import encode, fitting, without_waiting
from server.gateway.session import Session
from worldline import protocol

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
            self.refusals[message.code] += 1
        self._send(waiting.session, message)

    def refuse(self, session: Session, error: protocol.Error) -> None:
        """A refusal of the gateway itself; too many of them end the connection."""
        self.refusals[error.code] += 1
        self._send(session, error)
        if error.code == "unauthorized":
            self._entrance.visitors.failed(session.connection.address, self._loop.time())
            session.connection.close_soon(protocol.CLOSE_PROTOCOL, close_reason(error.message))
        elif session.flood is not None and session.flood.refused(self._loop.time()):
            wait_ms = round(self._limits.flood_s * 1000)
            text = f"{self._limits.flood_refusals} refusals in {self._limits.flood_s:g} s"
            session.dismissed = True
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
            data = encode(internal(message.re), connection.encoding)
        connection.send_now(data)


def internal(number: int | None) -> protocol.Error:
    """Log what has just been caught, under a reference that the client gets."""
    reference = secrets.token_hex(4)
    _log.exception("internal error, reference %s", reference)
    return refusals.internal(reference, number)
