"""What the log costs a shard with many small worlds: 1,000 of them at 10 ticks a second, an input each per tick.

    python -m tests.benchmarks.thousand_worlds [--worlds 1000] [--seconds 10] [--pairs 3] [--folder DIR]

One shard process, fed over its unix socket by this one, in two ways that take turns: with its log, and without
(``counted_shard.py``). The inputs of a tick are sent evenly over its interval, whatever the answers do. Printed, of
each way the median of its runs: the shard's processor time, in all and per tick, its journal's groups and syncs, and
the time from the sending of an input to its outcome, taken in this process.

What the log costs is taken in two ways: as the processor time of its own code, on the loop's thread and on the
writer's; and as the difference between the runs of a pair, which on a busy machine is mostly noise. Both are given as
a share of a core at the full rate, also where a shard did not reach it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import uvloop

from eventlog.store import Store
from games.code import GameCode
from server import messages
from server.callpage import CallReader
from server.link import Link, attach, connect_unix
from server.process import python_environment
from worldline import protocol

GAME: Final = Path(__file__).parents[1] / "system" / "games" / "echo"
TICK_HZ: Final = 10
SEND_EVERY_S: Final = 0.005
WARM_UP_S: Final = 3.0

Log = Literal["log", "none"]


class Figures(msgspec.Struct):
    """Of one run."""

    seconds: float
    loop_s: float
    """Processor time of the shard's main thread …"""
    others_s: float
    """… and of its other threads: the journal's writer, and those that save worlds."""
    log_loop_s: float
    """Of ``loop_s``: in the log's code."""
    writer_s: float
    """Of ``others_s``: the journal's writer."""
    ticks: int
    rate: float
    """Ticks that ran, as a share of those that were due."""
    groups: int
    group_syncs: int
    sync_ms: float
    latencies_s: list[float]
    unanswered: int
    calls: dict[str, int]
    """Of the disk, since the shard began."""

    @property
    def tick_us(self) -> float:
        """Processor time for a tick with an input, all included."""
        return 1e6 * (self.loop_s + self.others_s) / self.ticks

    @property
    def log_us(self) -> float:
        """Of it: in the log's code, and its writer."""
        return 1e6 * (self.log_loop_s + self.writer_s) / self.ticks

    @property
    def share(self) -> float:
        """Of a core, in percent."""
        return 100 * (self.loop_s + self.others_s) / self.seconds

    def latency_ms(self, quantile: float) -> float:
        """From sending to outcome."""
        if not self.latencies_s:  # a machine so busy that nothing came in time
            return float("nan")
        ordered = sorted(self.latencies_s)
        return 1000 * ordered[int(quantile * (len(ordered) - 1))]


def echo_at_10_hz() -> GameCode:
    """The small game of the system tests, at another rate."""
    files = dict(GameCode.load(GAME).files)
    manifest = files["game.toml"].replace(b"tick_hz = 60", b"tick_hz = %d" % TICK_HZ)
    assert manifest != files["game.toml"]
    return GameCode.from_files("echo", {**files, "game.toml": manifest})


def processor_s(pid: int) -> tuple[float, float]:
    """Processor time of a process's main thread, and of its other threads."""
    spent = {
        int(task.name): int((task / "schedstat").read_text().split()[0]) / 1e9
        for task in Path(f"/proc/{pid}/task").iterdir()
    }
    return spent.pop(pid), sum(spent.values())


