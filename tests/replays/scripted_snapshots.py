"""A program for tests that kill it: a world is played, and its snapshots are written, published, recorded and thinned.

    python -m tests.replays.scripted_snapshots DATA

All calls for snapshots are made by the main thread, those of the journal by another one. It prints a line for each
promise that it has made, and ends without closing its journal, as if it were killed there.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

from eventlog.snapshots import Snapshots
from eventlog.store import Store
from games.code import Engine, GameCode
from tests.replays.recording import WORLD, Recording

GAME: Final = Path(__file__).parents[1] / "system" / "games" / "echo"
ROUNDS: Final = 5
TICKS: Final = 20
SPACING_TICKS: Final = 1000
"""More than are played, so that the first snapshot and the last two stay."""


def prepare(data: Path) -> None:
    """Keep the code of the game and the engine there, so that the run does not write them."""
    code, engine = GameCode.load(GAME), Engine.current()
    store = Store.open(data)
    store.put_code(code.digest, code.files)
    store.put_engine(engine.digest, engine.files)
    store.close()


async def live(data: Path) -> None:
    """Play, and say how far it has come."""
    recording = Recording(data, GameCode.load(GAME), seed=5, settings={})
    recording.run(1)  # with a beat, which lets the log vouch for the ticks that follow
    player = recording.join()
    for number in range(1, ROUNDS + 1):
        recording.input(player, "count", {"by": number})
        recording.run(TICKS)
        await recording.synced()
        say(f"played {recording.world.tick}")
        tick = recording.checkpoint()
        say(f"published {tick}")
        await recording.synced()
        say(f"recorded {tick}")
        Snapshots(data, WORLD).thin(SPACING_TICKS)
        say(f"thinned {tick}")
    os._exit(0)


def say(line: str) -> None:
    """Print it at once."""
    os.write(1, f"{line}\n".encode())


if __name__ == "__main__":
    asyncio.run(live(Path(sys.argv[1])))
