"""Who waits for a tick that does not come: because the world stands still, has other code, or has ended.

Invariant: whatever waits in a world is answered here once, or goes on waiting where it cannot be asked for again.

Not here: why there is no tick (course), and how answers leave (desk).
"""

from __future__ import annotations

from collections.abc import Sequence

from games.manifest import Manifest
from games.runtime.world import World
from server import messages
from server.shard import replies
from server.shard.acts import Acts
from server.shard.desk import Desk
from server.shard.inbox import Asker, Inbox, Pending, PendingLeave
from server.shard.pace import Pace
from server.shard.sight import Sight
from server.shard.waits import Waits
from worldline import protocol


class Dismissal:
    """Sends away those who wait in one world."""

    def __init__(
        self, world: World, inbox: Inbox, pace: Pace, desk: Desk, sight: Sight, acts: Acts, waits: Waits
    ) -> None:
        self._world = world
        self._inbox = inbox
        self._pace = pace
        self._desk = desk
        self._sight = sight
        self._acts = acts
        self._waits = waits

    def paused(self, refusal: protocol.Error) -> None:
        """The world stands still: nothing of what waited was written down."""
        for pending in self._inbox.drain():
            if _decided_here(pending):
                self._inbox.put(pending)
            else:
                self._desk.turn_away(pending, refusal)
        while self._pace.steps:
            step = self._pace.steps.popleft()
            if step.act is None:
                self._desk.refuse(step.asker, refusal)
            else:
                self._acts.give_up(step.act, refusal, at_once=True)
        self._waits.wake_all("now")

    def taken_back(self, drained: Sequence[Pending], refusal: protocol.Error) -> None:
        """The tick of what was ``drained`` has been undone in the log, which is a change: it waits for the disk."""
        for pending in drained:
            if _decided_here(pending):
                self._inbox.put(pending)
            else:
                self._desk.refuse_pending(pending, refusal)

    def unfit(self, manifest: Manifest) -> None:
        """The world goes on with other code, which does not take all that waits."""
        for pending, problem in self._inbox.unfit(manifest):
            expected = self._world.players[pending.player].next_seq
            refusal = replies.seq_gap(pending.seq, expected) if problem is None else replies.bad_arguments(problem)
            self._desk.turn_away(pending, refusal)

    def ended(self, refusal: protocol.Error, also: Sequence[Pending]) -> None:
        """The world has ended, as `Sight.status` says; ``also``: what had been taken for its last tick."""
        finished = self._sight.status == "finished"
        for pending in (*also, *self._inbox.drain()):
            self._desk.refuse_pending(pending, refusal)
        while self._pace.steps:  # fewer ticks than were asked for: the game may have ended in one of them
            step = self._pace.steps.popleft()
            if step.act is not None:
                self._acts.give_up(step.act, None if finished and step.act.begun else refusal, at_once=False)
                continue
            stepped = protocol.Stepped(world=self._world.id, tick=self._world.tick)
            self._desk.answer(step.asker, stepped if finished else refusal)
        for waiting in self._waits.take_all():
            self._last_look(Asker(waiting.link, waiting.message.request), waiting.message, refusal)

    def _last_look(self, asker: Asker, message: messages.ObservePlayer, refusal: protocol.Error) -> None:
        """Show the end to a player who waits; one who can see nothing any more is told that it has ended."""
        blind = self._sight.status == "faulted"
        seen = None if blind else self._sight.beside(message.player, message.since, message.format)
        if seen is not None:
            seen.woke = "end"
        self._desk.answer(asker, refusal if seen is None else seen)


def _decided_here(pending: Pending) -> bool:
    """Whether nobody has asked for it, and it is written down when the world goes on."""
    return isinstance(pending, PendingLeave) and pending.asker is None
