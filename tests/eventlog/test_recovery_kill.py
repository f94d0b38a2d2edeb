"""Promise: kill -9 at any write, sync or removal, of a run or of recovery itself, loses and doubles nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlog.reader import read_world
from eventlog.records import Open, Record, Tick
from eventlog.recovery import recover
from tests.eventlog.building import Recording, crash, plain, tick_record
from tests.eventlog.disks import HastyDisk
from tests.eventlog.scripted_run import FILE_BYTES, OPTIONS, WORLD
from tests.eventlog.test_recovery import assert_recovered
from tests.faults_tried import Tried

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "rmdir", "mkdir")


async def crashed_folder(tmp_path: Path) -> tuple[Path, list[Record]]:
    """A crashed data folder whose world has six ticks, some in files, with a tail to cut; what the world holds."""
    recording = Recording(tmp_path / "running", options=OPTIONS, file_bytes=FILE_BYTES)
    await recording.journal.append([recording.begin(WORLD)]).wait()
    for tick in range(1, 7):
        await recording.append(WORLD, tick_record(tick)).wait()
    data = crash(tmp_path / "running", tmp_path / "crashed")
    await recording.journal.close()
    files = sorted((data / "worlds" / WORLD).glob("*.wlog"))
    with files[-1].open("ab") as file:
        file.write(b"no record" * 300)
    return data, recording.written[WORLD]


def command(what: str, data: Path) -> list[str]:
    """The scripted run's command line. Python keeps no bytecode: that would be calls of the first run only."""
    return [sys.executable, "-B", "-m", "tests.eventlog.scripted_run", what, str(data)]


def trace(*options: str, run: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a program under strace, which looks at our calls only."""
    calls = ",".join(f"?{call}" for call in (*CALLS, "unlinkat", "mkdirat"))
    words = ["strace", "-f", "-qq", "-e", f"trace={calls}", *options, *run]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def kills(what: str, data: Path, log: Path) -> list[tuple[str, int]]:
    """Every call that the run makes: its name, and which one of that name it is in its thread."""
    assert trace("-o", str(log), run=command(what, data)).returncode == 0
    threads = Counter[tuple[str, str]]()
    for line in log.read_text().splitlines():
        thread, _, called = line.partition(" ")
        if match := re.match(r"\s*(\w+)\(", called):
            threads[thread, match[1]] += 1
    most: dict[str, int] = {}
    for (_, name), count in threads.items():
        most[name] = max(count, most.get(name, 0))
    return [(name, nth) for name, count in sorted(most.items()) for nth in range(1, count + 1)]


def kill_at(what: str, data: Path, call: str, nth: int) -> int:
    """Kill the run there; return the last tick that it called durable, or 6, the last before it."""
    done = trace("-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={nth}", run=command(what, data))
    assert done.returncode == -9 or done.returncode == 137, (call, nth, done.returncode, done.stderr)
    complete = [line for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]
    return int(complete[-1]) if complete else 6


@pytest.mark.needs("strace")
@pytest.mark.parametrize("what", ["recover", "play"])
async def test_killed_at_every_call_everything_durable_is_there_once(tmp_path: Path, what: str, tried: Tried) -> None:
    data, before = await crashed_folder(tmp_path)
    if what == "play":
        recover(data, disk=HastyDisk())
    places = kills(what, shutil.copytree(data, tmp_path / "probe"), tmp_path / "calls")

    def kill_and_recover(place: tuple[str, int]) -> None:
        folder = shutil.copytree(data, tmp_path / f"{place[0]}-{place[1]}")
        durable = kill_at(what, folder, *place)
        recover(folder, disk=HastyDisk())
        found = plain(read_world(folder, WORLD))
        assert_recovered(folder, {WORLD: found})
        assert found[: len(before)] == before
        added = found[len(before) :]
        assert all(isinstance(record, Open) and record.epoch == 2 for record in added[:1])
        ticks = [record for record in added[1:] if isinstance(record, Tick)]
        assert ticks == added[1:] == [tick_record(tick) for tick in range(7, 7 + len(ticks))]
        assert len(ticks) >= durable - 6

    with ThreadPoolExecutor(2) as pool:
        fired = sum(1 for _ in pool.map(kill_and_recover, places))
    tried("a process killed at a system call (strace)", fired)
    assert fired == len(places)
    assert {call for call, _ in places} >= {"pwrite64", "fdatasync", "fsync"}
    assert fired >= (10 if what == "recover" else 25)
