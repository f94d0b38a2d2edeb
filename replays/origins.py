"""The origin of a fork: the state that it begins with, as records behind its genesis (`eventlog.records.Origin`).

So the log of a fork is as self-contained as any other: its parent may be gone. Not here: how a state comes to be one of
a fork (``fork.py``), and how it becomes a world (``replay.py``).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Final

from eventlog import limits
from eventlog.records import Genesis, Origin
from replays.errors import CannotReplay

PART_BYTES: Final = 1 << 20
"""Of the compressed state in each record: below the limit of a record, and so that files can be rotated between."""


def first_tick(genesis: Genesis) -> int:
    """The tick that a world begins with."""
    return 0 if genesis.forked_from is None else genesis.forked_from[1]


def origin_of(state: bytes, *, tick: int, code: str, state_hash: bytes, part_bytes: int = PART_BYTES) -> list[Origin]:
    """The records of a state, in order. ``code`` is the digest of what runs there, ``state_hash`` the state's."""
    assert len(state) <= limits.MAX_SNAPSHOT_BYTES, len(state)
    packed = zlib.compress(state, limits.SNAPSHOT_COMPRESSION)
    pieces = [packed[at : at + part_bytes] for at in range(0, len(packed), part_bytes)]
    return [
        Origin(tick=tick, part=number, parts=len(pieces), code=code, hash=state_hash, state=piece)
        for number, piece in enumerate(pieces, 1)
    ]


def state_of(genesis: Genesis, parts: Sequence[Origin]) -> bytes:
    """The state in the origin of a fork. Raises `CannotReplay` if it is not all there."""
    first = first_tick(genesis)
    if not parts or len(parts) != parts[0].parts or parts[0].tick != first:
        raise CannotReplay(genesis.world, first, f"it was forked at tick {first}, and its origin is not in its log")
    try:
        unpacker = zlib.decompressobj()
        state = unpacker.decompress(b"".join(part.state for part in parts), limits.MAX_SNAPSHOT_BYTES + 1)
    except zlib.error as error:
        raise CannotReplay(genesis.world, first, f"its origin cannot be unpacked: {error}") from error
    if not unpacker.eof or unpacker.unused_data:
        raise CannotReplay(genesis.world, first, "its origin is not as long as its records say")
    return state
