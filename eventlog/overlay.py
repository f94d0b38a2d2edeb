"""What journals hold: bytes that a running or crashed server has made durable but may not have put into world files.

Read-only: nothing here changes a byte, and a running server does not notice.

Which groups count: all up to the first bad one. A bad one with nothing good behind it is torn, it was never
acknowledged. A bad one with a good one behind it, or one that the next segment says was there, is damage
(`JournalDamaged`). The last group of all may have been written but not yet synced by its server; so the segment is
synced here before anything in it is believed, and nobody is shown what a power loss can undo.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import msgspec

from eventlog import groups, limits
from eventlog.errors import FormatTooNew, JournalDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.groups import Group, SegmentHeader
from eventlog.piece import Piece


class Overlay(msgspec.Struct):
    """Pieces of worlds found in journals: world → file → pieces by offset."""

    worlds: dict[str, dict[int, list[Piece]]] = {}

    def add(self, piece: Piece) -> None:
        """Take one more piece."""
        self.worlds.setdefault(piece.world, {}).setdefault(piece.file, []).append(piece)


class _Segment(msgspec.Struct):
    """A segment as it was read: its groups, and the byte behind the last of them."""

    path: Path
    data: bytes
    header: SegmentHeader | None
    groups: list[Group] = []
    end: int = limits.SEGMENT_HEADER_BYTES


class _Vanished(Exception):
    """A segment was removed while the journal was being read: its bytes are in world files by now."""


def journal_folders(data: Path) -> list[Path]:
    """The folders of shards' journals in the data folder ``data``."""
    return sorted(folder for folder in (data / "journal").glob("shard-*") if folder.is_dir())


def segment_paths(folder: Path) -> list[Path]:
    """The segments in a journal folder, oldest first."""
    return sorted(folder.glob("*.journal"))


def read_overlay(data: Path, *, world: str | None = None) -> Overlay:
    """All that the journals in ``data`` hold, or only what they hold of ``world``.

    Raises `JournalDamaged` and `FormatTooNew`.
    """
    overlay = Overlay()
    for folder in journal_folders(data):
        for piece in _read_journal(folder):
            if world is None or piece.world == world:
                overlay.add(piece)
    for files in overlay.worlds.values():
        for pieces in files.values():
            pieces.sort(key=lambda piece: (piece.offset, piece.epoch))
    return overlay


def _read_journal(folder: Path) -> list[Piece]:
    """What the groups of one journal hold, in order. Looks again while the journal changes under its eyes."""
    suspicion: JournalDamaged | None = None
    while True:
        try:
            paths = segment_paths(folder)
            return _check([_read_segment(path, sync=path == paths[-1]) for path in paths])
        except _Vanished:
            continue
        except JournalDamaged as damaged:
            # A server that goes on writing while we read can make us miss a group but see its successor. It would
            # have completed this place by now: what is bad in the same place twice is damaged.
            if suspicion is not None and (suspicion.path, suspicion.offset) == (damaged.path, damaged.offset):
                raise
            suspicion = damaged


def _read_segment(path: Path, *, sync: bool) -> _Segment:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _Vanished from None
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
        if sync:
            try:
                os.fdatasync(descriptor)
            except OSError as error:
                if error.errno not in (errno.EROFS, errno.EINVAL):  # nothing to sync where nothing can be written
                    raise
    try:
        header = groups.decode_segment_header(data)
    except UnknownVersion as unknown:
        raise FormatTooNew(path, unknown.version, limits.FORMAT_VERSION) from None
    except (BadBytes, Unfinished):
        return _Segment(path, data, None)
    segment = _Segment(path, data, header, [])
    while (group := groups.decode_group(data, segment.end, header.salt)) is not None:
        segment.groups.append(group)
        segment.end += groups.aligned(groups.GROUP_HEADER_BYTES + len(group.body))
    return segment


def _check(segments: list[_Segment]) -> list[Piece]:
    """What a journal's segments hold. Raises `JournalDamaged` if a group is missing, doubled, or bad before a good."""
    found: list[Piece] = []
    number, crc = 0, 0
    for index, segment in enumerate(segments):
        header = segment.header
        if header is None:
            if index == len(segments) - 1 and not any(segment.data[limits.SEGMENT_HEADER_BYTES :]):
                break  # a crash while the segment was being made: no group was ever written to it
            raise _damaged(segments, segment, 0, number, "the segment header is not intact")
        before = segments[index - 1] if index else None
        if before is None:
            number, crc = header.last_group, header.last_crc
        elif (header.segment, header.last_group, header.last_crc) != (_number(before) + 1, number, crc):
            reason = f"{segment.path.name} follows group {header.last_group}, which is not here"
            raise _damaged(segments, before, before.end, number, reason)
        position = limits.SEGMENT_HEADER_BYTES
        for group in segment.groups:
            if group.number != number + 1 or group.previous_crc != crc:
                reason = f"group {group.number} stands where group {number + 1} belongs"
                raise _damaged(segments, segment, position, number, reason)
            try:
                found.extend(groups.decode_entries(group))
            except BadBytes as bad:
                raise _damaged(segments, segment, position, number, str(bad)) from None
            number, crc = group.number, group.crc
            position += groups.aligned(groups.GROUP_HEADER_BYTES + len(group.body))
        if _later_groups(segment):
            raise _damaged(segments, segment, segment.end, number, "a bad group before a good one")
    return found


def _number(segment: _Segment) -> int:
    assert segment.header is not None
    return segment.header.segment


def _later_groups(segment: _Segment) -> list[Group]:
    """Intact groups behind the first bad one."""
    assert segment.header is not None
    salt = segment.header.salt
    places = range(segment.end + limits.GROUP_ALIGNMENT_BYTES, len(segment.data), limits.GROUP_ALIGNMENT_BYTES)
    return [group for place in places if (group := groups.decode_group(segment.data, place, salt)) is not None]


def _damaged(segments: list[_Segment], segment: _Segment, offset: int, group: int, reason: str) -> JournalDamaged:
    """The error, naming every world that an intact group of the journal mentions."""
    intact = [found for each in segments if each.header is not None for found in (*each.groups, *_later_groups(each))]
    worlds: set[str] = set()
    for found in intact:
        with contextlib.suppress(BadBytes):  # then the group names as many worlds as can be read
            worlds.update(piece.world for piece in groups.decode_entries(found))
    return JournalDamaged(segment.path, offset, group, sorted(worlds), reason)
