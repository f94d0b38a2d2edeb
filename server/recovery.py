"""Worlds that lost their shard come back: which ones, on which shard, and which tick is not run again.

When a shard has died, its journal is redone into the world logs; then each of its unfinished worlds is computed again
from its log on a shard that is there (`Recovery.house`). The same happens at the start of a server with the worlds that
an earlier one left unfinished (`Recovery.take_over`). A world that is to blame for the death (``server/blame.py``) is
given back without that tick, faulted, so that it cannot take the next shard down as well.

Not here: how a journal is redone (``eventlog/recovery.py``) and a world restored (``server/shard/opening.py``).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from pathlib import Path

from eventlog.disk import NO_ROOM
from eventlog.errors import EventLogError
from eventlog.limits import RETRY_ROOM_S
from eventlog.recovery import RecoveryReport, recover_shard
from eventlog.summary import WorldInfo
from server import messages
from server.blame import Blame
from server.listed import LobbyGame
from server.reception import Reception
from worldline import protocol

_log = logging.getLogger("worldline.supervisor")


class Recovery:
    """The recovering worlds of one server. ``order`` sends to a shard by number, ``tell`` to all gateways."""

    def __init__(
        self,
        data: Path,
        reception: Reception,
        order: Callable[[int, messages.FromSupervisor], None],
        tell: Callable[[messages.FromSupervisor], None],
    ) -> None:
        self._data = data
        self._reception = reception
        self._order = order
        self._tell = tell
        self._homeless: deque[str] = deque()
        self._restoring: dict[str, int] = {}
        self._lost: dict[int, list[str]] = {}  # worlds by dead shard, until its journal is redone
        self.blame = Blame()
        self._since_s: dict[str, float] = {}
        self._redoing = 0
        self._settled = asyncio.Event()
        self.ending = False
        """Set when the server stops: what cannot be redone now is redone at the next start."""

    # --- from the supervisor -------------------------------------------------------------------------

    def take_over(self, infos: Iterable[WorldInfo], games: Container[str]) -> None:
        """Have the worlds restored that an earlier server left unfinished, if their game is here."""
        broken_off = []
        for info in infos:
            if info.status not in ("open", "damaged"):
                continue
            if info.game not in games:
                remedy = f"start with --games and the folder of {info.game or 'its game'} to go on with it"
                _log.warning(
                    "world %s (%s) stays as it is: its game is not here → %s",
                    info.world, info.status, remedy, extra={"world": info.world},
                )  # fmt: skip
                continue
            if info.status == "open":
                game = LobbyGame(name=info.game, max_players=0, clock=info.clock, digest=info.digest)
                self._reception.broke_off(info.world, game)
                broken_off.append(info.world)
            else:
                _log.error(
                    "the log of world %s is damaged: %s → see `worldline log verify`",
                    info.world, info.reason, extra={"world": info.world},
                )  # fmt: skip
        self.begin(broken_off)

    def begin(self, worlds: list[str]) -> None:
        """These worlds, which the lobby lists as recovering, are to be restored."""
        now_s = time.monotonic()
        for world in worlds:
            self._since_s.setdefault(world, now_s)
            self._homeless.append(world)

    def shard_lost(self, shard: int) -> list[str]:
        """A shard is lost. Return its worlds, which are recovering, those included that it was restoring."""
        self._restoring = {world: where for world, where in self._restoring.items() if where != shard}
        worlds = self._lost[shard] = self._reception.lose_shard(shard)
        return worlds

    async def redo(self, shard: int) -> list[str] | None:
        """A lost shard is gone: redo its journal, then its worlds are to be restored. Return them; None if it is not
        redone: the journal stays, and its worlds with it."""
        worlds = self._lost.pop(shard, [])
        self._redoing += 1
        try:
            report = await self._redone(shard)
        except (EventLogError, OSError) as error:
            _log.error("the journal of shard %d cannot be redone: %s", shard, error)
            for world in worlds:
                self._give_up(world, "damaged", str(error))
            return None
        else:
            _log.info("the journal of shard %d is redone: %d worlds had bytes in it", shard, len(report.worlds))
            self.begin(worlds)
            return worlds
        finally:
            self._redoing -= 1
            self._settled.set()

    async def _redone(self, shard: int) -> RecoveryReport:
        """Redo the journal, again and again while the disk is full: each time it begins anew, and nothing is lost."""
        while True:
            try:
                # System calls and checksums: on another thread, so that agents are still placed and answered.
                return await asyncio.get_running_loop().run_in_executor(None, recover_shard, self._data, shard)
            except OSError as error:
                if error.errno not in NO_ROOM or self.ending:
                    raise
                _log.error("the journal of shard %d waits to be redone: %s → make room", shard, error)
            await asyncio.sleep(RETRY_ROOM_S)

    def house(self) -> None:
        """Give every world without a shard to the one with the fewest. Call it when shards are there."""
        while self._homeless:
            world = self._homeless.popleft()
            verdict = self.blame.verdict(world)
            if verdict is not None and verdict.tick is None:
                self._give_up(world, "damaged", verdict.reason)
                continue
            shard = self._reception.assign(world)
            self._restoring[world] = shard
            tick, reason = (None, "") if verdict is None else (verdict.tick, verdict.reason)
            self._order(shard, messages.RestoreWorld(world=world, not_run=tick, reason=reason))

    async def settled(self) -> None:
        """Return when no world is recovering any more."""
        # A shard that is lost, but not gone yet, has worlds that are in none of the other three.
        while self._homeless or self._restoring or self._redoing or any(self._lost.values()):
            self._settled.clear()
            await self._settled.wait()

    # --- from shards ---------------------------------------------------------------------------------

    def restored(self, report: messages.WorldRestored, shard: int) -> None:
        """A world is back."""
        self._restoring.pop(report.world, None)
        self.blame.back(report.world, report.tick)
        took_s = time.monotonic() - self._since_s.pop(report.world, time.monotonic())
        _log.info(
            "world %s goes on at tick %d, %.2f s after it lost its shard",
            report.world, report.tick, took_s, extra={"world": report.world},
        )  # fmt: skip
        self._reception.restored(report, shard)
        self._tell(messages.WorldMoved(world=report.world, shard=shard))
        self._settled.set()

    def not_restored(self, report: messages.WorldNotRestored) -> None:
        """A world does not come back."""
        self._give_up(report.world, report.status, report.reason)

    def _give_up(self, world: str, status: protocol.WorldStatus, reason: str) -> None:
        _log.error("world %s does not come back: %s", world, reason, extra={"world": world})
        self._restoring.pop(world, None)
        self._since_s.pop(world, None)
        self._reception.not_restored(world, status, reason)
        self._tell(messages.WorldGone(world=world, status=status, reason=reason))
        self._settled.set()
