"""What journals hold: bytes that a running or crashed server has made durable but may not have put into world files.

Read-only: nothing here changes a byte, and a running server does not notice.

Which groups count: all up to the first bad one. A bad one with nothing good behind it is torn, it was never
acknowledged. A bad one with a good one behind it, or one that the next segment says was there, is damage
(`JournalDamaged`). The last group of all may have been written but not yet synced by its server; so its segment (the
last one, or the one before if the last is only made ready) is synced here before anything in it is believed, and nobody
is shown what a power loss can undo.

Which entries count: those of a world's highest epoch in any journal, if it was not released after them. The others
are in world files for good, and what stands at their places there may be another shard's.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from eventlog import groups, limits
from eventlog.errors import FormatTooNew, JournalDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.groups import Group, SegmentHeader
from eventlog.piece import Piece, Release


class Overlay(msgspec.Struct):
    """Pieces of worlds found in journals: world → file → pieces by offset."""

    worlds: dict[str, dict[int, list[Piece]]] = {}

    def add(self, piece: Piece) -> None:
        """Take one more piece."""
        self.worlds.setdefault(piece.world, {}).setdefault(piece.file, []).append(piece)


class Segment(msgspec.Struct):
    """A segment as it was read: its groups, and the byte behind the last of them."""

    path: Path
    data: bytes
    header: SegmentHeader | None
    groups: list[Group] = []
    end: int = limits.SEGMENT_HEADER_BYTES


class JournalContent(msgspec.Struct):
    """A shard's journal as it was read: what its intact groups hold, up to the first damage."""

    folder: Path
    segments: list[Segment]
    entries: list[Piece | Release] = []
    last_group: int = 0
    last_crc: int = 0
    group_count: int = 0
    tail: bytes = b""
    """What stands in the last segment where the next group would: zeros, or a group that is not intact."""
    damage: JournalDamaged | None = None


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
    contents = [read_journal(folder) for folder in journal_folders(data)]
    for content in contents:
        if content.damage is not None:
            raise content.damage
    return overlay_of(contents, world=world)


def overlay_of(contents: Iterable[JournalContent], *, world: str | None = None) -> Overlay:
    """What these journals, read before, hold beyond the world files."""
    overlay = Overlay()
    for name, pieces in standing_pieces(entry for content in contents for entry in content.entries).items():
        if world is None or name == world:
            for piece in pieces:
                overlay.add(piece)
    return overlay


def standing_pieces(entries: Iterable[Piece | Release]) -> dict[str, list[Piece]]:
    """The pieces that count, by world and in order: of its highest epoch, and not released. Pure; the order of journals
    does not matter: a release is the last word of its epoch.
    """
    standing: dict[str, _Standing] = {}
    for entry in entries:
        known = standing.get(entry.world)
        if known is None or entry.epoch > known.epoch:
            known = standing[entry.world] = _Standing(entry.epoch)
        elif entry.epoch < known.epoch:
            continue
        if isinstance(entry, Piece):
            known.pieces.append(entry)
        else:
            known.left = True
    return {world: known.pieces for world, known in standing.items() if known.pieces and not known.left}


class _Standing:
    """What is known of a world's highest epoch so far."""

    __slots__ = ("epoch", "left", "pieces")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.pieces: list[Piece] = []
        self.left = False
        """It was released, or opened in a higher epoch elsewhere."""


def read_journal(folder: Path, *, sync: bool = True) -> JournalContent:
    """What the groups of one journal hold, in order, up to the first ``damage`` if there is any.

    ``sync``: make its last segment durable first; false if the caller has done so. Looks again while the journal
    changes under its eyes. Raises `FormatTooNew`.
    """
    suspicion: JournalDamaged | None = None
    while True:
        try:
            paths = segment_paths(folder)
            segments = [_read_segment(path, sync=sync and path in paths[-2:]) for path in paths]
        except _Vanished:
            continue
        content = JournalContent(folder, segments)
        try:
            _check(content)
        except JournalDamaged as damaged:
            # A server that goes on writing while we read can make us miss a group but see its successor. It would
            # have completed this place by now: what is bad in the same place twice is damaged.
            if suspicion is None or (suspicion.path, suspicion.offset) != (damaged.path, damaged.offset):
                suspicion = damaged
                continue
            content.damage = damaged
        return content


def _read_segment(path: Path, *, sync: bool) -> Segment:
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
        return Segment(path, data, None)
    segment = Segment(path, data, header, [])
    number, crc = header.last_group, header.last_crc
    while (group := groups.decode_group(data, segment.end, header.salt)) is not None:
        if (group.number, group.previous_crc) != (number + 1, crc):
            break  # intact, but not the one that belongs here
        number, crc = group.number, group.crc
        segment.groups.append(group)
        segment.end += groups.aligned(groups.GROUP_HEADER_BYTES + len(group.body))
    return segment


