"""A shard's journal: makes what its worlds append durable, with one sync for all of them, then writes world files.

What is appended joins a group (``groupcommit.py``). When that is durable its bytes are given to the world files, which
are buffered per world, and its `Ticket` is done. A full segment is removed when every world file holds its bytes and
has been synced; a clean close leaves no journal at all.

Thread rules: all methods are called on the loop's thread and none blocks, except `open`, and `close` for the moment
that the idle thread takes to end. Framing, checksums and buffers are the loop's work; the writer thread makes system
calls only. Ticket callbacks and ``on_sync`` run on the loop, in group order. ``on_failure`` runs there too.

Failure model: the first system call that fails ends it: no retry, no ticket done any more, ``on_failure`` is called
once and has to end the process. What was acknowledged before is in the synced groups. A full disk is no failure: the
group that found no room waits, its ticket with it; ``on_full`` is called, and ``on_room`` when everything that waited
has been written. Zeros are laid by for the groups that are under way when the disk is found to be full: whoever stops
appending then has, as a rule, appended nothing that waits.

Not here: when a group is written (``groupcommit.py``) and into which segment (``segments.py``), reading
(``reader.py``), and recovery after a crash (``recovery.py``): until then a folder with segments in it is refused.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from eventlog import frame, groups, limits
from eventlog.departures import Departures
from eventlog.disk import Disk, FullTellingDisk, RealDisk, lock
from eventlog.errors import DiskFull, JournalClosed, JournalFailed, JournalLeftBehind
from eventlog.groupcommit import GroupCommit
from eventlog.jobs import FolderRemoval, SegmentRemoval, Signal
from eventlog.piece import Piece, Release
from eventlog.segments import Segments
from eventlog.ticket import Ticket
from eventlog.worldfiles import OpenWorld, WorldFiles
from eventlog.writer import Writer

Durability = Literal["durable", "written"]
"""``durable``: acknowledged survives power loss. ``written``: it survives kill -9 of the server only."""


class JournalOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and periods; the defaults are right for a server, tests make them small."""

    segment_bytes: int = limits.SEGMENT_BYTES
    group_bytes: int = limits.GROUP_TARGET_BYTES
    flush_bytes: int = limits.WORLD_FLUSH_BYTES
    flush_after_s: float = limits.WORLD_FLUSH_AFTER_S
    seal_after_s: float = limits.SEAL_AFTER_S
    segments_per_retirement: int = limits.SEGMENTS_PER_RETIREMENT
    retry_room_s: float = limits.RETRY_ROOM_S


class JournalStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """What a journal has written since it was opened. Seals count as groups; ``bytes`` are those of segments."""

    groups: int
    bytes: int
    segments: int


