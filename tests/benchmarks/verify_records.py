"""How many small records a second and core `worldline log verify` checks.

    python -m tests.benchmarks.verify_records [--records 3000000] [--worlds 40] [--rounds 3] [--folder DIR]

The records are ticks with one input each. The rate is that of processor time, of all processes that the command starts:
a busy machine changes it little. What starting the command takes is measured with an empty data folder, and taken off.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from eventlog import records
from eventlog.frame import RECORD_HEADER_BYTES, file_name
from eventlog.store import Store
from eventlog.worldlog import WorldLog
from games.code import Engine, GameCode
from server.process import python_environment

GAME: Final = Path(__file__).parents[1] / "system" / "games" / "echo"


def tick_record(tick: int) -> records.Tick:
    """A tick with one small input, as the bench's echo game is played."""
    entry = records.InputEntry(
        player="p_1",
        seq=tick,
        name="count",
        args={"by": 1},
        seen_tick=tick - 1,
        observed_tick=tick - 1,
        received_ms=1_795_400_000_000 + tick,
    )
    note = records.OutcomeNote(player="p_1", seq=max(1, tick - 1), status="applied")
    return records.Tick(
        tick=tick, time_ms=1_795_400_000_000 + tick, entries=[entry], fingerprint=b"12345678", outcomes=[note]
    )


def make_data(data: Path, worlds: int, ticks: int) -> None:
    """A data folder as a server leaves it that was stopped in order."""
    code, engine = GameCode.load(GAME), Engine.current()
    store = Store.open(data)
    store.put_code(code.digest, code.files)
    store.put_engine(engine.digest, engine.files)
    store.close()
    for number in range(worlds):
        world = f"w_{number:010}"
        genesis = records.Genesis(
            world=world, game=code.name, digest=code.digest, seed=1, engine=engine.digest, created_ms=0
        )
        log = WorldLog.create(genesis, shard=0)
        pieces = [log.head, *(log.append(tick_record(tick)) for tick in range(1, ticks + 1))]
        pieces.append(log.append(records.Close(tick=ticks, reason="idle", fingerprint=b"12345678")))
        folder = data / "worlds" / world
        folder.mkdir()
        for file in range(1, log.file + 1):
            (folder / file_name(file)).write_bytes(b"".join(piece.data for piece in pieces if piece.file == file))


def verify_s(data: Path) -> float:
    """Processor time of checking a data folder, in all processes."""

    def used_s() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before_s = used_s()
    command = [sys.executable, "-m", "server.commands", "log", "verify", "--data", str(data)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=python_environment())
    return used_s() - before_s


def main() -> None:
    """Read the command line, make the data and print the rate."""
    parser = argparse.ArgumentParser(description="How many small records a second and core are checked.")
    parser.add_argument("--records", type=int, default=3_000_000)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    arguments = parser.parse_args()
    ticks = arguments.records // arguments.worlds
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        full, empty = Path(name) / "full", Path(name) / "empty"
        make_data(full, arguments.worlds, ticks)
        make_data(empty, 0, 0)
        rates = []
        for _ in range(arguments.rounds):
            start_s, all_s = verify_s(empty), verify_s(full)
            rates.append(arguments.worlds * ticks / (all_s - start_s))
    size_bytes = RECORD_HEADER_BYTES + len(records.encode(tick_record(ticks)))
    print(f"{arguments.worlds * ticks} records of {size_bytes} bytes in {arguments.worlds} worlds")
    print(
        f"{statistics.median(rates):,.0f} records a second and core"
        f" ({min(rates):,.0f} to {max(rates):,.0f} in {len(rates)} rounds)"
    )


if __name__ == "__main__":
    main()
