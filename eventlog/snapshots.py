"""Snapshots on disk: written so that none is ever half there, found again, thinned out.

    worlds/<id>/snapshots/0000003600.snap       the world after tick 3600

A snapshot saves time, it is never needed: the log alone gives the same world. So one that cannot be used is skipped,
with a warning, and an older one with more of the log takes its place.

Writing has two steps. `Snapshots.write` puts the bytes into a file of another name, syncs it, reads it back and checks
it. `Snapshots.publish` gives it its name: do that when everything that the state has taken in is durable in the log.
Each blocks; one thread at a time may write the snapshots of one world.

Not here: what a state is, when a snapshot is taken, and the checkpoint record that says so in the log.

Invariant: a file with the name of a snapshot is complete, and nothing in it can be undone by a crash.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from eventlog import limits
from eventlog.disk import Disk, RealDisk, write_new
from eventlog.errors import FormatTooNew, SnapshotDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.snapshot_file import Snapshot, decode_snapshot, encode_snapshot

FOLDER: Final = "snapshots"
_NAME: Final = re.compile(r"(\d{10,})\.snap", re.ASCII)
_DRAFT_NAME: Final = re.compile(r"\.\d{10,}\.snap\.new", re.ASCII)

_log = logging.getLogger("worldline.snapshots")


class Draft(msgspec.Struct, frozen=True):
    """A snapshot that is on disk, durable and checked, but does not have its name yet."""

    tick: int
    path: Path
    size_bytes: int


class Snapshots:
    """The snapshots of one world in the data folder ``data``."""

    def __init__(self, data: Path, world: str, *, disk: Disk | None = None) -> None:
        self.world: Final = world
        self.folder: Final = data / "worlds" / world / FOLDER
        self._disk = disk or RealDisk()

    # --- reading -------------------------------------------------------------------------------------

    def path(self, tick: int) -> Path:
        """Where the snapshot of ``tick`` is, or would be."""
        return self.folder / snapshot_name(tick)

    def ticks(self) -> list[int]:
        """The ticks of which there are files, ascending; nothing is known of what is in them."""
        try:
            found = [tick_of(path.name) for path in self.folder.iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(tick for tick in found if tick is not None)

    def read(self, tick: int) -> Snapshot:
        """The snapshot of ``tick``. Raises `SnapshotDamaged` (also if there is none), `FormatTooNew`."""
        path = self.path(tick)
        try:
            snapshot = _decode(path, path.read_bytes())
        except OSError as error:
            raise SnapshotDamaged(path, f"it cannot be read: {error.strerror}") from error
        if (snapshot.position.world, snapshot.tick) != (self.world, tick):
            raise SnapshotDamaged(path, f"it is of {snapshot.position.world} at tick {snapshot.tick}")
        return snapshot

    def usable(self, *, at_or_before: int | None = None) -> Iterator[Snapshot]:
        """The snapshots of ticks up to ``at_or_before``, else all, latest first; with a warning for each that is bad.

        Whether the log has the place that a snapshot names is for the caller to find out.
        """
        for tick in reversed(self.ticks()):
            if at_or_before is not None and tick > at_or_before:
                continue
            try:
                yield self.read(tick)
            except (SnapshotDamaged, FormatTooNew) as error:
                _log.warning("%s", error, extra={"world": self.world})

    # --- writing -------------------------------------------------------------------------------------

    def write(self, snapshot: Snapshot) -> Draft:
        """Put a snapshot on disk, durable and checked; it counts once it is published.

        Raises OSError if the disk will not, `SnapshotDamaged` if it gives back something else; then nothing is left.
        """
        assert snapshot.position.world == self.world, snapshot.position
        self._make_folder()
        path = self.folder / f".{snapshot_name(snapshot.tick)}.new"
        data = encode_snapshot(snapshot)
        with contextlib.suppress(FileNotFoundError):  # else one that a crash left
            self._disk.remove(path)
        try:
            write_new(self._disk, path, data)
            if path.read_bytes() != data:
                raise SnapshotDamaged(path, "the disk gives back something else than was written")
        except (OSError, SnapshotDamaged):
            with contextlib.suppress(OSError):  # the disk has failed already, and says so; the name means nothing
                self._disk.remove(path)
            raise
        return Draft(snapshot.tick, path, len(data))

    def publish(self, draft: Draft) -> str:
        """Give a draft its name, durably, in place of an earlier snapshot of that tick; return it. Raises OSError."""
        target = self.path(draft.tick)
        self._disk.rename(draft.path, target)
        self._disk.sync_folder(self.folder)
        return target.name

    def discard(self, draft: Draft) -> None:
        """Remove a draft that is not to be published. Raises OSError."""
        self._disk.remove(draft.path)

    def thin(self, spacing_ticks: int) -> None:
        """Remove what need not be kept: all but the last two, and the first of each ``spacing_ticks`` ticks.

        Also drafts that a crash left. Raises OSError.
        """
        ticks = self.ticks()
        kept = set(kept_ticks(ticks, spacing_ticks))
        for tick in ticks:
            if tick not in kept:
                self._disk.remove(self.path(tick))
        for path in self.folder.glob(".*.new"):
            self._disk.remove(path)

    def _make_folder(self) -> None:
        if not self.folder.is_dir():
            self._disk.make_folder(self.folder)
            world = self.folder.parent
            for parent in (world, world.parent):
                self._disk.sync_folder(parent)


def snapshot_name(tick: int) -> str:
    """The name of a snapshot's file: ``0000003600.snap``."""
    return f"{tick:010d}.snap"


def tick_of(name: str) -> int | None:
    """The tick whose snapshot a file of this name is, or None for names that no snapshot has."""
    match = _NAME.fullmatch(name)
    tick = int(match[1]) if match else None
    return tick if tick is not None and snapshot_name(tick) == name else None


def is_draft(name: str) -> bool:
    """Whether this is the name of a snapshot that is not complete, or not yet to be believed."""
    return _DRAFT_NAME.fullmatch(name) is not None


def kept_ticks(ticks: Sequence[int], spacing_ticks: int) -> list[int]:
    """Of the ``ticks`` (ascending) that have a snapshot, those that keep it: the last two, and the first of each span.

    Pure. What is kept stays kept when later ones come, but for the last two.
    """
    first_of_span: dict[int, int] = {}
    for tick in ticks:
        first_of_span.setdefault(tick // spacing_ticks, tick)
    return sorted({*first_of_span.values(), *ticks[-limits.SNAPSHOTS_KEPT :]})


def _decode(path: Path, data: bytes) -> Snapshot:
    try:
        return decode_snapshot(data)
    except Unfinished:
        raise SnapshotDamaged(path, "it ends too early") from None
    except BadBytes as bad:
        raise SnapshotDamaged(path, str(bad)) from None
    except UnknownVersion as unknown:
        raise FormatTooNew(path, unknown.version, limits.SNAPSHOT_VERSION) from None
