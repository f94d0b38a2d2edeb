"""Requests that are refused for now: a patient client sends them again when the server has said that it may.

Not here: lost connections, after which a request is sent again, too (`worldline.conversation`).

Invariant: the caller waits for at most `PATIENCE_MS`, besides the time that the server takes; then it is refused.
"""

from __future__ import annotations

import asyncio
from typing import Final

from worldline import protocol
from worldline.conversation import AnyReply, Conversation
from worldline.errors import TryLater

# How often and how long a patient client waits by itself for one request.
PATIENCE_TRIES: Final = 5
PATIENCE_MS: Final = 10_000


async def ask_patiently(conversation: Conversation, request: protocol.Request, expected: type[AnyReply]) -> AnyReply:
    """Send ``request``, again after each refusal with ``retry_after_ms``, and return its reply.

    Raises `TryLater` when patience has run out, and what else the reply says.
    """
    waited_ms = 0
    for attempt in range(1, PATIENCE_TRIES + 1):
        try:
            return await conversation.ask(request, expected)
        except TryLater as refusal:
            wait_ms = refusal.retry_after_ms
            if wait_ms is None or attempt == PATIENCE_TRIES:
                raise
            waited_ms += wait_ms
            if waited_ms > PATIENCE_MS:
                raise
        await asyncio.sleep(wait_ms / 1000)
    raise AssertionError("the last attempt returns or raises")
