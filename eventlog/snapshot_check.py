"""Checking the snapshots of one world: the part of `verify` that looks into ``snapshots/``.

Every byte of each file (header, digest of the body), its name, the place in the log that it names, and what the log's
checkpoint record says of it. One that a checkpoint speaks of and that must not have been thinned out has to be there.

Not seen: one that was kept only to seek by and is gone, and one that no checkpoint record speaks of and is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from eventlog import limits
from eventlog.filecheck import CheckpointSeen, FileCheck, Problem
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.reader import stands_in
from eventlog.snapshot_file import HEADER_BYTES, Snapshot, decode_header, decode_snapshot
from eventlog.snapshots import FOLDER, is_draft, snapshot_name, tick_of
from eventlog.worldbytes import WorldBytes

LOG_IS_ENOUGH: Final = "; the log alone gives the same world"


class SnapshotsFound(msgspec.Struct):
    """What is in a world's folder of snapshots."""

    count: int = 0
    bytes: int = 0
    leftovers: list[str] = []
    """Files that a crash left unfinished, relative to the data folder: they mean nothing."""
    problems: list[Problem] = []


def check_snapshots(
    check: FileCheck, world: str, checkpoints: Sequence[CheckpointSeen], *, log_is_good: bool
) -> SnapshotsFound:
    """Check a world's snapshots; ``checkpoints`` are those of its log, in order. Raises OSError.

    ``log_is_good``: nothing is wrong in the log itself.
    """
    found = _Look(check.data, check.source(world), checkpoints).look()
    if found.problems and check.in_use:
        again = check.look_again(world)
        if again is not None:
            source, seen = again
            found = _Look(check.data, source, seen).look()
    if log_is_good:
        for at, problem in enumerate(found.problems):
            found.problems[at] = msgspec.structs.replace(problem, reason=problem.reason + LOG_IS_ENOUGH)
    if check.in_use:
        found.leftovers.clear()  # its server is writing them
    return found


class _Look:
    """One look at the snapshots of one world."""

    def __init__(self, data: Path, source: WorldBytes, checkpoints: Sequence[CheckpointSeen]) -> None:
        self._data = data
        self._source = source
        self._checkpoints = checkpoints
        self._folder = source.folder / FOLDER
        self._found = SnapshotsFound()

    def look(self) -> SnapshotsFound:
        ticks: set[int] = set()
        for path in self._paths():
            tick = tick_of(path.name)
            if tick is not None:
                ticks.add(tick)
                self._check_file(path, tick)
            elif is_draft(path.name):
                self._found.leftovers.append(path.relative_to(self._data).as_posix())
            else:
                self._report(path, None, 0, "a name that no snapshot has")
        for tick in _missing(ticks, {seen.tick for seen in self._checkpoints}):
            seen = [each for each in self._checkpoints if each.tick == tick][-1]
            self._report(
                self._folder / snapshot_name(tick),
                tick,
                0,
                f"the snapshot is missing: the checkpoint in {seen.file}, byte {seen.offset}, speaks of it",
            )
        return self._found

    def _paths(self) -> list[Path]:
        try:
            return sorted(self._folder.iterdir())
        except FileNotFoundError:
            return []
        except NotADirectoryError:
            self._report(self._folder, None, 0, "this is no folder of snapshots")
            return []

    def _check_file(self, path: Path, tick: int) -> None:
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return  # thinned out just now; if it should not have been, the second look misses it
        except OSError as error:
            self._report(path, tick, 0, f"it cannot be read: {error.strerror}")
            return
        self._found.count += 1
        self._found.bytes += len(data)
        try:
            snapshot = decode_snapshot(data)
        except Unfinished:
            self._report(path, tick, len(data), "the snapshot ends too early")
        except BadBytes as bad:
            self._report(path, tick, _where(data), str(bad))
        except UnknownVersion as unknown:
            self._report(path, tick, 0, f"format version {unknown.version} is newer than this program's")
        else:
            reason = self._mismatch(snapshot, tick, len(data))
            if reason is not None:
                self._report(path, tick, 0, reason)

    def _mismatch(self, snapshot: Snapshot, tick: int, size: int) -> str | None:
        """What is wrong with a whole snapshot at this place."""
        position = snapshot.position
        if (position.world, snapshot.tick) != (self._source.world, tick):
            return f"this is a snapshot of {position.world} at tick {snapshot.tick}"
        if not stands_in(self._source, position):
            return f"the log has no record that ends at byte {position.offset} of its file {position.file} as it says"
        # The one about it comes behind it; one before it was about a snapshot of that tick that it has replaced.
        behind = [
            seen
            for seen in self._checkpoints
            if seen.tick == tick and (seen.number, seen.offset) >= (position.file, position.offset)
        ]
        if behind and (behind[0].hash, behind[0].bytes) != (snapshot.hash, size):
            return f"the checkpoint in {behind[0].file}, byte {behind[0].offset}, says another hash or size"
        return None

    def _report(self, path: Path, tick: int | None, offset: int, reason: str) -> None:
        file = path.relative_to(self._data).as_posix()
        self._found.problems.append(
            Problem(world=self._source.world, tick=tick, file=file, offset=offset, reason=reason)
        )


def _where(data: bytes) -> int:
    """The byte where the damaged piece of a snapshot begins: its header, its body, or what follows them."""
    try:
        header = decode_header(data)
    except (BadBytes, Unfinished, UnknownVersion):
        return 0
    end = HEADER_BYTES + header.body_bytes
    return end if len(data) > end else HEADER_BYTES


def _missing(there: set[int], recorded: Iterable[int]) -> list[int]:
    """Of the ticks that checkpoints speak of, those whose snapshots are not there though none was thinned out. Pure."""
    recorded = set(recorded)
    last = sorted(there | recorded)[-limits.SNAPSHOTS_KEPT :]
    return [tick for tick in last if tick in recorded - there]
