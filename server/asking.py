"""What the supervisor asks its children: a question over the control link, an answer by its number, or none in time.

Invariant: every question ends: with its answer, when the child is lost, or after `ANSWER_WITHIN_S`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, TypeVar

from server import messages
from server.children import Child

ANSWER_WITHIN_S: Final = 5.0  # a child that has not answered a question by then is stuck or gone

_log = logging.getLogger("worldline.supervisor")

Answer = TypeVar("Answer", messages.ViewReply, messages.ShardStatistics, messages.GatewayStatistics)


class Asking:
    """The questions of one supervisor that are not answered yet."""

    def __init__(self) -> None:
        self._asked: dict[int, tuple[Child, asyncio.Future[messages.ToSupervisor]]] = {}
        self._numbers = 0

    async def view(self, shard: Child, world: str) -> messages.ViewReply:
        """What the game's ``view`` shows of a world.

        Raises TimeoutError if the shard does not answer, ConnectionError if it dies.
        """
        return await self._ask(shard, messages.AskView(request=self._number(), world=world), messages.ViewReply)

    async def statistics(self, children: Sequence[Child], kind: type[Answer]) -> list[Answer]:
        """How each child is doing. One that does not answer in time is left out."""
        answers = await asyncio.gather(*(self._statistics_of(child, kind) for child in children))
        return [answer for answer in answers if answer is not None]

    def answered(self, answer: messages.ViewReply | messages.ShardStatistics | messages.GatewayStatistics) -> None:
        """A child has answered."""
        _, waiting = self._asked.pop(answer.request, (None, None))
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def lost(self, child: Child) -> None:
        """A child will answer nothing any more."""
        for asked, waiting in list(self._asked.values()):
            if asked is child and not waiting.done():
                waiting.set_exception(ConnectionError(f"{child.name} is lost"))

    # --- inside --------------------------------------------------------------------------------------

    async def _statistics_of(self, child: Child, kind: type[Answer]) -> Answer | None:
        try:
            return await self._ask(child, messages.AskStatistics(request=self._number()), kind)
        except TimeoutError:
            _log.warning("no statistics of %s: no answer in time", child.name)
        except ConnectionError:
            pass  # it has died, which is told elsewhere
        return None

    async def _ask(
        self, child: Child, question: messages.AskStatistics | messages.AskView, kind: type[Answer]
    ) -> Answer:
        waiting: asyncio.Future[messages.ToSupervisor] = asyncio.get_running_loop().create_future()
        self._asked[question.request] = child, waiting
        try:
            child.send(question)
            answer = await asyncio.wait_for(waiting, ANSWER_WITHIN_S)
        finally:
            self._asked.pop(question.request, None)
        assert isinstance(answer, kind)
        return answer

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers
