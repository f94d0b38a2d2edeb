"""What a bench run is asked to do, and how its options are read.

Not here: what the options do (``run.py``), and how they are spelled on the command line (``server/commands/bench.py``).
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Policy = Literal["bot", "random"]
"""Who decides for an agent: the game's ``bot.py``, or a policy that plays any game by its declared inputs."""

AGENT_PROCESSES: Final = 2
REFERENCE_AGENTS: Final = 100
REFERENCE_THINK_S: Final = (2.0, 5.0)


class BenchOptions(msgspec.Struct, frozen=True, kw_only=True):
    """One bench. Times in seconds; ``shards`` 0: one for each core; ``data`` None: a folder that is removed."""

    agents: int = REFERENCE_AGENTS
    game: str = "tsunami"
    seconds: float = 30.0
    think_s: tuple[float, float] = REFERENCE_THINK_S
    policy: Policy = "bot"
    shards: int = 0
    durability: Literal["durable", "written"] = "durable"
    data: str | None = None
    game_folders: tuple[str, ...] = ()
    seed: int = 1
    """Of the agents' decisions (worlds get seeds of their own from the server)."""

    @property
    def closed_loop(self) -> bool:
        """Whether agents decide again as soon as they have the outcome of the last decision."""
        return self.think_s == (0.0, 0.0)

    @property
    def warm_up_s(self) -> float:
        """How long agents play before the window opens: every agent has decided at least once by then."""
        return min(self.think_s[1], 5.0) + 1.0

    @property
    def is_reference(self) -> bool:
        """Whether this is the load for which the project names figures to be reached."""
        return (
            self.game == "tsunami"
            and self.agents == REFERENCE_AGENTS
            and self.think_s == REFERENCE_THINK_S
            and self.durability == "durable"
        )
