"""Stopping without leaving anybody hanging: open requests may finish for a moment, then every connection is closed.

A reader that is behind would never see a close frame: it is cut off first, so that it delays nobody.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection
from typing import Final

from server.gateway.backends import Backends
from server.gateway.connection import close_reason
from server.gateway.fanout import spread
from server.gateway.limits import GatewayLimits
from server.gateway.session import Session
from worldline import protocol

_LOOK_EVERY_S: Final = 0.02

_log = logging.getLogger("worldline.gateway")


def come_back_ms(limits: GatewayLimits) -> int:
    """When a client shall connect again: its own time, so that not all come at once."""
    return random.randint(limits.restart_after_ms, 2 * limits.restart_after_ms)


async def drain(sessions: Collection[Session], backends: Backends, limits: GatewayLimits) -> None:
    """Tell everyone, wait at most ``drain_s`` for open requests, close every connection with 1012."""
    loop = asyncio.get_running_loop()
    _log.info("draining %d connections", len(sessions))
    notice = protocol.Notice(
        code="draining",
        message="the server is about to stop; connections close in a moment",
        retry_after_ms=limits.restart_after_ms,
    )
    spread(list(sessions), notice)
    give_up_at_s = loop.time() + limits.drain_s
    while backends.open_questions and loop.time() < give_up_at_s:
        await asyncio.sleep(_LOOK_EVERY_S)
    closing = [
        session.connection.close_soon(protocol.CLOSE_RESTART, close_reason("the server restarts", come_back_ms(limits)))
        for session in list(sessions)
    ]
    await asyncio.gather(*(task for task in closing if task is not None), return_exceptions=True)
