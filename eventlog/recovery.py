"""Redo after a crash: brings what journals hold into world files, makes it durable, and removes the journals.

`recover` does that for a whole data folder, before a server starts on it; `recover_shard` for one shard that has died
while others run. Nobody may write to the journals meanwhile: they are locked here. The steps:

1. Read every journal, segment by segment, and decide (``claims.py``, ``redo.py``) which bytes count and whether a bad
   last group is torn or damaged. If anything is damaged: `JournalDamaged`, and nothing has been changed.
2. Read them again, write the bytes in batches (adjacent ones at once), cut what follows the last record that chains,
   sync the files, sync the folders.
3. Remove the segments, oldest first, then the journal's folder.

A crash anywhere, in here too, is recovered from by doing it all again. A failing disk raises OSError, and the journals
stay until it has been done.

Not here: snapshots, and what a world does next; `WorldLog.resume` goes on with its log.

Invariant: a log is never made shorter than its chain, and no segment is removed before all its bytes are durable.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from eventlog import frame, groups
from eventlog.claims import Batch, Claims, plan, settle_between
from eventlog.disk import Disk, RealDisk, lock
from eventlog.errors import JournalDamaged, LogDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.journal import shard_folder
from eventlog.overlay import JournalContent, journal_folders, read_journal, scan_journal, segment_paths
from eventlog.piece import Piece
from eventlog.redo import VERDICTS, LastGroup, WorldRedo, crc_behind, look_beyond

_OPEN_FILES: Final = 500
"""So many files are written before they are synced: the disk merges that, and descriptors are not used up."""

_BATCH_BYTES: Final = 64 * 1024 * 1024
"""So many bytes are collected before they are written: each world's at once."""


class RecoveredWorld(msgspec.Struct, frozen=True, kw_only=True):
    """A world of which a journal held bytes; they are in its files now."""

    world: str
    epoch: int
    file: int
    offset: int
    """Its log ends at this byte of this file."""
    redone_bytes: int
    cut_bytes: int
    """That followed the last record and were no records."""


class RecoveryReport(msgspec.Struct, frozen=True, kw_only=True):
    """What recovery found and did."""

    worlds: list[RecoveredWorld]
    journals: int
    segments: int
    groups: int
    entries: int
    torn: list[Path]
    """Journals whose last group was begun and never acknowledged: it was dropped."""
    opened_elsewhere: list[str]
    """Worlds whose entries were ignored, because their logs went on in a higher epoch."""
    damaged: list[LogDamaged]
    """Worlds whose files lack bytes from before the journal. What it held is in them; readers report the gap."""
    seconds: float


def recover(data: Path, *, disk: Disk | None = None) -> RecoveryReport:
    """Redo all journals in the data folder ``data``. The caller holds the data folder's lock.

    Raises `JournalDamaged` (then nothing has been changed), `LogLocked` if a process still writes a journal,
    `FormatTooNew`, and OSError if the disk will not: try again when it will.
    """
    return _recover(data, journal_folders(data), [], disk or RealDisk())


def recover_shard(data: Path, shard: int, *, disk: Disk | None = None) -> RecoveryReport:
    """Redo the journal of one dead shard, beside others that run; takes its lock first. Raises as `recover`."""
    folder = shard_folder(data, shard)
    others = [other for other in journal_folders(data) if other != folder]
    return _recover(data, [folder] if folder.is_dir() else [], others, disk or RealDisk())


def _recover(data: Path, folders: Sequence[Path], others: Sequence[Path], disk: Disk) -> RecoveryReport:
    began_s = time.perf_counter()
    with contextlib.ExitStack() as locks:
        for folder in folders:
            locks.callback(os.close, lock(folder))
        for folder in folders:
            _sync_last_segments(folder, disk)
        journals = [_scan(folder) for folder in folders]
        decisions = _decide(data, journals, [_intact(read_journal(other)) for other in others])
        worlds = _Redo(data, disk).write(decisions, folders)
        for folder in folders:
            _remove(folder, disk)
    return RecoveryReport(
        worlds=worlds,
        journals=len(journals),
        segments=sum(len(content.segments) for content, _ in journals),
        groups=sum(content.group_count for content, _ in journals),
        entries=sum(claims.entries for _, claims in journals),
        torn=decisions.torn,
        opened_elsewhere=decisions.opened_elsewhere,
        damaged=decisions.damaged,
        seconds=time.perf_counter() - began_s,
    )


