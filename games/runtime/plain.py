"""A whole world as plain data: what people look at, and what tools compare.

    {"tick": 812, "clock": "realtime", "state": {…}, "scene": {"next_id": 2210, "nodes": {"12": {"kind": "hut", …}}},
     "players": {"p_1": {"seat": 1, "score": 8, "events": {"41": {…}}, …}}, "settings": {…}, "random": …}

It holds all that a state's hash covers (but how many ticks in a row have failed), so two worlds whose hashes differ
differ here, too. Works also where a world cannot be saved. A path is a sequence of steps into it, each the text of a
key or, in a list, a number from 1 on, as in Lua. Text and steps: `parse_path`, `path_text`.

Not here: any change of a world; looking leaves no trace in it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from games.runtime.players import PlayerState
from games.runtime.world import World

Path = tuple[str, ...]

LUA_PARTS: Final = ("state", "scene", "settings", "timers", "random")
"""What ``plain.lua`` tells of."""
_STEP: Final = re.compile(r"""\.?([^.\[\]"]+)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]""")
_PLAIN_STEP: Final = re.compile(r"[^.\[\]\"\s]+")

_decode = msgspec.msgpack.Decoder().decode
_encode = msgspec.msgpack.Encoder().encode

_PYTHON_PARTS: Final[dict[str, Callable[[World], Any]]] = {
    "tick": lambda world: world.tick,
    "clock": lambda world: world.clock,
    "finished": lambda world: world.finished,
    "next_player": lambda world: world.next_player_id(),
    "players": lambda world: {player.id: _player(player) for player in world.players.values()},
}
PARTS: Final = (*_PYTHON_PARTS, *LUA_PARTS)
"""The first steps that there are."""


class NoSuchPath(ValueError):
    """What is written is no path."""


def parse_path(text: str) -> Path:
    """Read ``state.teams[2].leader`` or ``scene.nodes.12.x``; keys with dots in them stand as ``["a.b"]``.

    Raises NoSuchPath if it is written otherwise, or begins with what no world has.
    """
    steps: list[str] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or (not steps and text.startswith(".")):
            raise NoSuchPath(f"{text!r} is no path: one is written like state.teams[2].leader")
        at = found.end()
        quoted = found[3]
        steps.append(re.sub(r"\\(.)", r"\1", quoted) if quoted is not None else found[1] or found[2])
    if not steps or steps[0] not in PARTS:
        raise NoSuchPath(f"{text!r} is no path: one begins with {', '.join(PARTS[:-1])} or {PARTS[-1]}")
    return tuple(steps)


def path_text(path: Sequence[str]) -> str:
    """Write a path so that `parse_path` reads it."""
    text = ""
    for step in path:
        if _PLAIN_STEP.fullmatch(step):
            text += f".{step}" if text else step
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            text += f'["{escaped}"]'
    return text


def plain_state(world: World) -> dict[str, Any]:
    """All that a world holds."""
    whole = {name: part(world) for name, part in _PYTHON_PARTS.items()}
    for name in LUA_PARTS:
        packed = world.inspection.look_up((name,))
        if packed is not None:  # a world that never set a timer has none
            whole[name] = _decode(packed)
    return whole


def packed_at(world: World, path: Path) -> bytes | None:
    """What stands at ``path``, as one MessagePack value, equal for equal values; None where nothing does."""
    if path[0] in LUA_PARTS:
        return world.inspection.look_up(path)
    if path[0] == "players" and len(path) > 2:
        # Only what is asked for: somebody may look at every tick of a long game.
        player, field = world.players.get(path[1]), _PLAYER_FIELDS.get(path[2])
        found = msgspec.UNSET if player is None or field is None else walk(field(player), path[3:])
    else:
        found = walk(_PYTHON_PARTS[path[0]](world), path[1:])
    return None if found is msgspec.UNSET else _encode(found)


def value_at(world: World, path: Path) -> Any:
    """What stands at ``path``; `msgspec.UNSET` where nothing does."""
    packed = packed_at(world, path)
    return msgspec.UNSET if packed is None else _decode(packed)


def walk(value: Any, path: Sequence[str]) -> Any:
    """What stands at ``path`` in plain data; `msgspec.UNSET` where nothing does."""
    for step in path:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and 1 <= int(step) <= len(value):
            value = value[int(step) - 1]
        else:
            return msgspec.UNSET
    return value


def _player(player: PlayerState) -> dict[str, Any]:
    return {name: field(player) for name, field in _PLAYER_FIELDS.items()}


def _events(player: PlayerState) -> dict[str, Any]:
    return {
        str(event.n): {"tick": event.tick, "kind": event.kind, "data": _decode(event.data)} for event in player.events
    }


def _outcomes(player: PlayerState) -> dict[str, Any]:
    return {
        str(outcome.seq): {
            "tick": outcome.tick,
            "status": outcome.status,
            "code": outcome.code,
            "message": outcome.message,
            "result": _decode(outcome.packed_result) if outcome.packed_result else None,
        }
        for outcome in player.outcomes.values()
    }


def _whole(number: float) -> float:
    """A whole number as an int: it is written without a fraction then."""
    return int(number) if float(number).is_integer() else number


_PLAYER_FIELDS: Final[dict[str, Callable[[PlayerState], Any]]] = {
    "seat": lambda player: player.seat,
    "agent": lambda player: player.agent,
    "name": lambda player: player.name,
    "score": lambda player: _whole(player.score),
    "reward": lambda player: _whole(player.total_reward),
    "next_seq": lambda player: player.next_seq,
    "next_event": lambda player: player.next_event,
    "ended": lambda player: player.ended,
    "result": lambda player: player.result,
    "events": _events,
    "outcomes": _outcomes,
}
