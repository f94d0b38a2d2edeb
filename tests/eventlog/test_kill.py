"""Promise: what a server called durable is readable after kill -9, exactly as it was written, and nothing else is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eventlog.disk import lock
from eventlog.errors import JournalLeftBehind, LogLocked, StoreInUse
from eventlog.journal import Journal, shard_folder
from eventlog.reader import read_world
from eventlog.records import Open
from eventlog.store import Store
from tests.eventlog.building import SHARD, genesis, plain, tick_record
from tests.eventlog.endless_writer import WORLDS
from tests.faults_tried import Tried

ROOT = Path(__file__).resolve().parents[2]


def start_writer(data: Path) -> subprocess.Popen[str]:
    """Start the endless writer in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.eventlog.endless_writer", str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def kill_after(writer: subprocess.Popen[str], lines: int) -> int:
    """Kill the writer when it has printed so many lines; return the last tick that it called durable."""
    assert writer.stdout is not None
    for _ in range(lines):
        assert writer.stdout.readline()
    os.kill(writer.pid, signal.SIGKILL)
    rest = writer.stdout.read()
    writer.wait()
    complete = [line for line in rest.splitlines(keepends=True) if line.endswith("\n")]
    return int(complete[-1]) if complete else lines


@pytest.mark.parametrize("lines", [1, 2, 9, 40, 150, 400, 401, 403])
def test_every_durable_tick_is_readable_after_kill_9(tmp_path: Path, lines: int, tried: Tried) -> None:
    durable = kill_after(start_writer(tmp_path), lines)
    assert durable >= lines
    tried("a process killed while it writes")
    expected = [tick_record(tick) for tick in range(1, durable + 2)]
    for world in WORLDS:
        read = plain(read_world(tmp_path, world))
        assert read[:2] == [genesis(world), Open(1, SHARD, genesis(world).engine)]
        assert read[2:] == expected[: len(read) - 2], "at most the one group that was under way is there as well"
        assert len(read) - 2 >= durable


async def test_a_journal_left_behind_takes_nothing_new_but_is_readable(tmp_path: Path) -> None:
    durable = kill_after(start_writer(tmp_path), 30)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(JournalLeftBehind, match="use another --data"):
        Journal.open(tmp_path, SHARD, on_failure=lambda error: None)
    listed = {info.world: info for info in Store.read_only(tmp_path).worlds()}
    assert set(listed) == set(WORLDS)
    assert all(info.status == "open" and info.last_tick >= durable for info in listed.values())
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after, "neither refusing nor reading changes a byte"


async def test_a_folder_in_use_is_refused_and_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    writer = start_writer(tmp_path)
    assert writer.stdout is not None
    writer.stdout.readline()
    with pytest.raises(StoreInUse, match="in use by another server"):
        Store.open(tmp_path)
    with pytest.raises(LogLocked):
        Journal.open(tmp_path, SHARD, on_failure=lambda error: None)
    kill_after(writer, 1)
    os.close(lock(tmp_path / "LOCK"))
    shutil.rmtree(shard_folder(tmp_path, SHARD))
    Store.open(tmp_path).close()
