"""What is left of damaged worlds: how far each log is intact, and what can still be read behind the damage.

A log is intact up to its first damage: so far it can be executed again. Behind that, a record can still be read by
itself, as its checksum covers its header and its body; only what it follows cannot be checked, and what lies between is
gone. A snapshot that was taken behind it holds the world as it was then, but not how it came to that. Nothing is
changed here.

Not here: finding out which worlds are damaged (``verify.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from zlib import crc32

import msgspec

from eventlog import archivefile, frame, groups, limits, records, snapshots
from eventlog.chain import Chain, StoredRecord
from eventlog.errors import FormatTooNew, LogDamaged
from eventlog.filecheck import FOLLOWERS, Problem
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.overlay import JournalContent, journal_folders, overlay_of, read_journal
from eventlog.piece import Piece
from eventlog.records import Checkpoint, Close, Fault, Genesis, InputEntry, Open, Record, Tick
from eventlog.snapshots import Snapshots
from eventlog.verify import OnProgress, verify
from eventlog.worldbytes import WorldBytes

_KIND: Final = re.compile(rb"[\x01-\x08]\0\0\0", re.DOTALL)
"""Kind and zeros of a record's header; its length stands in the four bytes before."""
_KIND_AT: Final = 4


class Part(msgspec.Struct, kw_only=True):
    """Some records of a log, counted."""

    records: int = 0
    inputs: int = 0
    first_tick: int | None = None
    last_tick: int | None = None

    def count(self, record: Record) -> None:
        """Take one more record."""
        self.records += 1
        if isinstance(record, Tick):
            self.inputs += sum(isinstance(entry, InputEntry) for entry in record.entries)
        if not isinstance(record, Genesis | Open | Checkpoint):
            self.first_tick = record.tick if self.first_tick is None else min(self.first_tick, record.tick)
            last = record.tick + record.ticks - 1 if isinstance(record, Tick) else record.tick
            self.last_tick = last if self.last_tick is None else max(self.last_tick, last)


