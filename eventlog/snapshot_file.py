"""The bytes of a snapshot file: a header that says what it is a snapshot of, and a compressed body. No I/O.

A snapshot is the state of a world between two ticks together with the place in its log where reading goes on: whoever
has both needs nothing of the log before that place. What the state holds is not known here: it is bytes.

=======  ==============================================================================================
header   188 bytes: ``WSNP`` · version u16 · 2 zero bytes · tick u64 · file u32 · epoch u32 · offset u64 ·
         crc u32 of the record before that place · 4 zero bytes · log tick u64 · body length u64 ·
         unpacked length u64 · state hash, 16 bytes · digest of the code, 16 · digest of the engine, 16 ·
         world id, 40 bytes, zero-padded · BLAKE2b-256 of the body · crc32 of all that
body     a zlib stream of a MessagePack array: the payload of the genesis record, the state
=======  ==============================================================================================

All numbers are little-endian. Invariant: no length is believed before the header's checksum, no byte of the body before
its digest.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final

import msgspec

from eventlog import frame, limits, records
from eventlog.frame import BadBytes, Unfinished, UnknownVersion
from eventlog.piece import LogEnd

MAGIC: Final = b"WSNP"
HEADER: Final = struct.Struct("<4sHxxQIIQI4xQQQ16s16s16s40s32s")
HEADER_BYTES: Final = HEADER.size + frame.CRC.size
BODY_DIGEST_BYTES: Final = 32
assert HEADER_BYTES == 188


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A world after all of ``tick``, before the next one began."""

    tick: int
    position: LogEnd
    """Where its log goes on: the end of all records that the state has taken in."""
    code: str
    """Digest of the game's code that runs there."""
    engine: str
    """Digest of the engine that runs there."""
    hash: bytes
    """The canonical hash of the whole state, 16 bytes."""
    genesis: records.Genesis
    state: bytes


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the first bytes of a snapshot file say."""

    tick: int
    position: LogEnd
    body_bytes: int
    unpacked_bytes: int
    hash: bytes
    code: str
    engine: str
    body_digest: bytes


class _Body(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True):
    genesis: bytes
    state: bytes


_encode_body: Final = msgspec.msgpack.Encoder().encode
_body_decoder: Final = msgspec.msgpack.Decoder(_Body)


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The bytes of a snapshot file. Nearly all the time goes into compression, without the interpreter's lock."""
    unpacked = _encode_body(_Body(records.encode(snapshot.genesis), snapshot.state))
    assert len(unpacked) <= limits.MAX_SNAPSHOT_BYTES, len(unpacked)
    body = zlib.compress(unpacked, limits.SNAPSHOT_COMPRESSION)
    at = snapshot.position
    head = HEADER.pack(
        MAGIC,
        limits.SNAPSHOT_VERSION,
        snapshot.tick,
        at.file,
        at.epoch,
        at.offset,
        at.crc,
        at.tick,
        len(body),
        len(unpacked),
        snapshot.hash,
        bytes.fromhex(snapshot.code),
        bytes.fromhex(snapshot.engine),
        at.world.encode("ascii"),
        _digest(body),
    )
    return head + frame.CRC.pack(zlib.crc32(head)) + body


def decode_header(data: bytes) -> Header:
    """The header at the start of ``data``.

    Raises `Unfinished` if it is not all there, `BadBytes` if it is not intact, `UnknownVersion` for a later format.
    """
    if len(data) < HEADER_BYTES:
        raise Unfinished
    head = data[: HEADER.size]
    if head[:4] != MAGIC:
        raise BadBytes("not a snapshot: it does not begin with WSNP")
    if (zlib.crc32(head),) != frame.CRC.unpack_from(data, HEADER.size):
        raise BadBytes("the header's checksum does not match")
    _, version, tick, file, epoch, offset, crc, log_tick, size, unpacked, state_hash, code, engine, world, digest = (
        HEADER.unpack(head)
    )
    if version != limits.SNAPSHOT_VERSION:
        raise UnknownVersion(version)
    name = world.rstrip(b"\0").decode("ascii", "replace")
    return Header(
        tick=tick,
        position=LogEnd(world=name, epoch=epoch, file=file, offset=offset, crc=crc, tick=log_tick),
        body_bytes=size,
        unpacked_bytes=unpacked,
        hash=state_hash,
        code=code.hex(),
        engine=engine.hex(),
        body_digest=digest,
    )


def decode_snapshot(data: bytes) -> Snapshot:
    """The snapshot in the bytes of a whole file. Raises as `decode_header`."""
    header = decode_header(data)
    body = memoryview(data)[HEADER_BYTES:]
    if len(body) < header.body_bytes:
        raise Unfinished
    if len(body) > header.body_bytes:
        raise BadBytes(f"{len(body) - header.body_bytes} bytes follow its end")
    if _digest(body) != header.body_digest:
        raise BadBytes("the body's digest does not match")
    if header.unpacked_bytes > limits.MAX_SNAPSHOT_BYTES:
        raise BadBytes(f"it claims {header.unpacked_bytes} bytes, allowed are {limits.MAX_SNAPSHOT_BYTES}")
    try:
        unpacked = zlib.decompressobj().decompress(body, header.unpacked_bytes + 1)
        if len(unpacked) != header.unpacked_bytes:
            raise BadBytes("the body has another length than the header says")
        packed = _body_decoder.decode(unpacked)
        genesis = records.decode(packed.genesis)
    except (zlib.error, msgspec.DecodeError) as error:
        raise BadBytes(f"the body cannot be read: {error}") from None
    if not isinstance(genesis, records.Genesis) or genesis.world != header.position.world:
        raise BadBytes("the body holds no genesis of its world")
    return Snapshot(
        tick=header.tick,
        position=header.position,
        code=header.code,
        engine=header.engine,
        hash=header.hash,
        genesis=genesis,
        state=packed.state,
    )


def _digest(body: bytes | memoryview) -> bytes:
    return hashlib.blake2b(body, digest_size=BODY_DIGEST_BYTES).digest()
