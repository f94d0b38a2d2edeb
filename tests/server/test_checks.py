"""Promise: worlds are computed again while they are played and when they end; the first divergence is counted, told and
reported; and the process that does it may hang or be killed, and nobody else notices."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from eventlog.store import Store
from games.code import GameCode
from games.runtime.world import World
from replays.report import read_report
from server import messages
from server.checks import Checks
from server.commands import main
from server.config import ServeConfig
from server.metrics import Metrics, ServerStatistics
from tests.games.small import code
from tests.replays.recording import WORLD, Recording

WITHIN_S = 60.0
OTHER = "w_0123456790"
MAIN = """
local game = {{ inputs = {{}} }}
function game.setup(world) world.state.sum = 0 end
function game.tick(world, dt)
  {tick}
  world.state.sum = world.state.sum + world.random(9)
end
function game.inputs.add(world, player, args) world.state.sum = world.state.sum + {added} end
function game.observe(world, player) return {{ sum = world.state.sum }} end
return game
"""
TOML = '[inputs.add]\nhelp = "Add."\n'


def small(tick: str = "", *, added: int = 100) -> GameCode:
    return code(MAIN.format(tick=tick, added=added), TOML)


class Watched:
    """Checks of a data folder, what they have told the gateways, and their figures."""

    def __init__(self, data: Path, **config: Any) -> None:
        self.told: list[messages.FromSupervisor] = []
        self.found: list[messages.WorldChecked] = []
        self.metrics = Metrics()
        settings: dict[str, Any] = {
            "check_every_s": 0.05,
            "tick_timeout_ms": 60_000,
            "check_priority": "normal",
        } | config
        settings.setdefault("tick_timeout_ms", 60_000)
        self.checks = Checks(ServeConfig(data=data, **settings), self.metrics, self.told.append, self.found.append)

    def figure(self, name: str) -> float:
        """A figure of the page of metrics."""
        nobody = ServerStatistics(shards=[], gateways=[], supervisor_pid=1, supervisor_cpu_s=0, supervisor_rss_bytes=0)
        page = self.metrics.page(nobody, []).decode()
        found = re.search(rf"^worldline_{re.escape(name)} (\S+)$", page, re.MULTILINE)
        assert found is not None, page
        return float(found[1])

    async def until(self, name: str, value: float) -> None:
        """Wait until a figure is this."""
        async with asyncio.timeout(WITHIN_S):
            while self.figure(name) != value:
                await asyncio.sleep(0.01)

    async def until_idle(self) -> None:
        """Wait until nothing is left to be checked, and the checker is gone."""
        async with asyncio.timeout(WITHIN_S):
            while self.checks.waiting or self.checks.pid is not None:
                await asyncio.sleep(0.01)

    async def until_checking(self) -> int:
        """Wait until there is a checker; return its process id."""
        async with asyncio.timeout(WITHIN_S):
            while self.checks.pid is None:
                await asyncio.sleep(0.01)
        return self.checks.pid


@pytest.fixture
async def watch(tmp_path: Path) -> AsyncIterator[Callable[..., Watched]]:
    """Watch the data folder; what was begun is stopped at the end of the test."""
    made: list[Watched] = []

    def make(*ended: str, **config: Any) -> Watched:
        made.append(Watched(tmp_path, **config))
        made[-1].checks.begin(ended)
        return made[-1]

    yield make
    for each in made:
        await each.checks.stop()


def play(recording: Recording) -> None:
    """A hundred ticks with an input."""
    player = "p_1" if recording.world.players else recording.join()
    recording.run(50)
    recording.input(player, "add", {})
    recording.run(49)


async def recorded(
    data: Path, world: str = WORLD, *, kept: GameCode | None = None, played: GameCode | None = None, ends: bool = True
) -> None:
    """A world that has ended at tick 200, with a snapshot at tick 100. Its log says that it is of ``kept``."""
    kept = kept or small()
    recording = Recording(data, kept, seed=3, settings={}, world=world)
    if played is not None:
        Store.attach(data).put_code(played.digest, played.files)
        recording.world = World.load(played, world_id=world, seed=3, settings={})
    play(recording)
    recording.checkpoint()
    if ends:
        play(recording)
    await recording.close(reason="test" if ends else None)


HANGS = small("while true do end")


async def test_a_world_is_checked_while_it_is_played_and_when_it_has_ended(
    tmp_path: Path, watch: Callable[..., Watched]
) -> None:
    recording = Recording(tmp_path, small(), seed=3, settings={})
    watched = watch()
    watched.checks.held(WORLD)
    for number in (1, 2):
        play(recording)
        recording.checkpoint()
        await recording.synced()
        await watched.until("checked_ticks_total", 100 * number)
    recording.run(30)
    await recording.close()
    watched.checks.at_rest(WORLD)
    await watched.until("checked_ticks_total", 230)
    assert (watched.figure("divergences_total"), watched.told) == (0, [])
    assert [(each.status, each.tick) for each in watched.found] == [
        ("verified", 100), ("verified", 200), ("verified", 230)
    ]  # fmt: skip


async def test_the_first_divergence_is_counted_told_and_reported(
    tmp_path: Path, watch: Callable[..., Watched], capsys: pytest.CaptureFixture[str]
) -> None:
    await recorded(tmp_path, kept=small(added=101), played=small())
    watched = watch()
    watched.checks.held(WORLD)
    await watched.until("divergences_total", 1)
    (told,) = watched.told
    assert isinstance(told, messages.WorldDiverged)
    assert told.world == WORLD
    assert f"{WORLD}@100 diverged" in told.message
    (path,) = (tmp_path / "reports").iterdir()
    assert str(path) in told.message
    report = read_report(path)
    assert (report.world, report.tick, report.states_tick) == (WORLD, 100, 100)
    assert [(each.path, each.b - each.a) for each in report.differences if each.path == "state.sum"] == [
        ("state.sum", 1)
    ]
    assert [(each.tick, each.name) for each in report.inputs] == [(51, "add")]
    assert main(["replay", "explain", str(path)]) == 0
    assert "state.sum" in capsys.readouterr().out

    # After that it is let be, also when it comes back and ends; others are checked.
    watched.checks.held(WORLD)
    watched.checks.at_rest(WORLD)
    await recorded(tmp_path, OTHER)
    watched.checks.held(OTHER)
    watched.checks.at_rest(OTHER)
    await watched.until("checked_ticks_total", 200)
    assert watched.figure("divergences_total") == 1


@pytest.mark.parametrize("ends", ["killed", "hangs"])
async def test_a_checker_that_hangs_or_is_killed_costs_one_check(
    tmp_path: Path, watch: Callable[..., Watched], ends: str
) -> None:
    await recorded(tmp_path, kept=HANGS, played=small())
    await recorded(tmp_path, OTHER)
    watched = watch(tick_timeout_ms=100 if ends == "hangs" else 60_000)
    for world in (WORLD, OTHER):
        watched.checks.held(world)
        watched.checks.at_rest(world)
    if ends == "killed":
        os.kill(await watched.until_checking(), signal.SIGKILL)
    await watched.until('check_failures_total{cause="lost"}', 1)
    await watched.until("checked_ticks_total", 200)
    assert (watched.figure("divergences_total"), watched.told) == (0, [])


async def test_what_cannot_be_checked_is_counted_and_let_be(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    await recorded(tmp_path)
    gone = small(added=7)
    await recorded(tmp_path, OTHER, kept=gone, played=gone)
    path = tmp_path / "worlds" / WORLD / "0001.wlog"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    (tmp_path / "code" / gone.digest).rename(tmp_path / "code" / "elsewhere")
    watched = watch()
    for world in (WORLD, OTHER, "w_removed000"):
        watched.checks.held(world)
        watched.checks.at_rest(world)
    await watched.until('check_failures_total{cause="damaged"}', 1)
    await watched.until('check_failures_total{cause="cannot"}', 1)
    assert watched.figure("divergences_total") == 0


async def test_the_checker_gives_way_to_everybody_and_goes_when_there_is_nothing_to_do(
    tmp_path: Path, watch: Callable[..., Watched]
) -> None:
    await recorded(tmp_path, kept=HANGS, played=small())
    watched = watch(check_priority="idle")
    watched.checks.held(WORLD)
    pid = await watched.until_checking()
    async with asyncio.timeout(WITHIN_S):
        while os.sched_getscheduler(pid) != os.SCHED_IDLE:
            await asyncio.sleep(0.01)
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    os.kill(pid, signal.SIGKILL)
    await watched.until('check_failures_total{cause="lost"}', 1)
    async with asyncio.timeout(WITHIN_S):
        while watched.checks.pid is not None:
            await asyncio.sleep(0.01)


async def test_what_had_ended_before_is_checked_once_the_newest_first(
    tmp_path: Path, watch: Callable[..., Watched]
) -> None:
    await recorded(tmp_path, kept=small(added=101), played=small())
    await recorded(tmp_path, OTHER)
    newest = "w_0123456791"
    await recorded(tmp_path, newest)
    (tmp_path / "worlds" / newest / "0001.wlog").write_bytes(b"damaged")
    first = watch(WORLD, OTHER, newest)
    await first.until("divergences_total", 1)
    assert [(each.world, each.status) for each in first.found] == [
        (newest, "damaged"), (OTHER, "verified"), (WORLD, "diverged")
    ]  # fmt: skip
    await first.checks.stop()

    later = "w_0123456792"
    await recorded(tmp_path, later)
    second = watch(WORLD, OTHER, newest, later)
    await second.until("checked_ticks_total", 200)
    await second.until_idle()
    assert [each.world for each in second.found] == [later], "a restart does not begin anew"


async def test_a_check_that_was_lost_is_done_by_the_next_server(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    await recorded(tmp_path, kept=HANGS, played=small())
    first = watch(WORLD)
    os.kill(await first.until_checking(), signal.SIGKILL)
    await first.until('check_failures_total{cause="lost"}', 1)
    await first.checks.stop()
    second = watch(WORLD)
    assert second.checks.waiting == 1
    await second.until_checking()


async def test_how_far_it_came_is_known_to_the_next_server(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    await recorded(tmp_path, kept=small(added=101), played=small(), ends=False)
    await recorded(tmp_path, OTHER, ends=False)
    ended = "w_0123456791"
    await recorded(tmp_path, ended)
    first = watch(ended)
    for world in (WORLD, OTHER):
        first.checks.held(world)
    await first.until("divergences_total", 1)
    await first.until("checked_ticks_total", 300)
    await first.checks.stop()

    second = Watched(tmp_path)
    notes = second.checks.begin([ended], [WORLD, OTHER])
    assert {note.world: (note.status, note.tick) for note in notes} == {
        WORLD: ("diverged", 100), OTHER: ("verified", 100), ended: ("verified", 200)
    }  # fmt: skip
    for world in (WORLD, OTHER):
        second.checks.held(world)
    assert second.checks.waiting == 1, "what has diverged is let be"
    await second.checks.stop()
    assert Watched(tmp_path).checks.begin([ended]) == [note for note in notes if note.world == ended]


async def test_a_world_that_ended_as_it_came_back_from_its_dead_shard_is_checked(
    tmp_path: Path, watch: Callable[..., Watched]
) -> None:
    await recorded(tmp_path)
    watched = watch()
    watched.checks.at_rest(WORLD)  # no shard of this server has ever said that it has it
    await watched.until("checked_ticks_total", 200)
    assert [(each.world, each.status, each.tick) for each in watched.found] == [(WORLD, "verified", 200)]


async def test_what_is_played_is_checked_before_what_had_ended(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    await recorded(tmp_path)
    await recorded(tmp_path, OTHER)
    watched = watch(OTHER)
    watched.checks.held(WORLD)
    watched.checks.at_rest(WORLD)
    await watched.until("checked_ticks_total", 400)
    assert [each.world for each in watched.found] == [WORLD, OTHER]


async def test_told_not_to_check_nothing_is_looked_for(tmp_path: Path, watch: Callable[..., Watched]) -> None:
    await recorded(tmp_path)
    before = asyncio.all_tasks()
    watched = watch(check_every_s=0.0)
    watched.checks.held(WORLD)
    watched.checks.at_rest(WORLD)
    assert asyncio.all_tasks() == before
    assert watched.checks.waiting == 0
