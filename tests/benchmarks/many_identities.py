"""What a gateway's memory grows by when very many different agents and addresses come and go in the same instant.

    python -m tests.benchmarks.many_identities [HOW_MANY]

Prints one JSON object: ``identities`` seen, ``remembered`` at most (agents and addresses), ``grown_bytes`` of resident
memory then, and ``remembered_later``, once what they had used up would have come back. Each agent sends one request,
and each address fails to say who it is once: what costs most to remember.
"""

from __future__ import annotations

import asyncio
import json
import sys

from server.gateway.admission import Agents, admit
from server.gateway.limits import GatewayLimits
from server.gateway.visitors import Visitors
from server.process import resident_bytes


class StillLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still."""

    def time(self) -> float:
        return 1000.0


async def measure(identities: int) -> dict[str, int]:
    """Let so many come and go."""
    limits = GatewayLimits()
    now_s = asyncio.get_running_loop().time()
    agents, visitors = Agents(limits), Visitors(limits)
    before_bytes = resident_bytes()
    for number in range(identities):
        agent, address = f"a_{number:010}", f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        bucket = await agents.arrive(agent, now_s)
        assert bucket is not None
        await admit(bucket)
        agents.depart(agent, now_s)
        visitors.came(address)
        visitors.failed(address, now_s)
        visitors.went(address)
    grown_bytes = resident_bytes() - before_bytes
    remembered = agents.remembered, visitors.remembered
    agents.forget(now_s + limits.agent_burst / limits.agent_rate_hz)
    visitors.forget(now_s + limits.failed_hellos_s)
    return {
        "identities": identities,
        "remembered": max(remembered),
        "grown_bytes": grown_bytes,
        "remembered_later": agents.remembered + visitors.remembered,
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=StillLoop) as runner:
        print(json.dumps(runner.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))))
