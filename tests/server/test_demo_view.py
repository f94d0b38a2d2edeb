"""The demo shows what is there: address, worlds, map, players and log lines, within the terminal's size."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from server.audit import Audit
from server.demo.killing import Kill
from server.demo.model import Line, Picture, Scene, WorldRow, world_rows
from server.demo.next_steps import next_steps, program_as_started
from server.demo.plain import event_line, status_line
from server.demo.view import draw
from server.histogram import Histogram
from server.messages import ShardStatistics, WorldStatistics
from server.supervisor import ServerStatistics
from worldline.protocol import PlayerSummary, WorldSummary

TITLE = "worldline 0.1.0 · http://127.0.0.1:8765/ · data ./worldline-data"


def player(seat: int, score: float = 0.0) -> PlayerSummary:
    return PlayerSummary(player=f"p_{seat}", agent="a_1", name=f"bot-{seat}", seat=seat, score=score, connected=True)


def row(number: int, **more: Any) -> WorldRow:
    players = [player(1), player(2, 30)]
    return WorldRow(world=f"w_{number:010}", game="tsunami", tick=812 + number, players=players, **more)


def picture(worlds: int = 1, lines: list[Line] | None = None, **more: Any) -> Picture:
    rows = [row(number, hz=60.0, tick_p50_ms=0.12, tick_p99_ms=0.5, late_p99_ms=1.0) for number in range(worlds)]
    view = {
        "nodes": [{"kind": "player", "name": "bot-2", "x": 0, "z": 0}, {"kind": "wave", "x": -300, "z": 0}],
        "size": {"x": 1000, "z": 228},
    }
    scene = Scene(world=rows[0].world, tick=999, view=view, players=rows[0].players) if rows else None
    return Picture(
        title=TITLE, up_s=63.4, worlds=rows, scene=scene, lines=lines or [], lines_ever=len(lines or []), **more
    )


def shown(picture: Picture, columns: int = 100, rows: int = 36) -> str:
    console = Console(width=columns, height=rows, record=True, file=io.StringIO(), force_terminal=True)
    console.print(draw(picture, columns, rows))
    return console.export_text()


def test_the_view_shows_address_worlds_map_players_and_log() -> None:
    text = shown(
        picture(lines=[Line(text="move to=home applied", kind="applied", tick=815, player="bot-2", note="the wave")])
    )
    assert "http://127.0.0.1:8765/ " in text
    assert "up 1:03" in text
    assert re.search(r"w_0000000000 +tsunami +812 +60\.0 +0\.12 +0\.50 +1\.00 +2 +bot-2 30, bot-1 0", text)
    assert "w_0000000000 at tick 999" in text
    assert "▓" in text
    assert "2 bot-2" in text
    assert "815 bot-2     move to=home applied  the wave" in text


@pytest.mark.parametrize("rows", [20, 24, 36, 60])
@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("worlds", [0, 1, 13])
def test_the_view_fits_the_terminal(columns: int, rows: int, worlds: int) -> None:
    lines = [Line(text=f"line {number} " + "x" * 300) for number in range(80)]
    text = shown(picture(worlds, lines), columns, rows).rstrip("\n")
    assert len(text.splitlines()) <= rows
    assert all(len(line) <= columns for line in text.splitlines())
    assert "line 79" in text, "the newest line is shown"


KILL = Kill(shard=0, worlds=7, passed_s=0.4)
ACCOUNT = Audit(acknowledged=312, found=312, doubled=0, logged=315, worlds_read=7, problems=[])


@pytest.mark.parametrize(
    ("kill", "said"),
    [
        (KILL, "kill -9 of tick worker 0 with 7 worlds: 0.4 s …"),
        (replace(KILL, failed="not all of them are back after 60 s"), "7 worlds: not all of them are back after 60 s"),
        (replace(KILL, back_s=0.42), "kill -9: 7 worlds back in 0.42 s · counting …"),
        (
            replace(KILL, back_s=0.42, account=ACCOUNT),
            "kill -9: 7 worlds back in 0.42 s · 312 acknowledged · 0 lost · 0 doubled",
        ),
        (
            replace(KILL, back_s=0.42, account=replace(ACCOUNT, found=310, doubled=1)),
            "312 acknowledged · 2 lost · 1 doubled",
        ),
    ],
)
def test_a_kill_and_what_it_has_cost_are_told(kill: Kill, said: str) -> None:
    text = shown(picture(kill=kill, keys=True), rows=30).rstrip("\n").splitlines()
    assert said in text[-2]
    assert "k kills a tick worker" in text[-1]
    assert len(text) in (29, 30), "at the bottom, however little there is above"


def test_without_keys_none_is_named() -> None:
    assert "k kills" not in shown(picture())


@pytest.mark.parametrize("rows", [20, 36])
def test_the_view_fits_with_a_footer(rows: int) -> None:
    lines = [Line(text=f"line {number}") for number in range(80)]
    text = shown(picture(3, lines, kill=replace(KILL, back_s=0.42, account=ACCOUNT), keys=True), 80, rows)
    assert len(text.rstrip("\n").splitlines()) in (rows - 1, rows)
    assert "line 79" in text
    assert "312 acknowledged · 0 lost · 0 doubled" in text


def test_many_worlds_are_counted() -> None:
    assert "and 7 more" in shown(picture(13))


def test_other_peoples_text_is_no_markup() -> None:
    text = shown(picture(lines=[Line(text="[red]said[/red]", note="[bold]n[/bold]", player="[b]eve")]))
    assert "[red]said[/red]" in text
    assert "[bold]n[/bold]" in text


def statistics(ticks: int, running_s: float, tick_s: list[float], pid: int = 1) -> ServerStatistics:
    ran, late, observed = Histogram(), Histogram(), Histogram()
    for seconds in tick_s:
        ran.record(seconds)
        late.record(seconds * 10)
    world = WorldStatistics(
        world="w_1", game="tsunami", tick_hz=60, tick=ticks, players=1, ticks_run=ticks, running_s=running_s,
        tick_seconds=ran, lateness_seconds=late, observation_seconds=observed, overruns=0, dilated_s=0.0,
        observation_bytes=0, observations=0, lua_kib=1, nodes=1, node_writes=0, spatial_queries=0,
    )  # fmt: skip
    shard = ShardStatistics(
        request=1, shard=0, pid=pid, cpu_s=0, rss_bytes=0, journal_groups=0, journal_bytes=0,
        sync_seconds=Histogram(), worlds=[world],
        snapshots=3,
        snapshot_bytes=120_000,
        snapshot_hold_seconds=Histogram(),
        tail_s=0.1,
    )  # fmt: skip
    return ServerStatistics(shards=[shard], gateways=[], supervisor_pid=2, supervisor_cpu_s=0, supervisor_rss_bytes=0)


def summary(world: str, status: Any = "running") -> WorldSummary:
    return WorldSummary(
        world=world,
        game="tsunami",
        status=status,
        tick=7,
        clock="realtime",
        players=[player(1)],
        seats_free=7,
        digest="",
    )


def test_rates_are_those_of_the_last_interval() -> None:
    slow, quick = [0.010] * 100, [0.001] * 60
    rows = world_rows([summary("w_1")], statistics(100, 10.0, slow), statistics(160, 11.0, slow + quick))
    assert rows[0].hz == pytest.approx(60.0)
    assert rows[0].tick == 160
    assert rows[0].tick_p99_ms == pytest.approx(1.0, rel=0.1)
    assert rows[0].late_p99_ms == pytest.approx(10.0, rel=0.1)


def test_a_world_that_came_back_on_another_shard_has_counted_anew() -> None:
    rows = world_rows([summary("w_1")], statistics(100, 1.0, [0.1]), statistics(160, 11.0, [0.001], pid=2))
    assert (rows[0].hz, rows[0].tick) == (None, 160)


def test_only_running_worlds_are_shown_oldest_first_even_before_there_are_readings() -> None:
    rows = world_rows([summary("w_3"), summary("w_2", "closed"), summary("w_1")], None, None)
    assert [row.world for row in rows] == ["w_1", "w_3"]
    assert rows[0].hz is None


def test_plain_lines_name_world_tick_and_rate() -> None:
    line = status_line(picture(2))
    assert "2 worlds" in line
    assert "w_0000000000 tick 812 at 60.0 Hz" in line
    assert "leading bot-2 with 30" in line
    assert event_line(Line(text="joined", world="w_1", tick=3, player="ada")) == "  w_1@3 ada joined"
    assert status_line(picture(0)) == "63 s · no world yet"


def test_next_steps_can_be_copied() -> None:
    lines = next_steps("worldline", data=Path("./worldline-data"), port=8765, game="tsunami", world="w_1")
    assert lines[0] == "next:"
    assert lines[1].startswith("  worldline log show w_1  ")
    assert all("--data" not in line and "--port" not in line for line in lines)
    elsewhere = "\n".join(next_steps("worldline", data=Path("/a b"), port=9, game="tsunami", world="w_1"))
    assert "log show w_1 --data '/a b'" in elsewhere
    assert "serve --port 9 --data '/a b'" in elsewhere
    assert "--url ws://127.0.0.1:9/ws" in elsewhere
    assert "log show" not in "\n".join(next_steps("worldline", data=Path("d"), port=9, game="tsunami", world=None))


def test_the_program_is_named_as_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "venv" / "bin" / "worldline"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    assert program_as_started(str(script), tmp_path) == "venv/bin/worldline"
    assert program_as_started("venv/bin/worldline", Path("/")) != "worldline"
    monkeypatch.chdir(tmp_path)
    assert program_as_started("venv/bin/worldline", tmp_path) == "venv/bin/worldline"
    monkeypatch.setenv("PATH", str(script.parent))
    assert program_as_started(str(script), tmp_path) == "worldline"
    assert program_as_started("/somewhere/server/commands/__main__.py", tmp_path).endswith(" -m server.commands")
