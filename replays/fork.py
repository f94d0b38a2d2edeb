"""Forks: a new world that begins where another was at some tick, to be played on differently.

`fork` re-executes the parent up to that tick and makes the first records of the new world: a genesis that names its
parent, and the state as it was. `write_fork` puts them into a data folder. So a fork's log is complete without its
parent, and it comes to a shard as every unfinished world does: restored from its log. The parent is only read.

In a fork every seat is vacant: its players are there, as the game knows them, but nobody's; who joins takes the first
of them, with seqs of its own. It stands still (clock ``manual``) until its owner steps it or lets it play. A fork that
gets the same inputs as its parent got goes the same way.

Not here: who may fork what, names of worlds, and what a running server does with a new world.

Invariant: with the same arguments `fork` gives the same world (genesis and hash of the state), whatever snapshots there
are and whatever else happens in the data folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from eventlog import frame, limits
from eventlog.addition import add_world
from eventlog.disk import Disk, RealDisk
from eventlog.errors import StoreNotWritable
from eventlog.records import Genesis, Origin
from eventlog.store import Store
from eventlog.summary import summarise
from eventlog.worldbytes import WorldBytes
from eventlog.worldlog import WorldLog
from games.errors import StateNotSaveable, WorldFaulted
from games.runtime.snapshots import forked, state_hash
from replays.errors import CannotFork, TickOutOfRange
from replays.origins import origin_of
from replays.replay import Replay, replay, start_of

CLOCK: Final = "manual"
"""By which a fork runs until it plays."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """What a fork is beside its state."""

    world: str
    """Its id: a new one."""
    owner: str | None
    """The agent who says when it ticks; None: whoever plays in it."""
    private: bool
    """The fork of a private world is private in any case."""
    versions: dict[str, str]
    """As in every genesis: of Lua, lupa and Worldline."""
    created_ms: int


class Fork(msgspec.Struct, frozen=True, kw_only=True):
    """The first records of a forked world."""

    genesis: Genesis
    origin: list[Origin]


def fork(data: Path, parent: str, tick: int, identity: Identity, *, up_to: int = 0) -> Fork:
    """Make the fork of ``parent`` (a whole id) in the data folder ``data`` as it was after ``tick``.

    A realtime world runs up to 1.5 s ahead of its last record. ``up_to``: ticks up to here count as reached, as far as
    the log promises them: the one that a live world has been shown at, or any if no server has the world.

    A server may be running on the folder. Raises `TickOutOfRange`, `CannotFork`, what re-execution raises (`Diverged`,
    `CannotReplay`), and the errors of ``eventlog``.
    """
    last_tick = summarise(WorldBytes.look(data, parent)).last_tick
    replaying = replay(data, parent, start=start_of(data, parent))
    try:
        if not replaying.first_tick <= tick <= max(last_tick, up_to):
            raise TickOutOfRange(parent, tick, replaying.first_tick, last_tick)
        return fork_here(replaying, tick, identity, up_to=up_to)
    finally:
        replaying.close()


def fork_here(replaying: Replay, tick: int, identity: Identity, *, up_to: int = 0) -> Fork:
    """Make the fork of the world that is re-executed; as `fork`. Moves the replay."""
    parent = replaying.genesis.world
    replaying.seek(tick)
    if replaying.world.tick < tick:
        _run_on(replaying, tick, up_to)
    world = replaying.world
    if world.finished is not None:
        raise CannotFork(parent, tick, "the game is over there")
    assert world.tick == tick, (world.tick, tick)
    try:
        state = forked(world.snapshot(), world=identity.world, clock=CLOCK)
    except (StateNotSaveable, WorldFaulted) as error:
        raise CannotFork(parent, tick, f"its state cannot be saved: {error}") from error
    genesis = msgspec.structs.replace(
        replaying.genesis,
        world=identity.world,
        clock=CLOCK,
        owner=identity.owner,
        ranked=False,
        private=identity.private or replaying.genesis.private,
        engine=world.engine.digest,
        versions=identity.versions,
        created_ms=identity.created_ms,
        forked_from=(parent, tick),
    )
    found = state_hash(state, engine=world.engine)
    return Fork(genesis=genesis, origin=origin_of(state, tick=tick, code=world.code.digest, state_hash=found))


def _run_on(replaying: Replay, tick: int, up_to: int) -> None:
    """Go beyond the last record, as far as the log promises and ``up_to`` allows. Raises `TickOutOfRange`."""
    promised = replaying.ticks_to_catch_up() if replaying.ended is None else range(0)
    if tick in promised and tick <= up_to:
        replaying.catch_up(tick)
        return
    last_tick = min(promised[-1], up_to) if promised else 0
    world = replaying.world
    raise TickOutOfRange(replaying.genesis.world, tick, replaying.first_tick, max(last_tick, world.tick))


def write_fork(
    made: Fork, source: Path, target: Path, *, disk: Disk | None = None, file_bytes: int = limits.WORLD_FILE_BYTES
) -> None:
    """Put a fork into the data folder ``target``, with the code and engine that it names, from where its parent is.

    Durable on return; the world is there whole or not at all. Who runs a server on ``target`` has to tell it: a world
    is gone on with by the server that finds it. Raises `StoreNotWritable`, and `UnknownDigest` if code is missing.
    """
    disk = disk or RealDisk()
    kept, store = Store.read_only(source), Store.attach(target)
    try:
        for digest in sorted({made.genesis.digest, *(part.code for part in made.origin)}):
            store.put_code(digest, kept.get_code(digest))
        store.put_engine(made.genesis.engine, kept.get_engine(made.genesis.engine))
        files = WorldLog.found(made.genesis, made.origin, file_bytes=file_bytes)
        named = [(frame.file_name(number), content) for number, content in files.items()]
        add_world(disk, target, made.genesis.world, named)
    except OSError as error:
        raise StoreNotWritable(target, error) from error
