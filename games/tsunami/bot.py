"""A sample agent for Tsunami: fetches the relic that pays best and is safe, deposits, upgrades, flees the wave.

`decide` is the whole strategy: a pure function of one observation. `play` is the loop around it that every agent of
this game has: look, think, act, and take the next look from the outcome. Only the public client is used.

Not here: anything a server needs. `worldline bot tsunami` runs this file in a process of its own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import worldline

REACH: Final = 4.9
"""A relic this near can be collected (the rule says 5; positions are rounded)."""
NO_WAVE_X: Final = 355
"""East of here no wave hits anybody."""
LOOKOUT_X: Final = 362
"""Where to wait for the end of a wave: as far west as is safe."""
HOPELESS_SPARE_S: Final = 3.0
"""With less time to spare than this a trip fails: arriving, collecting and turning round each wait for a thought."""
CERTAIN_SPARE_S: Final = 9.0
"""With this much it succeeds, however slow the thoughts are."""
START_SPARE_S: Final = 5.0
"""Set out only with this much: to be washed home costs the trip, and the relic."""
OVERHEAD_S: Final = 8.0
"""What a trip costs besides walking: thoughts at both ends."""
NEARLY_THERE_S: Final = 8.0
"""A walk that takes no longer than this needs no further word."""
PERSEVERANCE: Final = 1.5
"""What the relic counts for that one is walking to: to change one's mind at every step gets nowhere."""
RIVAL_SHARE: Final = 0.2
"""What a relic counts for that somebody with free hands reaches earlier."""

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """What to do next: an input with its arguments, or (name None) only to look again. ``note`` says why."""

    name: str | None
    note: str
    args: dict[str, Any] = field(default_factory=dict)


async def play(player: worldline.Player) -> None:
    """Play until the world or the seat is gone. Raises `worldline.Disconnected` if the server is lost for good."""
    try:
        seen = await player.observe()
        while seen.ended is None:
            await player.think()
            seen = await _carry_out(player, decide(seen.data))
    except worldline.NotPossible:
        return  # The world has closed, or the seat was given up: nothing is left to play.


async def _carry_out(player: worldline.Player, decision: Decision) -> worldline.Observation:
    """Do it, and return what there is to see afterwards."""
    while True:
        try:
            if decision.name is None:
                return await player.observe()
            outcome = await player.input(decision.name, decision.args, observe=True, note=decision.note)
            return outcome.observation or await player.observe()
        except worldline.TryLater as refusal:
            await asyncio.sleep((refusal.retry_after_ms or 1000) / 1000)


def decide(seen: Facts) -> Decision:
    """The next thing to do for a player who sees ``seen`` (an observation's ``data``)."""
    if seen.get("carrying"):
        return _bring_home(seen)
    if seen.get("next_speed_cost") is not None and seen["coins"] >= seen["next_speed_cost"]:
        note = f"{seen['coins']} coins are enough: {seen['next_speed']} units/s reach farther zones"
        return Decision("buy_speed", note)
    return _flee(seen) or _grab(seen) or _fetch(seen) or _wait(seen)


def _bring_home(seen: Facts) -> Decision:
    """With full hands there is one way: home, into a slot."""
    carried = seen["carrying"]
    if not seen["at_home"]:
        home = seen["home"]
        verdict = "safe" if home["safe"] else "it will be close"
        note = f"carrying {carried['zone']} {carried['value']}: home in {home['walk_s']} s, {verdict}"
        return _walk(seen, "home", note)
    if seen["slots_free"] > 0:
        return Decision("deposit", f"{carried['zone']} {carried['value']} will pay {carried['value'] / 10:g}/s")
    poorest = min(seen["slots"], key=_slot_income)
    note = f"all slots are taken: slot {poorest['slot']} pays only {poorest['income']}/s, make room"
    return Decision("discard", note, {"slot": poorest["slot"]})


def _flee(seen: Facts) -> Decision | None:
    """Run if the wave leaves no time for anything else."""
    home = seen["home"]
    spare_s = home.get("spare_s")
    if seen["x"] > NO_WAVE_X or (home["safe"] and (spare_s is None or spare_s >= HOPELESS_SPARE_S)):
        return None
    arrives = seen["wave"].get("reaches_you_in_s")
    return _walk(seen, "home", f"the wave is here in {arrives} s and home is {home['walk_s']} s away: run")


