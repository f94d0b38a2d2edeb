"""Visible is durable: whatever depends on a journal group leaves the shard only when that group is durable.

A message names the ticket that it waits for. Messages leave in the order in which they were put in, per ticket, and
tickets settle in group order; so two messages about one world never overtake each other.
"""

from __future__ import annotations

from typing import Any

from eventlog.ticket import Ticket
from server.link import Link
from server.messages import Message


class Outbox:
    """Messages that wait for their ticket."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[tuple[Link[Any], Message]]] = {}

    def send(self, link: Link[Any], message: Message, after: Ticket | None) -> None:
        """Send ``message`` over ``link`` once ``after`` is durable; at once if there is nothing to wait for."""
        if after is None:
            link.send(message)
            return
        waiting = self._waiting.get(after.number)
        if waiting is not None:  # even if it is durable by now: those that wait were first
            waiting.append((link, message))
        elif after.durable:
            link.send(message)
        else:
            self._waiting[after.number] = [(link, message)]
            after.add_done_callback(self._settle)

    def _settle(self, ticket: Ticket) -> None:
        for link, message in self._waiting.pop(ticket.number):
            link.send(message)