class Load:
    """The supervisor and the gateway of one shard: orders worlds, joins them, sends inputs, takes the time."""

    def __init__(self, worlds: int) -> None:
        self.worlds = [f"w_{number:010}" for number in range(worlds)]
        self.latencies_s: list[float] = []
        self.ending = False
        self.control: Link[Any]
        self.gateway: Link[Any]
        measuring = asyncio.current_task()
        assert measuring is not None
        self._measuring = measuring
        self._opened = 0
        self._open = asyncio.Event()
        self.ready = asyncio.Event()
        self._sent_s: dict[int, float] = {}
        self._requests = 0
        self._seqs = [0] * worlds
        self._joined = 0
        self._all_joined = asyncio.Event()
        self._statistics: asyncio.Future[messages.ShardStatistics] | None = None

    def on_report(self, _: Link[Any], message: Any) -> None:
        """What the shard tells its supervisor."""
        match message:
            case messages.ShardReady():
                self.ready.set()
            case messages.WorldOpened():
                self._opened += 1
                if self._opened == len(self.worlds):
                    self._open.set()
            case messages.ShardStatistics():
                assert self._statistics is not None
                self._statistics.set_result(message)
            case messages.WorldNotOpened(reason=reason):
                raise RuntimeError(reason)

    def on_answer(self, _: Link[Any], message: Any) -> None:
        """What the shard tells a gateway."""
        if not isinstance(message, messages.Answer):
            return
        match message.message:
            case protocol.Outcome():
                sent_s = self._sent_s.pop(message.request, None)
                if sent_s is not None:
                    self.latencies_s.append(time.monotonic() - sent_s)
            case protocol.Joined():
                self._joined += 1
                if self._joined == len(self.worlds):
                    self._all_joined.set()
            case refused:
                raise RuntimeError(f"the shard refuses: {refused}")

    def lost(self, _: Link[Any]) -> None:
        """The shard is gone."""
        if not self.ending:
            self._measuring.cancel("the shard has died: see above")

    async def open_worlds(self, data: Path, code: GameCode) -> None:
        """Have every world made and joined by one agent."""
        Store.attach(data).put_code(code.digest, code.files)
        for world in self.worlds:
            self.control.send(messages.OpenWorld(world=world, game=code.name, digest=code.digest, seed=1))
        await self._open.wait()
        for world in self.worlds:
            self._requests += 1
            self.gateway.send(
                messages.JoinWorld(request=self._requests, world=world, agent="a_1", session="s_1", name="one")
            )
        await self._all_joined.wait()

    async def ask(self) -> messages.ShardStatistics:
        """How the shard is doing."""
        self._statistics = asyncio.get_running_loop().create_future()
        self.control.send(messages.AskStatistics(request=0))
        return await self._statistics

    async def play(self, seconds: float) -> None:
        """Send every world an input per tick, evenly over the tick's interval."""
        began_s = time.monotonic()
        sent = 0
        while (now_s := time.monotonic()) < began_s + seconds:
            due = int((now_s - began_s) * TICK_HZ * len(self.worlds))
            while sent < due:
                self._input(sent % len(self.worlds))
                sent += 1
            await asyncio.sleep(SEND_EVERY_S)

    def forget(self) -> None:
        """Count from here on: what is under way counts no more."""
        self._sent_s.clear()
        self.latencies_s.clear()

    async def settle(self) -> int:
        """Wait for the outcomes that are under way; return how many did not come."""
        until_s = time.monotonic() + 5.0
        while self._sent_s and time.monotonic() < until_s:
            await asyncio.sleep(0.05)
        return len(self._sent_s)

    def _input(self, number: int) -> None:
        self._requests += 1
        self._seqs[number] += 1
        message = messages.PlayerInput(
            request=self._requests,
            world=self.worlds[number],
            player="p_1",
            name="count",
            args={"by": 1},
            seq=self._seqs[number],
        )
        self._sent_s[self._requests] = time.monotonic()
        self.gateway.send(message)


async def measure(folder: Path, log: Log, worlds: int, seconds: float) -> Figures:
    """One run of a shard."""
    folder.mkdir()
    load = Load(worlds)
    ours, theirs = socket.socketpair()
    with theirs:
        arguments = [log, str(folder / "counts"), str(theirs.fileno()), str(os.getpid())]
        shard = subprocess.Popen(
            [sys.executable, "-P", "-m", "tests.benchmarks.counted_shard", *arguments],
            pass_fds=[theirs.fileno()],
            env=python_environment(),
        )
    load.control = await attach(ours, messages.ToSupervisor, load.on_report, load.lost)
    CallReader(folder / "page")
    config = messages.ConfigureShard(
        shard=0,
        data=str(folder / "data"),
        socket_path=str(folder / "socket"),
        call_page_path=str(folder / "page"),
        durability="durable",
        limits=False,
        log_format="text",
        log_level="error",
    )
    load.control.send(config)
    await load.ready.wait()
    load.gateway = await connect_unix(config.socket_path, messages.ShardToGateway, load.on_answer, load.lost)
    await load.open_worlds(folder / "data", echo_at_10_hz())
    await load.play(WARM_UP_S)
    await load.settle()
    load.forget()
    before = await load.ask()
    began_s, (loop_s, others_s) = time.monotonic(), processor_s(shard.pid)
    await load.play(seconds)
    took_s, (loop_after_s, others_after_s) = time.monotonic() - began_s, processor_s(shard.pid)
    after = await load.ask()
    unanswered = await load.settle()
    syncs = after.sync_seconds.minus(before.sync_seconds)
    ticks = sum(world.ticks_run for world in after.worlds) - sum(world.ticks_run for world in before.worlds)
    load.ending = True
    shard.kill()
    shard.wait()
    counts = json.loads((folder / "counts").read_text())
    (log_loop_s, writer_s), (log_loop_after_s, writer_after_s) = counts["asked"]
    return Figures(
        seconds=took_s,
        loop_s=loop_after_s - loop_s,
        others_s=others_after_s - others_s,
        log_loop_s=log_loop_after_s - log_loop_s,
        writer_s=writer_after_s - writer_s,
        ticks=ticks,
        rate=ticks / (took_s * TICK_HZ * worlds),
        groups=after.journal_groups - before.journal_groups,
        group_syncs=syncs.count,
        sync_ms=1000 * syncs.quantile(0.5),
        latencies_s=load.latencies_s,
        unanswered=unanswered,
        calls=counts["calls"],
    )


