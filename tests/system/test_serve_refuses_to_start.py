"""Promise: a server that cannot start says why in one line, ends with exit code 1, and has changed nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.system.conftest import Connect, ServerFactory
from tests.system.harness import RunningServer, run_serve


def the_line(ended: subprocess.CompletedProcess[str]) -> str:
    """The one line that a failed start prints."""
    assert ended.returncode == 1, ended
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ") and " → " in line, line
    return line


def everything_in(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def test_a_port_in_use(server: RunningServer, tmp_path: Path) -> None:
    line = the_line(run_serve(tmp_path / "other", "--port", str(server.port), cwd=tmp_path))
    assert f"port {server.port}" in line and "in use" in line and "--port" in line
    assert not (tmp_path / "other").exists(), "the data folder was not touched"


def test_a_data_folder_in_use(server: RunningServer, tmp_path: Path) -> None:
    line = the_line(run_serve(server.data, cwd=tmp_path))
    assert str(server.data) in line and "in use" in line and "--data" in line
    assert server.terminate() == 0


def test_a_data_folder_that_is_not_writable(tmp_path: Path) -> None:
    line = the_line(run_serve(Path("/proc/worldline-data"), cwd=tmp_path))
    assert "/proc/worldline-data" in line and "--data" in line


async def test_a_damaged_journal_refuses_and_not_a_byte_is_changed(
    serve: ServerFactory, connect_agent: Connect, tmp_path: Path
) -> None:
    server = serve("--shards", "1")
    ada = await connect_agent(server.url, "ada")
    world = (await ada.ask("join", game="echo"))["world"]
    for number in range(5):
        await ada.ask("input", world=world, name="say", args={"text": f"line {number}"})
    server.kill()
    assert server.orphans() == {}
    (journal,) = (server.data / "journal" / "shard-00").glob("*.journal")
    content = bytearray(journal.read_bytes())
    content[4096 + 40] ^= 1  # in the first group, which others follow: acknowledged data
    journal.write_bytes(content)
    left = everything_in(server.data)

    line = the_line(run_serve(server.data, cwd=tmp_path))
    assert journal.name in line and world in line
    assert everything_in(server.data) == left


@pytest.mark.parametrize(
    ("file", "text", "where"),
    [
        ("game.toml", 'title = "Broken"\nsummary = "S"\nmax_players = "many"\n', "game.toml:3"),
        ("main.lua", "local game = {}\nfunction game.tick(world, dt\nreturn game\n", "main.lua:3"),
        ("main.lua", "local game = {}\nlocal broken = nothing.here\nreturn game\n", "main.lua:2"),
    ],
    ids=["manifest", "syntax", "load"],
)
def test_a_broken_game(tmp_path: Path, file: str, text: str, where: str) -> None:
    good = Path(__file__).parent / "games" / "echo"
    broken = tmp_path / "games" / "broken"
    broken.mkdir(parents=True)
    for name in ("game.toml", "main.lua", "SKILL.md"):
        (broken / name).write_text((good / name).read_text())
    (broken / file).write_text(text)
    line = the_line(run_serve(tmp_path / "data", "--games", str(tmp_path / "games"), cwd=tmp_path))
    assert str(broken) in line and where in line
    assert not (tmp_path / "data").exists(), "the data folder was not touched"


def test_the_same_game_twice(tmp_path: Path) -> None:
    echo = Path(__file__).parent / "games" / "echo"
    copy = tmp_path / "echo"
    copy.mkdir()
    for name in ("game.toml", "main.lua", "SKILL.md"):
        (copy / name).write_text((echo / name).read_text())
    line = the_line(run_serve(tmp_path / "data", "--games", str(echo), "--games", str(copy), cwd=tmp_path))
    assert "echo" in line and str(copy) in line


@pytest.mark.parametrize(
    "arguments",
    [("--port", "70000"), ("--shards", "0"), ("--durability", "maybe"), ("--max-worlds", "0"), ("--no-such-flag",)],
)
def test_a_usage_error_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    ended = run_serve(tmp_path / "data", *arguments, cwd=tmp_path)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ") and "worldline serve --help" in line
