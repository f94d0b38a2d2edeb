"""Looks at every connection once a second: pings quiet ones, ends those that are silent, stalled or never said hello.

`verdict` decides and is pure; `sweep` carries it out. The library's own keepalive is off: it waits for room to write
before its timeout starts, so it would never notice a reader that has stopped.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from server.gateway.connection import close_reason
from server.gateway.limits import GatewayLimits
from server.gateway.session import Session
from worldline import protocol

Verdict = Literal["ping", "no_hello", "silent", "full", "stalled"]


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What tells how a connection is doing; times in seconds of one clock."""

    greeted: bool
    opened_at_s: float
    heard_at_s: float
    pinged_at_s: float | None
    unanswered_since_s: float | None
    full_since_s: float | None
    waiting_bytes: int


def verdict(signs: Signs, now_s: float, limits: GatewayLimits) -> Verdict | None:
    """What is to be done about a connection, if anything."""
    if signs.full_since_s is not None and now_s - signs.full_since_s >= limits.full_s:
        return "full"
    unanswered_s = now_s - signs.unanswered_since_s if signs.unanswered_since_s is not None else 0.0
    if signs.waiting_bytes and unanswered_s >= limits.unanswered_ping_s:
        return "stalled"
    if not signs.greeted and now_s - signs.opened_at_s >= limits.hello_timeout_s:
        return "no_hello"
    if now_s - signs.heard_at_s >= limits.silence_s:
        return "silent"
    quiet_since_s = max(signs.heard_at_s, signs.pinged_at_s or 0.0)
    if now_s - quiet_since_s >= limits.ping_every_s:
        return "ping"
    return None


def sweep(sessions: Iterable[Session], now_s: float, limits: GatewayLimits, retry_after_ms: int) -> None:
    """Do what is to be done about each connection. ``retry_after_ms`` is for those who may come back."""
    for session in sessions:
        connection = session.connection
        signs = Signs(
            greeted=session.agent is not None,
            opened_at_s=connection.opened_at_s,
            heard_at_s=connection.heard_at_s,
            pinged_at_s=connection.pinged_at_s,
            unanswered_since_s=connection.unanswered_since_s,
            full_since_s=connection.full_since_s,
            waiting_bytes=connection.waiting_bytes,
        )
        match verdict(signs, now_s, limits):
            case "ping":
                connection.ping_now()
            case "no_hello":
                text = f"no hello within {limits.hello_timeout_s:g} s"
                connection.close_soon(protocol.CLOSE_PROTOCOL, close_reason(text))
            case "silent":
                text = f"silent for {limits.silence_s:g} s"
                connection.close_soon(protocol.CLOSE_TOO_SLOW, close_reason(text, retry_after_ms))
            case "full":
                connection.cut_off(f"too slow: {connection.waiting_bytes} bytes wait for it")
            case "stalled":
                connection.cut_off(f"it answers no ping, and {connection.waiting_bytes} bytes wait for it")
