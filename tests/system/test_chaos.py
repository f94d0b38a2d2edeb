"""Promise: kill what you like, whenever you like: what was acknowledged is in the log, once, at its tick; time runs
backwards for nobody; no world is ended by it.

The seed is printed; `CHAOS_SEED=N` repeats its schedule of faults, `python -m tests.system.chaos --seed N` does it by
hand.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Final

import pytest

from tests.faults_tried import FaultKind, Tried
from tests.system.chaos.run import Run, lines, run

SECONDS = 60.0
KINDS: Final[dict[str, FaultKind]] = {
    "shard": "a tick worker killed under playing agents",
    "gateway": "a gateway killed under playing agents",
    "server": "a whole server killed under playing agents",
    "standstill": "a whole server stopped for a while and continued",
}
AGENTS = 50


@pytest.mark.timeout(900)
async def test_random_kills_lose_nothing_and_double_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tried: Tried
) -> None:
    seed = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
    plan = Run(seconds=SECONDS, agents=AGENTS, seed=seed, folder=tmp_path)
    assert plan.meant() == {"shard": 15, "gateway": 2, "server": 3}
    with capsys.disabled():
        print(f"\nCHAOS_SEED={seed}", flush=True)
    result = await run(plan, lambda line: print(line))
    told = lines(result, seed)
    with capsys.disabled():
        print(*told, sep="\n")
    for kind, fault in KINDS.items():
        tried(fault, result.fired.get(kind, 0))
    assert not result.missing, "fewer faults fired than were meant to"
    assert not result.account.problems, "\n".join(told)
    assert result.account.acknowledged == result.account.found > 10 * AGENTS
