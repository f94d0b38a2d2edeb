"""The pace of one world: whom its next tick waits for, who of them has acted, and the steps that its owner asked for.

Two things that are easily mixed up: *how* players act is the game's (in a lockstep or turn game one input per player
and tick, and the default for the silent), *when* a tick runs is the clock's, which in a manual world is its owner.

Times are seconds on the monotonic clock. Not here: the rule itself (clocks), and running ticks (next_tick, ticker).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

from games.runtime.world import World
from server.rates import InputRate
from server.shard import clocks
from server.shard.inbox import Act, Asker, Inbox

RETRY_NEXT_TICK_MS: Final = 50  # on top of one tick


@dataclass(slots=True)
class Step:
    """What is left of a request for ticks, which may be an act's."""

    asker: Asker
    ticks: int
    act: Act | None = None


class Pace:
    """When one world ticks."""

    def __init__(self, world: World, inbox: Inbox, rate: InputRate | None = None) -> None:
        self._world = world
        self._inbox = inbox
        self._deadline_s = world.code.manifest.deadline_ms / 1000
        self._awaited = clocks.NOBODY
        self.one_each = world.code.manifest.clock in ("lockstep", "turn")
        """Whether a player acts once per tick, and only when it is awaited."""
        self.steps: deque[Step] = deque()
        self.rate = rate
        """How many inputs each player may send; None: as many as it likes."""

    @property
    def retry_after_ms(self) -> int:
        """When what waits now will have been applied."""
        return RETRY_NEXT_TICK_MS + int(1000 / self._world.code.manifest.tick_hz)

    def too_often_ms(self, player: str) -> int | None:
        """When a player may send its next input that sends them too often; None: now. A manual world waits for its
        owner anyway."""
        return None if self.rate is None or self.manual else self.rate.refusal_ms(player)

    def take(self, player: str) -> None:
        """The player has sent an input, and it was taken."""
        if self.rate is not None and not self.manual:
            self.rate.take(player)

    @property
    def realtime(self) -> bool:
        """Whether time alone makes the world tick. If not, what comes and goes is applied at once, between ticks."""
        return self._world.clock == "realtime"

    @property
    def manual(self) -> bool:
        """Whether the world's owner makes it tick."""
        return self._world.clock == "manual"

    def count(self, now_s: float, *, anew: bool) -> None:
        """Ask the game whom the next tick waits for: after a tick (``anew``), or when somebody came or went.

        Raises WorldFaulted.
        """
        if self.one_each and self._world.finished is None:
            self._awaited = clocks.await_players(
                self._awaited,
                self._world.to_act(),
                seated=len(self._world.players),
                deadline_s=self._deadline_s,
                now_s=now_s,
                anew=anew,
            )

    def decide(self, now_s: float) -> clocks.Run | clocks.Wait:
        """Say whether the next tick of a world that does not tick by time runs now."""
        if not self.manual:
            return clocks.decide(self._awaited, self._inbox.acting, now_s)
        if self.steps:
            return clocks.Run(tuple(self.waiting_for))
        return clocks.Wait(None)

    # --- what others see -----------------------------------------------------------------------------

    @property
    def waiting_for(self) -> list[str]:
        """Those whose input the next tick waits for, in seat order."""
        return [player for player in self._awaited.players if player not in self._inbox.acting]

    def awaits(self, player: str) -> bool:
        """Whether the next tick waits, or waited, for this player's input."""
        return player in self._awaited.players

    def your_turn(self, player: str) -> bool | None:
        """Whether an input of this player is awaited now; None in games where everybody acts at any time."""
        return self.awaits(player) and player not in self._inbox.acting if self.one_each else None

    def time_left_ms(self, now_s: float) -> int | None:
        """How long the next tick still waits; None if there is no deadline."""
        if not self.one_each or self.manual or self._awaited.until_s is None:
            return None
        return max(0, round((self._awaited.until_s - now_s) * 1000))
