"""What a world tells the supervisor about itself: pure functions from what it is and has cost to messages."""

from __future__ import annotations

from collections.abc import Mapping

from eventlog.records import Genesis, JoinEntry
from games.runtime.world import World
from server import messages
from server.pictures import whole
from server.shard.meters import Meters
from server.shard.pace import Pace
from worldline import protocol


def restored(
    world: World, status: protocol.WorldStatus, joined: Mapping[str, JoinEntry], genesis: Genesis
) -> messages.WorldRestored:
    """A world that was played before goes on; ``joined`` says how those who sit in it came, by player."""
    return messages.WorldRestored(
        world=world.id,
        game=world.code.name,
        digest=world.code.digest,
        clock=world.clock,
        max_players=world.code.manifest.max_players,
        seats_per_agent=world.code.manifest.seats_per_agent,
        status=status,
        tick=world.tick,
        owner=genesis.owner,
        ranked=genesis.ranked,
        private=genesis.private,
        players=[
            messages.RestoredPlayer(
                player=player,
                agent=entry.agent,
                session=entry.session,
                name=entry.name,
                seat=entry.seat,
                score=whole(world.players[player].score),
            )
            for player, entry in joined.items()
        ],
    )


def joined(world: World, player: str, session: str) -> messages.PlayerJoined:
    """An agent has been seated, durably by the time this is heard."""
    state = world.players[player]
    return messages.PlayerJoined(
        world=world.id, player=player, agent=state.agent, session=session, name=state.name, seat=state.seat
    )


def pulse(world: World, connected: Mapping[str, bool], pace: Pace) -> messages.WorldPulse:
    """How a world is doing; ``connected`` says of each player whether somebody drives it."""
    players = [
        messages.PlayerStanding(player=player, score=whole(world.players[player].score), connected=driven)
        for player, driven in connected.items()
        if player in world.players  # a tick that broke may have sent it away
    ]
    return messages.WorldPulse(
        world=world.id, tick=world.tick, clock=world.clock, players=players, waiting_for=pace.waiting_for
    )


def changed(world: World, status: protocol.WorldStatus, end_reason: str) -> messages.WorldChanged:
    """The world has another status; ``end_reason`` says why it has ended, "" that it has not."""
    return messages.WorldChanged(world=world.id, status=status, tick=world.tick, reason=end_reason or None)


def statistics(world: World, meters: Meters, now_s: float) -> messages.WorldStatistics:
    """What a world has cost. ``now_s`` is on the monotonic clock."""
    counters = world.inspection.statistics()
    return messages.WorldStatistics(
        world=world.id,
        game=world.code.name,
        tick_hz=world.code.manifest.tick_hz,
        tick=world.tick,
        players=len(world.players),
        ticks_run=meters.ticks_run,
        running_s=0.0 if meters.started_at_s is None else now_s - meters.started_at_s,
        tick_seconds=meters.tick_seconds,
        tick_cpu_s=meters.tick_cpu_s,
        lateness_seconds=meters.lateness_seconds,
        observation_seconds=meters.observation_seconds,
        overruns=meters.overruns,
        dilated_s=meters.dilated_s,
        observation_bytes=meters.observation_bytes,
        observations=meters.observations,
        lua_kib=counters.lua_kib,
        nodes=counters.nodes,
        node_writes=counters.node_writes,
        spatial_queries=counters.spatial_queries,
    )
