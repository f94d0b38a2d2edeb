"""What comes in for a client: welcomes, replies and pushes, passed on to the players and screens that they are about.

Not here: the connection over which they come (`worldline.conversation`).
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Mapping

from worldline import protocol
from worldline.player import Player
from worldline.screen import Screens


class Hearing:
    """Hears for one client, whose ``players``, ``notices`` and ``screens`` these are. ``settle`` answers open requests
    here, as `worldline.conversation.Conversation.settle`."""

    def __init__(
        self,
        players: Mapping[tuple[str, str], Player],
        notices: deque[protocol.Notice],
        screens: Screens,
        *,
        settle: Callable[[Callable[[protocol.Request], protocol.ServerMessage | None]], None],
    ) -> None:
        self._players = players
        self._notices = notices
        self._screens = screens
        self._settle = settle

    def welcomed(self, welcome: protocol.Welcome) -> None:
        """Compare what the server says with what is known here: players may have been lost meanwhile."""
        driven = {(player.world, player.player): player for player in welcome.players if player.yours}
        lost = {(player.world, player.player): player.reason for player in welcome.lost}
        for key, player in self._players.items():
            if player.closed is not None:
                continue
            if key in driven:
                player.tick = max(player.tick, driven[key].tick)
                player._streams.again()
            else:
                player._end(lost.get(key, "gone" if welcome.resumed else "session_lost"))
                self._settle(functools.partial(_settled, player))
        self._screens.connected_again()

    def replied(self, request: protocol.Request, reply: protocol.ServerMessage) -> None:
        """Let the player know which events have arrived, in the order in which they do."""
        for observation in _observations(reply):
            player = self._players.get((observation.world, observation.player))
            if player is not None:
                named = isinstance(request, protocol.Observe) and request.since is not None
                player._hear(observation, named=named)
        if isinstance(reply, protocol.Watching):
            self._screens.replied(request, reply)

    def pushed(self, message: protocol.ServerMessage) -> None:
        """Tell whom it is about."""
        self._screens.pushed(message)
        if isinstance(message, protocol.Notice):
            self._notices.append(message)
        if isinstance(message, protocol.Event | protocol.Observation | protocol.Notice):
            player = self._players.get((message.world or "", message.player or ""))
            if player is not None:
                player._streams.push(message)
        elif isinstance(message, protocol.Closed):
            for player in self._players.values():
                if player.world == message.world and message.player in (None, player.player):
                    player._end(message.reason, message.result)


def first_of(joined: protocol.Joined) -> protocol.SeatedPlayer:
    """The seat of a join for one."""
    return protocol.SeatedPlayer(
        player=joined.player,
        seat=joined.seat,
        next_seq=joined.next_seq,
        cursor=joined.cursor,
        observation=joined.observation,
    )


def _observations(reply: protocol.ServerMessage) -> list[protocol.Observation]:
    """What a reply shows."""
    match reply:
        case protocol.Observation():
            return [reply]
        case protocol.Outcome():
            return [] if reply.observation is None else [reply.observation]
        case protocol.Acted():
            return reply.observations or []
        case protocol.Joined():
            seated = reply.players or [first_of(reply)]
            return [player.observation for player in seated if player.observation is not None]
    return []


def _settled(player: Player, request: protocol.Request) -> protocol.ServerMessage | None:
    """The answer to an open request of a player that was lost meanwhile; None if it is another's."""
    if getattr(request, "world", None) != player.world:
        return None
    acts = isinstance(request, protocol.Act) and any(given.player == player.player for given in request.inputs)
    if not acts and getattr(request, "player", None) != player.player:
        return None
    if isinstance(request, protocol.Leave):
        return protocol.Left(re=request.id, world=player.world, player=player.player)
    return protocol.Error(
        re=request.id,
        code="not_joined",
        message=f"{player.player} in world {player.world} was lost with the connection: {player.closed}",
        hint="join again; if this was an input, the world's log says what became of it",
    )
