"""What a world's results look like on the wire, and what only a shard refuses.

Pure functions: from the runtime's results to the structs of ``worldline.protocol``. Hints are written as in
``server/refusals.py``, which has the refusals that shards share with others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from games.errors import ArgumentProblem, ObservationFailed
from games.nearest import by_nearness, did_you_mean
from games.runtime.players import InputOutcome
from games.runtime.world import World
from server import messages, refusals
from server.pictures import whole
from server.rates import INPUT_RATE_HZ
from server.shard.inbox import PendingInput
from worldline import protocol

_actions: Final = msgspec.msgpack.Decoder(list[protocol.OfferedAction])


def observation(
    world: World, player: str, *, since: int, form: protocol.Format, status: protocol.WorldStatus
) -> protocol.Observation:
    """What ``player`` sees now, with its events from number ``since`` on.

    Raises ObservationFailed if the game cannot say, WorldFaulted if looking broke it.
    """
    seen = world.observe(player, form)
    events = world.events(player, since)
    state = world.players[player]
    return protocol.Observation(
        world=world.id,
        player=player,
        tick=world.tick,
        game_time_s=whole(round(world.tick / world.code.manifest.tick_hz, 3)),
        status=status,
        cursor=events.cursor,
        missed=events.missed,
        events=[
            protocol.EventItem(n=event.n, tick=event.tick, kind=event.kind, data=event.data) for event in events.items
        ],
        score=whole(state.score),
        total_reward=whole(state.total_reward),
        data=None if seen.data is None else msgspec.Raw(seen.data),
        text=seen.text,
        actions=None if seen.actions is None else _actions.decode(seen.actions),
        ended=state.ended,
        result=state.result,
    )


def pending(world: World, waiting: PendingInput) -> protocol.Outcome:
    """What an agent gets whose input has been taken, but not applied for as long as it wanted to wait."""
    return protocol.Outcome(
        world=world.id,
        player=waiting.player,
        seq=waiting.seq,
        status="pending",
        tick=world.tick,
        hint=f"it is taken, and waits for the next tick; send it again with seq = {waiting.seq} to wait on",
    )


def cannot_wait(wait: messages.Wait, world: World) -> protocol.Error | None:
    """Why nothing of the kind can be waited for in this world; None if it can."""
    manifest = world.code.manifest
    if wait.until == "turn" and manifest.clock not in ("lockstep", "turn"):
        return protocol.Error(
            code="invalid_args",
            message=f"until = turn: in {world.code.name} there are no turns, everybody acts at any time",
            hint='wait for ticks: `"tick"`, or for events, or leave until out',
            path="until",
            valid=["tick", "event", "end"],
        )
    for kind in wait.kinds or ():
        if kind not in manifest.events:
            near = by_nearness(kind, manifest.events)
            return protocol.Error(
                code="invalid_args",
                message=f"kinds: {world.code.name} has no event {kind!r}{did_you_mean(kind, manifest.events)}",
                hint=f"try {refusals.quoted(near[:1])}, or leave kinds out",
                path="kinds",
                valid=near,
            )
    return None


def outcome(
    world: str,
    result: InputOutcome,
    *,
    seen_tick: int | None,
    duplicate: bool,
    seen: protocol.Observation | None,
) -> protocol.Outcome:
    """The outcome of an input as its agent gets it."""
    return protocol.Outcome(
        world=world,
        player=result.player,
        seq=result.seq,
        status=result.status,
        tick=result.tick,
        code=result.code,
        message=result.message,
        hint=result.hint,
        result=result.result,
        stale_ticks=None if seen_tick is None else max(0, result.tick - seen_tick),
        duplicate=duplicate,
        observation=seen,
    )


def joined(
    world: World,
    players: Sequence[str],
    *,
    status: protocol.WorldStatus,
    seen: Sequence[protocol.Observation | None],
    several: bool,
) -> protocol.Joined:
    """The answer to a join: all of ``players`` with what each of them has ``seen``, or only the first."""
    seated = [
        protocol.SeatedPlayer(
            player=player,
            seat=world.players[player].seat,
            next_seq=world.players[player].next_seq,
            cursor=world.events(player, 1).cursor,
            observation=observation,
        )
        for player, observation in zip(players, seen, strict=True)
    ]
    first = seated[0]
    return protocol.Joined(
        world=world.id,
        game=world.code.name,
        player=first.player,
        seat=first.seat,
        next_seq=first.next_seq,
        cursor=first.cursor,
        status=status,
        tick=world.tick,
        clock=world.clock,
        tick_hz=whole(world.code.manifest.tick_hz),
        digest=world.code.digest,
        observation=None if several else first.observation,
        players=seated if several else None,
    )


def resumed(world: World, player: str, *, status: protocol.WorldStatus) -> protocol.ResumedPlayer:
    """A player as the welcome of its session tells it."""
    state = world.players[player]
    return protocol.ResumedPlayer(
        world=world.id,
        game=world.code.name,
        player=player,
        seat=state.seat,
        status=status,
        tick=world.tick,
        next_seq=state.next_seq,
        cursor=world.events(player, 1).cursor,
        driven=True,
    )


def paused(world: str, reason: str) -> protocol.Notice:
    """What players of a world are told that stands still from now on."""
    return protocol.Notice(
        code="world_paused",
        message=f"this world stands still: {reason}",
        world=world,
        retry_after_ms=refusals.PAUSED_RETRY_MS,
    )


def no_longer_kept(world: str, player: str, first: int, last: int) -> protocol.Notice:
    """What a subscriber is told of events that are gone."""
    return protocol.Notice(
        code="events_skipped",
        message=f"events {first} to {last} of {player} are no longer kept",
        world=world,
        player=player,
        first=first,
        last=last,
    )


def goes_on(world: str) -> protocol.Notice:
    """What they are told when it goes on."""
    return protocol.Notice(code="world_resumed", message="this world goes on where it stood still", world=world)


# --- refusals ----------------------------------------------------------------------------------------


def not_joined(player: str, world: str) -> protocol.Error:
    """The world has no such player (any more)."""
    return protocol.Error(
        code="not_joined",
        message=f"{player} has no seat in world {world}",
        hint="join the world, or its game, first",
    )


def kicked_at_once(player: str, world: str) -> protocol.Error:
    """The game has sent a new player away in its join."""
    return protocol.Error(
        code="not_joined",
        message=f"the game has sent {player} away from world {world} as it came",
        hint="read the game's rules for whom it lets in, or join another world",
    )


def overloaded(world: str, waiting: int, retry_after_ms: int) -> protocol.Error:
    """The inbox is full."""
    return protocol.Error(
        code="overloaded",
        message=f"{waiting} inputs already wait for the next tick of world {world}",
        hint="send it again after retry_after_ms; its seq is still free",
        retry_after_ms=retry_after_ms,
    )


def rate_limited(player: str, wait_ms: int) -> protocol.Error:
    """The player sends more than a shard takes, through whatever gateways."""
    return protocol.Error(
        code="rate_limited",
        message=f"player {player} may send {INPUT_RATE_HZ:g} inputs a second, over all connections",
        hint="send it again after retry_after_ms; its seq is still free",
        retry_after_ms=wait_ms,
    )


def not_started(world: str, players: int, min_players: int) -> protocol.Error:
    """The world waits for more players."""
    return protocol.Error(
        code="not_started",
        message=f"world {world} has {players} of the {min_players} players it waits for",
        hint="send it again after retry_after_ms, or once started has come",
        retry_after_ms=1000,
    )


def not_your_turn(player: str, world: World, waiting_for: list[str]) -> protocol.Error:
    """The next tick does not wait for this player's input."""
    if world.players[player].ended is not None:
        message, hint = f"{player} is out: its game is over", "observe to see the result; the world goes on without you"
    else:
        message = f"it is not the turn of {player}: {', '.join(waiting_for) or 'nobody'} is to act"
        hint = "observe, and act when your_turn is true; the seq is still free"
    return protocol.Error(code="not_your_turn", message=message, hint=hint, data={"waiting_for": waiting_for})


