"""Run it by hand and print the account."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
from pathlib import Path

from tests.system.chaos.run import Run, lines, run


def main() -> int:
    """Read the command line, run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.chaos", description="Kill servers under agents.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--agents", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--data", type=Path, default=None, help="keep data folder and logs here; default: temporary")
    arguments = parser.parse_args()
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.data or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        plan = Run(seconds=arguments.seconds, agents=arguments.agents, seed=seed, folder=folder)
        result = asyncio.run(run(plan, lambda line: print(line, flush=True)))
    for line in lines(result, seed):
        print(line)
    return 1 if result.account.problems or result.missing else 0


if __name__ == "__main__":
    sys.exit(main())
