"""What a listing says of a world, read from the two ends of its log.

Cheap on purpose: the genesis, then the headers of the last file, and the last record that says how the world stands.
Where the first file of a log is gone, a snapshot has the genesis, and the world can go on from there.
Who wants to know that every byte is good reads the world.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from eventlog import frame, limits, records
from eventlog.errors import FormatTooNew, LogDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.reader import stands_in
from eventlog.records import Beat, Checkpoint, Close, Fault, Genesis, Open, Origin, Record, Tick
from eventlog.snapshots import Snapshots
from eventlog.worldbytes import WorldBytes

_GENESIS_BYTES: Final = 64 * 1024
"""Enough for nearly every genesis; a longer one costs a second read."""

Status = Literal["open", "closed", "faulted", "damaged"]

_TICK: Final = records.KIND_OF[Tick]
_STANDING: Final = frozenset(records.KIND_OF[kind] for kind in (Tick, Beat, Fault, Close, Origin))


class WorldInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a listing."""

    world: str
    game: str
    digest: str
    clock: str
    created_ms: int
    """Unix time of the genesis; 0 if it cannot be read."""
    last_tick: int
    """The tick that the log has reached."""
    status: Status
    """``open``: it has no last record; its server is running or has crashed."""
    reason: str | None
    """Why it is closed, faulted or damaged."""
    ended_ms: int | None
    """Unix time of the last thing in it that the log gives a time for; None while the world is open or if it cannot be
    read."""
    bytes: int
    """Of all its files as they are on the disk, and of what only journals hold."""
    archived: bool
    """All of its log is compressed."""
    ranked: bool = False
    """It counts for its game's leaderboard."""
    owner: str | None = None
    """The agent that made it."""
    private: bool = False
    """It is for its owner's friends only."""


def summarise(source: WorldBytes) -> WorldInfo:
    """How a world stands. Damage that is met on the way makes it ``damaged``, with the place in ``reason``."""
    found = _Found()
    try:
        found.genesis = _genesis(source)
        last, found.last_tick, found.ended_ms = _standing(source, found.genesis.created_ms)
    except (BadBytes, Unfinished, msgspec.DecodeError, LogDamaged) as problem:
        return _info(source, found, "damaged", str(problem) or "it ends inside a record")
    except UnknownVersion as unknown:
        reason = f"format version {unknown.version} is newer than this program's {limits.FORMAT_VERSION}"
        return _info(source, found, "damaged", reason)
    except FormatTooNew as newer:
        return _info(source, found, "damaged", str(newer).partition(" → ")[0])
    match last:
        case Close():
            return _info(source, found, "closed", last.reason)
        case Fault():
            return _info(source, found, "faulted", last.kind)
        case Genesis() | Open() | Tick() | Beat() | Checkpoint() | Origin() | None:
            return _info(source, found, "open", None)


class _Found:
    """What the log has said so far."""

    genesis: Genesis | None = None
    last_tick = 0
    ended_ms: int | None = None


def _info(source: WorldBytes, found: _Found, status: Status, reason: str | None) -> WorldInfo:
    genesis = found.genesis
    return WorldInfo(
        world=source.world,
        game=genesis.game if genesis else "?",
        digest=genesis.digest if genesis else "",
        clock=genesis.clock if genesis else "",
        created_ms=genesis.created_ms if genesis else 0,
        last_tick=found.last_tick,
        status=status,
        reason=reason,
        ended_ms=found.ended_ms,
        bytes=source.disk_bytes(),
        ranked=genesis.ranked if genesis else False,
        owner=genesis.owner if genesis else None,
        private=genesis.private if genesis else False,
        archived=all(source.is_archived(file) for file in range(1, source.last_file + 1)),
    )


def _genesis(source: WorldBytes) -> Genesis:
    if not source.size(1) and not source.path(1).exists():  # gone; an empty file is damage
        return _genesis_of_snapshot(source)
    for limit in (_GENESIS_BYTES, None):
        data = source.read(1, limit)
        source.report_damage(1, 0)
        _, crc = frame.decode_file_header(data)
        try:
            _, _, payload, _ = frame.decode_record(data, frame.FILE_HEADER_BYTES, crc)
        except Unfinished:
            if limit is None:
                raise
            continue
        record = records.decode(payload)
        if isinstance(record, Genesis):
            return record
        break
    raise BadBytes("the log does not begin with a genesis")


def _genesis_of_snapshot(source: WorldBytes) -> Genesis:
    """What the latest snapshot says, from whose place on the log is there."""
    for snapshot in Snapshots(source.folder.parent.parent, source.world).usable():
        if stands_in(source, snapshot.position):
            return snapshot.genesis
    raise BadBytes(f"{source.path(1).name} is missing, and no snapshot stands in the files that are there")


def _standing(source: WorldBytes, created_ms: int) -> tuple[Record | None, int, int | None]:
    """The last record of the last file that says how the world stands, the tick that is reached, and when it ended."""
    for file in range(source.last_file, 0, -1):
        data = source.read(file)
        source.report_damage(file, 0)
        try:
            header, crc = frame.decode_file_header(data)
        except Unfinished:
            if file == source.last_file and file > 1:
                continue  # just being begun
            raise
        place, timed = _last_places(data, crc)
        if place is None:
            return None, header.tick, None
        record = _record_at(data, *place)
        ended_ms = None
        if isinstance(record, Close | Fault):
            ended_ms = _time_of(_record_at(data, *timed)) if timed else _last_time(source, file - 1, created_ms)
        return record, records.last_tick_of(record, header.tick), ended_ms
    raise BadBytes("no file of it can be read")


def _last_time(source: WorldBytes, file: int, created_ms: int) -> int:
    """The time of the last tick record in ``file`` or before it; if there is none, when the world was made."""
    for number in range(file, 0, -1):
        data = source.read(number)
        if number == 1 and not data:
            break  # gone: see `_genesis`
        source.report_damage(number, 0)
        _, crc = frame.decode_file_header(data)
        _, timed = _last_places(data, crc)
        if timed is not None:
            return _time_of(_record_at(data, *timed))
    return created_ms


def _record_at(data: bytes, offset: int, crc_before: int) -> Record:
    _, _, payload, _ = frame.decode_record(data, offset, crc_before)
    return records.decode(payload)


def _time_of(record: Record) -> int:
    if not isinstance(record, Tick):
        raise BadBytes("the frame names another kind of record than the payload")
    return record.time_ms


Place = tuple[int, int]
"""A record's byte in its file, and the crc before it."""


def _last_places(data: bytes, crc: int) -> tuple[Place | None, Place | None]:
    """Where the last record that says how the world stands is in a file, and the last tick record.

    A torn tail is left out. Raises `BadBytes`.
    """
    found: Place | None = None
    timed: Place | None = None
    offset = frame.FILE_HEADER_BYTES
    while offset < len(data):
        try:
            length, kind, _, _, body_crc = frame.decode_record_header(data, offset, crc)
        except Unfinished:
            break
        end = offset + frame.RECORD_HEADER_BYTES + length
        if end > len(data):
            break
        if kind in _STANDING:
            found = (offset, crc)
        if kind == _TICK:
            timed = (offset, crc)
        offset, crc = end, body_crc
    return found, timed