def _sync_last_segments(folder: Path, disk: Disk) -> None:
    """Make durable what will be believed: its server may have died between writing the last group and syncing it. That
    group is in the last segment, or in the one before if the last was only made ready."""
    for path in segment_paths(folder)[-2:]:
        descriptor = disk.open(path)
        try:
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)


def _scan(folder: Path) -> tuple[JournalContent, Claims]:
    """What a journal that nobody writes to says of its worlds. Raises `JournalDamaged`."""
    claims = Claims()
    return scan_journal(folder, claims.take, claims.settle), claims


def _intact(content: JournalContent) -> JournalContent:
    if content.damage is not None:
        raise content.damage
    return content


# --- deciding: reads only -----------------------------------------------------------------------------


class _Decision(msgspec.Struct, frozen=True):
    """What is to be done to one world."""

    redo: WorldRedo
    end: int
    """Of the chain in the last file, in bytes."""
    cuts: list[int]
    """For each run's file: how many bytes behind the chain's end it holds."""


class _Decisions(msgspec.Struct):
    worlds: list[_Decision] = []
    torn: list[Path] = []
    opened_elsewhere: list[str] = []
    damaged: list[LogDamaged] = []


def _decide(
    data: Path, journals: Sequence[tuple[JournalContent, Claims]], others: Sequence[JournalContent]
) -> _Decisions:
    """What to do, or `JournalDamaged`."""
    decisions = _Decisions()
    settle_between([claims for _, claims in journals], [entry for other in others for entry in other.entries])
    known = {claim.world for _, claims in journals for claim in claims.of.values() if claim.stands}
    known |= {entry.world for other in others for entry in other.entries}
    for content, claims in journals:
        ahead: list[str] = []
        for world in sorted(claims.of):
            claim = claims.of[world]
            if claim.stands:
                try:
                    redo = plan(claim)
                except BadBytes as bad:
                    raise _damaged(content, [world], str(bad)) from None
                _decide_world(data, redo, decisions, ahead)
        ahead.extend(_held_of_tail(data, content.tail, known))
        case = LastGroup(something=any(content.tail), good_behind=False, in_world_log=bool(ahead))
        verdict = VERDICTS[case]
        if verdict == "damaged":
            reason = f"a group is bad or missing whose records {', '.join(sorted(set(ahead))[:5])} already holds"
            raise _damaged(content, sorted(claims.of.keys() | set(ahead)), reason)
        if verdict == "torn":
            decisions.torn.append(content.folder)
    return decisions


def _decide_world(data: Path, redo: WorldRedo, decisions: _Decisions, ahead: list[str]) -> None:
    """Decide about one world; adds it to ``ahead`` if its files hold records of this epoch that no group here holds."""
    folder = data / "worlds" / redo.world
    first, (file, end) = redo.runs[0], redo.end
    on_disk = _size(folder / frame.file_name(first.file))
    if on_disk < first.offset:
        missing = f"bytes up to {first.offset} are missing"
        decisions.damaged.append(LogDamaged(redo.world, 0, folder / frame.file_name(first.file), on_disk, missing))
    rests = [_read_from(folder / frame.file_name(run.file), run.end) for run in redo.runs]
    beyond = look_beyond(rests[-1], redo.crc)
    epochs = [beyond.highest_epoch, *_later_epochs(folder, file, beyond.crc)]
    if max(epochs) > redo.epoch:
        decisions.opened_elsewhere.append(redo.world)
        return
    if beyond.chained_bytes or len(epochs) > 1:
        ahead.append(redo.world)
    # What stands behind a run that another file follows continues nothing: the next file begins where the run ends.
    cuts = [*map(len, rests[:-1]), len(rests[-1]) - beyond.chained_bytes]
    decisions.worlds.append(_Decision(redo, end + beyond.chained_bytes, cuts))


def _later_epochs(folder: Path, file: int, crc: int) -> Iterator[int]:
    """For each file behind ``file`` that continues the log: the highest epoch that is opened in it, or 0."""
    while True:
        file += 1
        content = _read_from(folder / frame.file_name(file), 0)
        try:
            header, own_crc = frame.decode_file_header(content)
        except (BadBytes, Unfinished, UnknownVersion):
            return
        if header.previous_crc != crc or header.world != folder.name:
            return
        beyond = look_beyond(content[frame.FILE_HEADER_BYTES :], own_crc)
        yield beyond.highest_epoch
        crc = beyond.crc


