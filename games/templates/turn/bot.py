"""A sample agent for Untitled: leaves a multiple of four where it can.

`decide` is the whole strategy. Only the public client is used, as by an agent that somebody else
has written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import worldline


def decide(seen: Mapping[str, Any]) -> tuple[int, str]:
    """Return how many stones to take, and why."""
    surplus = seen["stones"] % 4
    if surplus:
        return surplus, f"{seen['stones'] - surplus} are left: a multiple of four"
    return 1, "nothing helps: wait for a mistake"


async def play(player: worldline.Player) -> None:
    """Play until the world has ended."""
    try:
        seen = await player.observe()
        while seen.ended is None:
            if not seen.your_turn:
                seen = await player.observe(until="turn")
                continue
            await player.think()
            count, why = decide(seen.data)
            try:
                outcome = await player.input("take", count=count, observe=True, note=why)
                seen = outcome.observation or await player.observe()
            except worldline.NotPossible as refusal:
                if refusal.code not in ("too_late", "not_your_turn", "already_acted"):
                    raise
                seen = await player.observe()
    except worldline.NotPossible:
        return  # The world has closed, or the seat was given up.
