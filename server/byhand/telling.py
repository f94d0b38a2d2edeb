"""What a player sees, in lines of text for a person or a model: observations, outcomes, events. Pure functions.

What the game or other agents have said is their text: control characters are taken out, and it stays behind a word of
ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from server.commands.output import clean
from worldline import protocol


def observation(seen: protocol.Observation, *, name_turn: bool = True) -> list[str]:
    """What is seen now: the game's text, or its data if it has none; whose turn it is; how it ended."""
    lines = [clean(line) for line in (seen.text or "").splitlines()] or [f"tick {seen.tick} · {_json(seen.data)}"]
    if name_turn and seen.your_turn is not None and seen.ended is None:
        left = "" if seen.time_left_ms is None else f", {seen.time_left_ms / 1000:.0f} s left"
        lines.append(f"your turn{left}" if seen.your_turn else f"not your turn{left}")
    if seen.status == "waiting":
        lines.append("the world waits for more players")
    if seen.ended is not None:
        result = "" if seen.result is None else f": {clean(_json(seen.result))}"
        lines.append(f"over for you ({seen.ended}), score {seen.score}{result}")
    return lines


def events(items: Sequence[protocol.EventItem], missed: int = 0) -> list[str]:
    """Events, a line each."""
    lines = [f"{missed} earlier events are no longer kept"] if missed else []
    return lines + [
        f"event at {event.tick}: {event.kind}{'' if event.data is None else ' ' + clean(_json(event.data))}"
        for event in items
    ]


def outcome(result: protocol.Outcome) -> str:
    """What became of an input, in one line."""
    if result.status == "applied":
        said = "" if result.result is None else f": {clean(_json(result.result))}"
        again = ", as the first time" if result.duplicate else ""
        return f"applied at tick {result.tick}{again}{said}"
    if result.status == "pending":
        return f"pending: tick {result.tick} has not been left yet; say the same again to wait on"
    hint = "" if result.hint is None else f" → {clean(result.hint)}"
    return f"rejected at tick {result.tick}, {result.code}: {clean(result.message or '')}{hint}"


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
