"""Promise: kill -9, a failing disk or lost power at any step of archiving or removing a world loses none of its records
before it is to go, leaves all of it or nothing when it goes, and no journal ever brings it back."""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest

from eventlog.archive import archive_world
from eventlog.errors import UnknownWorld
from eventlog.reader import read_world
from eventlog.records import Record, Tick
from eventlog.recovery import recover
from eventlog.removal import REMOVED, finish_removals, remove_world
from eventlog.store import Store
from eventlog.verify import verify
from tests.eventlog import scripted_life
from tests.eventlog.building import Recording, crash, genesis, plain, tick_record
from tests.eventlog.disks import FailingDisk, HastyDisk, WatchedDisk
from tests.eventlog.power import PowerDisk, PowerLost
from tests.eventlog.scripted_life import END, ENDED, PLAYING, TICKS
from tests.eventlog.test_archive import ended_world
from tests.faults_tried import Tried

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("pwrite64", "fdatasync", "fsync", "rename", "unlink", "rmdir")
ALL_OF_IT: list[Record] = [*(tick_record(tick) for tick in range(1, TICKS + 1)), END]


def read_or_gone(data: Path, world: str) -> list[Record] | None:
    """A world's records, or None if it is not there."""
    try:
        return plain(read_world(data, world))
    except UnknownWorld:
        return None


# --- kill -9 ------------------------------------------------------------------------------------------