def already_acted(player: str, tick: int) -> protocol.Error:
    """One input per player and tick, and this one's is here."""
    return protocol.Error(
        code="already_acted",
        message=f"{player} has acted for tick {tick}, which waits for others",
        hint="wait for the outcome of your input, observe, and then act for the tick after it",
        data={"tick": tick},
    )


def of_an_act(error: protocol.Error, place: int, player: str) -> protocol.Error:
    """The refusal of one input of an act: nothing of the act is taken."""
    error.path = f"inputs[{place}].{error.path}" if error.path else f"inputs[{place}]"
    error.message = f"{player}: {error.message} (so none of the inputs was taken)"
    return error


def too_late(expires_tick: int, tick: int) -> protocol.Error:
    """The input was meant for a tick that has run."""
    return protocol.Error(
        code="too_late",
        message=f"the input was for tick {expires_tick} at the latest; the world is at tick {tick}",
        hint="observe and decide again; the seq is still free, and nothing was logged",
        path="expires_tick",
        data={"tick": tick},
    )


def not_owner(world: str, game: str, owner: str | None, *, manual: bool) -> protocol.Error:
    """Only its owner makes a manual world tick; of a fork that has none, only who plays in it."""
    if owner is None and manual:
        return protocol.Error(
            code="not_owner",
            message=f"world {world} belongs to nobody: whoever plays in it says when it ticks",
            hint=f"join it first: {refusals.quoted(protocol.Join(id=1, world=world))}",
            path="world",
        )
    return protocol.Error(
        code="not_owner",
        message=f"world {world} belongs to {owner}" if owner else f"world {world} belongs to nobody: it runs by itself",
        hint=f"make one that you can step: {refusals.quoted(protocol.Create(id=1, game=game, clock='manual'))}",
        path="world",
    )


