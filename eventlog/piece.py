"""The units in which a world's log travels through a journal: bytes and their place, and the word that it has left.

A `Piece` goes from the world log to the journal, through it, to a world file. A `Release` stays in the journal. A
`LogEnd` is where the next piece belongs.
"""

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


class Release(msgspec.Struct, frozen=True, gc=False):
    """A journal lets a world go: all its bytes of this epoch are durable in its files, up to this place, and whatever
    comes there is another shard's doing. Written before the world is opened elsewhere, archived or removed."""

    world: str
    epoch: int
    file: int
    offset: int
    """The end of the world's log, in bytes of that file."""


class LogEnd(msgspec.Struct, frozen=True, kw_only=True):
    """Where a world's log ends, and what its next record chains from."""

    world: str
    epoch: int
    """The highest that was opened."""
    file: int
    offset: int
    """In bytes of that file."""
    crc: int
    """Of the last record, or of the file's header if it has none."""
    tick: int
    """That the log has reached."""