def _check(content: JournalContent) -> None:
    """Collect what a journal's segments hold. Raises `JournalDamaged` if a group is missing, doubled, or bad before a
    good one; what was collected until then stands."""
    before: Segment | None = None
    for segment in content.segments:
        _check_segment(
            content,
            segment,
            before,
            is_last=segment is content.segments[-1],
            take=lambda group: content.entries.extend(groups.decode_entries(group)),
        )
        before = segment


def _check_segment(
    content: JournalContent, segment: Segment, before: Segment | None, *, is_last: bool, take: Callable[[Group], None]
) -> None:
    """Check a segment that follows ``before``, and have its groups taken. Raises `JournalDamaged`."""
    header = segment.header
    if header is None:
        if is_last and not any(segment.data[limits.SEGMENT_HEADER_BYTES :]):
            return  # made ready for groups to come: none was ever written to it
        raise _damaged(content, segment, 0, "the segment header is not intact")
    if (groups.segment_name(header.segment), header.shard) != (segment.path.name, _shard(content.folder)):
        raise _damaged(content, segment, 0, f"this is segment {header.segment} of shard {header.shard}")
    follows = (header.segment, header.last_group, header.last_crc)
    if before is None:
        content.last_group, content.last_crc = header.last_group, header.last_crc
    elif follows != (_number(before) + 1, content.last_group, content.last_crc):
        reason = f"{segment.path.name} follows group {header.last_group}, which is not here"
        raise _damaged(content, before, before.end, reason)
    _collect(content, segment, take)
    content.tail = segment.data[segment.end :]
    if _later_groups(segment):
        raise _damaged(content, segment, segment.end, "a bad group before a good one")


def scan_journal(folder: Path, take: Callable[[Group], None], after_segment: Callable[[], object]) -> JournalContent:
    """Give all groups of a journal that nobody writes to ``take``, one segment after the other: only one is in memory.

    The content has no entries, and its segments no bytes; its tail is there. ``take`` may raise `BadBytes`. Raises
    `JournalDamaged` and `FormatTooNew`. What is believed must have been synced before.
    """
    content = JournalContent(folder, [])
    before: Segment | None = None
    paths = segment_paths(folder)
    try:
        for path in paths:
            segment = _read_segment(path, sync=False)
            content.segments.append(segment)
            _check_segment(content, segment, before, is_last=path == paths[-1], take=take)
            after_segment()
            segment.data = b""
            segment.groups.clear()
            before = segment
    except JournalDamaged as damaged:
        # The whole journal names more worlds than this segment.
        raise read_journal(folder, sync=False).damage or damaged from None
    return content


def _collect(content: JournalContent, segment: Segment, take: Callable[[Group], None]) -> None:
    """Have the groups of a segment taken. Raises `JournalDamaged`."""
    position = limits.SEGMENT_HEADER_BYTES
    for group in segment.groups:
        try:
            take(group)
        except BadBytes as bad:
            raise _damaged(content, segment, position, str(bad)) from None
        content.last_group, content.last_crc = group.number, group.crc
        content.group_count += 1
        position += groups.aligned(groups.GROUP_HEADER_BYTES + len(group.body))


def _shard(folder: Path) -> int:
    number = folder.name.removeprefix("shard-")
    return int(number) if number.isascii() and number.isdigit() else -1


def _number(segment: Segment) -> int:
    assert segment.header is not None
    return segment.header.segment


def _later_groups(segment: Segment) -> list[Group]:
    """Intact groups where the segment's groups should have ended, and behind that: written after those, not before."""
    assert segment.header is not None
    salt = segment.header.salt
    last = segment.groups[-1].number if segment.groups else segment.header.last_group
    places = range(segment.end, len(segment.data), limits.GROUP_ALIGNMENT_BYTES)
    found = (groups.decode_group(segment.data, place, salt) for place in places)
    return [group for group in found if group is not None and group.number > last]


def _damaged(content: JournalContent, segment: Segment, offset: int, reason: str) -> JournalDamaged:
    """The error, naming every world that an intact group of the journal mentions."""
    readable = [each for each in content.segments if each.header is not None]
    worlds: set[str] = set()
    for found in (group for each in readable for group in (*each.groups, *_later_groups(each))):
        with contextlib.suppress(BadBytes):  # then the group names as many worlds as can be read
            worlds.update(entry.world for entry in groups.decode_entries(found))
    return JournalDamaged(segment.path, offset, content.last_group, sorted(worlds), reason)
