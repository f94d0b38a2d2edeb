"""Which ended worlds are due to be archived, and which to be removed. A decision from facts alone: no disk, no clock.

Not here: who finds out the facts and does what is decided (``server/housekeeping.py``).

Invariant: only a world at rest that ended in order is ever named. One that runs, recovers, has not ended or is damaged
is not, whatever the limits are, and does not count for them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from eventlog.summary import Status

DAY_MS: Final = 24 * 60 * 60 * 1000


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """What the operator wants. None: no limit."""

    archive_after_s: float = 600.0
    """An ended world is archived when it ended so long ago."""
    keep_days: float | None = None
    """An ended world is removed when it ended longer ago."""
    keep_worlds: int | None = None
    """So many ended worlds are kept; the oldest are removed."""
    keep_bytes: int | None = None
    """Ended worlds may take so much of the disk, all together; the oldest are removed."""


class KeptWorld(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a world in the data folder."""

    world: str
    status: Status
    at_rest: bool
    """No shard and no journal has it."""
    ended_ms: int | None
    bytes: int
    """What it takes on the disk, archived or not."""
    archived: bool


class Todo(msgspec.Struct, frozen=True, kw_only=True):
    """What is due now."""

    remove: list[tuple[str, str]]
    """Worlds, the one that ended first at the beginning, each with the reason."""
    archive: list[str]
    """Worlds, the one that ended first at the beginning."""
    next_ms: int | None
    """Unix time at which something more becomes due by itself; None if nothing does."""


def what_to_do(worlds: Iterable[KeptWorld], now_ms: int, wanted: Retention) -> Todo:
    """Decide what is due at Unix time ``now_ms``.

    Of the ended worlds the newest are kept: as long as they are younger than ``keep_days``, no more than
    ``keep_worlds``, and no more than ``keep_bytes`` together.
    """
    newest_first = sorted(
        (
            (world.ended_ms, world.world, world)
            for world in worlds
            if world.at_rest and world.status in ("closed", "faulted") and world.ended_ms is not None
        ),
        reverse=True,
    )
    remove: list[tuple[str, str]] = []
    archive: list[str] = []
    due_ms: list[int] = []
    total_bytes = 0
    for newer, (ended_ms, name, world) in enumerate(newest_first):
        total_bytes += world.bytes
        reason = _why_remove(wanted, age_ms=now_ms - ended_ms, newer=newer, total_bytes=total_bytes)
        if reason is not None:
            remove.append((name, reason))
            continue
        if wanted.keep_days is not None:
            due_ms.append(ended_ms + int(wanted.keep_days * DAY_MS) + 1)
        archive_ms = ended_ms + int(wanted.archive_after_s * 1000)
        if not world.archived and archive_ms <= now_ms:
            archive.append(name)
        elif not world.archived:
            due_ms.append(archive_ms)
    return Todo(remove=remove[::-1], archive=archive[::-1], next_ms=min(due_ms, default=None))


def _why_remove(wanted: Retention, *, age_ms: int, newer: int, total_bytes: int) -> str | None:
    if wanted.keep_days is not None and age_ms > wanted.keep_days * DAY_MS:
        return f"it ended more than {wanted.keep_days:g} days ago"
    if wanted.keep_worlds is not None and newer >= wanted.keep_worlds:
        return f"{wanted.keep_worlds} that ended later are kept"
    if wanted.keep_bytes is not None and total_bytes > wanted.keep_bytes:
        return f"with those that ended later it takes {total_bytes} bytes, more than {wanted.keep_bytes}"
    return None
