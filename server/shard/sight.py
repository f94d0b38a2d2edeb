"""What the players of one world see: observations, with what must be remembered about having shown them.

An observation is noted in the history (the next input was decided on it), in what the agent has heard, and in the
meters. One that breaks the world is kept in ``fault``, for the host to end the world when everybody has been answered.

Not here: how an observation looks on the wire (replies), and who gets it (host).
"""

from __future__ import annotations

import logging
import time
import uuid
from typing import Final

import msgspec

from games.errors import ObservationFailed, WorldFaulted
from games.runtime.world import World
from server.shard import replies
from server.shard.drivers import Drivers
from server.shard.history import History
from server.shard.meters import Meters
from server.shard.pace import Pace
from worldline import protocol

_log: Final = logging.getLogger("worldline.shard")


class Sight:
    """Looks into one world for its players."""

    def __init__(self, world: World, history: History, drivers: Drivers, meters: Meters, pace: Pace) -> None:
        self._world = world
        self._pace = pace
        self.status: protocol.WorldStatus = "running" if pace.manual else "waiting"
        """Of the world; one that is stepped by its owner waits for nobody else."""
        self._history = history
        self._drivers = drivers
        self._meters = meters
        self.fault: WorldFaulted | None = None
        """What broke the world while somebody looked."""

    def observation(self, player: str, since: int, form: protocol.Format) -> protocol.Observation:
        """What ``player`` sees now. Raises ObservationFailed, WorldFaulted."""
        computed = self._world.observations_computed
        began_s = time.monotonic()
        seen = replies.observation(self._world, player, since=since, form=form, status=self.status)
        if self.status == "running":
            seen.your_turn = self._pace.your_turn(player)
            seen.time_left_ms = self._pace.time_left_ms(began_s)
        if self._world.observations_computed > computed:
            size_bytes = len(seen.data) if isinstance(seen.data, msgspec.Raw) else 0
            size_bytes += len(seen.text or "")
            self._meters.observed(took_s=time.monotonic() - began_s, size_bytes=size_bytes)
        self._history.observed(player)
        self._drivers.heard(player).shown(seen.tick, seen.cursor)
        return seen

    def beside(self, player: str, since: int, form: protocol.Format = "both") -> protocol.Observation | None:
        """An observation that goes along with something more important; None if there is none.

        A world that is broken by it is noted in ``fault``.
        """
        if player not in self._world.players or self.fault is not None:
            return None
        try:
            return self.observation(player, since, form)
        except ObservationFailed as failure:
            logged(failure, self._world.players[player].agent)
        except WorldFaulted as fault:
            self.fault = fault
        return None


def logged(failure: ObservationFailed, agent: str) -> str:
    """Log that ``agent`` could be shown nothing; return the reference under which the log has it."""
    reference = uuid.uuid4().hex[:8]
    about = {"world": failure.world, "agent": agent}
    _log.warning("observation failed, reference %s: %s\n%s", reference, failure, failure.traceback, extra=about)
    return reference
