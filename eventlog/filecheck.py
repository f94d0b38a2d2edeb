"""Checking one world file by itself: the part of `verify` that runs in many processes.

What links files to each other is only noted here; `verify` compares it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from eventlog import frame, records
from eventlog.chain import Chain, StoredRecord
from eventlog.errors import FormatTooNew, JournalDamaged, LogDamaged, UnknownWorld
from eventlog.frame import Unfinished
from eventlog.overlay import Overlay
from eventlog.records import Checkpoint, Close, CodeEntry, EngineEntry, Fault, Genesis, Open, Origin, Tick
from eventlog.worldbytes import WorldBytes

FOLLOWERS: Final[dict[type, tuple[type, ...]]] = {Close: (Checkpoint,), Fault: (Checkpoint, Close)}
"""What may stand behind a world's end."""
_CHANGES: Final = (CodeEntry, EngineEntry)


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it was written. ``world`` and ``tick`` are None where it is no world's file."""

    world: str | None = None
    tick: int | None = None
    """The last good one before the damage."""
    file: str
    """Relative to the data folder."""
    offset: int = 0
    """The byte where the damaged piece begins."""
    reason: str


class CheckpointSeen(msgspec.Struct, frozen=True):
    """A checkpoint record, what it says of its snapshot, and its place."""

    tick: int
    hash: bytes
    snapshot: str
    bytes: int
    number: int
    """Of the world file."""
    offset: int

    @property
    def file(self) -> str:
        """The name of the world file."""
        return frame.file_name(self.number)


class Summary(msgspec.Struct):
    """What the check of one file found."""

    world: str
    file: int
    records: int = 0
    header: frame.FileHeader | None = None
    end: tuple[int, int, int] | None = None
    """Epoch, tick and crc behind the last record, if the whole file is good."""
    ended: type | None = None
    """It holds the world's last record: a close or a fault."""
    first: tuple[type, int] | None = None
    """Kind and byte of its first record that is no checkpoint."""
    digests: set[tuple[str, str]] = set()
    """The folders that it names: ("code" or "engine", digest)."""
    checkpoints: list[CheckpointSeen] = []
    problem: Problem | None = None


class FileCheck:
    """Checks the world files of a data folder, given what journals held before."""

    def __init__(self, data: Path, overlay: Overlay, *, in_use: bool) -> None:
        """``in_use``: a server is running, so its files may grow, and hold nothing else than its journals say."""
        self.data = data
        self.in_use = in_use
        self._overlay = overlay
        self._sources: dict[str, WorldBytes] = {}

    def worlds(self) -> list[str]:
        """The names of all worlds, in order."""
        folder = self.data / "worlds"
        entries = folder.iterdir() if folder.is_dir() else ()
        on_disk = {path.name for path in entries if path.is_dir() and not path.name.startswith(".")}
        return sorted(on_disk | self._overlay.worlds.keys())

    def source(self, world: str) -> WorldBytes:
        """The world's files as they were when this was asked first."""
        if world not in self._sources:
            self._sources[world] = WorldBytes(self.data, world, self._overlay.worlds.get(world, {}))
        return self._sources[world]

    def check(self, world: str, file: int) -> Summary:
        """Check one file. What looks wrong beside a running server is looked at again, journals and all."""
        first = self._look(self.source(world), file)
        if first.problem is None or not self.in_use:
            return first
        try:
            source = WorldBytes.look(self.data, world)
        except (JournalDamaged, FormatTooNew, UnknownWorld):
            return first
        again = self._look(source, file)
        if again.problem is not None and again.problem.offset > first.problem.offset and file == source.last_file:
            again.problem = None  # whole where it was cut off before: it is growing, and this is its end for now
        return again

    def look_again(self, world: str) -> tuple[WorldBytes, list[CheckpointSeen]] | None:
        """A running server's world as it is now, journals and all, with its checkpoints; None if it cannot be read."""
        try:
            source = WorldBytes.look(self.data, world)
        except (JournalDamaged, FormatTooNew, UnknownWorld):
            return None
        summaries = (self._look(source, file) for file in range(1, source.last_file + 1))
        return source, [seen for summary in summaries for seen in summary.checkpoints]

    def _look(self, source: WorldBytes, file: int) -> Summary:
        path = source.path(file)
        chain = Chain(source.world)
        summary = Summary(source.world, file)
        try:
            content = source.read(file)
            chain.begin_file(path, file, content)
            summary.header, _ = frame.decode_file_header(content)
            _note(chain.records(path, content), path, summary)
            source.report_damage(file, chain.tick)
            if self.in_use:
                self._compare(source, file)
            summary.end = (chain.epoch, chain.tick, chain.crc)
        except LogDamaged as damaged:
            summary.problem = self.problem(damaged)
        except FormatTooNew as newer:
            reason = f"format version {newer.version} is newer than this program's"
            summary.problem = self.problem(LogDamaged(source.world, 0, path, 0, reason))
        except Unfinished:
            summary.problem = self.problem(self._cut_off(source, file, chain))
        return summary

    @staticmethod
    def _cut_off(source: WorldBytes, file: int, chain: Chain) -> LogDamaged:
        try:
            source.report_damage(file, chain.tick)
        except LogDamaged as damaged:
            return damaged
        reason = "it ends inside a record" if source.size(file) else "the file is missing or empty"
        return LogDamaged(source.world, chain.tick, source.path(file), chain.offset if chain.file else 0, reason)

    def _compare(self, source: WorldBytes, file: int) -> None:
        """Check that a file holds what the journal says, as far as it holds it. Raises `LogDamaged`.

        True while a server runs; after a power loss it need not be: recovery writes these bytes again.
        """
        path = source.path(file)
        pieces = self._overlay.worlds.get(source.world, {}).get(file)
        if not pieces or not path.exists():
            return
        base = pieces[0].offset
        with path.open("rb") as opened:
            opened.seek(base)
            on_disk = opened.read()
        for piece in pieces:
            there = on_disk[piece.offset - base : piece.offset - base + len(piece.data)]
            if there != piece.data[: len(there)]:
                raise LogDamaged(source.world, 0, path, piece.offset, "the file holds other bytes than the journal")

    def problem(self, damaged: LogDamaged) -> Problem:
        """A line of the report."""
        return Problem(
            world=damaged.world,
            tick=damaged.tick,
            file=damaged.path.relative_to(self.data).as_posix(),
            offset=damaged.offset,
            reason=damaged.reason,
        )


