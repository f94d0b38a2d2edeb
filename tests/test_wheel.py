"""Promise: a plain `pip install .` gives a complete `worldline`, from any working directory: the command, the games and
the Lua engine are in the wheel, and nothing is needed that is not declared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
NOT_SOURCE = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__", "worldline-data", "artefacts")


def declared_dependencies() -> set[str]:
    """Return the names of all distributions that `worldline` declares for run time, and that these declare in turn."""
    wanted, todo = set[str](), ["worldline"]
    while todo:
        for line in distribution(todo.pop()).requires or []:
            requirement = Requirement(line)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            if requirement.name not in wanted:
                wanted.add(requirement.name)
                todo.append(requirement.name)
    return wanted


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the project into an empty environment that has its declared dependencies and nothing else.

    The dependencies are linked from the environment that runs the tests, so that no network is needed.
    """
    folder = tmp_path_factory.mktemp("wheel")
    shutil.copytree(ROOT, folder / "source", ignore=NOT_SOURCE)
    environment = folder / "environment"
    run(sys.executable, "-m", "venv", "--without-pip", str(environment))
    site = next(environment.glob("lib/python*/site-packages"))
    for name in declared_dependencies():
        for file in distribution(name).files or []:
            top = Path(str(distribution(name).locate_file(file.parts[0])))
            if ".." not in file.parts and not (site / top.name).exists() and top.exists():
                (site / top.name).symlink_to(top)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    # The build backend is the one of the environment that runs the tests.
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    run(*pip, "wheel", *offline, "--wheel-dir", str(folder), str(folder / "source"))
    wheel = next(folder.glob("worldline-*.whl"))
    run(*pip, "--python", str(environment / "bin/python"), "install", "--no-index", str(wheel))
    shutil.rmtree(folder / "source")
    return environment


def run(*command: str, cwd: Path | None = None) -> str:
    """Run a command without this process's Python settings; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "WORLDLINE"))}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=clean, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_the_command_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    assert run(str(installed / "bin/worldline"), "--version", cwd=tmp_path).startswith("worldline 0.")


def test_everything_comes_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = "import importlib, sys; print(*(importlib.import_module(name).__file__ for name in sys.argv[1:]))"
    packages = ("worldline", "eventlog", "games", "replays", "server")
    for path in run(str(installed / "bin/python"), "-c", program, *packages, cwd=tmp_path).split():
        assert Path(path).is_relative_to(installed), path


def test_the_wheel_holds_the_games_and_the_engine(installed: Path, tmp_path: Path) -> None:
    program = """
from games.code import Engine, find_games, load_check
from games.runtime.world import World
code = find_games([])["tsunami"]
assert {"game.toml", "main.lua"} <= set(code.files), code.files
assert code.skill.startswith("#") or code.skill.startswith("---"), code.skill[:80]
assert Engine.current().files
load_check(code)
world = World.load(code, world_id="w_0000000000", seed=1)
world.apply([], step=True)
print(world.tick)
"""
    assert run(str(installed / "bin/python"), "-c", program, cwd=tmp_path).strip() == "1"


def test_the_golden_replays_are_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = """
from pathlib import Path
from games.code import find_games
from replays.golden import check_golden, golden_replays
for code in find_games().values():
    print(code.name, {check_golden(path, code).status for path in golden_replays(Path(code.origin))})
"""
    shown = run(str(installed / "bin/python"), "-c", program, cwd=tmp_path).splitlines()
    assert shown == ["parley {'same'}", "snakes {'same'}", "tsunami {'same'}"]


def test_the_sample_bot_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    program = "from games.tsunami.bot import play; print(play.__name__)"
    assert run(str(installed / "bin/python"), "-c", program, cwd=tmp_path).strip() == "play"


def test_a_new_game_can_be_written(installed: Path, tmp_path: Path) -> None:
    run(str(installed / "bin/worldline"), "games", "new", "mine", "--clock", "turn", cwd=tmp_path)
    assert "mine: good" in run(str(installed / "bin/worldline"), "games", "check", "games/mine", cwd=tmp_path)