def not_yours_to_stop(world: str, owner: str | None) -> protocol.Error:
    """Only its owner ends a world, or a developer."""
    return protocol.Error(
        code="not_owner",
        message=f"world {world} belongs to {owner or 'nobody'}",
        hint="leave gives your seat back; a developer may stop any world",
        path="world",
    )


def not_manual(world: str, clock: str) -> protocol.Error:
    """The world ticks by a clock that is not its owner."""
    return protocol.Error(
        code="invalid_args",
        message=f"world {world} runs by its {clock} clock: it is not stepped",
        hint='only worlds made by create with "clock":"manual" are stepped, until they play',
        path="world",
    )


def wrong_tick(at_tick: int, tick: int) -> protocol.Error:
    """A step that was meant for another tick: perhaps it was taken before."""
    return protocol.Error(
        code="wrong_tick",
        message=f"the step was to begin at tick {at_tick}, but the world is at tick {tick}",
        hint=f"if this was sent twice, the first one did it; else step with at_tick = `{tick}`",
        path="at_tick",
        data={"tick": tick},
    )


def seq_gap(seq: int, expected: int) -> protocol.Error:
    """An earlier seq is missing."""
    return _seq_conflict(
        f"seq {seq} came before seq {expected}",
        f"send seq `{expected}` first, or leave seq out",
        expected_seq=expected,
    )


def seq_used(seq: int, expected: int) -> protocol.Error:
    """The seq belongs to another input."""
    return _seq_conflict(
        f"seq {seq} was already used for another input",
        f"a new input takes seq {expected}; only the same name and args may repeat a seq",
        expected_seq=expected,
    )


def seq_forgotten(seq: int, expected: int, oldest: int) -> protocol.Error:
    """The seq was applied, but so long ago that its outcome is gone."""
    return _seq_conflict(
        f"seq {seq} was applied, but its outcome is no longer kept: the oldest is seq {oldest}",
        f"observe to see where things stand; a new input takes seq {expected}",
        expected_seq=expected,
        oldest_seq=oldest,
    )


def _seq_conflict(message: str, hint: str, **data: int) -> protocol.Error:
    return protocol.Error(code="seq_conflict", message=message, hint=hint, path="seq", data=data)


def bad_arguments(problem: ArgumentProblem) -> protocol.Error:
    """The input does not fit the game's declaration."""
    return protocol.Error(
        code=problem.kind, message=problem.message, hint=problem.hint, path=problem.path, valid=problem.valid
    )


def observe_failed(error: ObservationFailed, reference: str) -> protocol.Error:
    """The game's own observe raised."""
    return protocol.Error(
        code="internal",
        message=f"the game could not tell what you see: {error.message}",
        hint=f"act or wait a tick, then observe again; if it stays so, tell the operator the reference {reference}",
        data={"reference": reference},
        retry_after_ms=1000,
    )