def _held_of_tail(data: Path, tail: bytes, known: set[str]) -> Iterator[str]:
    """Worlds whose logs end with what seems to be an entry of the bad group ``tail``, as far as that can be read.

    For worlds of which journals hold more (``known``), following the chain has told it already.
    """
    for guess in groups.guess_entries(tail[groups.GROUP_HEADER_BYTES :]):
        if guess.world not in known and _is_end_of_log(data, guess):
            yield guess.world


def _is_end_of_log(data: Path, guess: Piece) -> bool:
    """Whether the world's last file ends where this entry does, with whole records that begin where it does."""
    path = data / "worlds" / guess.world / frame.file_name(guess.file)
    if not guess.data or _size(path) != guess.offset + len(guess.data):
        return False
    try:
        crc_behind(guess.file, guess.offset, _read_from(path, guess.offset))
    except BadBytes:
        return False
    return not path.with_name(frame.file_name(guess.file + 1)).exists()


def _damaged(content: JournalContent, worlds: list[str], reason: str) -> JournalDamaged:
    last = next(segment for segment in reversed(content.segments) if segment.header is not None)
    return JournalDamaged(last.path, last.end, content.last_group, worlds, reason)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _read_from(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as opened:
            opened.seek(offset)
            return opened.read()
    except FileNotFoundError:
        return b""


# --- doing --------------------------------------------------------------------------------------------


class _Redo:
    """Writes what was decided into world files, and makes it durable."""

    def __init__(self, data: Path, disk: Disk) -> None:
        self._data = data
        self._disk = disk
        self._open: dict[Path, int] = {}
        """Files with bytes that are not synced, the one that was written to last at the end."""
        self._folders: dict[Path, None] = {}

    def write(self, decisions: _Decisions, journals: Sequence[Path]) -> list[RecoveredWorld]:
        """Do it, with the bytes from these journals; on return everything is durable. Raises OSError."""
        try:
            # Journals differ in what they say of a world; only one of them has it in the epoch that counts.
            batch = Batch({decision.redo.world: decision.redo.epoch for decision in decisions.worlds})
            for folder in journals:
                scan_journal(folder, batch.take, functools.partial(self._write_batch, batch, _BATCH_BYTES))
            self._write_batch(batch, 0)
            recovered = [self._cut(decision) for decision in decisions.worlds]
            self._close(0)
        finally:
            for descriptor in self._open.values():
                with contextlib.suppress(OSError):  # the disk has failed already, and says so
                    self._disk.close(descriptor)
        for folder in self._folders:
            self._disk.sync_folder(folder)
        return recovered

    def _write_batch(self, batch: Batch, at_least_bytes: int) -> None:
        if batch.bytes >= at_least_bytes:
            for world, file, offset, data in batch.empty():
                self._disk.write(self._file(world, file), data, offset)

    def _file(self, world: str, file: int) -> int:
        """The file's descriptor; it is made if it is missing."""
        folder = self._data / "worlds" / world
        path = folder / frame.file_name(file)
        descriptor = self._open.pop(path, None)
        if descriptor is None:
            if folder not in self._folders:
                if not folder.is_dir():
                    self._disk.make_folder(folder)
                self._folders |= {folder: None, folder.parent: None, self._data: None}
            self._close(_OPEN_FILES - 1)
            descriptor = self._disk.open(path) if path.exists() else self._disk.create(path)
        self._open[path] = descriptor
        return descriptor

    def _cut(self, decision: _Decision) -> RecoveredWorld:
        """Cut off what follows the chain in a world's files."""
        redo = decision.redo
        for run, cut in zip(redo.runs, decision.cuts, strict=True):
            if cut:
                end = run.end if run is not redo.runs[-1] else decision.end
                self._disk.truncate(self._file(redo.world, run.file), end)
        return RecoveredWorld(
            world=redo.world,
            epoch=redo.epoch,
            file=redo.end[0],
            offset=decision.end,
            redone_bytes=sum(run.size for run in redo.runs),
            cut_bytes=sum(decision.cuts),
        )

    def _close(self, keep: int) -> None:
        """Sync and close all files but the ``keep`` that were written to last."""
        while len(self._open) > keep:
            path = next(iter(self._open))
            self._disk.sync(self._open[path])
            self._disk.close(self._open.pop(path))


def _remove(folder: Path, disk: Disk) -> None:
    """Remove a journal whose bytes are all durable elsewhere: segments oldest first, so that what is left is whole."""
    # Before and after each: a power loss must not undo a removal, its own or one that the dead process made, and keep
    # a later one.
    disk.sync_folder(folder)
    for path in segment_paths(folder):
        disk.remove(path)
        disk.sync_folder(folder)
    disk.remove_folder(folder)
    disk.sync_folder(folder.parent)
