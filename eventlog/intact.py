"""Reading a log as far as it is intact: for those who show what there is, and then say what is wrong.

Not here: finding the damage (``chain.py``), and what could be saved from behind it (``salvage.py``).

Invariant: everything before the first damage comes out, and nothing behind it; the damage is kept, never swallowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from eventlog.chain import StoredRecord
from eventlog.errors import EventLogError


class Intact:
    """The records before the first damage, which is ``problem``; `report` raises it after they have been shown."""

    def __init__(self, stored: Iterable[StoredRecord]) -> None:
        self._stored = stored
        self.problem: EventLogError | None = None

    def __iter__(self) -> Iterator[StoredRecord]:
        try:
            yield from self._stored
        except EventLogError as problem:
            self.problem = problem

    def report(self) -> None:
        """Raise the damage that was met, if any."""
        if self.problem is not None:
            raise self.problem
