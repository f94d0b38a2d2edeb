"""Promise: kill -9 at any step of writing, publishing, recording or thinning snapshots leaves no half of one under its
name, and the world comes back the same from each that is there as from its genesis."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlog.errors import UnknownWorld
from eventlog.reader import read_world
from eventlog.records import Checkpoint
from eventlog.recovery import recover
from eventlog.snapshots import Snapshots, is_draft, kept_ticks
from replays.replay import replay
from tests.eventlog.building import plain
from tests.eventlog.disks import HastyDisk
from tests.replays.recording import WORLD
from tests.replays.scripted_snapshots import ROUNDS, SPACING_TICKS, TICKS, prepare
from tests.replays.test_from_snapshots import standing

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink")
EVERY = [1 + number * (TICKS + 1) for number in range(1, ROUNDS + 1)]


def run(data: Path, *strace: str) -> tuple[int, list[str]]:
    """Run the script under strace; its exit code and the lines that it said."""
    calls = ",".join(f"?{call}" for call in (*CALLS, "unlinkat", "renameat2"))
    command = ["strace", "-qq", "-e", f"trace={calls}", *strace]
    command += [sys.executable, "-B", "-m", "tests.replays.scripted_snapshots", str(data)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, [line.strip() for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]


def places(log: Path) -> list[tuple[str, int]]:
    """Every call in a trace: its name, and which one of that name it is in its thread."""
    threads = Counter[tuple[str, str]]()
    for line in log.read_text().splitlines():
        if match := re.match(r"(\d*)\s*(\w+)\(", line):
            threads[match[1], match[2]] += 1
    most: dict[str, int] = {}
    for (_, name), count in threads.items():
        most[name] = max(count, most.get(name, 0))
    return [(name, nth) for name, count in sorted(most.items()) for nth in range(1, count + 1)]


def check_after_crash(data: Path, said: list[str]) -> int:
    """Recover as a server does, and compare with what was promised; how many drafts the crash had left."""
    recover(data, disk=HastyDisk())
    snapshots = Snapshots(data, WORLD)
    promised = {word: int(tick) for word, tick in (line.split() for line in said)}
    try:
        claimed = [record.tick for record in plain(read_world(data, WORLD)) if isinstance(record, Checkpoint)]
    except UnknownWorld:
        assert (said, snapshots.ticks()) == ([], [])
        return 0
    there = snapshots.ticks()
    assert [each.tick for each in snapshots.usable()] == there[::-1], "what has a snapshot's name is a whole one"
    published = [tick for tick in EVERY if tick <= promised.get("published", 0)]
    assert set(kept_ticks(published, SPACING_TICKS)) <= set(there) <= set(EVERY), "the first and the last two stay"
    assert claimed == EVERY[: len(claimed)]
    last_claimed = max(claimed, default=0)
    assert promised.get("recorded", 0) <= last_claimed <= max(there, default=0), "no claim before its snapshot"
    drafts = [path.name for path in snapshots.folder.glob(".*")]
    assert len(drafts) <= 1
    assert all(is_draft(name) for name in drafts)
    snapshots.thin(SPACING_TICKS)
    there = snapshots.ticks()
    assert not list(snapshots.folder.glob(".*"))
    from_each = []
    for tick in reversed([0, *there]):
        walk = replay(data, WORLD, start="latest").run().catch_up()
        assert walk.began_at_tick == tick
        assert walk.world.tick >= promised.get("played", 0)
        from_each.append(standing(walk))
        snapshots.path(tick).unlink(missing_ok=True)
    assert all(each == from_each[-1] for each in from_each), "the log alone gives the same world"
    return len(drafts)


@pytest.mark.needs("strace")
@pytest.mark.parametrize(("follow", "least"), [((), 25), (("-f",), 25)], ids=["main-thread", "all-threads"])
def test_killed_at_every_call_no_half_snapshot_counts(tmp_path: Path, follow: tuple[str, ...], least: int) -> None:
    """Not following threads makes each call for a snapshot one of the kills; following them, each of the journal's."""
    prepare(start := tmp_path / "start")
    code, said = run(shutil.copytree(start, tmp_path / "whole"), *follow, "-o", str(tmp_path / "calls"))
    assert (code, said[-1]) == (0, f"thinned {EVERY[-1]}")
    assert Snapshots(tmp_path / "whole", WORLD).ticks() == [EVERY[0], *EVERY[-2:]]
    assert check_after_crash(tmp_path / "whole", said) == 0
    kills = places(tmp_path / "calls")
    assert {call for call, _ in kills} >= set(CALLS)

    def kill(place: tuple[str, int]) -> tuple[str, int] | None:
        call, nth = place
        data = shutil.copytree(start, tmp_path / f"{call}-{nth}")
        code, said_then = run(data, *follow, "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={nth}")
        # It ends without closing its journal: what the journal's thread had still to do then may be done or not.
        to_its_end = bool(follow) and (code, said_then) == (0, said)
        assert code in (-9, 137) or to_its_end, (place, code, said_then)
        drafts = check_after_crash(data, said_then)
        return None if to_its_end else ((said_then or ["nothing"])[-1].split()[0], drafts)

    with ThreadPoolExecutor(2) as pool:
        found = [each for each in pool.map(kill, kills) if each is not None]
    assert len(found) >= max(least, 0.9 * len(kills)), kills
    reached = Counter(word for word, _ in found)
    if not follow:
        assert reached["played"] >= 4 * ROUNDS, reached
        assert reached["recorded"] >= ROUNDS - 3, reached
        assert sum(drafts for _, drafts in found) >= 2 * ROUNDS
