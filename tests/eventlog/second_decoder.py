"""A second reader of the log format, written from docs/reference/log-format.md alone.

It shares no code with the event log, nor any library with it: what both read the same way is what the page says.
It is strict: every byte of a file has to be something that the page names, and `Unaccounted` says which is not.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECORDS = {
    1: (
        "genesis",
        "world game digest seed settings clock owner ranked private engine versions created_ms forked_from",
    ),
    2: ("open", "epoch shard engine"),
    3: ("tick", "tick ticks ran time_ms entries fingerprint outcomes"),
    4: ("beat", "tick until fingerprint outcomes"),
    5: ("checkpoint", "tick hash snapshot bytes"),
    6: ("fault", "tick kind last_input fingerprint outcomes"),
    7: ("close", "tick reason result fingerprint outcomes scores"),
    8: ("origin", "tick part parts code hash state"),
}
ENTRIES = {
    1: ("code", "digest"),
    2: ("engine", "digest"),
    3: ("clock", "clock"),
    4: ("join", "player seat agent name session"),
    5: ("leave", "player reason score"),
    6: ("input", "player seq name args note seen_tick observed_tick received_ms"),
    7: ("timeout", "player"),
    8: ("abort", "reason"),
}


class Unaccounted(Exception):
    """These bytes are not what the page describes."""


@dataclass(frozen=True)
class Record:
    """A record of a world file: its name, its fields, and its place."""

    name: str
    fields: dict[str, Any]
    file: int
    offset: int
    size: int
    tick: int


@dataclass(frozen=True)
class Entry:
    """Bytes of a world's log in a journal; a release has none."""

    world: str
    epoch: int
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Group:
    """A group of a journal and where it was."""

    number: int
    segment: int
    position: int
    size: int
    entries: list[Entry]
    releases: list[Entry]


def need(condition: bool, what: str) -> None:
    """Raise Unaccounted unless the condition holds."""
    if not condition:
        raise Unaccounted(what)


# --- MessagePack, as far as the page needs it ---------------------------------------------------------

