"""How small world files become, and how fast, by compressor and size of frame.

    python -m tests.benchmarks.archive_frames DATA

reads all ``.wlog`` files under the data folder DATA (`worldline bench --data DATA` makes one) and prints, for each
way, the size as a share of the originals and how many MiB of original one core packs and unpacks in a second: the
median of five.
"""

from __future__ import annotations

import bz2
import lzma
import statistics
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

ROUNDS: Final = 5
MIB: Final = 1024 * 1024
WAYS: Final[Sequence[tuple[str, Callable[[bytes], bytes], Callable[[bytes], bytes]]]] = (
    ("zlib 1", lambda data: zlib.compress(data, 1), zlib.decompress),
    ("zlib 6", lambda data: zlib.compress(data, 6), zlib.decompress),
    ("zlib 9", lambda data: zlib.compress(data, 9), zlib.decompress),
    ("bz2 9", bz2.compress, bz2.decompress),
    ("lzma 6", lzma.compress, lzma.decompress),
)
FRAMES_KIB: Final = (16, 64, 256, 8192)


def cpu_seconds(action: Callable[[], object]) -> float:
    """The median processor time of one round."""
    times = []
    for _ in range(ROUNDS):
        began_s = time.process_time()
        action()
        times.append(time.process_time() - began_s)
    return max(statistics.median(times), 1e-9)


def main(data: Path) -> None:
    """Measure and print."""
    files = [path.read_bytes() for path in sorted(data.rglob("*.wlog"))]
    total = sum(map(len, files))
    print(f"{len(files)} files, {total / MIB:.2f} MiB")
    for name, pack, unpack in WAYS:
        for frame_kib in FRAMES_KIB:
            step = frame_kib * 1024
            frames = [file[at : at + step] for file in files for at in range(0, len(file), step)]
            packed = [pack(frame) for frame in frames]
            pack_s = cpu_seconds(lambda: [pack(frame) for frame in frames])  # noqa: B023 - used in this round only
            unpack_s = cpu_seconds(lambda: [unpack(frame) for frame in packed])  # noqa: B023
            share = sum(map(len, packed)) / total
            speeds = f"packs {total / MIB / pack_s:5.0f} MiB/s, unpacks {total / MIB / unpack_s:5.0f} MiB/s"
            print(f"{name}, frames of {frame_kib:4} KiB: {share:6.1%}, {speeds}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
