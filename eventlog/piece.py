"""The unit in which bytes of a world's log travel: from the world log to the journal, through it, to a world file."""

from __future__ import annotations

import msgspec


class Piece(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a world's log and the place where they belong."""

    world: str
    epoch: int
    file: int
    """1, 2, 3 …"""
    offset: int
    """Where ``data`` begins in that file, in bytes."""
    data: bytes
