"""A world in the middle of its log: its snapshot, and what has to be known beside it to go on.

Whoever plays a world (a shard) and whoever re-executes it (a replay) keep the same beside it; so what one saves, the
other can go on from. In this form it is the ``state`` of a snapshot on disk.

Not here: the place in the log that belongs to it (`eventlog.piece.LogEnd`), and files (``eventlog/snapshots.py``).
"""

from __future__ import annotations

from typing import Final

import msgspec

from eventlog.records import Close, Fault, JoinEntry, OutcomeNote
from games.errors import SnapshotUnreadable


class Standing(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """A world between two ticks."""

    snapshot: bytes
    """As `World.snapshot` gives it."""
    until: int
    """The tick up to which a beat has promised that the world may be shown."""
    joined: list[JoinEntry]
    """How those came who are seated, in the order in which they joined."""
    outcomes: list[OutcomeNote]
    """Those that the next record notes."""
    fingerprint: bytes
    """That of the last record that has one."""
    ended: Close | Fault | None
    """The record that ended the world, if one did."""
    visitors: list[str] = []
    """The agents that have a seat or had one; snapshots of older servers do not say."""


_decoder: Final = msgspec.msgpack.Decoder(Standing)
encode_standing: Final = msgspec.msgpack.Encoder().encode


def decode_standing(state: bytes) -> Standing:
    """What the state of a snapshot holds. Raises `SnapshotUnreadable`."""
    try:
        return _decoder.decode(state)
    except msgspec.DecodeError as error:
        raise SnapshotUnreadable(f"its state cannot be read: {error}") from error
