"""A program for tests that kill it: a world ends, is let go, archived and removed, while another one goes on.

    python -m tests.eventlog.scripted_life DATA big|small|act

With ``big`` segments the journal holds every group to the end, with ``small`` ones old segments are removed meanwhile.
``act`` only archives and removes the world, in a folder where another process has done the rest. It prints one word for
each promise that it has made, and ends without closing its journal, as if it were killed there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from eventlog.archive import archive_world
from eventlog.journal import JournalOptions
from eventlog.records import Close
from eventlog.removal import remove_world
from tests.eventlog.building import NEVER_S, Recording, fingerprint, tick_record

ENDED, PLAYING = "w_ended", "w_playing"
TICKS = 14
END = Close(tick=TICKS, reason="idle", fingerprint=fingerprint(TICKS))
SEGMENTS = {"big": 8 * 1024 * 1024, "small": 16 * 1024}


def options(segments: str) -> JournalOptions:
    """Those of the run."""
    return JournalOptions(
        segment_bytes=SEGMENTS[segments],
        segments_per_retirement=1,
        flush_bytes=700,
        flush_after_s=NEVER_S,
        seal_after_s=NEVER_S,
    )


async def live(data: Path, segments: str, *, act_too: bool = True) -> Recording:
    """Play, and say how far it has come."""
    recording = Recording(data, options=options(segments), file_bytes=900)
    await recording.create(ENDED, PLAYING).wait()
    tick = 0

    async def play() -> None:
        nonlocal tick
        tick += 1
        await recording.append(PLAYING, tick_record(tick)).wait()
        say(f"tick {tick}")

    for number in range(1, TICKS + 1):
        await recording.append(ENDED, tick_record(number)).wait()
    await recording.append(ENDED, END).wait()
    say("ended")
    await play()
    await recording.journal.release_world(ENDED).wait()
    say("released")
    if act_too:
        archive_world(data, ENDED)
        say("archived")
        await play()
        remove_world(data, ENDED)
        say("removed")
        await play()
        os._exit(0)
    return recording


def act(data: Path) -> None:
    """What a server does to a world that was let go."""
    archive_world(data, ENDED)
    say("archived")
    remove_world(data, ENDED)
    say("removed")


def say(word: str) -> None:
    """Print it at once."""
    os.write(1, f"{word}\n".encode())


if __name__ == "__main__":
    if sys.argv[2] == "act":
        act(Path(sys.argv[1]))
    else:
        asyncio.run(live(Path(sys.argv[1]), sys.argv[2]))
