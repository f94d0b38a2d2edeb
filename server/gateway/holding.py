"""What waits for a world whose shard has died: it is asked again when the world is back, in the order in which it came.

Repeating is safe: an input has its seq, so the world answers with the first outcome if it was applied; a step may name
the tick at which it begins; everything else may be asked twice. Only an input that was sent without a seq, and a step
without its tick, cannot be repeated: nobody knows whether it was done, and its agent is told so.

Bounded by the open requests that each connection may have. Not here: when a world goes and comes back (the supervisor
says), and the seats in it.
"""

from __future__ import annotations

from typing import Final

from server import messages
from server.gateway.backends import Question, Waiting
from worldline import protocol

COMES_BACK_MS: Final = 2000  # a shard is replaced, and its worlds are back, within about this


class Held:
    """Questions by world, each with whoever waits for its answer."""

    def __init__(self) -> None:
        self._questions: dict[str, list[tuple[Question, Waiting]]] = {}

    def put(self, question: Question, waiting: Waiting) -> None:
        """Keep a question until its world is back, or gone for good."""
        assert waiting.world is not None
        self._questions.setdefault(waiting.world, []).append((question, waiting))

    def take(self, world: str) -> list[tuple[Question, Waiting]]:
        """All that wait for ``world``, in order: questions that were sent first, oldest first."""
        return self._questions.pop(world, [])


def repeatable(question: Question) -> bool:
    """Whether a question whose answer was lost may be put again."""
    if isinstance(question, messages.StepWorld):
        return question.at_tick is not None
    if isinstance(question, messages.ActPlayers):
        named = all(given.seq is not None for given in question.inputs)
        return named and (question.step is None or bool(question.inputs) or question.at_tick is not None)
    return not isinstance(question, messages.PlayerInput) or question.seq is not None


def away(world: str) -> protocol.Notice:
    """What players of a world are told whose shard has died."""
    return protocol.Notice(
        code="world_recovering",
        message="the process that ran this world has died; the world comes back, and requests wait for it",
        world=world,
        retry_after_ms=COMES_BACK_MS,
    )


def back(world: str) -> protocol.Notice:
    """What they are told when it goes on."""
    return protocol.Notice(code="world_resumed", message="this world is back, as it was", world=world)
