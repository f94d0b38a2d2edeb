"""A shard's world files: collects the durable bytes of each world and has the writer write them in large pieces.

Bytes come here only from groups that have been synced, so a world file never holds a byte that a crash can undo.
Thread rules: everything here runs on the loop's thread.

Invariant: per world, bytes are submitted in order, and a file is synced and closed before the next one is begun.
"""

from __future__ import annotations

from pathlib import Path

from eventlog import frame
from eventlog.jobs import FolderSync, WorldFile, WorldSync, WorldWrite
from eventlog.piece import Piece
from eventlog.writer import Writer


class OpenWorld:
    """What the journal knows of a world that it carries: the end of what was appended, and what is not yet written."""

    __slots__ = (
        "buffered_bytes",
        "buffered_since_s",
        "chunks",
        "end",
        "epoch",
        "file",
        "key",
        "offset",
        "target",
        "world",
    )

    def __init__(self, world: str, epoch: int) -> None:
        self.world = world
        self.epoch = epoch
        self.key = world.encode("ascii")
        self.file = 1
        self.end = 0
        """Where the next appended piece must begin, in ``file``."""
        self.target: WorldFile | None = None
        self.offset = 0
        """Where in ``target`` the buffered chunks begin."""
        self.chunks: list[bytes] = []
        self.buffered_bytes = 0
        self.buffered_since_s = 0.0


class WorldFiles:
    """The files of all worlds of one shard under ``folder``. A buffer is written when it holds ``flush_bytes``."""

    def __init__(self, folder: Path, writer: Writer, *, flush_bytes: int) -> None:
        self._folder = folder
        self._writer = writer
        self._flush_bytes = flush_bytes
        self._waiting: dict[OpenWorld, None] = {}
        """Worlds with buffered bytes, the one that waits longest first."""
        self._unsynced: dict[WorldFile, None] = {}
        self._unsynced_folders: dict[Path, None] = {}
        """Folders with a new entry. What all worlds share is synced once for all that wait, not once for each."""

    def path(self, world: str, file: int) -> Path:
        """Where a world's file is."""
        return self._folder / world / frame.file_name(file)

    def add(self, world: OpenWorld, piece: Piece, now_s: float) -> None:
        """Take a durable piece."""
        if piece.offset == 0 or world.target is None:
            self._next_file(world, piece)
        if not world.chunks:
            world.buffered_since_s = now_s
            self._waiting[world] = None
        world.chunks.append(piece.data)
        world.buffered_bytes += len(piece.data)
        if world.buffered_bytes >= self._flush_bytes:
            self.flush(world)

    def flush(self, world: OpenWorld) -> None:
        """Submit what the world has buffered."""
        if not world.chunks:
            return
        assert world.target is not None
        self._writer.submit(WorldWrite(world.target, world.offset, b"".join(world.chunks)))
        self._unsynced[world.target] = None
        if world.offset == 0:
            self._unsynced_folders[world.target.path.parent] = None
            if world.target.path.name == frame.file_name(1):
                self._unsynced_folders[self._folder] = None
        world.offset += world.buffered_bytes
        world.chunks.clear()
        world.buffered_bytes = 0
        del self._waiting[world]

    def flush_older_than(self, since_s: float) -> float | None:
        """Submit all buffers begun at or before ``since_s``; return when the oldest of the others was begun, if any."""
        for world in list(self._waiting):
            if world.buffered_since_s > since_s:
                return world.buffered_since_s
            self.flush(world)
        return None

    def finish(self, world: OpenWorld) -> None:
        """Submit what is buffered, sync the world's file, close it; `sync_folders` makes its name durable, too."""
        self.flush(world)
        if world.target is not None:
            self._unsynced.pop(world.target, None)
            self._writer.submit(WorldSync(world.target, close=True))
            world.target = None

    def sync_all(self) -> None:
        """Submit all buffers and sync every file, and folder, that was written to since its last sync."""
        for world in list(self._waiting):
            self.flush(world)
        for file in self._unsynced:
            self._writer.submit(WorldSync(file, close=False))
        self._unsynced.clear()
        self.sync_folders()

    def sync_folders(self) -> None:
        """Sync every folder that got an entry since its last sync."""
        for folder in self._unsynced_folders:
            self._writer.submit(FolderSync(folder))
        self._unsynced_folders.clear()

    def _next_file(self, world: OpenWorld, piece: Piece) -> None:
        self.finish(world)
        path = self.path(world.world, piece.file)
        world.target = WorldFile(path, exists=piece.offset > 0)
        world.offset = piece.offset