def row(name: str, runs: list[Figures]) -> str:
    """One line of the result: the medians of a way's runs."""

    def median(figure: Callable[[Figures], float]) -> float:
        return statistics.median(map(figure, runs))

    return (
        f"{name:10} {100 * median(lambda run: run.rate):7.1f} {median(lambda run: run.share):10.1f}"
        f" {median(lambda run: run.tick_us):8.1f} {median(lambda run: run.groups / run.seconds):9.1f}"
        f" {median(lambda run: run.sync_ms):8.2f} {median(lambda run: run.latency_ms(0.5)):8.1f}"
        f" {median(lambda run: run.latency_ms(0.99)):8.1f} {sum(run.unanswered for run in runs):11}"
    )


def report(worlds: int, seconds: float, logged: list[Figures], bare: list[Figures]) -> list[str]:
    """The lines to print."""
    per_s = worlds * TICK_HZ
    own_us = statistics.median(run.log_us for run in logged)
    writer_us = statistics.median(1e6 * run.writer_s / run.ticks for run in logged)
    between_us = [with_log.tick_us - without.tick_us for with_log, without in zip(logged, bare, strict=True)]
    calls = Counter(logged[-1].calls)
    columns = (
        f"{'rate %':>7} {'% of core':>10} {'us/tick':>8} {'groups/s':>9} {'sync ms':>8} {'p50 ms':>8} {'p99 ms':>8}"
    )
    return [
        f"{worlds} worlds at {TICK_HZ} Hz on one shard, an input each per tick; {len(logged)} pairs of {seconds:g} s",
        f"{'':10} {columns} {'unanswered':>11}",
        row("with log", logged),
        row("without", bare),
        f"the log's own code: {own_us:.2f} us a tick, {writer_us:.2f} of it on the writer's thread;"
        f" at {per_s} a second {own_us * per_s / 1e4:.1f} % of a core",
        f"between the runs of a pair: {statistics.median(between_us):.1f} us a tick"
        f" ({min(between_us):.1f} to {max(between_us):.1f})",
        f"the last run's disk: {calls['write group']} groups, {calls['sync group']} syncs of a group;"
        f" {calls['sync segment']} syncs of zeros and headers laid by;"
        f" {calls['write world file']} writes and {calls['sync world file']} syncs of world files",
    ]


def run(folder: Path, worlds: int, seconds: float, pairs: int) -> list[str]:
    """Measure the two ways in turn and return the lines to print."""
    runs: dict[Log, list[Figures]] = {"log": [], "none": []}
    for pair in range(pairs):
        for log in runs:
            runs[log].append(uvloop.run(measure(folder / f"{pair}-{log}", log, worlds, seconds)))
    return report(worlds, seconds, runs["log"], runs["none"])


def main() -> None:
    """Read the command line and print the figures."""
    parser = argparse.ArgumentParser(description="What the log costs a shard with many small worlds.")
    parser.add_argument("--worlds", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0, help="measured in each run")
    parser.add_argument("--pairs", type=int, default=3, help="of runs: one with the log and one without")
    parser.add_argument("--folder", type=Path, default=None, help="on the disk to measure; default: a temporary one")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for line in run(Path(folder), arguments.worlds, arguments.seconds, arguments.pairs):
            print(line)


if __name__ == "__main__":
    main()