def _grab(seen: Facts) -> Decision | None:
    """Take the best relic within reach, if it is worth a slot."""
    near = [relic for relic in seen["relics"] if relic["distance"] <= REACH and _worth_it(seen, relic)]
    if not near:
        return None
    best = max(near, key=lambda relic: int(relic["value"]))
    return Decision("collect", f"{best['zone']} {best['value']} is within reach", {"relic": best["id"]})


def _fetch(seen: Facts) -> Decision | None:
    """Walk to the relic that brings most per second of the trip, among those that leave time to think."""
    walking_to = (seen.get("walking") or {}).get("to")
    best: Facts | None = None
    for relic in seen["relics"]:
        # A walk that was begun is given up later than it would be begun.
        needed_s = HOPELESS_SPARE_S if relic["id"] == walking_to else START_SPARE_S
        in_time = relic["safe"] and relic.get("spare_s", needed_s) >= needed_s
        if in_time and _worth_it(seen, relic) and (best is None or _gain(seen, relic) > _gain(seen, best)):
            best = relic
    if best is None:
        return None
    note = (
        f"{best['id']} {best['zone']} {best['value']}: there in {best['walk_s']} s, home at {best['home_s']} s, "
        f"{best.get('spare_s', 'any')} s to spare"
    )
    return _walk(seen, best["id"], note)


def _wait(seen: Facts) -> Decision:
    """Nothing can be fetched now: wait for the wave to pass, where the next good relic is near."""
    hopes = [relic for relic in seen["relics"] if _worth_it(seen, relic)]
    if not hopes:
        return _walk(seen, "home", "no relic here is better than what I have: rest at home")
    next_one = max(hopes, key=lambda relic: ("safe_in_s" in relic, _gain(seen, relic)))
    x, z = LOOKOUT_X, round(max(-100.0, min(100.0, seen["z"] + next_one["dz"])))
    if abs(seen["x"] - x) <= 1 and abs(seen["z"] - z) <= 1:
        return Decision(None, "waiting for the wave to pass")
    walking = seen.get("walking") or {}
    if walking.get("x") == x and walking.get("z") == z:
        return Decision(None, "on my way to the lookout")
    note = f"nothing is safe now: wait at the edge, level with {next_one['id']} {next_one['zone']}"
    return Decision("move", note, {"x": x, "z": z})


def _walk(seen: Facts, to: str, note: str) -> Decision:
    """Walk there. A long walk under way is confirmed, so that its note says that the plan still holds, and why."""
    walking = seen.get("walking") or {}
    nearly_there = walking.get("to") == to and walking["left_s"] <= NEARLY_THERE_S
    if nearly_there or (to == "home" and seen["at_home"]):
        return Decision(None, note)
    return Decision("move", note, {"to": to})


def _slot_income(slot: Facts) -> float:
    return float(slot["income"])


def _worth_it(seen: Facts, relic: Facts) -> bool:
    """With all slots taken, only a relic that pays more than the poorest of them is worth a trip."""
    return bool(seen["slots_free"] > 0 or relic["value"] / 10 > min(map(_slot_income, seen["slots"])))


def _gain(seen: Facts, relic: Facts) -> float:
    """Coins per second that a second of this trip brings, on average: some trips fail, and rivals may be faster."""
    gain = float(relic["value"] / (relic["home_s"] + OVERHEAD_S)) * _chance(relic.get("spare_s", CERTAIN_SPARE_S))
    if (seen.get("walking") or {}).get("to") == relic["id"]:
        gain *= PERSEVERANCE
    beaten = any(_reaches_in_s(other, relic) < relic["walk_s"] for other in seen["players"] if "carrying" not in other)
    return gain * RIVAL_SHARE if beaten else gain


def _chance(spare_s: float) -> float:
    """How likely it is that a trip with so much time to spare ends well."""
    return max(0.0, min(1.0, (spare_s - HOPELESS_SPARE_S) / (CERTAIN_SPARE_S - HOPELESS_SPARE_S)))


def _reaches_in_s(other: Facts, relic: Facts) -> float:
    return math.hypot(relic["dx"] - other["dx"], relic["dz"] - other["dz"]) / float(other["speed"])
