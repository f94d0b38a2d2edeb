"""A sample agent for Parley: accepts what helps, else offers what it can spare for what it needs.

`decide` is the whole strategy: a pure function of one observation. `play` is the loop around it. Only the public client
is used. `worldline bot parley` runs this file in a process of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import worldline

GOODS: Final = ("wood", "stone", "grain", "gold")


@dataclass(frozen=True)
class Decision:
    """The move of a turn, and why."""

    name: str
    note: str
    args: dict[str, Any] = field(default_factory=dict)


async def play(player: worldline.Player) -> None:
    """Play until the world has ended. Raises `worldline.Disconnected` if the server is lost for good."""
    try:
        seen = await player.observe()
        while player.closed is None:
            if not seen.your_turn:
                seen = await player.observe(until="turn")
                continue
            await player.think()
            seen = await _move(player, decide(seen.data))
    except worldline.NotPossible:
        return  # The world has closed, or the seat was given up: nothing is left to play.


async def _move(player: worldline.Player, decision: Decision) -> worldline.Observation:
    try:
        outcome = await player.input(decision.name, decision.args, observe=True, note=decision.note)
    except worldline.NotPossible as refusal:
        if refusal.code not in ("too_late", "not_your_turn", "already_acted"):
            raise
        return await player.observe()  # thought for too long: look at the table as it is now
    return outcome.observation or await player.observe()


def decide(data: Mapping[str, Any]) -> Decision:
    """Return the move for what is seen."""
    hand, goals = data["hand"], data["goals"]
    kept = {good: max((goal["count"] for goal in goals if goal["good"] == good), default=0) for good in GOODS}
    lacking = {good: kept[good] - hand[good] for good in GOODS if hand[good] < kept[good]}
    spare = {good: hand[good] - kept[good] for good in GOODS if hand[good] > kept[good]}
    for offer in data["offers"]:
        good, price = offer["give"], offer["want"]
        if offer["to"] == data["you"] and good in lacking and spare.get(price, 0) >= offer["want_count"]:
            note = f"{offer['by']} gives {offer['give_count']} {good}, which I need, for {price} that I can spare"
            return Decision("accept", note, {"offer": offer["id"]})
    if not lacking:
        return Decision("pass", "both goals are met: I sit and wait")
    if not spare:
        return Decision("pass", "I need everything that I hold")
    others = [one["id"] for one in data["players"] if one["id"] != data["you"]]
    want = min(lacking, key=lambda good: lacking[good])  # the nearest goal first
    give = max(spare, key=lambda good: spare[good])
    count = min(lacking[want], spare[give], 2)
    to = others[(data["round"] + sum(map(ord, want))) % len(others)]
    note = f"I lack {lacking[want]} {want} and can spare {spare[give]} {give}: perhaps {to} will trade"
    args = {"to": to, "give": give, "give_count": count, "want": want, "want_count": count}
    return Decision("offer", note, args)
