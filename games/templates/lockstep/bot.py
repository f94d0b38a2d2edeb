"""A sample agent for Untitled: walks to the nearest coin.

`decide` is the whole strategy. Only the public client is used, as by an agent that somebody else
has written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import worldline


def decide(seen: Mapping[str, Any]) -> tuple[str, str]:
    """Return the direction to move to, and why."""
    x, z = seen["x"], seen["z"]
    coin = min(seen["lying"], key=lambda coin: abs(coin["x"] - x) + abs(coin["z"] - z))
    why = f"to the coin at ({coin['x']}, {coin['z']})"
    if coin["x"] != x:
        return ("right" if coin["x"] > x else "left"), why
    if coin["z"] != z:
        return ("down" if coin["z"] > z else "up"), why
    return "stay", "a coin lies here"


async def play(player: worldline.Player) -> None:
    """Play until the world has ended."""
    try:
        seen = await player.observe()
        while seen.ended is None:
            if not seen.your_turn:
                seen = await player.observe(until="turn")
                continue
            await player.think()
            direction, why = decide(seen.data)
            try:
                outcome = await player.input("move", direction=direction, observe=True, note=why)
                seen = outcome.observation or await player.observe()
            except worldline.NotPossible as refusal:
                if refusal.code not in ("too_late", "not_your_turn", "already_acted"):
                    raise
                seen = await player.observe()
    except worldline.NotPossible:
        return  # The world has closed, or the seat was given up.
