"""What the golden data folder of format version 1 holds, and how it was made.

    python -m tests.eventlog.golden_v1 FOLDER

makes one like it (a journal's salts are random). The one in ``golden/v1`` was made once and stays as it is for ever:
whatever later versions write, they read this.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from eventlog.journal import JournalOptions
from eventlog.json_form import json_form
from eventlog.reader import read_world
from tests.eventlog.building import NEVER_S, Appendable, Recording, every_kind, tick_record

GOLDEN = Path(__file__).resolve().parent / "golden" / "v1"
FILE_BYTES = 1000
WORLDS: dict[str, list[Appendable]] = {
    "w_files": every_kind(),
    "w_journal": [tick_record(tick) for tick in range(1, 6)],
}
"""The first is complete in world files of at most FILE_BYTES, the second is in the journal only."""
TORN_TICK = 6
"""Of the second world; its group was never completed."""


async def make(folder: Path) -> None:
    """Make a data folder as a crash leaves it, and the JSON form of its worlds beside it."""
    with tempfile.TemporaryDirectory() as temporary:
        clean = Recording(Path(temporary) / "clean", file_bytes=FILE_BYTES)
        clean.create("w_files")
        clean.append("w_files", *WORLDS["w_files"])
        await clean.journal.close()
        shutil.copytree(clean.folder("w_files"), folder / "worlds" / "w_files")

        options = JournalOptions(segment_bytes=16 * 1024, flush_after_s=NEVER_S, seal_after_s=NEVER_S)
        crashed = Recording(Path(temporary) / "crashed", options=options)
        await crashed.create("w_journal").wait()
        for record in WORLDS["w_journal"]:
            await crashed.append("w_journal", record).wait()
        await crashed.append("w_journal", tick_record(TORN_TICK)).wait()
        target = folder / "journal" / crashed.journal.folder.name
        shutil.copytree(crashed.journal.folder, target)
        await crashed.journal.close()
    for path in sorted(target.iterdir()):  # the zeros behind the groups need not be kept
        path.write_bytes(path.read_bytes().rstrip(b"\0").ljust(20 * 1024, b"\0"))
    last = sorted(target.iterdir())[-1]
    content = last.read_bytes()
    torn = content.rindex(b"WGRP") + 100
    last.write_bytes(content[:torn] + bytes(len(content) - torn))
    for world in WORLDS:
        lines = (msgspec.json.encode(form) + b"\n" for form in json_form(read_world(folder, world)))
        (folder / f"{world}.jsonl").write_bytes(b"".join(lines))


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1])))
