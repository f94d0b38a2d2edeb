"""How a world comes to a shard: made new, or computed again where a server broke off.

A world that is restored begins with its latest snapshot, or its genesis if it has none, and is re-executed from there
with the code and engine that its log names, to the highest tick at which anybody may have seen it; there it waits for
its players. Its log goes on in a new epoch.

Not here: when it is its turn (arrivals), and what the journal does with the log's first bytes (the worker).
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import NamedTuple

from eventlog import records
from eventlog.worldlog import WorldLog
from games.code import Engine, GameCode
from games.runtime.world import World
from replays.replay import Replay, replay
from replays.report import versions_here
from replays.shelf import Shelf
from server.callpage import CallPage
from server.messages import OpenWorld
from server.shard.history import History
from worldline import protocol

_log = logging.getLogger("worldline.shard")


class Opened(NamedTuple):
    """A world, its log with ``head`` still to be journalled, and how those who sit in it came."""

    world: World
    log: WorldLog
    history: History
    joined: dict[str, records.JoinEntry]
    genesis: records.Genesis
    tail_s: float
    """How long it took to re-execute what came after its last snapshot."""


def make(code: GameCode, engine: Engine, order: OpenWorld, *, shard: int) -> Opened:
    """Make the world that was ordered and begin its log. Raises GameError, ArgumentProblem."""
    clock = order.clock or code.manifest.clock
    world = World.load(code, world_id=order.world, seed=order.seed, settings=order.settings, engine=engine, clock=clock)
    genesis = records.Genesis(
        world=order.world,
        game=code.name,
        digest=code.digest,
        seed=order.seed,
        settings=code.manifest.check_settings(order.settings),
        clock=clock,
        owner=order.owner,
        ranked=order.ranked,
        private=order.private,
        engine=engine.digest,
        versions=versions_here(),
        created_ms=time.time_ns() // 1_000_000,
        forked_from=None,
    )
    log = WorldLog.create(genesis, shard=shard)
    return Opened(world, log, History(world, log, genesis), {}, genesis, 0.0)


class LogEnded(Exception):
    """The world's log says that it has ended: there is nothing to go on with."""

    def __init__(self, status: protocol.WorldStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def restore(data: Path, world_id: str, *, not_run: int | None, shard: int, calls: CallPage, shelf: Shelf) -> Opened:
    """Bring back an unfinished world, and make ready to go on with it; before tick ``not_run``, if given. Code and
    engine come from the ``shelf``.

    Raises `LogEnded`, and the errors of ``eventlog``, ``replays`` and ``games`` for a log that is damaged, or that does
    not give the same world again; then nothing has been changed.
    """
    with calls.during(world_id, 0, "restore"):
        replaying = replay(data, world_id, start="latest", not_run=not_run, shelf=shelf)
    began_s = time.monotonic()
    # A tick came back before its record was written to the disk: only those after the last record may hang.
    while _step(replaying, calls):
        pass
    match replaying.ended:
        case records.Close(reason=reason):
            raise LogEnded("finished" if reason == "finished" else "closed", reason)
        case records.Fault(kind=kind):
            raise LogEnded("faulted", kind)
    for tick in replaying.ticks_to_catch_up():
        with calls.during(world_id, tick, "tick"):
            replaying.catch_up(tick)
    tail_s = time.monotonic() - began_s
    _log.info(
        "world %s is at tick %d again: from tick %d, %d records, %.0f ms",
        world_id, replaying.world.tick, replaying.began_at_tick, replaying.records_done, tail_s * 1000,
        extra={"world": world_id},
    )  # fmt: skip
    log = WorldLog.resume(replaying.position, shard=shard, engine=replaying.genesis.engine)
    # Whom the game has kicked left no entry: the world knows who is still there.
    joined = {player: entry for player, entry in replaying.joined.items() if player in replaying.world.players}
    history = History(
        replaying.world,
        log,
        replaying.genesis,
        outcomes=replaying.outcomes,
        joined=joined,
        visitors=replaying.visitors,
        fingerprint=replaying.fingerprint,
    )
    return Opened(replaying.world, log, history, joined, replaying.genesis, tail_s)


def _step(replaying: Replay, calls: CallPage) -> bool:
    """Execute one record, with the empty ticks before it: at most about a second of game time."""
    with calls.during(replaying.genesis.world, replaying.world.tick + 1, "restore"):
        return replaying.step() is not None
