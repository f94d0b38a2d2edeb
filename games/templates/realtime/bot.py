"""A sample agent for Untitled: walks to the nearest berry, again and again.

`decide` is the whole strategy. Only the public client is used, as by an agent that somebody else
has written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import worldline


def decide(seen: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return where to walk, and why."""
    if not seen["near"]:
        return {"x": 0, "z": 0}, "no berry in sight: to the middle"
    berry = seen["near"][0]
    return {"x": berry["x"], "z": berry["z"]}, f"berry {berry['id']} is {berry['distance']:.1f} away"


async def play(player: worldline.Player) -> None:
    """Play until the world or the seat is gone."""
    try:
        seen = await player.observe()
        while seen.ended is None:
            await player.think()
            args, why = decide(seen.data)
            try:
                outcome = await player.input("walk", args, observe=True, note=why)
                seen = outcome.observation or await player.observe()
            except worldline.TryLater as refusal:
                await asyncio.sleep((refusal.retry_after_ms or 1000) / 1000)
    except worldline.NotPossible:
        return  # The world has closed, or the seat was given up.
