"""How quickly does one get through a game that is over?

    python -m tests.benchmarks.time_travel [--minutes 30] [--seeks 200] [--folder DIR]

Eight sample bots play Tsunami at 60 Hz, and the log is written as a shard writes it, with a snapshot every 2 minutes.
Then, in one process:

- *re-execution*: the whole log with every fingerprint and checkpoint compared; of the processor time, too
- *keyframes*: how far apart they are after one way through the log, and what memory they take
- *seek*: to ticks at random, back and forward, with these keyframes
- *cold*: the same from nothing: open the log, go to the tick by the snapshots on disk
- *bisect*: code that pays otherwise in the last tenth of the game; and code that gives the same everywhere

Printed beside what is to be reached.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import statistics
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from games.code import GameCode, find_games
from games.tsunami.bot import decide
from replays.bisect import bisect
from replays.replay import replay
from tests.replays.recording import WORLD, Recording

HZ: Final = 60
PLAYERS: Final = 8
THINKS_EVERY_S: Final = 3
SNAPSHOT_EVERY_S: Final = 120
COLD_SEEKS: Final = 20


async def record(data: Path, seconds: int) -> None:
    """Play a game and write its log."""
    recording = Recording(data, find_games()["tsunami"], seed=5, settings={})
    players = [recording.join() for _ in range(PLAYERS)]
    for second in range(seconds):
        for number, player in enumerate(players):
            if (second + number) % THINKS_EVERY_S == 0:
                seen = recording.world.observe(player, "data").data
                decision = decide(msgspec.msgpack.decode(seen or b""))
                if decision.name is not None:
                    recording.input(player, decision.name, decision.args, observed_tick=recording.world.tick)
        recording.run(HZ * (second + 1) - recording.world.tick)
        if (second + 1) % SNAPSHOT_EVERY_S == 0:
            recording.checkpoint()
        await recording.synced()
    await recording.close()


def paying_otherwise(from_tick: int) -> GameCode:
    """Tsunami, but from this tick on relics pay twice."""
    code = find_games()["tsunami"]
    pays, changed = b"body.coins + body.income\n", f"body.coins + body.income * (world.tick < {from_tick} and 1 or 2)\n"
    assert code.files["players.lua"].count(pays) == 1
    players = code.files["players.lua"].replace(pays, changed.encode())
    return GameCode.from_files("tsunami", {**code.files, "players.lua": players})


def told(what: str, found: str, wanted: str = "") -> None:
    """Print one figure."""
    print(f"{what:<44} {found:<34} {wanted}".rstrip(), flush=True)


def percentiles(times_s: list[float]) -> str:
    """The median, the 95th percentile and the highest."""
    high = sorted(times_s)[int(len(times_s) * 0.95)]
    return f"p50 {statistics.median(times_s) * 1000:.0f} ms, p95 {high * 1000:.0f} ms, max {max(times_s) * 1000:.0f} ms"


def re_execute(data: Path) -> int:
    """Compute the whole game again; returns its last tick."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    done = replay(data, WORLD).run()
    took_s, cpu_s = time.monotonic() - began_s, time.process_time() - cpu_s
    ticks = done.world.tick
    told("re-execution, as fast as it was played", f"{ticks / HZ / took_s:.0f} times", "at least 100 times")
    told("a tick, on average", f"{took_s / ticks * 1000:.3f} ms ({cpu_s / ticks * 1000:.3f} ms of CPU)", "0.13 ms")
    return ticks


def seek(data: Path, last_tick: int, seeks: int) -> None:
    """Go to ticks at random, with keyframes of the whole way, and from nothing."""
    chance = random.Random(1)
    walk = replay(data, WORLD)
    walk.advance(last_tick)
    spacing = max(after - before for before, after in pairwise([0, *walk.keyframes.ticks, last_tick]))
    told("keyframes, and ticks between two at most", f"{len(walk.keyframes)}, {spacing}", "700")
    memory = f"{walk.keyframes.size_bytes / 2**20:.0f} MiB of keyframes"
    told("memory", f"{memory}, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB in all")
    times_s = []
    for _ in range(seeks):
        began_s = time.monotonic()
        walk.seek(chance.randint(0, last_tick))
        times_s.append(time.monotonic() - began_s)
    told("seek to any tick", percentiles(times_s), "p95 150 ms")
    walk.close()
    times_s = []
    for _ in range(COLD_SEEKS):
        began_s = time.monotonic()
        cold = replay(data, WORLD)
        cold.seek(chance.randint(0, last_tick))
        times_s.append(time.monotonic() - began_s)
        cold.close()
    told("seek to any tick, cold", percentiles(times_s), "1000 ms")


def find_the_change(data: Path, last_tick: int) -> None:
    """Bisect with code that is different late in the game, and with code that is not."""
    for what, code in (
        ("bisect, a difference near the end", paying_otherwise(last_tick * 9 // 10)),
        ("bisect, no difference", paying_otherwise(10**9)),
    ):
        began_s = time.monotonic()
        found = bisect(data, WORLD, code)
        took_s = time.monotonic() - began_s
        at = "none" if found.tick is None else f"tick {found.tick}"
        told(what, f"{took_s:.1f} s ({at}, {found.compared} states)", "60 s")


def main() -> None:
    parser = argparse.ArgumentParser(description="How quickly does one get through a game that is over?")
    parser.add_argument("--minutes", type=int, default=30, help="of the game")
    parser.add_argument("--seeks", type=int, default=200)
    parser.add_argument("--folder", type=Path, help="for the data folder; default: a temporary one")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        data = Path(folder)
        asyncio.run(record(data, asked.minutes * 60))
        last_tick = re_execute(data)
        seek(data, last_tick, asked.seeks)
        find_the_change(data, last_tick)


if __name__ == "__main__":
    main()
