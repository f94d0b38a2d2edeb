"""``/worlds/ID/log.jsonl``: what the log of a world holds, page by page, to whoever may read it.

It is what `log` answers over the socket, by the same rules, one record a line; a page is as long as plain HTTP allows,
and its ``Link`` header names the one after it.

Not here: who may see what (``server/visibility.py``), and reading logs (replayers do).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from server import messages
from server.gateway.http import NO_STORE
from server.gateway.paths import JSON, MAX_BODY_BYTES, Asked, Body, Paths
from server.gateway.requests import UNNUMBERED
from worldline import protocol

PREFIX: Final = "/worlds/"
SUFFIX: Final = "/log.jsonl"
JSON_LINES: Final = "application/jsonl; charset=utf-8"
RETRY_S: Final = 5  # a replayer that has died is started again within a second or two

_STATUS: Final = {
    "unknown_world": HTTPStatus.NOT_FOUND,
    "invalid_args": HTTPStatus.BAD_REQUEST,
    "tick_out_of_range": HTTPStatus.BAD_REQUEST,
    "forbidden": HTTPStatus.FORBIDDEN,
    "live_world": HTTPStatus.FORBIDDEN,
    "too_large": HTTPStatus.NOT_FOUND,
}
"""Of what `log` refuses; what may succeed later is 503, anything else 409: the log is not as it should be."""

Inquire = Callable[[str, messages.ReadLog], asyncio.Future[Any]]
"""Asks the replayer of a world. The future's exception is ConnectionError if that is lost."""


class _WrongQuery(Exception):
    """The argument says what is wrong with what follows the question mark."""


class LogPages:
    """Answers for one gateway."""

    def __init__(self, inquire: Inquire) -> None:
        self._inquire = inquire

    def add_to(self, paths: Paths) -> None:
        """Worlds may be looked at by those who may look at worlds."""
        paths.add_family(PREFIX, SUFFIX, self.body, needs="spectator")

    async def body(self, asked: Asked) -> Body:
        """A page, or why there is none."""
        try:
            from_tick = _from_tick(asked.query)
        except _WrongQuery as error:
            return _refused(protocol.Error(code="invalid_args", message=str(error), path="from_tick"))
        assert asked.role is not None
        order = messages.ReadLog(
            request=UNNUMBERED,
            world=asked.name,
            agent=asked.agent or "",
            role=asked.role,
            from_tick=from_tick,
            limit=protocol.MAX_LOG_RECORDS,
        )
        try:
            answer = await self._inquire(asked.name, order)
        except ConnectionError:
            lost = "the process that reads logs was lost"
            return _refused(protocol.Error(code="internal", message=lost, retry_after_ms=RETRY_S * 1000))
        return page(answer, asked.name) if isinstance(answer, protocol.LogReply) else _refused(answer)


def page(reply: protocol.LogReply, world: str) -> Body:
    """As much of a reply as fits, up to the end of a tick, with the address of the rest."""
    lines: list[bytes] = []
    next_tick, size_bytes, reached = reply.next, 0, 0
    whole = 0  # so many lines are of ticks that are complete
    for record in reply.records:
        tick = record.get("tick", 0)
        if tick > reached:
            whole = len(lines)
        line = msgspec.json.encode(record) + b"\n"
        size_bytes += len(line)
        if size_bytes > MAX_BODY_BYTES:
            if whole == 0:
                return _refused(_too_large(tick))
            next_tick = reply.records[whole].get("tick", 0)
            del lines[whole:]
            break
        lines.append(line)
        reached = max(reached, tick + record.get("ticks", 1) - 1)
    link = f'<{PREFIX}{world}{SUFFIX}?from_tick={next_tick}>; rel="next"'
    return Body(
        content=b"".join(lines),
        kind=JSON_LINES,
        cache="private, no-cache",
        headers=() if next_tick is None else (("Link", link),),
    )


def _from_tick(query: str) -> int | None:
    """What the query says, None if nothing. Raises `_WrongQuery`."""
    fields = parse_qsl(query, keep_blank_values=True)
    for name, _ in fields:
        if name != "from_tick":
            raise _WrongQuery(f"there is no {name!r} here: only from_tick")
    if not fields:
        return None
    text = fields[-1][1]
    if not (text.isascii() and text.isdigit() and int(text[:17]) <= protocol.MAX_INTEGER and len(text) < 17):
        raise _WrongQuery(f"from_tick is the number of a tick, not {text[:40]!r}")
    return int(text)


def _too_large(tick: int) -> protocol.Error:
    return protocol.Error(
        code="too_large",
        message=f"what the log has of tick {tick} is more than the {MAX_BODY_BYTES} bytes that plain HTTP takes",
        hint="ask for it over the WebSocket, with `log`",
        data={"limit_bytes": MAX_BODY_BYTES},
    )


def _refused(error: protocol.Error) -> Body:
    """An error of the protocol, as plain HTTP says it."""
    later = error.retry_after_ms is not None
    status = HTTPStatus.SERVICE_UNAVAILABLE if later else _STATUS.get(error.code, HTTPStatus.CONFLICT)
    retry_after_s = max(1, -(-(error.retry_after_ms or 0) // 1000))
    return Body(
        content=msgspec.json.encode(error) + b"\n",
        kind=JSON,
        status=status,
        cache=NO_STORE,
        headers=(("Retry-After", str(retry_after_s)),) if later else (),
    )
