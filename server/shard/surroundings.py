"""What a world needs of its shard: a journal, ways to gateways and supervisor, and somebody who makes it tick."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from eventlog.piece import Piece
from eventlog.ticket import Ticket
from server import messages
from server.link import Link

if TYPE_CHECKING:
    from server.shard.course import Course


class Surroundings(Protocol):
    """What a world needs of its shard."""

    def journal(self, pieces: Sequence[Piece]) -> Ticket:
        """Hand pieces to the shard's journal."""

    def send(self, link: Link[Any], message: messages.Message, after: Ticket | None) -> None:
        """Send to a gateway once ``after`` is durable."""

    def push(self, message: messages.Push | messages.CodeBroken, after: Ticket | None) -> None:
        """Send to all gateways once ``after`` is durable."""

    def report(self, message: messages.Message, after: Ticket | None) -> None:
        """Send to the supervisor once ``after`` is durable."""

    def read(self, link: Link[Any], message: messages.ObservePlayer) -> None:
        """Let a player look as soon as ticks leave time for it."""

    def look(self, world: str, job: Callable[[], None]) -> None:
        """Do something that looks at this world's view, as soon as ticks leave time for it and if it is still here. If
        that breaks the world, it ends."""

    def started(self, course: Course) -> None:
        """The world wants to tick from now on, by the clock that it has now."""

    def wake(self, course: Course, at_s: float | None) -> None:
        """The world, which does not tick by time, is due at ``at_s`` (monotonic) and not before; None: not at all."""

    def paused(self, course: Course) -> None:
        """The world wants to tick no more, until it says again that it has started."""

    def ended(self, course: Course, after: Ticket) -> None:
        """The world takes nothing more, and may be let go once ``after`` is durable."""
