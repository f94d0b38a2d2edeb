"""How long a server takes to open a data folder in which a crash has left a large journal.

    python -m tests.benchmarks.open_journal [--mib 1024] [--worlds 200] [--journals 1] [--folder DIR]

Makes journals of that size in all, out of small records (130 bytes), none of which is in a world file yet, and redoes
them in a process of its own, as the start of a server does. Printed: the time, and the most memory that process had.
Beside it: how long the disk takes to write and sync the same bytes, with nothing else to do.

A running server keeps at most five segments of 8 MiB a shard: this is what it takes when many were left.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from eventlog import frame, groups, limits, records
from eventlog.worldlog import WorldLog
from tests.benchmarks.logs_side_by_side import genesis

RECORD_BYTES: Final = 130
GROUP_BYTES: Final = 60 * 1024
MIB: Final = 2**20
REDO: Final = """
import resource, sys, time
from pathlib import Path
from eventlog.recovery import recover
began_s = time.perf_counter()
report = recover(Path(sys.argv[1]))
took_s = time.perf_counter() - began_s
peak_kib = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(took_s, peak_kib, report.entries, sum(world.redone_bytes for world in report.worlds))
"""


class World:
    """A world whose log grows without ever being in a file."""

    def __init__(self, name: str, payload: bytes) -> None:
        head = WorldLog.create(genesis(name), shard=0)
        self.key = name.encode()
        self.first_bytes = head.head.data
        self.crc = head.crc
        self.offset = 0
        self.file = 1
        self.tick = 0
        self._payload = payload

    def entry(self) -> tuple[bytes, bytes]:
        """The next record as an entry's header and data."""
        if self.offset == 0:
            data = self.first_bytes
        elif self.offset > limits.WORLD_FILE_BYTES - RECORD_BYTES:
            self.file, self.offset = self.file + 1, 0
            header = frame.FileHeader(
                world=self.key.decode(), file=self.file, epoch=1, tick=self.tick, previous_crc=self.crc
            )
            data, self.crc = frame.encode_file_header(header)
        else:
            self.tick += 1
            data, self.crc = frame.encode_record(records.KIND_OF[records.Tick], self.tick, self._payload, self.crc)
        place = self.offset
        self.offset += len(data)
        return groups.encode_entry_header(self.key, 1, self.file, place, len(data)), data


def make_journal(data: Path, shard: int, size_bytes: int, worlds: int) -> None:
    """A journal of that size, written as a shard would have, without its waiting."""
    folder = data / "journal" / f"shard-{shard:02d}"
    folder.mkdir(parents=True)
    payload = records.encode(records.Tick(tick=1, time_ms=1, entries=[], fingerprint=b"12345678", outcomes=[]))
    payload += bytes(RECORD_BYTES - frame.RECORD_HEADER_BYTES - len(payload))
    players = [World(f"w_{shard:02d}{number:08d}", payload) for number in range(worlds)]
    number = crc = nth = 0
    for segment in range(1, size_bytes // limits.SEGMENT_BYTES + 1):
        salt = os.getpid() + segment
        header = groups.SegmentHeader(shard=shard, segment=segment, salt=salt, last_group=number, last_crc=crc)
        content = bytearray(groups.encode_segment_header(header))
        while True:
            parts: list[bytes] = []
            entries = size = 0
            while size < GROUP_BYTES:
                pair = players[nth % worlds].entry()
                parts.extend(pair)
                size += len(pair[0]) + len(pair[1])
                entries += 1
                nth += 1
            number += 1
            group, crc = groups.encode_group(number, entries, parts, salt=salt, previous_crc=crc)
            content += group
            if len(content) + 2 * GROUP_BYTES > limits.SEGMENT_BYTES:
                break
        content += bytes(limits.SEGMENT_BYTES - len(content))
        (folder / groups.segment_name(segment)).write_bytes(content)


def plain_write_s(folder: Path, size_bytes: int) -> float:
    """How long writing and syncing so many bytes takes this disk."""
    began_s = time.perf_counter()
    with (folder / "plain").open("wb", buffering=0) as file:
        for _ in range(size_bytes // MIB):
            file.write(bytes(MIB))
        os.fdatasync(file.fileno())
    took_s = time.perf_counter() - began_s
    (folder / "plain").unlink()
    return took_s


def main() -> None:
    """Read the command line, make the journals and print how long redoing them takes."""
    parser = argparse.ArgumentParser(description="How long opening a large journal takes.")
    parser.add_argument("--mib", type=int, default=1024, help="of journals in all")
    parser.add_argument("--worlds", type=int, default=200, help="in each journal")
    parser.add_argument("--journals", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        for shard in range(arguments.journals):
            make_journal(folder / "data", shard, arguments.mib * MIB // arguments.journals, arguments.worlds)
        os.sync()
        disk_s = plain_write_s(folder, arguments.mib * MIB)
        redo = [sys.executable, "-c", REDO, str(folder / "data")]
        printed = subprocess.run(redo, check=True, capture_output=True, text=True).stdout.split()
    took_s, peak_kib, entries, redone = float(printed[0]), int(printed[1]), int(printed[2]), int(printed[3])
    print(f"{arguments.mib} MiB in {arguments.journals} journals, {arguments.worlds} worlds each, {entries} records")
    print(f"redone in {took_s:.1f} s: {entries / took_s:,.0f} records a second, {redone / MIB:.0f} MiB of world files")
    print(f"most memory: {peak_kib / 1024:.0f} MiB; the disk alone, to write and sync as much: {disk_s:.1f} s")


if __name__ == "__main__":
    main()
