"""What is told of a world in a listing: how it stands, and who played in it. Read from its log, or from the index.

The index (``index.py``) is believed for a world only if no journal holds anything of it and its folder is just as it
was when the index was told; else the log is read. So a listing is the same with an index, without one, and with a wrong
one.

Not here: the index's file, and how a command prints a listing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from eventlog.chain import Chain
from eventlog.errors import FormatTooNew, LogDamaged
from eventlog.index import Index, IndexedWorld, PlayerListing, WorldListing, folder_facts
from eventlog.overlay import Overlay, read_overlay
from eventlog.records import Close, JoinEntry, LeaveEntry, Record, Tick
from eventlog.store import Store
from eventlog.summary import WorldInfo, summarise
from eventlog.worldbytes import WorldBytes


class Listings(msgspec.Struct, kw_only=True):
    """All worlds of a data folder, in the order of their ids."""

    worlds: list[WorldListing]
    from_index: int
    """Of how many the index was right."""
    outdated: list[IndexedWorld]
    """What the index should be told: worlds at rest that it did not know, or knew otherwise."""


def list_worlds(data: Path, *, index: Index | None = None) -> Listings:
    """Everything about all worlds. Raises `JournalDamaged`, `FormatTooNew`."""
    overlay = read_overlay(data)
    known = index.worlds() if index is not None else {}
    found = Listings(worlds=[], from_index=0, outdated=[])
    for world in Store.read_only(data).world_ids(overlay):
        indexed = _right(data, world, overlay, known)
        if indexed is not None:
            found.worlds.append(indexed.listing)
            found.from_index += 1
            continue
        fresh = read_listing(data, world, overlay)
        if fresh is None:
            continue
        found.worlds.append(fresh.listing)
        if fresh.facts:
            found.outdated.append(fresh)
    return found


def list_infos(data: Path, *, index: Index | None = None) -> list[WorldInfo]:
    """How all worlds stand, without who played in them: for the others than the index knows, only the ends of their
    logs are read. Raises as `list_worlds`."""
    overlay = read_overlay(data)
    known = index.worlds() if index is not None else {}
    infos: list[WorldInfo] = []
    for world in Store.read_only(data).world_ids(overlay):
        indexed = _right(data, world, overlay, known)
        source = WorldBytes(data, world, overlay.worlds.get(world, {}))
        if indexed is not None:
            infos.append(indexed.listing.info)
        elif source.last_file:
            infos.append(summarise(source))
    return infos


def _right(data: Path, world: str, overlay: Overlay, known: dict[str, IndexedWorld]) -> IndexedWorld | None:
    """What the index says of a world, if that is how things are."""
    indexed = known.get(world)
    if indexed is None or world in overlay.worlds or not indexed.facts:
        return None
    return indexed if indexed.facts == folder_facts(data, world) else None


def listing_steps(data: Path, world: str, overlay: Overlay | None = None) -> Iterator[IndexedWorld | None]:
    """Read a world's log: None after each of its files, then what there is to tell; nothing if it has no log.

    ``overlay``: what journals hold; without it they hold nothing of this world, because it was let go.
    """
    pieces = overlay.worlds.get(world, {}) if overlay is not None else {}
    facts = "" if pieces else folder_facts(data, world)  # before reading: what changes meanwhile makes it wrong
    source = WorldBytes(data, world, pieces)
    if not source.last_file:
        return
    info = summarise(source)
    played = _Played()
    chain = Chain(world)
    try:
        for file in range(1, source.last_file + 1):
            for stored in chain.whole_file(source, file):
                played.note(stored.record)
            yield None
    except (LogDamaged, FormatTooNew):
        pass  # the status says so, or the server is just writing here: what was read until then is told
    listing = WorldListing(info=info, result=played.result, players=list(played.players.values()))
    yield IndexedWorld(listing=listing, facts=facts)


def read_listing(data: Path, world: str, overlay: Overlay | None = None) -> IndexedWorld | None:
    """All steps of `listing_steps` at once; None if the world has no log."""
    return next((found for found in listing_steps(data, world, overlay) if found is not None), None)


def rebuild_index(data: Path, *, on_progress: Callable[[int, int], object] | None = None) -> int:
    """Make the index of the data folder ``data`` from its logs, all of it; return how many worlds it has.

    ``on_progress`` is told how many bytes of how many have been read. Raises `JournalDamaged`, `FormatTooNew`,
    `IndexBroken`.
    """
    overlay = read_overlay(data)
    worlds = Store.read_only(data).world_ids(overlay)
    sizes = {world: WorldBytes(data, world, overlay.worlds.get(world, {})).disk_bytes() for world in worlds}
    total, done = sum(sizes.values()), 0
    found: list[IndexedWorld] = []
    for world in worlds:
        read = read_listing(data, world, overlay)
        if read is not None:
            found.append(read)
        done += sizes[world]
        if on_progress is not None:
            on_progress(done, total)
    with Index.create(data) as index:
        return index.replace(found)


class _Played:
    """What a log says of its players and of the end."""

    def __init__(self) -> None:
        self.players: dict[str, PlayerListing] = {}
        self.result: Any = None

    def note(self, record: Record) -> None:
        """Take the next record."""
        if isinstance(record, Close):
            self.result = msgspec.json.decode(msgspec.json.encode(record.result))
            for player, score in record.scores.items():
                self._change(player, score=float(score))
        if not isinstance(record, Tick):
            return
        for entry in record.entries:
            if isinstance(entry, JoinEntry):
                self.players[entry.player] = PlayerListing(
                    player=entry.player, agent=entry.agent, name=entry.name, seat=entry.seat, joined_tick=record.tick
                )
            elif isinstance(entry, LeaveEntry):
                left_with = None if entry.score is None else float(entry.score)
                self._change(entry.player, left_tick=record.tick, left_reason=entry.reason, score=left_with)

    def _change(self, player: str, **news: Any) -> None:
        if player in self.players:
            self.players[player] = msgspec.structs.replace(self.players[player], **news)
