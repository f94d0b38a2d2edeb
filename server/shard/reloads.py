"""Games that were saved while worlds run: each world of theirs goes on with the new code, if it can.

A world that comes here later is made with the code that it was ordered with, and then goes on with what was saved
since.

Invariant: a world that cannot go on with other code goes on with its own, and developers hear why.

Not here: how a world changes its code (course), and which change counts (games).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from eventlog.errors import EventLogError
from eventlog.ticket import Ticket
from games.errors import GameError, SnapshotUnreadable, StateNotSaveable, WorldFaulted
from replays.replay import ReplayError
from replays.shelf import Shelf
from server import messages
from server.callpage import CallPage
from server.shard.breakage import not_reloaded
from server.shard.host import WorldHost

_log = logging.getLogger("worldline.shard")


class Reloads:
    """The saved code of one shard's worlds. ``push`` tells developers, ``may_reload`` says whether it can be done now;
    if not, `reload` does nothing and is called again."""

    def __init__(
        self,
        hosts: Mapping[str, WorldHost],
        shelf: Shelf,
        calls: CallPage,
        push: Callable[[messages.CodeBroken, Ticket | None], None],
        *,
        may_reload: Callable[[], bool],
    ) -> None:
        self._hosts = hosts
        self._shelf = shelf
        self._calls = calls
        self._push = push
        self._may_reload = may_reload
        self._games: dict[str, messages.ServedGame] = {}
        """By name: as it was saved last."""

    def saved(self, game: messages.ServedGame) -> None:
        """A game has been saved: its worlds go on with it, one per turn of the loop."""
        self._games[game.name] = game
        for world in [host.id for host in self._hosts.values() if host.course.game == game.name]:
            asyncio.get_running_loop().call_soon(self.reload, world)

    def reload(self, world: str) -> None:
        """Let a world go on with the code of its game that was saved last, if that is other code. If it cannot, the
        world goes on with its own."""
        host = self._hosts.get(world)
        game = None if host is None else self._games.get(host.course.game)
        if host is None or game is None or not self._may_reload():
            return  # where there is no room on the disk, this is done when there is
        try:
            code = self._shelf.code(game.name, game.digest, game.origin)
            if code.changes_rules_of(host.world.code):
                with self._calls.during(world, host.world.tick, "entries"):
                    host.course.reload(code)
                about = {"world": world}
                _log.info(
                    "world %s of %s goes on with the saved code at tick %d",
                    world, game.name, host.world.tick, extra=about,
                )  # fmt: skip
        except WorldFaulted as fault:
            host.course.end_faulted(fault)
        except (EventLogError, GameError, ReplayError, SnapshotUnreadable, StateNotSaveable) as error:
            _log.error(
                "world %s of %s goes on with the code it has: %s", world, game.name, error, extra={"world": world}
            )
            self._push(not_reloaded(game.name, world, error), None)
