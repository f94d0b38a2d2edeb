"""What ``worldline log ls`` and ``worldline worlds ls`` share: where the facts come from, and how columns are written.

The facts come from the logs, or from ``index.sqlite`` where that is right; a command never fails because of the index.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from eventlog.index import NAME, Index, IndexBroken
from eventlog.listing import Listings, list_infos, list_worlds
from eventlog.store import Store
from eventlog.summary import WorldInfo
from server.commands.output import Column, CommandError, human_bytes

WORLD: Final = Column("WORLD")
GAME: Final = Column("GAME")
STATUS: Final = Column("STATUS")
TICK: Final = Column("TICK", number=True)
SIZE: Final = Column("SIZE", number=True)
CREATED: Final = Column("CREATED")
REASON: Final = Column("REASON", wrap=True)

Found = TypeVar("Found")


def infos(data: Path) -> list[WorldInfo]:
    """How all worlds of a data folder stand."""
    return _with_index(data, lambda index: list_infos(data, index=index))


def listings(data: Path) -> Listings:
    """All worlds of a data folder with their players. An index that lacks ended worlds is brought up to date: a server
    does that too, unless it was stopped or killed just when they ended."""
    found = _with_index(data, lambda index: list_worlds(data, index=index))
    ended = [world for world in found.outdated if world.listing.info.status != "open"]
    if (data / NAME).exists() and ended:
        try:
            with Index.create(data) as index:
                index.put(*found.outdated)
        except (IndexBroken, OSError) as problem:
            _notice(data, f"does not know {len(ended)} worlds and cannot be brought up to date: {problem}")
    return found


def existing(data: Path) -> Path:
    """The data folder, if it is there. Raises CommandError."""
    if not data.is_dir():
        raise CommandError(f"there is no data folder {data}", "start a server, or name another folder with --data")
    return data


def one_or_all(data: Path, prefix: str | None) -> str | None:
    """The id of the world that is meant by the beginning of its id; None for all of them. Raises CommandError."""
    existing(data)
    return None if prefix is None else Store.read_only(data).resolve_world(prefix)


def one_world(data: Path, prefix: str | None) -> str:
    """The id of the world that is meant: by the beginning of its id, or the newest. Raises CommandError."""
    store = Store.read_only(existing(data))
    if prefix is not None:
        return store.resolve_world(prefix)
    # Ids are made in the order of time.
    worlds = store.world_ids()
    if not worlds:
        raise CommandError(f"there is no world in {data} yet", "let an agent join, or name another folder with --data")
    return worlds[-1]


def when(time_ms: int) -> str:
    """A Unix time in milliseconds as local time, to the second."""
    return datetime.datetime.fromtimestamp(time_ms / 1000).astimezone().isoformat(" ", "seconds")


def size(info: WorldInfo) -> str:
    """What a world takes on the disk."""
    return human_bytes(info.bytes)


def _with_index(data: Path, read: Callable[[Index | None], Found]) -> Found:
    try:
        with Index.open(data) as index:
            return read(index)
    except IndexBroken as broken:
        _notice(data, f"cannot be used ({broken}): the logs are read instead")
        return read(None)


def _notice(data: Path, text: str) -> None:
    click.echo(f"notice: {data / NAME} {text}", err=True)
