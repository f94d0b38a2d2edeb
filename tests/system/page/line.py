"""The line between a page and its server, in a test's hand: what comes down can be held back, let go and cut off.

The browser hands over whole messages, in order; they still go over real sockets. Not here: a line that is only slow
(``playing.slow_line``).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from playwright.async_api import Page, WebSocketRoute

from tests.system.page.browser import WITHIN_MS

Condition = Callable[[dict[str, Any]], bool]


class Line:
    """The line of one page: ``page = await pages.open(address, before=line.lay)``."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        """What the page has asked for, in order."""
        self.came: list[dict[str, Any]] = []
        """What has reached the page, in order."""
        self.waiting: list[str] = []
        """What is held back, in order."""
        self._holds: Condition | None = None
        self._ends: tuple[WebSocketRoute, WebSocketRoute] | None = None
        self._news = asyncio.Condition()

    async def lay(self, page: Page) -> None:
        """Have all that this page says to its server go over this line."""
        await page.route_web_socket("**/ws", self._connect)

    def hold(self, condition: Condition = lambda _: True) -> None:
        """Hold back the next message from the server for which this holds, and all that come behind it."""
        self._holds = condition

    async def release(self) -> None:
        """Let go of what was held back."""
        self._holds = None
        waiting, self.waiting = self.waiting, []
        for text in waiting:
            self._pass(text)
        await self._notify()

    async def cut(self, holds: Condition | None = None) -> None:
        """Cut it: what is held back is lost. The page comes back by itself; ``holds`` is for its next connection."""
        assert self._ends is not None
        self._holds, self.waiting = holds, []
        near, far = self._ends
        await near.close(code=4999, reason="cut")
        await far.close()

    async def asked(self, condition: Condition, since: int = 0) -> None:
        """Wait until the page has asked for something, behind the first ``since`` requests."""
        await self._until(lambda: any(condition(message) for message in self.sent[since:]))

    async def reached(self, condition: Condition, since: int = 0) -> dict[str, Any]:
        """Wait until something has come to the page, behind the first ``since`` messages; return it."""
        await self._until(lambda: any(condition(message) for message in self.came[since:]))
        return next(message for message in self.came[since:] if condition(message))

    async def holds_back(self, condition: Condition = lambda _: True) -> dict[str, Any]:
        """Wait until something is held back for which this holds; return it."""
        await self._until(lambda: any(condition(json.loads(text)) for text in self.waiting))
        return next(message for text in self.waiting if condition(message := json.loads(text)))

    # --- inside --------------------------------------------------------------------------------------

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(WITHIN_MS / 1000), self._news:
            await self._news.wait_for(is_so)

    async def _connect(self, near: WebSocketRoute) -> None:
        far = near.connect_to_server()
        self._ends = near, far

        async def up(text: str | bytes) -> None:
            far.send(text)
            self.sent.append(json.loads(text))
            await self._notify()

        async def down(text: str | bytes) -> None:
            if self._ends != (near, far):
                return  # it comes off a line that has been cut
            if self.waiting or (self._holds is not None and self._holds(json.loads(text))):
                self.waiting.append(str(text))
            else:
                self._pass(text)
            await self._notify()

        near.on_message(up)
        far.on_message(down)

    def _pass(self, text: str | bytes) -> None:
        assert self._ends is not None
        self._ends[0].send(text)
        self.came.append(json.loads(text))

    async def _notify(self) -> None:
        async with self._news:
            self._news.notify_all()


def is_a(kind: str, **fields: Any) -> Condition:
    """A message of this type with these fields."""
    return lambda message: message["type"] == kind and all(message.get(name) == value for name, value in fields.items())
