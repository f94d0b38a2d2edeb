"""A whole world as bytes: what the engine's Python and Lua sides hold between two ticks, and the hash of it.

A snapshot is one MessagePack array, `Snapshot`. Everything in it but ``values`` (the game's own tables) is the same for
equal worlds, byte for byte; the hash of ``values`` is computed by the engine's ``hash.lua``. Nothing here says where
snapshots are kept, nor whether their bytes are whole: whoever keeps them adds a checksum.

`state_hash` needs only the bytes. It runs in a Lua state of its own, one for each thread that calls it, and lets go of
Python's lock meanwhile: call it on another thread than the one that runs ticks.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from lupa import luajit21

from games.code import Engine
from games.errors import SnapshotUnreadable
from games.runtime.players import Event, PlayerState
from games.runtime.sandbox import Hasher, compile_engine

SNAPSHOT_VERSION: Final = 1
HASH_BYTES: Final = 16


class Core(msgspec.Struct, array_like=True, frozen=True):
    """What Python keeps of a world, as it is hashed: seats, scores, events and outcomes; how many have ever joined."""

    joins: int
    finished: Any
    players: list[PlayerState]
    """In the order they joined."""


class Snapshot(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A world between two ticks. ``tick`` is the last that ran."""

    version: int = SNAPSHOT_VERSION
    world: str
    tick: int
    code: str
    """The digest of the game's code that ran."""
    engine: str
    """The digest of the engine that wrote ``scene`` and ``values``: only one that has their form can read them."""
    seed: int
    """Modules that draw random numbers as they are loaded draw the same again."""
    chain: bytes
    pending: bytes
    """The fingerprint's chain: its digest, and what came after that."""
    core: msgspec.Raw
    """A `Core`."""
    scene: bytes
    """Clock, random streams, seats and all nodes, as ``prelude/snapshot.lua`` writes them."""
    values: bytes
    """world.state, settings and the nodes' data, as ``prelude/saving.lua`` writes them."""
    clock: str = ""
    """The clock that the world runs by; empty: its game's."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Snapshot)
_cores = msgspec.msgpack.Decoder(Core)
_hashers = threading.local()


def encode_core(joins: int, finished: Any, players: Mapping[str, PlayerState]) -> msgspec.Raw:
    """Return what Python keeps of a world as one value."""
    return msgspec.Raw(_encoder.encode(Core(joins, finished, list(players.values()))))


def decode_core(snapshot: Snapshot) -> Core:
    """Return the Python side of a snapshot, sharing no memory with it. Raises SnapshotUnreadable."""
    try:
        core = _cores.decode(snapshot.core)
    except msgspec.DecodeError as error:
        raise SnapshotUnreadable(f"its players cannot be read: {error}") from error
    for player in core.players:
        # Decoded data points into the snapshot's bytes and would keep all of them in memory.
        player.events = [Event(event.n, event.tick, event.kind, event.data.copy()) for event in player.events]
    return core


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    return _encoder.encode(snapshot)


def decode_snapshot(data: bytes) -> Snapshot:
    """Return what these bytes hold; the Lua parts are read by `World.restore`. Raises SnapshotUnreadable."""
    try:
        snapshot = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise SnapshotUnreadable(f"its bytes are no snapshot: {error}") from error
    if snapshot.version != SNAPSHOT_VERSION:
        raise SnapshotUnreadable(f"it has form {snapshot.version}, this version reads form {SNAPSHOT_VERSION}")
    return snapshot


def forked(data: bytes, *, world: str, clock: str) -> bytes:
    """Return the snapshot of another world that begins where this one was: every seat vacant, all seqs at 1.

    What players did not see yet stays; what became of inputs is forgotten, because those who will play did not send
    them. ``clock``: by which it runs. Raises SnapshotUnreadable.
    """
    snapshot = decode_snapshot(data)
    core = decode_core(snapshot)
    for player in core.players:
        player.agent, player.next_seq = "", 1
        player.outcomes.clear()
    players = {player.id: player for player in core.players}
    other = encode_core(core.joins, core.finished, players)
    return encode_snapshot(msgspec.structs.replace(snapshot, world=world, clock=clock, core=other))


def state_hash(data: bytes, *, engine: Engine | None = None) -> bytes:
    """Return 16 bytes that are equal for equal worlds, from the bytes of a snapshot alone.

    Covers tick, state, scene, random streams, seats, scores, events, outcomes and counters; not the world's name, its
    code, nor the fingerprint's chain: two worlds that came to the same in different ways hash equal. ``engine`` is the
    one that wrote the snapshot; None: the current one. Raises SnapshotUnreadable.
    """
    snapshot = decode_snapshot(data)
    engine = engine or Engine.current()
    hashers = _hashers.__dict__
    if engine.digest not in hashers:
        hashers[engine.digest] = Hasher(compile_engine(engine.digest, engine.files))
    try:
        values = hashers[engine.digest].hash(snapshot.values)
    except luajit21.LuaError as error:
        raise SnapshotUnreadable(f"its tables cannot be read: {error}") from error
    digest = hashlib.blake2b(digest_size=HASH_BYTES)
    for part in (bytes(snapshot.core), snapshot.scene, values):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
