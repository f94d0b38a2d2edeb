"""What is to be seen in a replay where it stands: its state as plain data, what players see, events, and inputs.

    walk = replay_at(data, world, 812)
    state(walk), observation(walk, "p_3"), walk.world.view(), events_between(walk.world, 806, 812)
    inputs_between(data, world, 807, 812)

Looking changes nothing. An observation is computed again, by the code and the engine of its tick: of a tick that the
log names as `observed_tick` it holds what the player was sent then. Who goes through many ticks sees inputs as they are
applied, without reading twice: `Execution.listener`, `applied_inputs`.

Not here: how a replay gets somewhere (``replay.py``), and pictures for spectators (the server makes them of these).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from eventlog import records
from eventlog.json_form import json_form
from eventlog.reader import read_world
from games.errors import StateNotSaveable
from games.runtime.plain import plain_state
from games.runtime.players import Event
from games.runtime.results import TickResult
from games.runtime.snapshots import state_hash
from games.runtime.world import World
from replays.errors import UnknownPlayer
from replays.execution import Execution
from replays.outline import Outline, outline
from replays.replay import Replay, replay


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A whole world after ``tick``, as plain data (``games/runtime/plain.py``), and its hash in hexadecimal digits.

    ``hash`` is None where the world cannot be saved.
    """

    world: str
    tick: int
    hash: str | None
    state: dict[str, Any]


class Observation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a player could know after ``tick``, with the last events it was told."""

    world: str
    player: str
    tick: int
    data: Any
    text: str | None
    events: list[dict[str, Any]]
    score: float
    total_reward: float
    actions: Any = None
    ended: str | None = None
    result: Any = None


class Happening(msgspec.Struct, kw_only=True):
    """An event at ``tick``, and the ``players`` who were told; ``data`` is one MessagePack value."""

    tick: int
    kind: str
    players: list[str]
    data: msgspec.Raw


class AppliedInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An input of the log, at the tick that applied it. ``status`` is None while the log does not say what came of it;
    ``undone``: its tick was taken back."""

    tick: int
    player: str
    seq: int
    name: str
    args: dict[str, Any]
    status: Literal["applied", "rejected", "world_faulted", "undone"] | None
    code: str | None = None
    note: str | None = None
    seen_tick: int | None = None
    observed_tick: int | None = None


def replay_at(data: Path, world: str, tick: int | None, *, known: Outline | None = None) -> Replay:
    """A replay of ``world`` (a whole id) that stands after ``tick``; None: at the end of its log.

    ``known`` is its outline, where somebody has it. Raises `TickOutOfRange`, `LogDamaged` for what
    comes after the damage, and what `Replay.seek` and `outline` do.
    """
    known = outline(data, world) if known is None else known
    target = known.end() if tick is None else known.check_tick(tick)
    walk = replay(data, world, start=target)
    walk.seek(target)
    return walk


def state(execution: Execution) -> State:
    """All that the world holds now."""
    world = execution.world
    return State(world=world.id, tick=world.tick, hash=hash_of(world), state=plain_state(world))


def hash_of(world: World) -> str | None:
    """The hash of a world's state, in hexadecimal digits; None where it cannot be saved."""
    if not world.can_save:
        return None
    try:
        return state_hash(world.snapshot(), engine=world.engine).hex()
    except StateNotSaveable:
        return None


def observation(execution: Execution, player: str, *, events: int = 0) -> Observation:
    """What ``player`` sees now, with its last ``events`` events.

    Raises `UnknownPlayer`, and ObservationFailed if the game's code raises.
    """
    world = execution.world
    if player not in world.players:
        raise UnknownPlayer(world.id, world.tick, player, world.players)
    seen, seat = world.observe(player), world.players[player]
    return Observation(
        world=world.id,
        player=player,
        tick=world.tick,
        data=None if seen.data is None else msgspec.msgpack.decode(seen.data),
        text=seen.text,
        events=[_event(event) for event in seat.events[len(seat.events) - min(events, len(seat.events)) :]],
        score=seat.score,
        total_reward=seat.total_reward,
        actions=None if seen.actions is None else msgspec.msgpack.decode(seen.actions),
        ended=seat.ended,
        result=seat.result,
    )


def events_between(world: World, first_tick: int, last_tick: int) -> list[Happening]:
    """What happened in these ticks, oldest first: as far as those who are seated still keep it (256 events each)."""
    found: dict[tuple[int, str, bytes], Happening] = {}
    for player in world.players.values():
        for event in player.events:
            if first_tick <= event.tick <= last_tick:
                key = (event.tick, event.kind, bytes(event.data))
                told = Happening(tick=event.tick, kind=event.kind, players=[], data=event.data)
                found.setdefault(key, told).players.append(player.id)
    return sorted(found.values(), key=lambda happening: happening.tick)


def inputs_between(data: Path, world: str, first_tick: int, last_tick: int) -> Iterator[AppliedInput]:
    """The inputs of these ticks, as the log tells of them. Raises the errors of ``eventlog``."""
    # What came of the last of them stands one record later.
    for form in json_form(read_world(data, world, from_tick=first_tick)):
        tick = form.get("tick", 0)
        if tick > last_tick and form["record"] != "checkpoint":
            return
        if form["record"] == "tick" and tick >= first_tick:
            for entry in form["entries"]:
                if entry["kind"] == "input":
                    yield msgspec.convert({"tick": tick, **entry}, AppliedInput)


def applied_inputs(record: records.Tick, result: TickResult) -> list[AppliedInput]:
    """The inputs of a record that has just been executed, for an `Execution.listener`."""
    outcomes = {(outcome.player, outcome.seq): outcome for outcome in result.outcomes}
    found = []
    for entry in record.entries:
        if isinstance(entry, records.InputEntry):
            outcome = outcomes.get((entry.player, entry.seq))
            found.append(
                AppliedInput(
                    tick=record.tick,
                    player=entry.player,
                    seq=entry.seq,
                    name=entry.name,
                    args=entry.args,
                    status=None if outcome is None else outcome.status,
                    code=None if outcome is None else outcome.code,
                    note=entry.note,
                    seen_tick=entry.seen_tick,
                    observed_tick=entry.observed_tick,
                )
            )
    return found


def _event(event: Event) -> dict[str, Any]:
    return {"n": event.n, "tick": event.tick, "kind": event.kind, "data": msgspec.msgpack.decode(event.data)}
