"""A disk with a page cache that can lose power: what was not synced is kept, lost or kept in part, page by page.

The folder under it is what processes see. `PowerDisk.lose_power` makes another folder: what the platter could hold.
Names (files and folders made, files removed) are as volatile as bytes until their folder is synced.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from random import Random

from tests.eventlog.disks import WatchedDisk

PAGE_BYTES = 4096


class PowerLost(OSError):
    """The disk has stopped answering."""


class _File:
    """A file's durable bytes, and what has been done to it since they were synced, in pages."""

    def __init__(self, durable: bytes) -> None:
        self.durable = durable
        self.pending: list[tuple[int, bytes | None]] = []
        """Offset and bytes of a write; size and None of a cut."""


def _moved(path: Path, source: Path, target: Path) -> Path:
    """Where a path is after ``source`` was renamed to ``target``."""
    return target / path.relative_to(source) if path.is_relative_to(source) else path


class PowerDisk(WatchedDisk):
    """A disk over ``root`` that stops after ``calls`` calls. What is there at first is durable."""

    def __init__(self, root: Path, calls: int) -> None:
        super().__init__()
        self._root = root
        self._left = calls
        self._files: dict[Path, _File] = {}
        self._durable: set[Path] = set()
        for path in root.rglob("*"):
            self._durable.add(path)
            if path.is_file():
                self._files[path] = _File(path.read_bytes())
        self._removed: dict[Path, _File | None] = {}
        self._renamed: list[tuple[Path, Path]] = []
        self.lost_pages = 0
        self.lost_names = 0

    @property
    def lost(self) -> bool:
        """Whether it has stopped."""
        return self._left < 0

    def revive(self, calls: int) -> None:
        """The process that used it was killed, the power is on: it serves the next process for so many calls."""
        self._left = calls
        for descriptor in Path("/proc/self/fd").iterdir():  # what the kernel does for a dead process, locks too
            with contextlib.suppress(FileNotFoundError):  # the one that reads this list
                if descriptor.readlink().is_relative_to(self._root):
                    os.close(int(descriptor.name))

    def before(self, call: str, path: Path) -> None:
        if call == "close":
            return  # the kernel does that for a dead process
        super().before(call, path)
        self._left -= 1
        if self._left < 0:
            raise PowerLost("no power")

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._files[path] = _File(b"")
        return descriptor

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        file = self._files[self._paths[descriptor]]
        position = 0
        while position < len(data):
            step = PAGE_BYTES - (offset + position) % PAGE_BYTES
            file.pending.append((offset + position, data[position : position + step]))
            position += step
        super().write(descriptor, data, offset)  # power that fails in a write leaves some of its pages

    def truncate(self, descriptor: int, size: int) -> None:
        super().truncate(descriptor, size)
        self._files[self._paths[descriptor]].pending.append((size, None))

    def sync(self, descriptor: int) -> None:
        path = self._paths[descriptor]
        self.before("sync", path)
        file = self._files[path]
        file.durable = path.read_bytes()
        file.pending.clear()

    def sync_folder(self, path: Path) -> None:
        self.before("sync_folder", path)
        self._durable = {name for name in self._durable if name.parent != path}
        self._durable |= set(path.iterdir())
        self._removed = {name: file for name, file in self._removed.items() if name.parent != path}
        self._renamed = [(source, target) for source, target in self._renamed if target.parent != path]

    def rename(self, source: Path, target: Path) -> None:
        """One step on this disk as on real ones: after a power loss it is done or not, also of a whole folder."""
        assert source.parent == target.parent
        assert not target.exists(), "no test needs this yet"
        super().rename(source, target)
        self._files = {_moved(path, source, target): file for path, file in self._files.items()}
        self._durable = {_moved(path, source, target) for path in self._durable}
        self._removed = {_moved(path, source, target): file for path, file in self._removed.items()}
        self._renamed.append((source, target))

    def remove(self, path: Path) -> None:
        super().remove(path)
        self._removed[path] = self._files.pop(path)

    def remove_folder(self, path: Path) -> None:
        super().remove_folder(path)
        self._removed[path] = None

    def lose_power(self, target: Path, random: Random) -> None:
        """Make ``target`` what the disk holds after power was lost: one of the many ways it could be."""
        names: dict[Path, _File | None] = {path: self._files.get(path) for path in self._root.rglob("*")}
        for path, removed in self._removed.items():
            if path in self._durable and random.random() < 0.5:
                names[path] = removed
                self.lost_names += 1
        target.mkdir()
        undone = [rename for rename in reversed(self._renamed) if random.random() < 0.5]
        self.lost_names += len(undone)
        for path, file in sorted(names.items()):
            place = path
            for source, renamed in undone:
                place = _moved(place, renamed, source)
            place = target / place.relative_to(self._root)
            if not place.parent.is_dir():
                continue  # the folder's name was lost, and all under it
            if path not in self._durable and random.random() < 0.5:
                self.lost_names += 1
            elif file is None:
                place.mkdir()
            else:
                place.write_bytes(self._surviving(file, random))

    def _surviving(self, file: _File, random: Random) -> bytes:
        """Durable bytes, with any of the pages and cuts that came later."""
        content = bytearray(file.durable)
        keep = random.choice((0.0, 0.5, 0.5, 1.0))
        for offset, data in file.pending:
            if random.random() >= keep:
                self.lost_pages += 1
            elif data is None:
                del content[offset:]
            else:
                kept = data if random.random() < 0.8 else data[: random.randrange(len(data) + 1)]
                content.extend(bytes(max(0, offset + len(kept) - len(content))))
                content[offset : offset + len(kept)] = kept
        return bytes(content)
