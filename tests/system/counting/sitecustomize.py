"""Read by every Python that is started with this folder in PYTHONPATH: it says on a socket what it holds.

``$WORLDLINE_TEST_COUNTS/PID`` is that socket. Who connects gets, as JSON: by ``module.Class`` the living objects, how
many bytes wait in outboxes, open file descriptors but for the logs of worlds. The product knows nothing of it.
"""

from __future__ import annotations

import gc
import json
import os
import socket
import threading
from collections import Counter
from pathlib import Path

OURS = ("server.", "replays.", "eventlog.", "games.")


def count() -> dict[str, int]:
    """What this process holds."""
    gc.collect()
    held: Counter[str] = Counter()
    for thing in gc.get_objects():
        for kind in type(thing).__mro__[:-1]:
            if kind.__module__.startswith(OURS):
                held[f"{kind.__module__}.{kind.__qualname__}"] += 1
        if type(thing).__module__.startswith(OURS):
            held["outbox bytes"] += getattr(thing, "_outbox_bytes", 0)
    held["file descriptors"] = sum(1 for each in Path("/proc/self/fd").iterdir() if not is_log(each))
    return dict(held)


def is_log(descriptor: Path) -> bool:
    """Whether it is the log of a world, which is opened when there is something to write."""
    try:
        return "/worlds/" in str(descriptor.readlink())
    except FileNotFoundError:  # that with which the folder was read
        return True


def answer(listener: socket.socket) -> None:
    """Say it to each who connects."""
    while True:
        asking, _ = listener.accept()
        with asking:
            asking.sendall(json.dumps(count()).encode())


if folder := os.environ.get("WORLDLINE_TEST_COUNTS"):
    door = socket.socket(socket.AF_UNIX)
    door.bind(f"{folder}/{os.getpid()}")
    door.listen()
    threading.Thread(target=answer, args=(door,), daemon=True).start()
