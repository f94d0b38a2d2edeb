"""The book of sessions: which players each has, and which it lost while it may not have been listening.

Pure bookkeeping: no I/O, no clock. The lobby writes it as shards report. A session is known from its first player on;
a loss stays in the book, since nobody knows whether its client heard of it, until newer ones push it out.

Invariant: every player in it sits in an unfinished world; what it remembers of losses is bounded.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

from worldline import protocol

LOST_KEPT: Final = 64  # losses per session: more than a client that comes back has to be told
SESSIONS_KEPT: Final = 10_000  # sessions whose losses are remembered, those with the latest losses

LEFT: Final = "left"
"""Why a player went that its own agent took out: that is no loss."""

TAKEN_OVER: Final = "taken_over"
"""Why a session lost a player that another session of its agent drives now."""


class SessionBook:
    """Players and losses by session. A player is named by (world, player)."""

    def __init__(self) -> None:
        self._players: dict[str, dict[tuple[str, str], None]] = {}
        self._session_of: dict[str, dict[str, str]] = {}
        self._lost: OrderedDict[str, deque[protocol.LostPlayer]] = OrderedDict()

    def seated(self, session: str, world: str, player: str) -> None:
        """The session has a player."""
        self._players.setdefault(session, {})[world, player] = None
        self._session_of.setdefault(world, {})[player] = session

    def unseated(self, world: str, player: str, reason: str, tick: int) -> None:
        """The player has gone, by itself (`LEFT`) or not."""
        sessions = self._session_of.get(world, {})
        session = sessions.pop(player, None)
        if session is None:
            return
        if not sessions:
            del self._session_of[world]
        players = self._players[session]
        del players[world, player]
        if not players:
            del self._players[session]
        if reason != LEFT:
            self._lose(session, protocol.LostPlayer(world=world, player=player, reason=reason, tick=tick))

    def world_ended(self, world: str, reason: str, tick: int) -> None:
        """Everybody in the world has gone."""
        for player in list(self._session_of.get(world, {})):
            self.unseated(world, player, reason, tick)

    def players(self, session: str) -> list[tuple[str, str]]:
        """Return what the session has, in the order in which it was seated."""
        return list(self._players.get(session, {}))

    def lost(self, session: str) -> list[protocol.LostPlayer]:
        """Return what the session lost, oldest first."""
        return list(self._lost.get(session, ()))

    def _lose(self, session: str, loss: protocol.LostPlayer) -> None:
        self._lost.setdefault(session, deque(maxlen=LOST_KEPT)).append(loss)
        self._lost.move_to_end(session)
        if len(self._lost) > SESSIONS_KEPT:
            self._lost.popitem(last=False)