class Journal:
    """The journal of one shard. Make it with `open`; used on one thread, the loop's."""

    def __init__(
        self,
        data: Path,
        shard: int,
        *,
        lock_descriptor: int,
        durability: Durability,
        disk: Disk,
        loop: asyncio.AbstractEventLoop,
        on_failure: Callable[[Exception], object],
        on_sync: Callable[[float], object] | None,
        on_full: Callable[[DiskFull], object] | None,
        on_room: Callable[[], object] | None,
        options: JournalOptions,
    ) -> None:
        """Not for callers: use `open`."""
        self.folder: Final = shard_folder(data, shard)
        self._lock_descriptor = lock_descriptor
        self._loop = loop
        self._on_failure = on_failure
        self._on_full = on_full
        self._on_room = on_room
        self._options = options
        self._writer = Writer(
            disk,
            loop,
            name=f"journal-{shard:02d}",
            on_failure=self._fail,
            on_full=self._filled,
            on_room=self._has_room,
            retry_room_s=options.retry_room_s,
        )
        self._files = WorldFiles(data / "worlds", self._writer, flush_bytes=options.flush_bytes)
        self._worlds: dict[str, OpenWorld] = {}
        self._departures = Departures(loop, self._files, self._writer)
        self._segments = Segments(self.folder, shard, options.segment_bytes)
        self._groups = GroupCommit(
            loop,
            self._writer,
            self._segments,
            durable=durability == "durable",
            seal_after_s=options.seal_after_s,
            segments_per_retirement=options.segments_per_retirement,
            on_durable=self._take_durable,
            before_retirement=self._files.sync_all,
            on_sync=on_sync,
        )
        self._flush_timer: asyncio.TimerHandle | None = None
        self._failure: JournalFailed | None = None
        self.full: DiskFull | None = None
        """What the disk said, while it has no room."""
        self._ended: Ticket | None = None
        """Set when closing begins; done when the journal is gone."""

    @classmethod
    def open(
        cls,
        data: Path,
        shard: int,
        *,
        on_failure: Callable[[Exception], object],
        durability: Durability = "durable",
        disk: Disk | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        on_sync: Callable[[float], object] | None = None,
        on_full: Callable[[DiskFull], object] | None = None,
        on_room: Callable[[], object] | None = None,
        options: JournalOptions | None = None,
    ) -> Journal:
        """Lock and begin the journal of ``shard`` in the data folder ``data``.

        ``on_failure(error)`` is called on the loop (default: the running one) when a write or sync has failed: end the
        process. ``on_sync(seconds)`` is called for every group that was synced. ``on_full(error)`` says that the disk
        has no room: append nothing that can wait until ``on_room()``; what was appended is written then.

        Raises `LogLocked` if a process writes this journal, `JournalLeftBehind` if a crashed one left it, `DiskFull`
        or OSError if the folder cannot be made.
        """
        disk = disk or RealDisk()
        folder = shard_folder(data, shard)
        for missing in (data / "worlds", folder):
            FullTellingDisk(disk).make_folder(missing)
        lock_descriptor = lock(folder)
        if any(folder.glob("*.journal")):
            os.close(lock_descriptor)
            raise JournalLeftBehind(folder)
        for parent in (folder.parent, data):
            disk.sync_folder(parent)
        return cls(
            data,
            shard,
            lock_descriptor=lock_descriptor,
            durability=durability,
            disk=disk,
            loop=loop or asyncio.get_running_loop(),
            on_failure=on_failure,
            on_sync=on_sync,
            on_full=on_full,
            on_room=on_room,
            options=options or JournalOptions(),
        )

    def append(self, pieces: Sequence[Piece]) -> Ticket:
        """Add ``pieces``, in order, to the pending group; the ticket is done when the last of them is durable.

        Without pieces: the ticket of what was appended last. Raises `JournalFailed` or `JournalClosed`. Pieces that do
        not continue their world's log, or a world that does not begin with its head (of a new log, or of a resumed one
        at the very end of its last file), are a mistake of the caller (AssertionError).
        """
        if self._failure is not None:
            raise self._failure
        if self._ended is not None:
            raise JournalClosed(f"{self.folder} has been closed → open a new journal")
        if not pieces:
            return self._groups.latest_ticket()
        group = self._groups.pending()
        for piece in pieces:
            if group.size >= self._options.group_bytes:
                group = self._groups.begin()
            world = self._worlds.get(piece.world)
            if world is None or piece.offset != world.end or piece.file != world.file:
                world = self._place(world, piece)
            size = len(piece.data)
            group.parts.append(groups.encode_entry_header(world.key, piece.epoch, piece.file, piece.offset, size))
            group.parts.append(piece.data)
            group.entries.append((world, piece))
            group.count += 1
            group.size += size
            world.end = piece.offset + size
        return group.ticket

    def retire_world(self, world: str) -> Ticket:
        """Let a world go whose last record has been appended: once that is durable its file is written, synced, closed.

        The ticket is done after that; nothing may be appended for this world any more. Raises `JournalFailed`; KeyError
        for a world that the journal does not carry. A journal that is being closed does all this by itself.
        """
        if self._ended is not None:
            return self._ended
        last = self.append(())
        return self._departures.retire(self._worlds.pop(world), last)

    def release_world(self, world: str) -> Ticket:
        """Let a world go that another shard will open, or that will be archived or removed: as `retire_world`, and
        then the journal says durably that the world has left it. Act only when the ticket is done. Raises likewise.
        """
        left = self._worlds.get(world)
        retired = self.retire_world(world)
        if left is None:
            return retired  # closing: when that is done, there is no journal any more
        done = self._departures.ticket(retired)
        release = Release(world, left.epoch, left.file, left.end)
        retired.add_done_callback(lambda _: self._write_release(release, done))
        return done

    def _write_release(self, release: Release, done: Ticket) -> None:
        if self._failure is not None:
            return  # the ticket has failed
        if self._ended is not None:
            self._ended.add_done_callback(lambda _: self._departures.resolve(done))
            return
        group = self._groups.pending()
        entry = groups.encode_release(release)
        group.parts.append(entry)
        group.count += 1
        group.size += len(entry)
        group.ticket.add_done_callback(lambda _: self._departures.resolve(done))

    async def close(self) -> None:
        """Make everything durable, complete and sync all world files, remove the journal folder, end the thread.

        Raises `JournalFailed` if that is not possible: then the segments stay.
        """
        if self._failure is not None:
            raise self._failure
        if self._ended is not None:
            await self._ended.wait()
            return
        self._ended = Ticket(self._loop, self._groups.latest_ticket().number)
        await self._groups.drain()
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        for world in self._worlds.values():
            self._files.finish(world)
        self._departures.finish_all()
        self._files.sync_folders()
        for segment in self._segments.close():
            self._writer.submit(SegmentRemoval(segment))
        self._writer.submit(FolderRemoval(self.folder))
        self._writer.submit(Signal(self._ended.resolve))
        await self._ended.wait()
        self._writer.stop()
        os.close(self._lock_descriptor)

    def statistics(self) -> JournalStatistics:
        """What has been written so far, groups in flight included."""
        return JournalStatistics(
            groups=self._groups.handed_over, bytes=self._segments.bytes, segments=self._segments.number
        )

    # --- worlds and their files ------------------------------------------------------------------------

    def _place(self, world: OpenWorld | None, piece: Piece) -> OpenWorld:
        """Check a piece that does not simply continue its world's file: it must begin the next one, or the world here.

        A world that was written before, by another shard or server, goes on at the very end of its last file.
        """
        if world is not None:
            assert piece.offset == 0, f"{piece.world}: {piece.file}@{piece.offset} does not follow the piece before"
            assert piece.file == world.file + 1, (piece.world, piece.file)
        else:
            assert frame.is_world_id(piece.world), piece.world
            if (piece.file, piece.offset) != (1, 0):
                self._check_resumed(piece)
            world = self._worlds[piece.world] = OpenWorld(piece.world, piece.epoch)
        world.file = piece.file
        return world

    def _check_resumed(self, head: Piece) -> None:
        assert head.epoch > 1, f"{head.world}: {head.file}@{head.offset} is not the beginning of its log"
        path = self._files.path(head.world, head.file)
        if head.offset:
            assert path.stat().st_size == head.offset, f"{path} does not end at byte {head.offset}"
        else:
            assert self._files.path(head.world, head.file - 1).exists(), f"the file before {path} is missing"

    def _take_durable(self, entries: Sequence[tuple[OpenWorld, Piece]]) -> None:
        """A group is durable: its bytes may reach the world files."""
        now_s = self._loop.time()
        for world, piece in entries:
            self._files.add(world, piece, now_s)
        if self._flush_timer is None:
            self._flush_timer = self._loop.call_later(self._options.flush_after_s, self._flush)

    def _flush(self) -> None:
        """Write what has waited long enough, and come again when the next buffer has."""
        self._flush_timer = None
        if self._failure is not None:
            return
        now_s = self._loop.time()
        oldest_s = self._files.flush_older_than(now_s - self._options.flush_after_s)
        if oldest_s is not None:
            self._flush_timer = self._loop.call_later(oldest_s + self._options.flush_after_s - now_s, self._flush)

    def _filled(self, full: DiskFull) -> None:
        self.full = full
        if self._on_full is not None and self._failure is None:
            self._on_full(full)

    def _has_room(self) -> None:
        self.full = None
        if self._on_room is not None and self._failure is None:
            self._on_room()

    def _fail(self, error: Exception) -> None:
        """On the loop: the writer has given up."""
        if self._failure is not None:
            return
        self._failure = JournalFailed(error)
        self._groups.fail(self._failure)
        if self._ended is not None:
            self._ended.fail(self._failure)
        self._departures.fail(self._failure)
        self._on_failure(error)


def shard_folder(data: Path, shard: int) -> Path:
    """Where the journal of ``shard`` is kept in the data folder ``data``."""
    return data / "journal" / f"shard-{shard:02d}"
