"""Checks a game: its files, a play by random agents, and the same play computed again in another process.

The game's code runs in processes of their own, so that an endless loop or a crash is a finding, and so that two
processes with different hash seeds can be compared.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from games.checking.findings import Findings
from games.checking.report import Played, Problem, Report, Task
from games.checking.source import Place, dropped_rejections, function_place
from games.code import SKILL, Engine, GameCode, load_check
from games.errors import GameError
from games.skill import SkillError, update_skill

TICKS: Final = 5000
STUCK_CPU_S: Final = 2.0
"""A call that takes more processor time than this is taken for an endless loop, as a server does."""
LONGEST_S: Final = 90.0
"""Of one process, whatever it does: a machine may be busy."""
_POLL_S: Final = 0.05


class _Stuck(Exception):
    """The process had to be ended, or has ended by itself: ``doing`` what."""

    def __init__(self, doing: str, how: str) -> None:
        self.doing = doing
        self.how = how
        super().__init__(f"{doing}: {how}")


def check_game(folder: Path, *, seed: int = 1, ticks: int = TICKS, engine: Engine | None = None) -> Report:
    """Check the game in a folder. ``seed`` and ``ticks`` say what is played, ``engine`` with which engine."""
    started = time.monotonic()
    folder = folder.resolve()
    try:
        code = GameCode.load(folder)
        load_check(code)
    except GameError as error:
        file = error.path.removeprefix(str(folder)).lstrip("/") or "game.toml"
        problem = Problem(kind="does_not_load", file=file, line=error.line, message=error.reason.splitlines()[0])
        return Report(game=folder.name, origin=str(folder), problems=[problem], notes=[], figures=None)
    engine = engine or Engine.current()
    files = Findings(code)
    for place in dropped_rejections(code):
        files.add("rejection_dropped", place, "a rejection is made and not returned: write `return world.reject(…)`")
    _check_skill(code, files)
    task = Task(
        name=code.name, origin=code.origin, files=code.files, engine=engine.files, seed=seed, ticks=ticks, courses=None
    )
    played: Played | None = None
    found = Findings(code)
    try:
        played = msgspec.msgpack.decode(_run(task, "1"), type=Played)
        courses = [course for course in played.courses if course.marks]
        again = msgspec.msgpack.decode(_run(msgspec.structs.replace(task, courses=courses), "2"), type=list[str])
        for difference in again:
            found.add("not_deterministic", Place("main.lua", None), f"{difference}, in another process without the JIT")
    except _Stuck as stuck:
        found.when, _, doing = stuck.doing.partition(": ")
        name = doing.split()[0].strip(",") if doing else "tick"
        function = name.removeprefix("game.") if name.startswith("game.") else f"inputs.{name}"
        found.add("stuck", function_place(code, function), f"{doing or 'the first call'} {stuck.how}")
    return Report(
        game=code.name,
        origin=code.origin,
        problems=files.problems + (played.problems if played else []) + found.problems,
        notes=played.notes if played else [],
        figures=played.figures if played else None,
        seconds=round(time.monotonic() - started, 2),
    )


def _check_skill(code: GameCode, findings: Findings) -> None:
    """The tables of SKILL.md must be what game.toml says."""
    if not code.skill:
        findings.add("skill_outdated", Place(SKILL, None), "agents have nothing to read: write a SKILL.md")
        return
    try:
        wanted = update_skill(code.skill, code.manifest)
    except SkillError as error:
        findings.add("skill_outdated", Place(SKILL, error.line), error.reason)
        return
    pairs = zip(code.skill.splitlines(), wanted.splitlines(), strict=False)
    if wanted != code.skill:
        line = next((line for line, (old, new) in enumerate(pairs, 1) if old != new), wanted.count("\n"))
        findings.add("skill_outdated", Place(SKILL, line), "a table is not what game.toml says: run `games skill`")


def _run(task: Task, hash_seed: str) -> bytes:
    """Let a process do a task; returns what it answers. Raises _Stuck."""
    with tempfile.TemporaryDirectory(prefix="worldline-check-") as scratch:
        progress, answer, said = (Path(scratch) / name for name in ("progress", "answer", "said"))
        progress.touch()
        (Path(scratch) / "task").write_bytes(msgspec.msgpack.encode(task))
        with (Path(scratch) / "task").open("rb") as stdin, answer.open("wb") as out, said.open("wb") as errors:
            process = subprocess.Popen(
                # -P: a folder of games in the working directory may be called games, too.
                [sys.executable, "-P", "-m", "games.checking", str(progress)],
                stdin=stdin,
                stdout=out,
                stderr=errors,
                env=_environment(os.environ, hash_seed),
            )
            try:
                _watch(process, progress)
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
        if process.returncode > 0:
            raise RuntimeError(f"the check itself failed:\n{said.read_text(errors='replace')}")
        if process.returncode < 0:
            raise _Stuck(_doing(progress), f"took its process down (signal {-process.returncode})")
        return answer.read_bytes()


def _environment(ours: Mapping[str, str], hash_seed: str) -> dict[str, str]:
    """The child finds the same packages as this process, and hashes in its own way."""
    return {**ours, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _watch(process: subprocess.Popen[bytes], progress: Path) -> None:
    """Wait for a process to end. Raises _Stuck if one call takes too long."""
    doing, since_cpu_s = b"", 0.0
    until = time.monotonic() + LONGEST_S
    while True:
        try:
            process.wait(_POLL_S)
            return
        except subprocess.TimeoutExpired:
            now, used_s = progress.read_bytes(), _cpu_s(process.pid)
        if now != doing or not now:
            doing, since_cpu_s = now, used_s
        elif used_s - since_cpu_s > STUCK_CPU_S:
            raise _Stuck(_doing(progress), f"has not come back after {STUCK_CPU_S:g} s")
        if time.monotonic() > until:
            raise _Stuck(_doing(progress), f"was not done after {LONGEST_S:g} s")


def _doing(progress: Path) -> str:
    return progress.read_bytes().decode(errors="replace").partition(" ")[2].rstrip(" \0")


def _cpu_s(pid: int) -> float:
    """Processor time that a process has used; 0 if it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
