"""Which seats does a join get? The rules that stand between an agent and the seats of a world.

A session gets again what its agent has here and no other session drives; what is missing of the seats that it asks for
is taken now, as far as one agent may have them. A player that another session drives is taken over only if the join
says so.

Pure decisions about one world, its inbox and its drivers. Not here: seating itself (course, history).
"""

from __future__ import annotations

from typing import NamedTuple

from games.runtime.world import World
from server import messages, refusals
from server.shard.drivers import Drivers
from server.shard.inbox import Inbox, PendingJoin
from worldline import protocol


class Granted(NamedTuple):
    """What a join gets: ``players`` that its agent has, seats that are on their way, and new ones (by number, or None
    for any)."""

    players: tuple[str, ...]
    coming: tuple[PendingJoin, ...]
    new: tuple[int | None, ...]


def judge(
    world: World, inbox: Inbox, drivers: Drivers, message: messages.JoinWorld, most: int
) -> Granted | protocol.Error:
    """Say what a join gets. ``most``: how many seats its agent may have in this world."""
    mine, coming = drivers.players_of(message.agent), inbox.joins_of(message.agent)
    if message.player is not None:
        if message.player not in mine:
            return refusals.not_your_player(message.player, world.id, mine)
        return _mine(message.player, drivers, message)
    if message.seat is not None:
        granted = _by_seat(message.seat, world, inbox, drivers, message, mine, coming)
    else:
        ready = [p for p in mine if message.take or not drivers.driven_elsewhere(p, message.session)][: message.seats]
        expected = coming[: message.seats - len(ready)]
        granted = Granted(tuple(ready), tuple(expected), (None,) * (message.seats - len(ready) - len(expected)))
    if isinstance(granted, protocol.Error) or not granted.new:
        return granted
    if len(mine) + len(coming) + len(granted.new) > most:
        return _beyond(world, drivers, message, mine, most)
    held = sum(not player.is_vacant for player in world.players.values())
    if held + inbox.joins_waiting + len(granted.new) > world.code.manifest.max_players:
        return refusals.world_full(world.id, world.code.name, world.code.manifest.max_players, len(granted.new))
    return granted


def _mine(player: str, drivers: Drivers, message: messages.JoinWorld) -> Granted | protocol.Error:
    """A player of the agent, unless another session drives it."""
    if drivers.driven_elsewhere(player, message.session) and not message.take:
        return refusals.driven_elsewhere(player, message.world)
    return Granted((player,), (), ())


def _by_seat(
    seat: int,
    world: World,
    inbox: Inbox,
    drivers: Drivers,
    message: messages.JoinWorld,
    mine: list[str],
    coming: list[PendingJoin],
) -> Granted | protocol.Error:
    """The seat of this number: one that the agent has, or a free one."""
    holder = next((player.id for player in world.players.values() if player.seat == seat), None)
    if holder in mine:
        return _mine(holder, drivers, message)
    for pending in coming:
        if pending.seat == seat:
            return Granted((), (pending,), ())
    taken = {player.seat for player in world.players.values() if not player.is_vacant} | inbox.seats_wanted
    free = [number for number in range(1, world.code.manifest.max_players + 1) if number not in taken]
    return Granted((), (), (seat,)) if seat in free else refusals.seat_taken(seat, world.id, free)


def _beyond(world: World, drivers: Drivers, message: messages.JoinWorld, mine: list[str], most: int) -> protocol.Error:
    """The agent would have more seats than it may."""
    if not mine:
        return refusals.too_many_seats(world.code.name, message.seats, most)
    elsewhere = [player for player in mine if drivers.driven_elsewhere(player, message.session)]
    if elsewhere:
        return refusals.driven_elsewhere(elsewhere[0], world.id)
    return refusals.already_joined(mine, world.id, world.code.name, most)
