"""A program for tests: appends to a data folder until it is killed, and prints each tick that is durable.

    python -m tests.eventlog.endless_writer DATA

One line for each group: the tick up to which both worlds' records are durable.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from eventlog.journal import JournalOptions
from eventlog.store import Store
from tests.eventlog.building import Recording, tick_record

WORLDS = ("w_one", "w_two")


async def write_for_ever(data: Path) -> None:
    """Append a tick to both worlds, wait, say so, again. Segments and files are small, so that all of them turn."""
    store = Store.open(data)
    options = JournalOptions(
        segment_bytes=32 * 1024, segments_per_retirement=1, flush_bytes=2000, flush_after_s=0.01, seal_after_s=0.001
    )
    recording = Recording(data, options=options, file_bytes=10_000)
    await recording.create(*WORLDS).wait()
    tick = 0
    while True:
        tick += 1
        ticket = recording.journal.append([recording.piece(world, tick_record(tick)) for world in WORLDS])
        ticket.add_done_callback(lambda _, tick=tick: os.write(1, f"{tick}\n".encode()))  # type: ignore[misc]
        await ticket.wait()
        assert store.data == data


if __name__ == "__main__":
    asyncio.run(write_for_ever(Path(sys.argv[1])))
