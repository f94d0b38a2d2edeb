"""Promise: a Tsunami world is a function of its code, its seed and its inputs: the same in another process, and
whether ticks are run one by one or many at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.games.tsunami_driver import Table, at_random, play, sensibly

ROOT = Path(__file__).resolve().parents[2]
TICKS = 2000


def fingerprints() -> list[str]:
    """Play 2,000 ticks with eight players and look at the fingerprint every so often."""
    table = Table(8, seed=77)
    found = [table.world.fingerprint().hex()]
    choosers = {f"p_{n}": sensibly if n % 2 else at_random(n) for n in range(1, 9)}
    while table.now < TICKS:
        play(table, choosers, seconds=200 / 60, seed=table.now)
        found.append(table.world.fingerprint().hex())
    return [*found, table.text("p_1"), table.text("p_8")]


def test_another_process_gets_the_same() -> None:
    program = "from tests.games.test_tsunami_determinism import fingerprints; print(*fingerprints(), sep='\\n')"
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] == "\n".join(fingerprints()) + "\n"


def test_one_by_one_or_all_at_once_is_the_same() -> None:
    single, many = Table(3, seed=5), Table(3, seed=5)
    for table in (single, many):
        table.do("p_1", "move", x=300, z=0)
    for _ in range(TICKS):
        single.world.apply([], step=True)
    many.world.run_empty(TICKS)
    assert single.world.fingerprint() == many.world.fingerprint()
    assert single.view() == many.view()


def test_another_seed_or_another_input_gives_another_world() -> None:
    def after(seed: int, x: float) -> bytes:
        table = Table(1, seed=seed)
        table.do("p_1", "move", x=x, z=0)
        table.step(TICKS)
        return table.world.fingerprint()

    assert len({after(1, 300), after(2, 300), after(1, 400)}) == 3
