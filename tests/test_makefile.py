"""Promise: on a machine where Worldline cannot run, `make` says so in one line that names what to do; `make` lists
the targets, and each of them is documented."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("sh", "awk", "echo", "make", "touch")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A checkout on a machine with a shell and make, but without any Python."""
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    install(tmp_path, "uname", "echo Linux")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def install(machine: Path, name: str, script: str) -> None:
    """Put a program on the machine."""
    program = machine / "bin" / name
    program.write_text(f"#!{shutil.which('sh')}\n{script}\n")
    program.chmod(0o755)


def make(machine: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run make on that machine."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *words],
        cwd=machine,
        env=clean | {"PATH": str(machine / "bin")},
        capture_output=True,
        text=True,
        check=False,
    )


def the_error(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says what is wrong; make's own line that a target failed may follow."""
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert len(lines) == 1, done.stderr
    assert re.fullmatch(r"error: .+ → .+", lines[0])
    return lines[0]


def test_make_alone_lists_every_target(machine: Path) -> None:
    done = make(machine)
    assert done.returncode == 0
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony is not None
    for target in phony[1].split():
        assert re.search(rf"^  make {target} +\S", done.stdout, re.MULTILINE), target


def test_without_python_it_says_what_is_missing(machine: Path) -> None:
    assert "no Python 3.11 or newer" in the_error(make(machine, "demo"))


def test_an_old_python_is_not_taken(machine: Path) -> None:
    # What `python3 -c 'sys.exit(sys.version_info < (3, 11))'` does there.
    install(machine, "python3", "exit 1")
    assert "no Python 3.11 or newer" in the_error(make(machine, "demo"))


def test_a_python_without_venv_is_told_apart(machine: Path) -> None:
    install(machine, "python3", 'case "$2" in *ensurepip*) exit 1;; esac; exit 0')
    assert "apt-get install python3-venv" in the_error(make(machine, "demo"))


def test_another_system_is_refused(machine: Path) -> None:
    install(machine, "uname", "echo Darwin")
    assert "runs on Linux, this is Darwin" in the_error(make(machine, "demo"))
