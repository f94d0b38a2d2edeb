"""Events that are pushed: who has subscribed to those of which player, and which have gone out.

After each tick, and after what happens between ticks, `look` sends what is new, behind the journal group that it stands
on. Once a player is out, its subscriber gets its last observation, too, which says how it ended.

Invariant: the events of a player go out in the order of their numbers, each once; what is no longer kept is named. A
subscription ends with the connection that drives its player.

Not here: who drives a player (drivers), and readers that are too slow (the gateway).
"""

from __future__ import annotations

from games.runtime.players import PlayerState
from games.runtime.world import World
from server import messages
from server.shard import replies
from server.shard.desk import Desk
from server.shard.drivers import Drivers, Subscription
from server.shard.inbox import Asker
from server.shard.sight import Sight
from worldline import protocol


class Subscribers:
    """The subscriptions in one world."""

    def __init__(self, world: World, drivers: Drivers, desk: Desk, sight: Sight) -> None:
        self._world = world
        self._drivers = drivers
        self._desk = desk
        self._sight = sight

    def put(self, asker: Asker, message: messages.SubscribePlayer) -> None:
        """Push a player's events from now on, or no longer."""
        player = self._world.players.get(message.player)
        if player is None:
            self._desk.refuse(asker, replies.not_joined(message.player, self._world.id))
            return
        since = player.next_event if message.since is None else max(1, message.since)
        self._drivers.subscribe(player.id, Subscription(since) if message.events else None)
        subscribed = protocol.Subscribed(
            world=self._world.id, player=player.id, events=message.events, cursor=min(since, player.next_event)
        )
        self._desk.answer(asker, subscribed)
        self.look()

    def look(self) -> None:
        """Something has happened in the world: push what has happened to those who are subscribed to."""
        for player, subscription in self._drivers.subscriptions():
            state = self._world.players.get(player)
            if state is not None:
                self._push_events(state, subscription)
                if state.ended is not None and not subscription.told_the_end:
                    subscription.told_the_end = True
                    self._push_the_end(state)

    def _push_events(self, state: PlayerState, subscription: Subscription) -> None:
        if state.next_event <= subscription.next_event:
            return
        events = state.events_since(subscription.next_event)
        if events.missed:
            first = subscription.next_event
            self._push(state.id, replies.no_longer_kept(self._world.id, state.id, first, first + events.missed - 1))
        for event in events.items:
            pushed = protocol.Event(
                world=self._world.id, player=state.id, n=event.n, tick=event.tick, kind=event.kind, data=event.data
            )
            self._push(state.id, pushed)
        subscription.next_event = events.cursor

    def _push_the_end(self, state: PlayerState) -> None:
        seen = self._sight.beside(state.id, state.next_event)
        if seen is not None:
            self._push(state.id, seen)

    def _push(self, player: str, message: protocol.Event | protocol.Observation | protocol.Notice) -> None:
        link = self._drivers.link_of(player)
        if link is not None:
            self._desk.send(Asker(link, 0), messages.Push(world=self._world.id, player=player, message=message))
