"""Small files in the data folder that no log has: their owner's only, and after a crash the old one or the new one.

Not here: the log's own files (``eventlog/disk.py``), which go through a seam where tests put failing disks.
"""

from __future__ import annotations

import os
from pathlib import Path

from eventlog.disk import RealDisk


def replace_file(path: Path, content: bytes) -> None:
    """Write a file anew, for its owner only. Durable on return, and never half there. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    temporary.rename(path)
    RealDisk().sync_folder(path.parent)
