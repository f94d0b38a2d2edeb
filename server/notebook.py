"""A file of notes in the data folder, one a line of JSON, that a later server reads: small facts that no log has.

A note is added at the end; reading takes out what is not wanted any more. Lines that cannot be read, as a crash or a
full disk may leave them, count as not written. Not here: what is noted.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from eventlog.disk import RealDisk
from server.durable import replace_file

_log = logging.getLogger("worldline.supervisor")

Note = TypeVar("Note", bound=msgspec.Struct)


class Notebook(Generic[Note]):
    """The notes of one kind, in the file ``path``."""

    def __init__(self, path: Path, kind: type[Note]) -> None:
        self.path = path
        self._kind = kind

    def add(self, note: Note, *, durable: bool) -> None:
        """Add a note. ``durable``: it is on the disk on return. Raises OSError."""
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # The line break before it ends what a full disk may have cut off.
            os.write(descriptor, b"\n" + msgspec.json.encode(note) + b"\n")
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new and durable:
            RealDisk().sync_folder(self.path.parent)

    def take_over(self, wanted: Callable[[list[Note]], list[Note]]) -> list[Note]:
        """Those of all notes, in order, that ``wanted`` returns; the file is made smaller when that is worth it.

        Nobody may add anything meanwhile. A file that cannot be read is logged, and counts as empty.
        """
        try:
            lines = [line for line in self.path.read_bytes().split(b"\n") if line]
        except FileNotFoundError:
            return []
        except OSError as error:
            _log.warning("cannot read %s, and go on without it: %s", self.path, error)
            return []
        kept = wanted([note for line in lines if (note := self._read(line)) is not None])
        if len(kept) <= len(lines) // 2:
            self._replace(kept)
        return kept

    def _read(self, line: bytes) -> Note | None:
        try:
            return msgspec.json.decode(line, type=self._kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def _replace(self, kept: list[Note]) -> None:
        try:
            replace_file(self.path, b"".join(msgspec.json.encode(note) + b"\n" for note in kept))
        except OSError as error:
            _log.warning("%s cannot be made smaller: %s", self.path, error)
