"""Every limit and period of the event log, with its unit and its reason."""

from __future__ import annotations

from typing import Final

FORMAT_VERSION: Final = 1
"""Of world files and journal segments alike. Readers refuse higher ones."""

MAX_WORLD_ID_BYTES: Final = 40
"""A world's id is a folder's name and has a fixed place in file headers."""

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
"""Payload of one record. A tick's inputs are bounded far below it; nobody allocates more on a header's word."""

WORLD_FILE_BYTES: Final = 8 * 1024 * 1024
"""A world's log goes on in a new file before one grows beyond this, so that old parts can be compressed."""

ARCHIVE_VERSION: Final = 1
"""Of archived world files. Readers refuse higher ones."""

ARCHIVE_FRAME_BYTES: Final = 64 * 1024
"""A world file is compressed in frames of this size: larger ones save less than 1 %, and a damaged one costs more."""

ARCHIVE_LEVEL: Final = 6
"""Of zlib: 9 saves 1 % more for more than twice the processor time."""

SEGMENT_BYTES: Final = 8 * 1024 * 1024
"""A journal segment; at 60 groups a second it lasts half a minute."""

SEGMENT_HEADER_BYTES: Final = 4096
GROUP_ALIGNMENT_BYTES: Final = 4096
"""Groups start on page boundaries: a durable byte is never rewritten by a later write to its page."""

FILL_STEP_BYTES: Final = 256 * 1024
"""Segments are filled with zeros this far ahead: overwriting zeros halves the time of a sync, and a full disk is
noticed before a group is half written."""

GROUPS_LAID_BY: Final = 2
"""… and at least as far as this many groups like the last one: those that were begun before a full disk was noticed."""

GROUPS_FILLED_AT_ONCE: Final = 8
"""When fewer zeros than that are left, so many groups' worth are written and synced at once."""

RETRY_ROOM_S: Final = 1.0
"""How often a full disk is asked whether there is room again."""

GROUP_TARGET_BYTES: Final = 1024 * 1024
"""A pending group of this size takes no more; what follows waits for the next group."""

WORLD_FLUSH_BYTES: Final = 64 * 1024
"""A world's durable bytes are collected up to this size before they are written to its file …"""

WORLD_FLUSH_AFTER_S: Final = 1.0
"""… or up to this age, so that readers of files lag at most this much."""

SEAL_AFTER_S: Final = 0.1
"""After this long without a group an empty one proves that the last group was synced, not torn."""

SEGMENTS_PER_RETIREMENT: Final = 4
"""Full segments are removed so many at a time: every world file is synced once for all of them."""

BACKGROUND_JOBS_PER_GROUP: Final = 2
"""Work on world files that the writer does between two groups even if the next group waits: neither starves."""

LOCK_PATIENCE_S: Final = 0.5
"""How long to try for a lock: the kernel releases a killed process's locks a moment after its death."""

SNAPSHOT_VERSION: Final = 1
"""Of snapshot files."""

MAX_SNAPSHOT_BYTES: Final = 256 * 1024 * 1024
"""A snapshot's body, unpacked. Worlds are held far below it; nobody unpacks more on a header's word."""

SNAPSHOT_COMPRESSION: Final = 1
"""zlib's level. A state of 160 KB comes down to 44 KB; higher levels gain a tenth and take several times as long."""

SNAPSHOTS_KEPT: Final = 2
"""The latest ones: if the last is damaged, little more has to be computed again. Older ones are thinned out."""

assert SEGMENT_HEADER_BYTES % GROUP_ALIGNMENT_BYTES == 0
assert FILL_STEP_BYTES % GROUP_ALIGNMENT_BYTES == 0
assert GROUP_TARGET_BYTES + MAX_RECORD_BYTES + 64 * 1024 < SEGMENT_BYTES
