"""What can go wrong with the log. Each error says what happened, where, and what to do next.

Two families: `EventLogError` and its children are facts about data, folders and disks that a caller can report;
anything else that is raised here (`AssertionError`, `TypeError`) is a mistake of the calling code.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from pathlib import Path


class EventLogError(Exception):
    """The base of everything this package raises on purpose."""


class LogDamaged(EventLogError):
    """A world's log holds something that its writer did not write, or lacks something that it did.

    ``tick`` is the last good one before the damage, ``offset`` the byte in ``path`` where the damaged piece begins.
    """

    def __init__(self, world: str, tick: int, path: Path, offset: int, reason: str) -> None:
        super().__init__(
            f"the log of {world} is damaged after tick {tick}: {reason} ({path}, byte {offset}) "
            f"→ keep the file as it is and restore it from a copy; records before this byte are intact"
        )
        self.world = world
        self.tick = tick
        self.path = path
        self.offset = offset
        self.reason = reason


class JournalDamaged(EventLogError):
    """A journal holds a bad piece before a good one: acknowledged data are damaged.

    ``group`` is the last good group before the damage, ``worlds`` those that have entries in this journal.
    """

    def __init__(self, path: Path, offset: int, group: int, worlds: Sequence[str], reason: str) -> None:
        names = ", ".join(sorted(worlds)) or "none that can be read"
        super().__init__(
            f"the journal is damaged after group {group}: {reason} ({path}, byte {offset}); worlds in it: {names} "
            f"→ keep the folder as it is and restore it from a copy"
        )
        self.path = path
        self.offset = offset
        self.group = group
        self.worlds = sorted(worlds)
        self.reason = reason


class PositionUnknown(EventLogError):
    """A world's log does not have a place that somebody knows of: the place is of another log, or this one was cut."""

    def __init__(self, world: str, path: Path, offset: int) -> None:
        super().__init__(
            f"the log of {world} has no record that ends at byte {offset} of {path} as it should → read it from its "
            f"beginning, and check it with `worldline log verify {world}`"
        )
        self.world = world
        self.path = path
        self.offset = offset


class SnapshotDamaged(EventLogError):
    """A snapshot cannot be used: it is not as it was written, belongs to another world or log, or is not there."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"the snapshot {path} cannot be used: {reason} → it is skipped: an older one, or the log alone, gives the "
            f"same world; remove the file"
        )
        self.path = path
        self.reason = reason


class FormatTooNew(EventLogError):
    """A file was written by a later version of Worldline."""

    def __init__(self, path: Path, version: int, supported: int) -> None:
        super().__init__(
            f"{path} has format version {version}, this program reads up to {supported} → upgrade Worldline"
        )
        self.path = path
        self.version = version


class UnknownWorld(EventLogError):
    """No log in the data folder has this id, or an id that begins so."""

    def __init__(self, world: str, data: Path, known: Sequence[str] = ()) -> None:
        some = f"; there are {', '.join(known[:5])}" + (" …" if len(known) > 5 else "") if known else ""
        super().__init__(f"no world {world} in {data}{some} → see `worldline log ls`")
        self.world = world


class AmbiguousWorld(EventLogError):
    """Several worlds' ids begin so; ``candidates`` names them."""

    def __init__(self, prefix: str, candidates: Sequence[str]) -> None:
        super().__init__(
            f"{prefix} may mean {', '.join(candidates[:8])}{' …' if len(candidates) > 8 else ''} → write more of the id"
        )
        self.prefix = prefix
        self.candidates = list(candidates)


class NotEnded(EventLogError):
    """The world's log has no last record: it runs, or waits to be gone on with."""

    def __init__(self, world: str) -> None:
        super().__init__(f"{world} has not ended → let it end first")
        self.world = world


class RecordTooLarge(EventLogError):
    """A record exceeds ``MAX_RECORD_BYTES``; nothing was appended."""

    def __init__(self, world: str, tick: int, size: int, limit: int) -> None:
        super().__init__(
            f"a record of {world} at tick {tick} has {size} bytes, the limit is {limit} → take fewer inputs into a tick"
        )
        self.world = world
        self.tick = tick


class RecordInvalid(EventLogError):
    """A record holds a value that its readers would refuse; nothing was appended."""

    def __init__(self, world: str, tick: int, reason: str) -> None:
        super().__init__(f"a record of {world} at tick {tick} cannot be written: {reason} → end this world")
        self.world = world
        self.tick = tick


class LogLocked(EventLogError):
    """Another process writes to this journal folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is in use by another process → stop the server that runs on this data folder")
        self.folder = folder


class JournalLeftBehind(EventLogError):
    """A journal folder still holds segments of a server that did not stop cleanly; nothing is appended to them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds the journal of a server that crashed → use another --data")
        self.folder = folder


class JournalFailed(EventLogError):
    """Writing or syncing failed. Nothing is retried and nothing more is acknowledged: the process has to end."""

    def __init__(self, cause: BaseException) -> None:
        super().__init__(
            f"the journal could not be made durable: {cause} → look at the disk, then start the server again"
        )
        self.cause = cause


class JournalClosed(EventLogError):
    """The journal has been closed and takes nothing any more."""


class DiskFull(EventLogError):
    """The disk has no room, or this user has used up its share. Nothing acknowledged is lost; try again later."""

    def __init__(self, cause: OSError, path: Path | None = None) -> None:
        where = path or cause.filename
        super().__init__(
            f"there is no room on the disk{f' for {where}' if where else ''}: {cause.strerror or cause} → make room; "
            "what is waiting goes on by itself"
        )
        self.cause = cause


class StoreInUse(EventLogError):
    """Another server holds the data folder's lock."""

    def __init__(self, data: Path) -> None:
        super().__init__(f"{data} is in use by another server → stop it, or use another --data")
        self.data = data


class StoreNotWritable(EventLogError):
    """The data folder cannot be made or written to."""

    def __init__(self, data: Path, cause: OSError) -> None:
        remedy = "make room" if cause.errno in (errno.ENOSPC, errno.EDQUOT) else "change its permissions"
        super().__init__(f"cannot write to {data}: {cause.strerror or cause} → {remedy}, or use another --data")
        self.data = data
        self.cause = cause


class UnknownDigest(EventLogError):
    """No code or engine with this digest is kept in the data folder."""

    def __init__(self, digest: str, folder: Path) -> None:
        super().__init__(f"nothing with digest {digest} in {folder} → copy that folder along with the world's log")
        self.digest = digest


class DigestConflict(EventLogError):
    """A folder that is named by a digest holds other files than those now offered under it."""

    def __init__(self, digest: str, folder: Path, names: Sequence[str]) -> None:
        super().__init__(
            f"{folder} does not hold what its digest says ({', '.join(names)} differ) → restore it from a copy"
        )
        self.digest = digest
