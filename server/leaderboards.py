"""Leaderboards of a running server: read from the index of its data folder, and kept until that changes.

Everything is read and ranked on a thread of its own, so that nobody waits for it but who asked.

Not here: who stands where (``eventlog/leaderboard.py``), and who keeps the index up to date (``housekeeping``).
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from eventlog.index import NAME, Index, IndexBroken, WorldListing
from eventlog.leaderboard import Standing, leaderboard
from eventlog.listing import list_worlds
from server import messages
from worldline import protocol

LIMIT: Final = 100
"""Entries on one page, at most and if the client does not say."""


class Leaderboards:
    """Answers for one server."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="leaderboards")
        self._standings: dict[str, list[Standing]] = {}
        self._read_at: tuple[int, int] | None = None
        """Size and time of the index from which these were made."""

    async def page(self, question: messages.AskLeaderboard) -> messages.LeaderboardFound:
        """One page. Raises EventLogError or OSError, where there is no index and a log cannot be read."""
        loop = asyncio.get_running_loop()
        standings = await loop.run_in_executor(self._thread, self._of, question.game)
        begin = question.after
        end = begin + min(question.limit, LIMIT)
        return messages.LeaderboardFound(
            request=question.request,
            entries=[_entry(each) for each in standings[begin:end]],
            next=str(end) if end < len(standings) else None,
        )

    def stop(self) -> None:
        """Read no more."""
        self._thread.shutdown(cancel_futures=True)

    # --- on the other thread -------------------------------------------------------------------------

    def _of(self, game: str) -> list[Standing]:
        now = self._index_now()
        if now != self._read_at or now is None:
            self._standings = {}
            self._read_at = now
        if game not in self._standings:
            self._standings[game] = leaderboard(self._listings(), game)
        return self._standings[game]

    def _index_now(self) -> tuple[int, int] | None:
        try:
            found = (self._data / NAME).stat()
        except FileNotFoundError:
            return None
        return found.st_size, found.st_mtime_ns

    def _listings(self) -> list[WorldListing]:
        try:
            with Index.open(self._data) as index:
                if index is not None:
                    return [world.listing for world in index.worlds().values()]
        except IndexBroken:
            pass  # housekeeping makes it anew; until then the logs are read
        return list_worlds(self._data).worlds


def _entry(standing: Standing) -> protocol.LeaderboardEntry:
    score = standing.score
    return protocol.LeaderboardEntry(
        rank=standing.rank,
        agent=standing.agent,
        name=standing.name,
        score=int(score) if score.is_integer() else score,
        world=standing.world,
    )