_FIXED = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q",
    0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZED = {
    0xC4: ("bin", ">B"), 0xC5: ("bin", ">H"), 0xC6: ("bin", ">I"),
    0xD9: ("str", ">B"), 0xDA: ("str", ">H"), 0xDB: ("str", ">I"),
    0xDC: ("array", ">H"), 0xDD: ("array", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip


def unpack(data: bytes, at: int) -> tuple[Any, int]:
    """One MessagePack value and the byte behind it."""
    first = data[at]
    at += 1
    if first < 0x80 or first >= 0xE0:
        return (first if first < 0x80 else first - 256), at
    if first < 0x90:
        return _collect("map", first & 0x0F, data, at)
    if first < 0xA0:
        return _collect("array", first & 0x0F, data, at)
    if first < 0xC0:
        return _collect("str", first & 0x1F, data, at)
    if first in _FIXED:
        return _FIXED[first], at
    if first in _NUMBERS:
        layout = _NUMBERS[first]
        return struct.unpack_from(layout, data, at)[0], at + struct.calcsize(layout)
    need(first in _SIZED, f"MessagePack byte {first:#x}")
    kind, layout = _SIZED[first]
    (size,) = struct.unpack_from(layout, data, at)
    return _collect(kind, size, data, at + struct.calcsize(layout))


def _collect(kind: str, size: int, data: bytes, at: int) -> tuple[Any, int]:
    if kind in ("str", "bin"):
        need(at + size <= len(data), "a text ends behind the payload")
        raw = data[at : at + size]
        return (raw.decode() if kind == "str" else raw), at + size
    items = []
    for _ in range(size * (2 if kind == "map" else 1)):
        item, at = unpack(data, at)
        items.append(item)
    return (dict(zip(items[::2], items[1::2], strict=True)) if kind == "map" else items), at


# --- world files --------------------------------------------------------------------------------------


class WorldReader:
    """Reads a world's files one after the other and keeps what links them."""

    def __init__(self, world: str) -> None:
        self.world = world
        self.records: list[Record] = []
        self.epochs: list[int] = []
        self._file = 0
        self._crc = 0
        self._tick = 0

    def read_file(self, data: bytes) -> None:
        """Take the next file's bytes, all of them."""
        magic, version, zero, file, epoch, tick, crc, world, header_crc = struct.unpack_from("<4sHHIIQI40sI", data)
        need(magic == b"WLOG" and version == 1 and zero == 0, "magic, version")
        need(header_crc == zlib.crc32(data[:68]), "the header's crc")
        need(world == self.world.encode().ljust(40, b"\0"), "the world's id")
        need(file == self._file + 1, "the file's number")
        need((epoch, tick, crc) == (self.epochs[-1] if self.epochs else 0, self._tick, self._crc), "the link")
        self._file, self._crc = file, header_crc
        at = 72
        while at < len(data):
            at += self._read_record(data, at)
        need(at == len(data), "the file's end")
        need(len(self.records) > 0 and self.records[-1].file == file, "a file has a record")

    def _read_record(self, data: bytes, at: int) -> int:
        length, kind, zeros, tick, header_crc, body_crc = struct.unpack_from("<IB3sQII", data, at)
        need(zlib.crc32(data[at : at + 16], self._crc) == header_crc, f"header_crc at {at}")
        need(zeros == b"\0\0\0" and 1 <= length <= 4_194_304, "zeros, length")
        payload = data[at + 24 : at + 24 + length]
        need(len(payload) == length and zlib.crc32(payload, header_crc) == body_crc, f"body_crc at {at}")
        self._crc = body_crc
        array, end = unpack(payload, 0)
        need(end == length, "bytes behind the payload's array")
        need(array[0] == kind and kind in RECORDS, "kind")
        name, names = RECORDS[kind]
        need(len(array) - 1 == len(names.split()), f"fields of {name}")
        fields = dict(zip(names.split(), array[1:], strict=True))
        if "entries" in fields:
            fields["entries"] = [self._entry(entry) for entry in fields["entries"]]
        if "fingerprint" in fields:
            need(len(fields["fingerprint"]) == 8, "fingerprint")
        for outcome in fields.get("outcomes", []):
            need(len(outcome) == 4 and outcome[2] in ("applied", "rejected"), "outcome")
        self._check_order(name, fields, tick)
        self.records.append(Record(name, fields, self._file, at, 24 + length, tick))
        return 24 + int(length)

    def _entry(self, array: list[Any]) -> dict[str, Any]:
        name, names = ENTRIES[array[0]]
        need(len(array) - 1 == len(names.split()), f"fields of entry {name}")
        return {"kind": name, **dict(zip(names.split(), array[1:], strict=True))}

    def _check_order(self, name: str, fields: dict[str, Any], tick: int) -> None:
        need((name == "genesis") == (not self.records), "the genesis is first")
        self._check_beginning(name, fields)
        if name == "open":
            need(not self.epochs or fields["epoch"] > self.epochs[-1], "epochs rise")
            self.epochs.append(fields["epoch"])
        need(tick == {"genesis": 0, "open": self._tick}.get(name, fields.get("tick")), "the header's tick")
        if name in ("tick", "beat", "fault", "close", "origin"):
            undoes = name == "tick" and not fields["ran"] and [e["kind"] for e in fields["entries"][:1]] == ["code"]
            need(tick >= self._tick - undoes, "ticks do not go back")
            self._tick = tick + fields.get("ticks", 1) - 1 if name != "fault" else max(0, tick - 1)

    def _check_beginning(self, name: str, fields: dict[str, Any]) -> None:
        """Behind the genesis come the parts of an origin, if it is a fork's, and then an open record."""
        before = self.records[-1] if self.records else None
        if name == "origin":
            need(before is not None and before.name in ("genesis", "origin"), "an origin follows the genesis")
            assert before is not None
            if before.name == "genesis":
                need(before.fields["forked_from"] is not None and fields["part"] == 1, "the first part, of a fork")
                need(before.fields["forked_from"][1] == fields["tick"], "the tick that was forked")
            else:
                need(fields["part"] == before.fields["part"] + 1, "parts in order")
                need(all(fields[key] == before.fields[key] for key in ("tick", "parts", "code", "hash")), "one origin")
            need(fields["part"] <= fields["parts"], "no part too many")
        elif before is not None and before.name == "origin":
            need(name == "open" and before.fields["part"] == before.fields["parts"], "an open record, all parts there")
        else:
            need(len(self.records) != 1 or name == "open", "an open record follows")


def read_world_files(folder: Path) -> WorldReader:
    """Read all files of a world, which no journal adds to."""
    reader = WorldReader(folder.name)
    paths = sorted(folder.iterdir())
    need([path.stem for path in paths] == [f"{n + 1:04d}" for n in range(len(paths))], "names of files")
    need({path.suffix for path in paths} <= {".wlog", ".wlogz"}, "suffixes of files")
    for path in paths:
        content = path.read_bytes()
        reader.read_file(content if path.suffix == ".wlog" else read_archived(content, folder.name, int(path.stem)))
    return reader


def read_archived(data: bytes, of_world: str, number: int) -> bytes:
    """The world file in an archived one."""
    magic, version, zero, file, frames, length, crc, table_crc, world, own = struct.unpack_from("<4sHHIIQII40sI", data)
    need(magic == b"WLGZ" and version == 1 and zero == 0, "magic, version")
    need(own == zlib.crc32(data[:72]), "the header's crc")
    need((world, file) == (of_world.encode().ljust(40, b"\0"), number), "the world's id, the file's number")
    at = 76 + 8 * frames
    need(zlib.crc32(data[76:at]) == table_crc, "the table's crc")
    parts = []
    for row in range(frames):
        size, frame_crc = struct.unpack_from("<II", data, 76 + 8 * row)
        need(zlib.crc32(data[at : at + size]) == frame_crc, f"the crc of frame {row}")
        parts.append(zlib.decompress(data[at : at + size]))
        need(len(parts[-1]) == 65_536 or row == frames - 1, "a frame's size")
        at += size
    content = b"".join(parts)
    need(at == len(data) and len(content) == length and zlib.crc32(content) == crc, "the whole file")
    return content


# --- journals -----------------------------------------------------------------------------------------


def read_journal(folder: Path) -> list[Group]:
    """Read all segments of a journal that was not torn."""
    found: list[Group] = []
    last_group, last_crc, last_segment = 0, 0, 0
    paths = sorted(folder.iterdir())
    for path in paths:
        data = path.read_bytes()
        if path == paths[-1] and not any(data):
            break  # made ready for groups to come
        need(len(data) >= 4096, "the header's page")
        magic, version, zero, shard, salt, segment, group, crc, zeros, own = struct.unpack_from("<4sHHIIQQI8sI", data)
        need(magic == b"WJNL" and version == 1 and zero == 0 and zeros == bytes(8), "magic, version")
        need(own == zlib.crc32(data[:44]) and not any(data[48:4096]), "the segment header's crc, its padding")
        need(path.name == f"{segment:010d}.journal" and folder.name == f"shard-{shard:02d}", "names")
        if last_segment:
            need((segment, group, crc) == (last_segment + 1, last_group, last_crc), "the segment's link")
        last_segment, last_group, last_crc = segment, group, crc
        at = 4096
        while data[at : at + 4] == b"WGRP":
            number, own, size, entries, releases = _read_group(data, at, salt, last_crc)
            need(number == last_group + 1, "the group's number")
            last_group, last_crc = number, own
            found.append(Group(number, segment, at, size, entries, releases))
            end = at + size
            at = -(-end // 4096) * 4096
            need(not any(data[end:at]), "zeros behind a group")
        need(not any(data[at:]), "zeros behind the last group")
    return found


def _read_group(data: bytes, at: int, salt: int, last_crc: int) -> tuple[int, int, int, list[Entry], list[Entry]]:
    _, count, number, length, previous, body_crc, own = struct.unpack_from("<4sIQIIII", data, at)
    need(own == zlib.crc32(data[at : at + 28], salt) and previous == last_crc, "the group's crc and link")
    body = data[at + 32 : at + 32 + length]
    need(len(body) == length and zlib.crc32(body, salt) == body_crc, "the group's body")
    found: dict[int, list[Entry]] = {1: [], 2: []}
    position = 0
    for _ in range(count):
        kind, id_length, zero, epoch, file, size, offset = struct.unpack_from("<BBHIIIQ", body, position)
        need(kind in (1, 2) and zero == 0 and (kind == 1) == (size > 0), "the entry's kind")
        position += 24
        world = body[position : position + id_length].decode("ascii")
        position += id_length
        found[kind].append(Entry(world, epoch, file, offset, body[position : position + size]))
        position += size
    need(position == length, "the body's end")
    return number, own, 32 + length, found[1], found[2]


def worlds_in(groups: list[Group]) -> dict[str, dict[int, bytes]]:
    """What a journal that begins with the worlds' first bytes holds of each: world → file → its bytes."""
    found: dict[str, dict[int, bytearray]] = {}
    for group in groups:
        for entry in group.entries:
            file = found.setdefault(entry.world, {}).setdefault(entry.file, bytearray())
            need(entry.offset == len(file), "entries of a world are contiguous")
            file += entry.data
    return {world: {number: bytes(file) for number, file in files.items()} for world, files in found.items()}


# --- snapshots ----------------------------------------------------------------------------------------


def read_snapshot(data: bytes) -> dict[str, Any]:
    """A snapshot file: what its header says, its genesis record, and its state as bytes."""
    head = struct.unpack_from("<4sHHQIIQIIQQQ16s16s16s40s32sI", data)
    magic, version, zero, tick, file, epoch, offset, crc, zeros, log_tick, length, unpacked, *digests, header_crc = head
    state_hash, code, engine, world, digest = digests
    need(magic == b"WSNP" and version == 1 and zero == zeros == 0, "magic, version, zeros")
    need(header_crc == zlib.crc32(data[:184]), "the header's crc")
    body = data[188:]
    need(len(body) == length and hashlib.blake2b(body, digest_size=32).digest() == digest, "the body")
    content = zlib.decompress(body)
    need(len(content) == unpacked, "the unpacked length")
    (payload, state), end = unpack(content, 0)
    need(end == len(content), "bytes behind the body's array")
    record, end = unpack(payload, 0)
    need(end == len(payload) and record[0] == 1, "a genesis record")
    return {
        "tick": tick,
        "file": file,
        "epoch": epoch,
        "offset": offset,
        "crc": crc,
        "log_tick": log_tick,
        "hash": state_hash,
        "code": code.hex(),
        "engine": engine.hex(),
        "world": world.rstrip(b"\0").decode(),
        "genesis": dict(zip(RECORDS[1][1].split(), record[1:], strict=True)),
        "state": state,
    }
