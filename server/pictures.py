"""What a film needs of a world: its picture between two ticks, and what its players have been told since the last.

Not here: when that is asked (a shard's audience, a replayer), and what becomes of it (``server/films.py``).
"""

from __future__ import annotations

from games.runtime.world import World
from server.films import Picture, picture
from worldline import protocol


def whole(number: float) -> float:
    """A whole number as an int: on the wire it has no fraction then."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


def picture_of(world: World) -> Picture:
    """The world as spectators see it. Raises `ObservationFailed`, `WorldFaulted`, `ViewUnusable`."""
    players = [
        protocol.WatchedPlayer(
            player=player.id, agent=player.agent, name=player.name, seat=player.seat, score=whole(player.score)
        )
        for player in world.players.values()
    ]
    return picture(world.tick, world.view(), players)


def cursors_of(world: World) -> dict[str, int]:
    """By player the n of its next event."""
    return {player.id: player.next_event for player in world.players.values()}


def events_since(world: World, cursors: dict[str, int]) -> tuple[list[protocol.WatchedEvent], int]:
    """What players have been told since ``cursors``, which move on; and how many of that are no longer known.

    What several were told alike is one event."""
    missed = 0
    events: dict[tuple[int, str, bytes], protocol.WatchedEvent] = {}
    for player in world.players.values():
        news = player.events_since(cursors.get(player.id, 1))
        missed += news.missed
        for event in news.items:
            told = events.setdefault(
                (event.tick, event.kind, bytes(event.data)),
                protocol.WatchedEvent(tick=event.tick, kind=event.kind, players=[], data=event.data),
            )
            told.players.append(player.id)
    now = cursors_of(world)
    cursors.clear()
    cursors.update(now)
    return sorted(events.values(), key=lambda event: event.tick), missed