def life(data: Path, segments: str, *strace: str) -> tuple[int, list[str]]:
    """Run the scripted life under strace; its exit code and the words that it said."""
    calls = ",".join(f"?{call}" for call in (*CALLS, "unlinkat", "renameat2"))
    command = ["strace", "-f", "-qq", "-e", f"trace={calls}", *strace]
    command += [sys.executable, "-B", "-m", "tests.eventlog.scripted_life", str(data), segments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, [line.strip() for line in done.stdout.splitlines(keepends=True) if line.endswith("\n")]


def places(log: Path) -> list[tuple[str, int]]:
    """Every call in a trace: its name, and which one of that name it is in its thread."""
    threads = Counter[tuple[str, str]]()
    for line in log.read_text().splitlines():
        thread, _, called = line.partition(" ")
        if match := re.match(r"\s*(\w+)\(", called):
            threads[thread, match[1]] += 1
    most: dict[str, int] = {}
    for (_, name), count in threads.items():
        most[name] = max(count, most.get(name, 0))
    return [(name, nth) for name, count in sorted(most.items()) for nth in range(1, count + 1)]


def check_after_crash(data: Path, said: list[str]) -> None:
    """Recover as a server does, and compare with what was promised."""
    before = read_or_gone(data, ENDED)
    recover(data, disk=HastyDisk())
    finish_removals(data, disk=HastyDisk())
    assert not list((data / "journal").iterdir())
    assert not list((data / "worlds").glob(f"{REMOVED}*"))
    found = read_or_gone(data, ENDED)
    assert found == before, "recovery brings nothing back and takes nothing away"
    if "removed" in said:
        assert found is None
        assert not (data / "worlds" / ENDED).exists()
    elif "ended" in said and ("archived" not in said or found is not None):
        assert found is not None
        assert found[2:] == ALL_OF_IT, "all or nothing, also while it is being archived or removed"
    elif found is not None:
        assert found[2:] == ALL_OF_IT[: len(found) - 2]
    ticks = [record for record in read_or_gone(data, PLAYING) or [] if isinstance(record, Tick)]
    assert ticks == [tick_record(tick) for tick in range(1, len(ticks) + 1)]
    assert len(ticks) >= sum(word.startswith("tick") for word in said)
    problems = [problem for problem in verify(data).problems if problem.file.startswith("worlds")]
    assert problems == []
    if found is not None and found[-1] == END:
        archive_world(data, ENDED, disk=HastyDisk())
        assert read_or_gone(data, ENDED) == found, "it can be archived to the end"
        assert not list((data / "worlds" / ENDED).glob("*.wlog"))
        assert not list((data / "worlds" / ENDED).glob("*.new"))


@pytest.mark.needs("strace")
@pytest.mark.parametrize("segments", ["big", "small"])
def test_killed_at_every_call_the_world_is_there_or_gone(tmp_path: Path, segments: str, tried: Tried) -> None:
    whole = tmp_path / "whole"
    code, said = life(whole, segments, "-o", str(tmp_path / "calls"))
    assert (code, said[-2:]) == (0, ["removed", "tick 3"])
    if segments == "big":
        journal = b"".join(path.read_bytes() for path in sorted(whole.rglob("*.journal")))
        assert genesis(ENDED).world.encode() in journal, "the journal still holds all of the world that is gone"
    check_after_crash(whole, said)
    reached = kill_everywhere(tmp_path, None, segments, said_before=[], said_by_all=said)
    tried("a process killed at a system call (strace)", reached.total())


@pytest.mark.needs("strace")
async def test_killed_at_every_call_of_archiving_and_removing(tmp_path: Path, tried: Tried) -> None:
    """Single-threaded, so that each call of these two is one of the kills."""
    recording = await scripted_life.live(tmp_path / "running", "big", act_too=False)
    released = crash(tmp_path / "running", tmp_path / "released")
    await recording.journal.close()
    code, said = life(shutil.copytree(released, tmp_path / "probe"), "act", "-o", str(tmp_path / "calls"))
    assert (code, said) == (0, ["archived", "removed"])
    reached = kill_everywhere(tmp_path, released, "act", said_before=["ended", "tick 1", "released"], said_by_all=said)
    tried("a process killed at a system call (strace)", reached.total())
    assert min(reached["released"], reached["archived"]) >= 5, reached


def kill_everywhere(
    tmp_path: Path, start: Path | None, what: str, *, said_before: list[str], said_by_all: list[str]
) -> Counter[str]:
    """Kill the life at every call in ``calls`` and check each time; how often it had said what as its last word.

    ``said_by_all``: what a life says that nobody kills."""
    kills = places(tmp_path / "calls")
    assert {call for call, _ in kills} >= {"pwrite64", "fdatasync", "fsync", "rename", "unlink", "rmdir"}

    def kill(place: tuple[str, int]) -> str | None:
        data = tmp_path / f"{place[0]}-{place[1]}"
        if start is not None:
            shutil.copytree(start, data)
        call, nth = place
        code, said = life(data, what, "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={nth}")
        # It ends without closing its journal: what the journal's thread had still to do then may be done or not.
        assert code in (-9, 137) or (code, said) == (0, said_by_all), (place, code, said)
        check_after_crash(data, [*said_before, *said])
        return ([*said_before, *said] or ["nothing"])[-1] if code else None

    with ThreadPoolExecutor(2) as pool:
        reached = Counter(word for word in pool.map(kill, kills) if word is not None)
    assert reached.total() > 25
    assert reached.total() >= 0.9 * len(kills), "all but the very last calls were killed at"
    return reached


# --- failing disks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
async def test_whichever_call_fails_doing_it_again_completes_it(tmp_path: Path, error: int, tried: Tried) -> None:
    written = await ended_world(tmp_path / "whole", ticks=8, file_bytes=1000)
    for act in (archive_world, remove_world):
        counted = WatchedDisk()
        act(shutil.copytree(tmp_path / "whole", tmp_path / act.__name__), "w_one", disk=counted)
        for nth in range(1, len(counted.calls) + 1):
            left = nth

            def at_nth(_call: str, _path: Path) -> bool:
                nonlocal left
                left -= 1
                return left == 0

            data = shutil.copytree(tmp_path / "whole", tmp_path / f"{act.__name__}-{nth}")
            disk = FailingDisk(at_nth, error)
            with pytest.raises(OSError, match="this disk fails"):
                act(data, "w_one", disk=disk)
            assert disk.failed == 1
            tried("a call to the disk that fails")
            finish_removals(data, disk=HastyDisk())
            found = read_or_gone(data, "w_one")
            assert found == written or (found is None and act is remove_world)
            if found is not None:
                act(data, "w_one", disk=HastyDisk())
            assert read_or_gone(data, "w_one") == (written if act is archive_world else None)
            left_over = {path.suffix for path in (data / "worlds").rglob("*") if path.is_file()}
            assert left_over == ({".wlogz"} if act is archive_world else set())


class LyingDisk(HastyDisk):
    """Keeps other bytes than it was given."""

    def write(self, descriptor: int, data: bytes, offset: int) -> None:
        super().write(descriptor, data[:-1] + b"!", offset)


async def test_an_original_stays_if_its_archive_reads_back_differently(tmp_path: Path) -> None:
    written = await ended_world(tmp_path)
    with pytest.raises(OSError, match="gives back other bytes than were written"):
        archive_world(tmp_path, "w_one", disk=LyingDisk())
    assert read_or_gone(tmp_path, "w_one") == written
    assert not list(tmp_path.rglob("*.wlogz*"))


async def test_an_archive_that_is_not_equal_is_made_anew(tmp_path: Path) -> None:
    written = await ended_world(tmp_path)
    path = tmp_path / "worlds" / "w_one" / "0001.wlogz"
    path.write_bytes(b"what a power loss left")
    (path.parent / "0002.wlogz.new").write_bytes(b"and this")
    assert read_or_gone(tmp_path, "w_one") == written, "the original counts while it is there"
    archive_world(tmp_path, "w_one")
    assert read_or_gone(tmp_path, "w_one") == written
    assert {each.suffix for each in path.parent.iterdir()} == {".wlogz"}


# --- lost power ---------------------------------------------------------------------------------------


async def test_lost_power_at_any_call_loses_no_record_and_keeps_no_half(tmp_path: Path, tried: Tried) -> None:
    written = await ended_world(tmp_path / "whole", ticks=8, file_bytes=1000)
    losses = names = 0
    for act in (archive_world, remove_world):
        probe = PowerDisk(shutil.copytree(tmp_path / "whole", tmp_path / act.__name__), 10**6)
        act(tmp_path / act.__name__, "w_one", disk=probe)
        calls = len(probe.calls)
        for seed in range(6 * calls):
            random = Random(seed)
            root = shutil.copytree(tmp_path / "whole", tmp_path / f"{act.__name__}-{seed}")
            disk = PowerDisk(root, seed % calls)
            with pytest.raises(PowerLost):
                act(root, "w_one", disk=disk)
            losses += disk.lost
            data = tmp_path / "after"
            disk.lose_power(data, random)
            names += disk.lost_names
            finish_removals(data, disk=HastyDisk())
            found = read_or_gone(data, "w_one")
            assert found == written or (found is None and act is remove_world), (act.__name__, seed)
            if found is not None:
                act(data, "w_one", disk=HastyDisk())
            assert read_or_gone(data, "w_one") == (written if act is archive_world else None), (act.__name__, seed)
            shutil.rmtree(data)
            shutil.rmtree(root)
    tried("power lost at a call to the disk", losses)
    assert losses > 100
    assert names > 50


# --- journals -----------------------------------------------------------------------------------------


async def test_a_removed_world_is_not_made_again_by_the_journal_that_held_it(tmp_path: Path) -> None:
    """Also not while the server runs on: readers and listings look into journals, too."""
    recording = Recording(tmp_path / "running", file_bytes=1000)
    await recording.create("w_one", "w_two").wait()
    recording.append("w_one", *ALL_OF_IT)  # type: ignore[arg-type]
    await recording.journal.release_world("w_one").wait()
    for act in (archive_world, remove_world):
        act(recording.data, "w_one")
        data = crash(recording.data, tmp_path / act.__name__)
        for folder in (recording.data, data):
            there = act is archive_world
            assert (read_or_gone(folder, "w_one") == recording.written["w_one"]) == there
            assert ("w_one" in Store.read_only(folder).world_ids()) == there
            assert verify(folder).worlds == 1 + there
        (recovered,) = recover(data).worlds
        assert recovered.world == "w_two"
        assert (data / "worlds" / "w_one").exists() == (act is archive_world)
        assert not list((data / "worlds").glob("w_one/*.wlog"))
    await recording.journal.close()