def link_problem(check: FileCheck, before: Summary, summary: Summary) -> Problem | None:
    """What is wrong between two neighbouring files, each good by itself."""
    path = check.source(summary.world).path(summary.file)
    header = summary.header
    if header is None or before.end is None:
        return None  # reported already
    tick = before.end[1]
    if (header.epoch, header.tick, header.previous_crc) != before.end:
        return check.problem(LogDamaged(summary.world, tick, path, 0, "it does not continue the file before"))
    if before.ended is not None and summary.first is not None:
        kind, offset = summary.first
        if kind not in FOLLOWERS[before.ended]:
            return check.problem(_behind_the_end(summary.world, tick, path, offset))
    return None


def _behind_the_end(world: str, tick: int, path: Path, offset: int) -> LogDamaged:
    return LogDamaged(world, tick, path, offset, "a record stands behind the world's end")


def _note(stored: Iterable[StoredRecord], path: Path, summary: Summary) -> None:
    """Run through a file's records and note what is asked of them. Raises what reading raises, and `LogDamaged`."""
    count = reached = 0
    try:
        for each in stored:
            count += 1
            record = each.record
            kind = type(record)
            if summary.first is None and kind is not Checkpoint:
                summary.first = (kind, each.offset)
            if summary.ended is not None and kind not in FOLLOWERS[summary.ended]:
                raise _behind_the_end(summary.world, reached, path, each.offset)
            if isinstance(record, Tick):
                if record.entries and type(record.entries[0]) in _CHANGES:
                    _note_changes(record, summary)
            elif isinstance(record, Genesis):
                summary.digests |= {("code", record.digest), ("engine", record.engine)}
            elif isinstance(record, Open):
                summary.digests.add(("engine", record.engine))
            elif isinstance(record, Origin):
                summary.digests.add(("code", record.code))
            elif isinstance(record, Checkpoint):
                seen = CheckpointSeen(
                    record.tick, record.hash, record.snapshot, record.bytes, summary.file, each.offset
                )
                summary.checkpoints.append(seen)
            elif isinstance(record, Close | Fault):
                summary.ended = kind
                reached = records.last_tick_of(record, 0)
    finally:
        summary.records = count


def _note_changes(record: Tick, summary: Summary) -> None:
    for entry in record.entries:
        if isinstance(entry, CodeEntry):
            summary.digests.add(("code", entry.digest))
        elif isinstance(entry, EngineEntry):
            summary.digests.add(("engine", entry.digest))
