"""Disks that misbehave on purpose: real files underneath, with gates and faults in front of the calls."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

from eventlog.disk import RealDisk


class HastyDisk(RealDisk):
    """A disk that never waits: for tests that recover thousands of times and cut no power."""

    def sync(self, descriptor: int) -> None:
        """Nothing."""

    def sync_folder(self, path: Path) -> None:
        """Nothing."""


class WatchedDisk(RealDisk):
    """A real disk that knows which file a descriptor is, and notes every call before it is made."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Path]] = []
        self._paths: dict[int, Path] = {}

    def before(self, call: str, path: Path) -> None:
        """Called before each call, on the writer's thread."""
        self.calls.append((call, path))

    def create(self, path: Path) -> int:
        self.before("create", path)
        descriptor = super().create(path)
        self._paths[descriptor] = path
        return descriptor

    def open(self, path: Path) -> int:
        self.before("open", path)
        descriptor = super().open(path)
        self._paths[descriptor] = path
        return descriptor

    def truncate(self, descriptor: int, size: int) -> None:
        self.before("truncate", self._paths[descriptor])
        super().truncate(descriptor, size)

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        self.before("write", self._paths[descriptor])
        super().write(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self.before("sync", self._paths[descriptor])
        super().sync(descriptor)

    def close(self, descriptor: int) -> None:
        self.before("close", self._paths.pop(descriptor))
        super().close(descriptor)

    def make_folder(self, path: Path) -> None:
        self.before("make_folder", path)
        super().make_folder(path)

    def sync_folder(self, path: Path) -> None:
        self.before("sync_folder", path)
        super().sync_folder(path)

    def rename(self, source: Path, target: Path) -> None:
        self.before("rename", target)
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self.before("remove", path)
        super().remove(path)

    def remove_folder(self, path: Path) -> None:
        self.before("remove_folder", path)
        super().remove_folder(path)

    def of_worlds(self, call: str) -> list[Path]:
        """The world files that a call was made for."""
        return [path for made, path in self.calls if made == call and path.suffix == ".wlog"]

    def of_segments(self, call: str) -> list[Path]:
        """The journal segments that a call was made for."""
        return [path for made, path in self.calls if made == call and path.suffix == ".journal"]


class GatedDisk(WatchedDisk):
    """A disk whose syncs of journal segments wait at a gate while it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = threading.Event()
        self._gate.set()
        self._arrived = threading.Semaphore(0)

    def shut(self) -> None:
        """From now on syncs of segments wait."""
        self._gate.clear()

    def lift(self) -> None:
        """Let them through, from now on."""
        self._gate.set()

    def wait_for_sync(self, timeout_s: float = 60.0) -> None:
        """Return when a sync has come to the closed gate: the group is written, but not durable."""
        assert self._arrived.acquire(timeout=timeout_s), "no sync came to the gate"

    def sync(self, descriptor: int) -> None:
        if self._paths[descriptor].suffix == ".journal" and not self._gate.is_set():
            self._arrived.release()
            assert self._gate.wait(60), "the test never lifted the gate"
        super().sync(descriptor)


class FailingDisk(WatchedDisk):
    """A disk that fails with EIO, or as ``error`` says, whenever ``fails(call, path)`` says so. ``failed`` counts."""

    def __init__(self, fails: Callable[[str, Path], bool], error: int = errno.EIO) -> None:
        super().__init__()
        self._fails = fails
        self._error = error
        self.failed = 0

    def before(self, call: str, path: Path) -> None:
        super().before(call, path)
        if self._fails(call, path):
            self.failed += 1
            raise OSError(self._error, "this disk fails", str(path))

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        failed = self.failed
        try:
            super().write(descriptor, data, offset)
        except OSError:
            if self.failed > failed:  # as real disks do: a part is written
                os.pwrite(descriptor, data[: len(data) // 2], offset)
            raise


class SmallDisk(WatchedDisk):
    """A disk with room for so many bytes, for files only, in pages. What is overwritten or removed costs nothing."""

    def __init__(self, room_bytes: int) -> None:
        super().__init__()
        self.room_bytes = room_bytes
        self.refused = 0
        self._pages: dict[Path, int] = {}

    def make_room(self, more_bytes: int) -> None:
        """Somebody has removed something else, or bought a disk."""
        self.room_bytes += more_bytes

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        path = self._paths[descriptor]
        has = self._pages.get(path, 0)
        needs = -(-(offset + len(data)) // 4096)
        fits = max(0, min(needs, has + max(0, self.room_bytes) // 4096))
        self._pages[path] = max(has, fits)
        self.room_bytes -= max(0, fits - has) * 4096
        if fits < needs:
            self.refused += 1
            part = max(0, fits * 4096 - offset)
            if part:
                os.pwrite(descriptor, data[:part], offset)  # as real disks do: a part is written
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().write(descriptor, data, offset)

    def remove(self, path: Path) -> None:
        super().remove(path)
        self.room_bytes += self._pages.pop(path, 0) * 4096
