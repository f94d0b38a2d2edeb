"""The records of a log one after the other, with a look at the one that comes next; damage stays where it is.

Damage is met as often as one comes to it: a reader that has failed once would say that the log ends there. What is
asked about the record after the next one (was it undone?) is answered as if the log ended before the damage.

Not here: finding damage (``eventlog/reader.py``), and what a record does (``execution.py``).
"""

from __future__ import annotations

from collections.abc import Iterator

from eventlog import records
from eventlog.chain import StoredRecord
from eventlog.errors import LogDamaged
from eventlog.piece import LogEnd


class Reading:
    """What is left of ``stored`` from somewhere on."""

    def __init__(self, stored: Iterator[StoredRecord]) -> None:
        self._stored = stored
        self._ahead: StoredRecord | None = None
        self._damage: LogDamaged | None = None

    def peek(self) -> StoredRecord | None:
        """The record that comes next, or None at the end of the log. Raises `LogDamaged` before the damage."""
        if self._ahead is None:
            if self._damage is not None:
                raise self._damage
            try:
                self._ahead = next(self._stored, None)
            except LogDamaged as damage:
                self._damage = damage
                raise
        return self._ahead

    def peek_intact(self) -> StoredRecord | None:
        """As `peek`, and None before the damage."""
        try:
            return self.peek()
        except LogDamaged:
            return None

    def take(self) -> StoredRecord | None:
        """The record that comes next; from then on, the one after it does. Raises `LogDamaged`."""
        stored = self.peek()
        self._ahead = None
        return stored

    def put_back(self, stored: StoredRecord) -> None:
        """Have this record come next, once more. Nothing may have been looked at since but the one after it."""
        following = self._ahead
        if following is not None:
            self._stored = _then(following, self._stored)
        self._ahead = stored


def log_start(world: str) -> LogEnd:
    """The place before the first record."""
    return LogEnd(world=world, epoch=0, file=1, offset=0, crc=0, tick=0)


def behind(stored: StoredRecord, before: LogEnd) -> LogEnd:
    """The place behind a record."""
    return LogEnd(
        world=before.world,
        epoch=stored.record.epoch if isinstance(stored.record, records.Open) else before.epoch,
        file=stored.file,
        offset=stored.offset + stored.bytes,
        crc=stored.crc,
        tick=records.last_tick_of(stored.record, before.tick),
    )


def _then(first: StoredRecord, others: Iterator[StoredRecord]) -> Iterator[StoredRecord]:
    yield first
    yield from others
