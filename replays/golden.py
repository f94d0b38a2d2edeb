"""Golden replays: games that were recorded once and must go the same way ever after.

A game keeps them beside its code, in ``replays/*.replay``. They are re-executed with the code and the engine of today,
not with those that they hold: where the rules, the engine, or what a number rounds to have changed history, the first
tick at which it went another way is named. What is compared are the log's fingerprints and the hashes in its
checkpoints.

`check_folder` does it in a process of its own, since a changed game may loop for ever: ``python -m replays.golden``.

Not here: recording them, and whether a change was meant.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, Literal

import msgspec

from eventlog.errors import EventLogError
from games.code import Engine, GameCode
from games.errors import ArgumentProblem, GameError
from replays import calls
from replays.bundle import SUFFIX, unpacked
from replays.errors import Diverged, ReplayError
from replays.replay import Replay, replay

FOLDER: Final = "replays"
LONGEST_CPU_S: Final = 60
"""Of processor time, for all golden replays of a game: a minute of Tsunami takes one and a half seconds."""


class Golden(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one golden replay: the same game, another one, or none that could be played.

    ``tick`` says how far it went, for ``differs`` the first record that does.
    """

    path: str
    status: Literal["same", "differs", "cannot"]
    tick: int
    problem: str | None = None


def golden_replays(folder: Path) -> list[Path]:
    """The golden replays of the game in ``folder``, in order."""
    return sorted((folder / FOLDER).glob(f"*{SUFFIX}"))


def check_golden(path: Path, code: GameCode, engine: Engine | None = None) -> Golden:
    """Play the game in a replay file again with ``code`` and ``engine`` (None: the one of today)."""
    running: Replay | None = None
    try:
        with unpacked(path) as (data, world):
            running = replay(data, world, instead=(code, engine or Engine.current()))
            with contextlib.closing(running):
                running.run()
    except Diverged as error:
        game = "" if running is None or running.genesis.game == code.name else f", recorded of {running.genesis.game},"
        problem = (
            f"{path}: with this code the game{game} goes another way before tick {error.tick} → if that is meant, "
            f"accept it with `worldline games check --accept`"
        )
        return Golden(path=str(path), status="differs", tick=error.tick, problem=problem)
    except (ReplayError, EventLogError, GameError) as error:
        return _cannot(path, str(error), 0 if running is None else running.world.tick)
    except ArgumentProblem as error:
        return _cannot(path, f"its settings no longer fit: {error} → play one again and export it in place of this one")
    except OSError as error:
        return _cannot(path, f"it cannot be read: {error.strerror or error} → restore it from a copy")
    return Golden(path=str(path), status="same", tick=running.world.tick)


def check_folder(folder: Path, *, cpu_s: int = LONGEST_CPU_S) -> list[Golden]:
    """As `check_golden`, for all golden replays of the game in ``folder``, which must load, with the engine of today.

    Whatever the game does ends with another process, which has ``cpu_s`` seconds of processor time.
    """
    paths = golden_replays(folder)
    if not paths:
        return []
    with tempfile.TemporaryDirectory(prefix="worldline-golden-") as scratch:
        page = Path(scratch) / "calls"
        calls.make(page)
        done = subprocess.run(
            [sys.executable, "-m", "replays.golden", str(folder), str(cpu_s), str(page)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            check=False,
        )
        call = calls.read(page)
    found = [msgspec.json.decode(line, type=Golden) for line in done.stdout.splitlines()]
    if done.returncode < 0 and len(found) < len(paths):
        ran_out = done.returncode == -signal.SIGXCPU
        how = f"was not done after {cpu_s} s of processor time" if ran_out else f"ended by signal {-done.returncode}"
        where = "" if call is None else f" at {call}"
        problem = f"playing it again {how}{where} → look for a loop that does not end"
        found.append(_cannot(paths[len(found)], problem))
    elif done.returncode:
        raise RuntimeError(f"golden replays of {folder} could not be checked: exit code {done.returncode}, see above")
    return found


def main() -> None:
    """Check all of a folder, and print each result as one line of JSON."""
    folder, cpu_s = Path(sys.argv[1]), int(sys.argv[2])
    calls.note_in(Path(sys.argv[3]))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    code = GameCode.load(folder)
    for path in golden_replays(folder):
        print(msgspec.json.encode(check_golden(path, code)).decode(), flush=True)


def _cannot(path: Path, problem: str, tick: int = 0) -> Golden:
    said = problem if problem.startswith(str(path)) else f"{path}: {problem}"
    return Golden(path=str(path), status="cannot", tick=tick, problem=said)


if __name__ == "__main__":
    main()
