"""The session of ``worldline act`` between two calls: one small file, for its owner only (0600).

It holds the token by which a later call goes on as the same agent. While a call runs it holds the file's lock, so that
two calls at a time take turns instead of taking each other's connection.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec


class Remembered(msgspec.Struct, kw_only=True):
    """What is kept: the server, its resume token, the seat, and the n of the first event that was not told yet."""

    url: str
    resume: str | None = None
    world: str | None = None
    player: str | None = None
    next_event: int = 1


class MemoryUnusable(Exception):
    """The file cannot be used; says what to do."""


def default_path(url: str, game: str) -> Path:
    """One file for each server and game, under the XDG state folder."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    server = hashlib.sha256(url.encode()).hexdigest()[:8]
    return Path(state) / "worldline" / f"act-{game}-{server}.json"


class Memory:
    """The open file of one call; made by `held`. Change ``now``, then `keep`."""

    def __init__(self, descriptor: int, now: Remembered) -> None:
        self._descriptor = descriptor
        self.now = now

    def keep(self) -> None:
        """Write what is remembered now."""
        content = msgspec.json.format(msgspec.json.encode(self.now)) + b"\n"
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))


@contextlib.contextmanager
def held(path: Path, url: str) -> Iterator[Memory]:
    """Open the file, made if it is missing, once no other call holds it. Raises `MemoryUnusable`.

    One of another server is begun anew.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MemoryUnusable(f"cannot use {path}: {error.strerror} → name another file with --session") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Memory(descriptor, _read(descriptor, path, url))
    finally:
        os.close(descriptor)


def _read(descriptor: int, path: Path, url: str) -> Remembered:
    content = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    if not content:
        return Remembered(url=url)
    try:
        remembered = msgspec.json.decode(content, type=Remembered)
    except msgspec.DecodeError as error:
        raise MemoryUnusable(f"{path} is no session: {error} → remove it, or name another with --session") from error
    return remembered if remembered.url == url else Remembered(url=url)
