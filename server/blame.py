"""Whose fault was a shard's death? What is known of it, and which world pays for it with its end.

A world that hangs or takes its process down would do so again on the next shard, so it does not get that tick again.
But a world that only happened to be running when somebody killed the process has done nothing: it is never blamed,
however often that happens. The supervisor knows which of the two it was: it did the killing itself, or the process
ended by itself, or neither. Some deaths leave it open: the kernel kills for want of memory, or a call takes very long
and uses no processor time, as if the process had been stopped. There a world is suspected first, and blamed when its
shard dies so again in the same tick.

A tick that ran once cannot be what hangs; if its re-execution does, the fault lies with the log or with us, so that
world is set aside with its log untouched.

Pure decisions: no clock, no I/O. Not here: what follows from a verdict (``server/recovery.py``).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from server.callpage import Call


class Death(msgspec.Struct, frozen=True):
    """How a shard died in the middle of a call: ``why`` says it to people.

    - stuck: the supervisor killed it, because the call used processor time without end
    - crashed: it ended by itself
    - unclear: killed for want of memory, or because it stood still
    - killed: by somebody else
    """

    kind: Literal["stuck", "crashed", "unclear", "killed"]
    why: str


class Verdict(msgspec.Struct, frozen=True):
    """A world is to blame: ``tick`` must not be run (again); None: it cannot be restored at all."""

    tick: int | None
    reason: str


class Blame:
    """What is held against the worlds of one server."""

    def __init__(self) -> None:
        self._suspected: dict[str, int | None] = {}  # by world: the tick of its unclear death; None: restoring
        self._blamed: dict[str, Verdict] = {}

    def died(self, call: Call, death: Death) -> None:
        """A shard has died during ``call``."""
        if death.kind == "killed" or call.kind == "setup":  # one that is being made is lost with its shard
            return
        if call.kind == "restore":
            tick, reason = None, f"its recorded ticks cannot be run again: {death.why}"
        else:
            # What is called between two ticks counts as the beginning of the next one.
            tick, reason = (call.tick if call.kind == "tick" else call.tick + 1), death.why
        first = call.world not in self._suspected or self._suspected[call.world] != tick
        if death.kind == "unclear" and first:
            self._suspected[call.world] = tick
        else:
            self._blamed[call.world] = Verdict(tick, reason)

    def verdict(self, world: str) -> Verdict | None:
        """What ``world`` has to pay for; None if it is innocent."""
        return self._blamed.get(world)

    def back(self, world: str, tick: int) -> None:
        """``world`` is restored and stands at ``tick``: what it was suspected of did not happen."""
        suspected = self._suspected.get(world, tick)
        if suspected is None or suspected <= tick:
            self._suspected.pop(world, None)
