"""Many agents play while processes of their server are killed at random; afterwards every input is accounted for.

    python -m tests.system.chaos [--seconds 60] [--agents 50] [--seed N] [--data DIR]

The promise that this defends: acknowledged is durable, an input counts exactly once, time never runs backwards, and a
crash ends no world. `agents.py` plays and remembers what it was told, `faults.py` kills, `account.py` compares the
agents' memories with the logs, `run.py` puts them together.

What is random is drawn from the seed; when exactly a process is hit depends on the machine. So a seed repeats the
schedule of kills and what agents do, not every race.
"""