class SnapshotBeyond(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot that holds more than the intact part of its world's log."""

    tick: int
    file: str
    """Relative to the data folder."""


class Salvage(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of one damaged world, and what a repair would keep and lose."""

    world: str
    reason: str
    """Why the log is not intact beyond."""
    file: str
    """Relative to the data folder: here the intact part ends …"""
    offset: int
    """… before this byte."""
    tick: int
    """That the intact part has reached. A repaired world would end here."""
    kept: Part
    """The intact part."""
    readable: Part
    """What can be read by itself behind it. It cannot be executed again: something before it is missing."""
    snapshot: SnapshotBeyond | None
    """The latest intact snapshot of the world as it was behind the intact part, if there is one."""
    unreadable_bytes: int
    """Of the files behind the intact part: what belongs to no record that can be read."""


def salvage(data: Path, *, world: str | None = None, on_progress: OnProgress | None = None) -> list[Salvage]:
    """Look for damaged worlds in the data folder ``data``, or at ``world`` alone, and say what is left of each.

    Raises `UnknownWorld`, and OSError if something cannot be read.
    """
    found = verify(data, world=world, on_progress=on_progress)
    problems: dict[str, Problem] = {}
    for problem in found.problems:
        is_snapshot = f"/{snapshots.FOLDER}/" in problem.file  # without it the log is as whole as with it
        if problem.world is not None and problem.file.startswith(("worlds/", "journal/")) and not is_snapshot:
            problems.setdefault(problem.world, problem)
    if not problems:
        return []
    journals = _Journals(data)
    return [
        _salvage(data, name, journals, problem)
        for name, problem in sorted(problems.items())
        if world in (None, name) and frame.is_world_id(name)
    ]


class _Journals:
    """What journals hold up to their damage, and behind it."""

    def __init__(self, data: Path) -> None:
        contents: list[JournalContent] = []
        for folder in journal_folders(data):
            try:
                contents.append(read_journal(folder))
            except FormatTooNew:
                continue  # it is among the problems; nothing of it can be read
        self.overlay = overlay_of(contents)
        self._behind = [piece for content in contents if content.damage for piece in _pieces_behind(content)]

    def behind_damage(self, world: str) -> Iterator[bytes]:
        """Bytes of this world in intact groups that cannot be believed to follow each other."""
        return (piece.data for piece in self._behind if piece.world == world)


def _pieces_behind(content: JournalContent) -> Iterator[Piece]:
    for segment in content.segments:
        if segment.header is None:
            continue
        for place in range(limits.SEGMENT_HEADER_BYTES, len(segment.data), limits.GROUP_ALIGNMENT_BYTES):
            group = groups.decode_group(segment.data, place, segment.header.salt)
            if group is None or group.number <= content.last_group:
                continue
            try:
                yield from (entry for entry in groups.decode_entries(group) if isinstance(entry, Piece))
            except BadBytes:
                continue


def _salvage(data: Path, world: str, journals: _Journals, problem: Problem) -> Salvage:
    source = WorldBytes(data, world, journals.overlay.worlds.get(world, {}))
    chain = Chain(world)
    kept, readable = Part(), Part()
    damage: LogDamaged | None = None
    unreadable = 0
    for file in range(1, source.last_file + 1):
        try:
            if damage is None:
                for stored in _up_to_the_end(chain.whole_file(source, file), source.path(file)):
                    kept.count(stored.record)
                continue
        except LogDamaged as damaged:
            damage = damaged
        except FormatTooNew as newer:
            damage = LogDamaged(world, chain.tick, newer.path, 0, f"it has format version {newer.version}")
        start = chain.offset if chain.file == file else 0
        for run in _runs_behind(source, file, start):
            unreadable += len(run)
            for record, size in records_alone(run):
                readable.count(record)
                unreadable -= size
    for held in journals.behind_damage(world):
        for record, _ in records_alone(held):
            readable.count(record)
    here = source.path(chain.file or 1)
    return Salvage(
        world=world,
        reason=damage.reason if damage else problem.reason,
        file=here.relative_to(data).as_posix(),
        offset=chain.offset,
        tick=chain.tick,
        kept=kept,
        readable=readable,
        snapshot=_beyond(data, world, (chain.file, chain.offset)),
        unreadable_bytes=unreadable,
    )


def _beyond(data: Path, world: str, intact: tuple[int, int]) -> SnapshotBeyond | None:
    """The latest intact snapshot of a place in the log behind file and byte ``intact``."""
    store = Snapshots(data, world)
    for snapshot in store.usable():
        if (snapshot.position.file, snapshot.position.offset) > intact:
            return SnapshotBeyond(tick=snapshot.tick, file=store.path(snapshot.tick).relative_to(data).as_posix())
    return None


def _up_to_the_end(stored: Iterable[StoredRecord], path: Path) -> Iterator[StoredRecord]:
    """Records up to what may not stand behind a world's end. Raises `LogDamaged` there."""
    ended: type | None = None
    for each in stored:
        kind = type(each.record)
        if ended is not None and kind not in FOLLOWERS[ended]:
            raise LogDamaged("", 0, path, each.offset, "a record stands behind the world's end")
        if isinstance(each.record, Close | Fault):
            ended = kind
        yield each


def _runs_behind(source: WorldBytes, file: int, start: int) -> list[bytes]:
    """What can be had of a file from byte ``start`` on: all of it, or what is left between damaged frames."""
    if source.is_archived(file):
        try:
            runs = archivefile.intact_runs(source.path(file).read_bytes(), source.world, file)
        except (FileNotFoundError, UnknownVersion):
            return []
    else:
        try:
            runs = [(0, source.read(file))]
        except LogDamaged:
            runs = [(0, source.read_from(file, 0))]
    if runs and runs[0][0] == 0 and _is_foreign(source, file, runs[0][1]):
        return []
    return [content[max(0, start - at) :] for at, content in runs if at + len(content) > start]


def _is_foreign(source: WorldBytes, file: int, content: bytes) -> bool:
    """Whether an intact header says that this is another world's file, or another one of this world."""
    try:
        header, _ = frame.decode_file_header(content)
    except (BadBytes, Unfinished):
        return False
    except UnknownVersion:
        return True
    return (header.world, header.file) != (source.world, file)


def records_alone(data: bytes) -> Iterator[tuple[Record, int]]:
    """Every record in ``data`` that is intact by itself, wherever it begins, and its size in bytes."""
    position = 0
    while (match := _KIND.search(data, position + _KIND_AT)) is not None:
        offset = match.start() - _KIND_AT
        found = _record_at(data, offset)
        if found is None:
            position = offset + 1
            continue
        record, size = found
        yield record, size
        position = offset + size


def _record_at(data: bytes, offset: int) -> tuple[Record, int] | None:
    if len(data) - offset < frame.RECORD_HEADER_BYTES:
        return None
    length, kind, tick, header_crc, body_crc = frame.RECORD_HEADER.unpack_from(data, offset)
    start = offset + frame.RECORD_HEADER_BYTES
    if not 0 < length <= min(limits.MAX_RECORD_BYTES, len(data) - start):
        return None
    payload = data[start : start + length]
    if crc32(payload, header_crc) != body_crc:
        return None
    try:
        record = records.decode(payload)
    except msgspec.DecodeError:
        return None
    expected = tick if isinstance(record, Open) else 0 if isinstance(record, Genesis) else record.tick
    if (records.KIND_OF[type(record)], expected) != (kind, tick):
        return None
    return record, frame.RECORD_HEADER_BYTES + length
