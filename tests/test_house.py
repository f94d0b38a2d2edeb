"""Promise: the house is in order. What a project must say about itself is there, nothing names the machine it was
written on, and the command's help lists exactly what exists."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from server.commands import COMMANDS
from server.commands import group as worldline_command

ROOT = Path(__file__).resolve().parent.parent
MADE_BY_TOOLS = {"node_modules", ".git", ".venv", "build", "dist", "__pycache__", "artefacts", "worldline-data"}
TEXT_SUFFIXES = {".py", ".lua", ".toml", ".md", ".txt", ".json", ".yml", ".yaml", ""}
# In pieces, so that this file does not name them.
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/")
MAX_FUNCTION_LINES = 60
HEAVY_PACKAGES = {"asyncio", "lupa", "rich", "uvloop", "websockets"}


def files() -> Iterator[Path]:
    """Yield every file of the project that a person wrote."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        made = any(part in MADE_BY_TOOLS or part.endswith((".egg-info", "_cache")) for part in parts)
        if path.is_file() and not made and ".hypothesis" not in parts:
            yield path


@pytest.mark.parametrize(
    "name",
    ["README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ".gitignore", "Makefile", ".ci/run"],
)
def test_what_a_project_says_about_itself_is_there(name: str) -> None:
    assert (ROOT / name).stat().st_size > 0


def test_the_licence_is_the_whole_apache_licence() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Version 2.0, January 2004" in text
    assert "APPENDIX: How to apply the Apache License to your work." in text
    assert len(text.split()) == 1581


def test_the_readme_names_the_requirements_in_its_first_ten_lines() -> None:
    opening = "\n".join((ROOT / "README.md").read_text().splitlines()[:10])
    for word in ("Linux", "x86-64", "arm64", "git", "make", "Python 3.11"):
        assert word in opening


def test_no_file_names_the_machine_it_was_written_on() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {machine_path}"
        for path in files()
        if path.suffix in TEXT_SUFFIXES
        for machine_path in MACHINE_PATHS
        if machine_path in path.read_text(errors="replace")
    ]
    assert not found, "\n".join(found)


def test_every_module_and_test_opens_with_what_it_is_for() -> None:
    missing = [
        str(path.relative_to(ROOT))
        for path in files()
        if path.suffix == ".py" and path.stat().st_size and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert not missing, "\n".join(missing)


def test_functions_fit_on_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has {node.end_lineno - node.lineno + 1} lines"
        for path in files()
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert not long, "\n".join(long)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_in_the_help_exists_and_explains_itself(name: str) -> None:
    command = importlib.import_module(COMMANDS[name].module).command
    assert isinstance(command, click.Command)
    assert command.help, f"worldline {name} --help would say nothing"


def test_the_help_lists_every_command_module() -> None:
    import server.commands

    folder = Path(server.commands.__file__).parent
    defined = {
        path.stem
        for path in folder.glob("*.py")
        if "\ncommand = " in (text := path.read_text()) or "\ndef command(" in text
    }
    assert defined == set(COMMANDS)
    assert list(COMMANDS) == worldline_command.list_commands(click.Context(worldline_command))


def test_the_help_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    """What makes it slow is judged (heavy imports); how long it took here is only reported."""
    program = (
        "import sys\nfrom server.commands import main\nmain(['--help'])\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    taken_ms = (time.perf_counter() - started) * 1000
    assert not HEAVY_PACKAGES & set(done.stderr.split())
    with capsys.disabled():
        print(f" worldline --help took {taken_ms:.0f} ms here ", end="")
