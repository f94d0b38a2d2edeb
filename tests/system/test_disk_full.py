"""Promise: on a disk that is really full, a server's worlds stand still with a notice and go on when there is room; a
server that starts on a full disk says so.

The disk is a file system in memory of a few MiB, mounted for the server alone, so that any user may do it.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.system.harness import START_WITHIN_S, Agent, RunningServer, agent, eventually, serve_command, start_server

pytestmark = pytest.mark.needs("unshare", "mount")
DISK_BYTES = 24 * 2**20


def on_small_disk(data: Path) -> list[str]:
    """A launcher whose command sees a small disk, of its own, at ``data``."""
    mount = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(data)]


def as_seen(server: RunningServer, path: Path) -> Path:
    """A path as the server sees it."""
    return Path(f"/proc/{server.pid}/root{path}")


def fill(path: Path, leave_bytes: int = 0) -> None:
    """Make a file that takes all room but so much."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(64 * 1024))
        except OSError:
            file.truncate(max(0, file.tell() - leave_bytes))


async def play_until_refused(player: Agent, world: str, seq: int) -> tuple[int, dict[str, Any]]:
    """Count up, one by one, from ``seq``: the first seq that was refused, and how."""
    while True:
        reply = await player.request("input", world=world, name="count", args={"by": 1}, seq=seq, note="n" * 16_000)
        if reply["type"] == "error":
            return seq, reply
        assert reply["result"] == {"total": seq}
        seq += 1


async def test_a_full_disk_makes_worlds_stand_still_and_they_go_on(tmp_path: Path) -> None:
    data = tmp_path / "disk"
    data.mkdir()
    server = start_server(data / "data", "--shards", "1", "--limits", "off", cwd=tmp_path, launcher=on_small_disk(data))
    try:
        ballast = as_seen(server, data) / "ballast"
        async with agent(server.url) as player, agent(server.url, "other") as other:
            joined = await player.ask("join", game="echo")
            world, seq = joined["world"], 1
            for _ in range(3):
                fill(ballast)
                seq, refused = await play_until_refused(player, world, seq)
                assert (refused["code"], refused["retry_after_ms"]) == ("world_paused", 2000)
                notice = await player.push("notice", code="world_paused", world=world)
                assert "no room" in notice["message"]
                seen = await player.ask("observe", world=world)
                assert (seen["data"]["total"], seen["status"]) == (seq - 1, "paused")
                listed = await player.ask("worlds", status="paused")
                assert [each["world"] for each in listed["worlds"]] == [world]
                late = await other.request("join", world=world)
                assert late["code"] == "world_paused"
                player.pushes.clear()
                ballast.unlink()
                await player.push("notice", code="world_resumed", world=world)
            reply = await player.ask("input", world=world, name="count", args={"by": 1}, seq=seq)
            assert reply["result"] == {"total": seq}
        assert server.terminate() == 0
    finally:
        server.clean_up()


async def test_what_was_acknowledged_on_a_full_disk_is_there_after_a_crash(tmp_path: Path) -> None:
    """The shard is killed while the disk is full: its journal waits to be redone, the world comes back with room."""
    data = tmp_path / "disk"
    data.mkdir()
    server = start_server(data / "data", "--shards", "1", "--limits", "off", cwd=tmp_path, launcher=on_small_disk(data))
    try:
        ballast = as_seen(server, data) / "ballast"
        async with agent(server.url) as player:
            world = (await player.ask("join", game="echo"))["world"]
            fill(ballast)
            seq, _ = await play_until_refused(player, world, 1)
            (shard,) = server.shard_pids()
            subprocess.run(["kill", "-9", str(shard)], check=True)
            await player.push("notice", code="world_recovering", world=world)
            await eventually(lambda: "waits to be redone" in server.stderr(), "recovery has found no room")
            waiting = asyncio.create_task(player.request("input", world=world, name="count", args={"by": 1}, seq=seq))
            ballast.unlink()
            outcome = await waiting
            while outcome["type"] == "error":
                assert outcome["code"] == "world_paused", outcome
                outcome = await player.request("input", world=world, name="count", args={"by": 1}, seq=seq)
            assert outcome["result"] == {"total": seq}
            again = await player.ask("input", world=world, name="count", args={"by": 1}, seq=seq)
            assert again["duplicate"]
        assert server.terminate() == 0
    finally:
        server.clean_up()


def test_a_server_that_starts_on_a_full_disk_says_so(tmp_path: Path) -> None:
    data = tmp_path / "disk"
    data.mkdir()
    script = (
        "import os, sys; from pathlib import Path; from tests.system.test_disk_full import fill;"
        "fill(Path(sys.argv[1]) / 'ballast', 128 * 1024); os.execv(sys.argv[2], sys.argv[2:])"
    )
    ended = subprocess.run(
        [*on_small_disk(data), sys.executable, "-c", script, str(data), *serve_command(data / "data", [])],
        capture_output=True,
        text=True,
        timeout=START_WITHIN_S,
        check=False,
    )
    assert ended.returncode == 1, ended
    assert "no room" in ended.stderr
    assert "make room, or use another --data" in ended.stderr
    assert "Traceback" not in ended.stderr
