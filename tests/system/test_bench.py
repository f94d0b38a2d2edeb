"""`worldline bench` measures a real server, looks for every outcome in the logs, and fails if it cannot be believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.system.family import run

SMALL = ("bench", "--agents", "4", "--seconds", "3", "--think", "0.1-0.3", "--shards", "1", "--policy", "random")


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, dict[str, Any]]:
    """A small bench: its folder, what it printed, and its JSON."""
    folder = tmp_path_factory.mktemp("bench")
    ended = run(folder, *SMALL, "--out", "bench.json", "--data", "data")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return folder, ended.stdout, json.loads((folder / "bench.json").read_text())


def test_every_acknowledged_outcome_is_in_the_logs(benched: tuple[Path, str, dict[str, Any]]) -> None:
    _, text, report = benched
    log = report["runs"][0]["log"]
    assert log["acknowledged"] == log["found"] > 0
    assert log["problems"] == []
    assert f"{log['acknowledged']} outcomes acknowledged, {log['found']} found in the logs" in text


def test_the_json_has_every_figure(benched: tuple[Path, str, dict[str, Any]]) -> None:
    report = benched[2]
    assert report["machine"].keys() == {
        "cpu", "cores", "kernel", "python", "luajit", "worldline", "sync_p50_ms", "load_1m",
    }  # fmt: skip
    assert report["options"]["agents"] == 4
    (found,) = report["runs"]
    server, agents = found["server"], found["agents"]
    (world,) = server["worlds"]
    assert world["players"] == 4
    assert world["nodes"] >= 2000
    assert 0 < world["achieved_hz"] < 61
    for distribution in (world["tick"], world["lateness"], server["tick"], server["lateness"], server["sync"]):
        assert distribution.keys() == {"count", "p50_ms", "p99_ms", "max_ms"}
        assert 0 < distribution["p50_ms"] <= distribution["p99_ms"] <= distribution["max_ms"]
    for distribution in (agents["outcome"], agents["observation"], server["observe"]):
        assert distribution["count"] > 0
        assert 0 < distribution["p50_ms"] <= distribution["p99_ms"] <= distribution["max_ms"]
    assert {process["name"] for process in server["processes"]} == {"supervisor", "gateway 0", "shard 0"}
    assert {process["name"] for process in found["agent_processes"]} == {"agents 0", "agents 1"}
    assert all(process["rss_bytes"] > 10 * 2**20 for process in [*server["processes"], *found["agent_processes"]])
    assert 0 < server["server_cpu_percent"] < 300
    assert server["overruns"] >= 0
    assert server["dilated_s"] >= 0
    assert 0 < server["observations_per_tick"] < 1
    assert 500 < server["bytes_per_observation"] < 8192
    assert 500 < agents["json_bytes_p50"] <= agents["json_bytes_max"] < 8192
    assert server["lua_kib_per_world_max"] > 100
    assert server["journal_groups_per_s"] > 0


def test_at_least_half_of_the_decisions_are_inputs(benched: tuple[Path, str, dict[str, Any]]) -> None:
    agents = benched[2]["runs"][0]["agents"]
    assert agents["inputs_percent"] >= 50
    assert agents["decisions"] >= 4 * 3 / 0.5
    assert agents["unanswered"] == 0
    assert agents["crashed"] == {}


def test_a_damaged_log_in_the_data_folder_fails_the_bench(benched: tuple[Path, str, dict[str, Any]]) -> None:
    folder, _, _ = benched
    (path,) = (folder / "data" / "worlds").glob("w_*/0001.wlog")
    whole = path.read_bytes()
    path.write_bytes(whole[:2000] + bytes([whole[2000] ^ 1]) + whole[2001:])
    ended = run(folder, *SMALL, "--data", "data")
    assert ended.returncode == 1, ended.stdout
    assert f"problem: the log of {path.parent.name} is damaged" in ended.stdout


def test_without_a_data_folder_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    ended = run(
        tmp_path,
        *("bench", "--agents", "2", "--seconds", "1", "--think", "0", "--policy", "random", "--shards", "1"),
        environment={"TMPDIR": str(tmp_path / "temporary")},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "closed loop, random policy" in ended.stdout
    assert list((tmp_path / "temporary").iterdir()) == []


def test_the_control_computes_every_observation_in_every_tick(tmp_path: Path) -> None:
    arguments = ("bench", "--agents", "2", "--seconds", "2", "--think", "0.5", "--shards", "1", "--compare")
    ended = run(tmp_path, *arguments, "--out", "bench.json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    lazy, eager = json.loads((tmp_path / "bench.json").read_text())["runs"]
    assert (lazy["eager"], eager["eager"]) == (False, True)
    assert lazy["server"]["observations_per_tick"] < 0.5
    assert eager["server"]["observations_per_tick"] >= 1.98
    assert "eager / lazy" in ended.stdout


def test_a_game_without_a_bot_is_refused_in_one_line(tmp_path: Path) -> None:
    ended = run(tmp_path, "bench", "--game", "nothing")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("error: there is no bot for a game 'nothing' → ")
