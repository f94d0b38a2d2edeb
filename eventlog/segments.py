"""The row of a journal's segments: which one takes the next group, and which one comes after it. No I/O.

A segment is named when the one before it is begun, so that the writer can make its file ready in time; it becomes the
current one, with a header that says which group it follows, when a group does not fit into the one before.

Used on the loop's thread. Invariant: the numbers of segments have no gap, and a group lies in one segment.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path

from eventlog import groups, limits
from eventlog.jobs import GroupWrite, SegmentFile


class Segments:
    """The segments of one journal in ``folder``, each up to about ``segment_bytes``."""

    def __init__(self, folder: Path, shard: int, segment_bytes: int) -> None:
        self._folder = folder
        self._shard = shard
        self._segment_bytes = segment_bytes
        self._begun: deque[SegmentFile] = deque()
        self._following = self._file(1)
        self._header: bytes | None = None
        self._used = 0
        self.number = 0
        """Of the current segment; so many were begun."""
        self.salt = 0
        """Of the current segment: its groups' checksums are seeded with it."""
        self.bytes = 0
        """Of all groups in all segments."""

    def __len__(self) -> int:
        """How many segments have been begun and not retired."""
        return len(self._begun)

    def fits(self, size: int) -> bool:
        """Whether the current segment takes a group of ``size`` bytes. One that has no group yet takes any."""
        used = self._used
        return bool(self._begun) and (used + size <= self._segment_bytes or used == limits.SEGMENT_HEADER_BYTES)

    def begin(self, *, last_group: int, last_crc: int) -> None:
        """The next segment is the current one from here on; it follows the group ``last_group``."""
        self._begun.append(self._following)
        self.number += 1
        self._following = self._file(self.number + 1)
        self.salt = secrets.randbits(32)
        self._header = groups.encode_segment_header(
            groups.SegmentHeader(
                shard=self._shard, segment=self.number, salt=self.salt, last_group=last_group, last_crc=last_crc
            )
        )
        self._used = limits.SEGMENT_HEADER_BYTES

    def write(self, data: bytes, *, durable: bool, on_done: Callable[[float], None]) -> GroupWrite:
        """The job that writes the next group into the current segment."""
        job = GroupWrite(
            self._begun[-1],
            self._used,
            data,
            header=self._header,
            following=self._following,
            durable=durable,
            on_done=on_done,
        )
        self._header = None
        self._used += len(data)
        self.bytes += len(data)
        return job

    def retire(self) -> list[SegmentFile]:
        """Let all begun segments go, oldest first: their bytes are, or will be by then, in world files."""
        retired = list(self._begun)
        self._begun.clear()
        return retired

    def close(self) -> list[SegmentFile]:
        """Let all go, also the one that may have been made ready."""
        return [*self.retire(), self._following]

    def _file(self, number: int) -> SegmentFile:
        return SegmentFile(self._folder / groups.segment_name(number), self._segment_bytes)
