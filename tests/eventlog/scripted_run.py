"""A program for tests that kill it: one life of a server's log, always the same.

    python -m tests.eventlog.scripted_run recover DATA     redo what a crash has left
    python -m tests.eventlog.scripted_run play DATA        go on with the world in it, up to a clean stop

`play` prints each tick that is durable. Segments and files are small, so that all of them turn.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from eventlog.journal import JournalOptions
from eventlog.recovery import recover
from tests.eventlog.building import NEVER_S, Recording, tick_record

WORLD = "w_one"
OPTIONS = JournalOptions(
    segment_bytes=16 * 1024, segments_per_retirement=1, flush_bytes=700, flush_after_s=NEVER_S, seal_after_s=NEVER_S
)
FILE_BYTES = 900


async def play(data: Path, first_tick: int, ticks: int) -> None:
    """Go on with the world, or begin it, for some ticks; stop cleanly."""
    recording = Recording(data, options=OPTIONS, file_bytes=FILE_BYTES)
    head = recording.begin(WORLD) if first_tick == 1 else recording.resume(WORLD, [])
    await recording.journal.append([head]).wait()
    for tick in range(first_tick, first_tick + ticks):
        await recording.append(WORLD, tick_record(tick)).wait()
        os.write(1, f"{tick}\n".encode())
    await recording.journal.close()


if __name__ == "__main__":
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "recover":
        recover(folder)
    else:
        asyncio.run(play(folder, first_tick=7, ticks=6))
