"""Which fork was made for which key: a file in the data folder, so that a `fork` request that is repeated after the
server has died gives the world that is there already.

A key is noted before its fork is begun; a start of the server reads what was noted, and keeps what is of worlds that
there are. So a note without a world, of a fork that was broken off, does no harm.

Not here: that a key is used once while the server runs (``forking.py``). The file is no
part of any world.
"""

from __future__ import annotations

import logging
import os
from collections import OrderedDict
from collections.abc import Container
from pathlib import Path
from typing import Final

import msgspec

FILE_NAME: Final = "forks.jsonl"
KEYS_KEPT: Final = 10_000
"""The latest: whoever repeats a request does so soon."""

_log = logging.getLogger("worldline.supervisor")

ByKey = OrderedDict[tuple[str, str], str]
"""Forks by agent and key, the latest last."""


class _Note(msgspec.Struct, frozen=True):
    """One line of the file."""

    agent: str
    key: str
    world: str


def note(data: Path, agent: str, key: str, world: str) -> None:
    """Note that ``world`` is made for this key of this agent. Durable on return. Raises OSError."""
    path = data / FILE_NAME
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # The line break before it ends what a full disk may have cut off.
        os.write(descriptor, b"\n" + msgspec.json.encode(_Note(agent, key, world)) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if is_new:
        _sync_folder(data)


def take_over(data: Path, worlds: Container[str]) -> ByKey:
    """What earlier servers have noted of these ``worlds``; the rest is taken out of the file.

    Nobody may note anything meanwhile. What cannot be read is logged, and counts as not noted.
    """
    path = data / FILE_NAME
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return OrderedDict()
    except OSError as error:
        _log.warning("cannot read %s: forks that are asked for again are made again: %s", path, error)
        return OrderedDict()
    found: ByKey = OrderedDict()
    for line in filter(None, lines):
        try:
            read = msgspec.json.decode(line, type=_Note)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue  # cut off: its fork was not begun
        found.pop((read.agent, read.key), None)
        found[read.agent, read.key] = read.world
    kept = OrderedDict([each for each in found.items() if each[1] in worlds][-KEYS_KEPT:])
    if len(kept) < len(lines) // 2:
        _replace(path, kept)
    return kept


def _replace(path: Path, kept: ByKey) -> None:
    """Write the file anew: after a crash it is the old one or the new one."""
    temporary = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for (agent, key), world in kept.items():
                file.write(msgspec.json.encode(_Note(agent, key, world)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        _log.warning("%s cannot be made smaller: %s", path, error)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
