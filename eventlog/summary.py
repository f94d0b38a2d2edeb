"""What a listing says of a world, read from the two ends of its log.

Cheap on purpose: the genesis, then the headers of the last file, and the last record that says how the world stands.
Who wants to know that every byte is good reads the world.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from eventlog import frame, limits, records
from eventlog.errors import LogDamaged
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.reader import WorldBytes
from eventlog.records import Beat, Checkpoint, Close, Fault, Genesis, Open, Record, Tick

_GENESIS_BYTES: Final = 64 * 1024
"""Enough for nearly every genesis; a longer one costs a second read."""

_STANDING: Final = frozenset(records.KIND_OF[kind] for kind in (Tick, Beat, Fault, Close))


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
    status: Literal["open", "closed", "faulted", "damaged"]
    """``open``: it has no last record; its server is running or has crashed."""
    reason: str | None
    """Why it is closed, faulted or damaged."""
    bytes: int
    """Of all its files, what journals hold included."""


def summarise(source: WorldBytes) -> WorldInfo:
    """How a world stands. Damage that is met on the way makes it ``damaged``, with the place in ``reason``."""
    genesis: Genesis | None = None
    last_tick, size = 0, 0
    try:
        genesis = _genesis(source)
        size = sum(source.size(file) for file in range(1, source.last_file + 1))
        last, last_tick = _standing(source)
    except (BadBytes, Unfinished, msgspec.DecodeError, LogDamaged) as problem:
        return _info(source, genesis, last_tick, size, "damaged", str(problem) or "it ends inside a record")
    except UnknownVersion as unknown:
        reason = f"format version {unknown.version} is newer than this program's {limits.FORMAT_VERSION}"
        return _info(source, genesis, last_tick, size, "damaged", reason)
    match last:
        case Close():
            return _info(source, genesis, last_tick, size, "closed", last.reason)
        case Fault():
            return _info(source, genesis, last_tick, size, "faulted", last.kind)
        case Genesis() | Open() | Tick() | Beat() | Checkpoint() | None:
            return _info(source, genesis, last_tick, size, "open", None)


def _info(
    source: WorldBytes,
    genesis: Genesis | None,
    last_tick: int,
    size: int,
    status: Literal["open", "closed", "faulted", "damaged"],
    reason: str | None,
) -> WorldInfo:
    return WorldInfo(
        world=source.world,
        game=genesis.game if genesis else "?",
        digest=genesis.digest if genesis else "",
        clock=genesis.clock if genesis else "",
        created_ms=genesis.created_ms if genesis else 0,
        last_tick=last_tick,
        status=status,
        reason=reason,
        bytes=size,
    )


def _genesis(source: WorldBytes) -> Genesis:
    for limit in (_GENESIS_BYTES, None):
        data = source.read(1, limit)
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


def _standing(source: WorldBytes) -> tuple[Record | None, int]:
    """The last tick, beat, fault or close record of the last file, and the tick that it has reached."""
    for file in range(source.last_file, 0, -1):
        data = source.read(file)
        try:
            header, crc = frame.decode_file_header(data)
        except Unfinished:
            if file == source.last_file and file > 1:
                continue  # just being begun
            raise
        place = _last_standing(data, crc)
        if place is None:
            return None, header.tick
        offset, crc_before = place
        _, _, payload, _ = frame.decode_record(data, offset, crc_before)
        record = records.decode(payload)
        return record, records.last_tick_of(record, header.tick)
    raise BadBytes("no file of it can be read")


def _last_standing(data: bytes, crc: int) -> tuple[int, int] | None:
    """Where the last such record of a file is, and the crc before it. A torn tail is left out. Raises `BadBytes`."""
    found: tuple[int, int] | None = None
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
        offset, crc = end, body_crc
    return found
