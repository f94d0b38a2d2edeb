"""What a game declares about itself in its game.toml.

The declarations drive everything that must know a game without running it: validation of inputs, JSON Schemas, the
tables of SKILL.md, the lobby's seats, the scheduler's rate. Not here: reading the file (``games/manifest_reader.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from games.arguments import check_args, example_args, json_text
from games.errors import ArgumentProblem
from games.fields import ArgSpec, fields_schema, show
from games.nearest import by_nearness, did_you_mean, nearest

Clock = Literal["realtime", "lockstep", "turn", "manual"]
"""Who says when a world ticks: time, all who play, the one whose turn it is, or its owner."""
Actions = Literal["off", "names", "full"]
SpectateWhen = Literal["live", "delayed", "after", "off"]


class InputSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An input that agents can send."""

    help: str
    args: dict[str, ArgSpec] = {}
    done_on: str | None = None
    """The event that says a long-running input has finished."""
    default: dict[str, Any] | None = None
    """Args with which this input is applied for an agent that is silent when the deadline passes."""


class EventSpec(msgspec.Struct, frozen=True, kw_only=True):
    """An event that the game emits."""

    help: str
    args: dict[str, ArgSpec] = {}
    quiet: bool = False
    """Not worth waking anybody for."""
    stops: bool = False
    """Worth stopping what one is doing for."""


class Spectate(msgspec.Struct, frozen=True, kw_only=True):
    """Who may see what goes on in a running world without a seat in it."""

    when: SpectateWhen = "live"
    """``live``, ``delayed`` by ``delay_s``, ``after`` the end, or ``off``: never."""
    delay_s: float = 0.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A valid game.toml, as `games.manifest_reader.read_manifest` returns it."""

    title: str
    summary: str
    max_players: int
    min_players: int = 1
    clock: Clock = "realtime"
    tick_hz: float = 60.0
    """Ticks per second of game time: what dt and world.time are made of. 1 where ticks have no rate of their own."""
    deadline_ms: int = 30_000
    """Lockstep and turn: for how long a tick waits for those who are to act."""
    max_ticks: int = 0
    """The world ends after this tick; 0: never."""
    grace_s: float = 120.0
    """How long a player without connection is kept."""
    idle_s: float = 120.0
    """An empty world closes after this."""
    actions: Actions = "names"
    """What observations tell of game.actions: nothing, the names of the inputs, or all that it says."""
    seats_per_agent: int = 1
    spectate: Spectate = Spectate()
    settings: dict[str, ArgSpec] = {}
    inputs: dict[str, InputSpec] = {}
    events: dict[str, EventSpec] = {}
    observation: dict[str, ArgSpec] = {}

    @property
    def default_input(self) -> tuple[str, dict[str, Any]]:
        """Name and args of what is applied for a silent agent. Raises LookupError if the game has no such input."""
        for name, spec in self.inputs.items():
            if spec.default is not None:
                return name, dict(spec.default)
        raise LookupError("this game declares no default input")

    def check_input(self, name: str, args: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the args as Lua shall get them. Raises ArgumentProblem."""
        spec = self.inputs.get(name)
        if spec is None:
            raise self._unknown_input(name)
        return check_args("args", args or {}, spec.args)

    def _unknown_input(self, name: str) -> ArgumentProblem:
        valid = by_nearness(name, self.inputs)
        close = nearest(name, self.inputs) or (valid[0] if valid else None)
        args = example_args(self.inputs[close].args) if close else None
        return ArgumentProblem(
            "unknown_input",
            "name",
            f"there is no input {show(name)} in this game{did_you_mean(name, self.inputs)}",
            f"this works: name {show(close)} with args {json_text(args)}" if close else "this game takes no inputs",
            valid=valid,
            suggestion=args,
        )

    def check_settings(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings of a world: these, and the defaults of the others. Raises ArgumentProblem."""
        optional = {name: msgspec.structs.replace(spec, optional=True) for name, spec in self.settings.items()}
        given = check_args("settings", settings, optional)
        return {name: given.get(name, spec.default) for name, spec in self.settings.items()}

    def input_schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each input's args.

        Where declared, ``done_on`` names an event, ``default`` the args with which it is applied for a silent agent.
        """
        schemas = {}
        for name, spec in self.inputs.items():
            schemas[name] = {"description": spec.help} | fields_schema(spec.args)
            if spec.done_on:
                schemas[name]["done_on"] = spec.done_on
            if spec.default is not None:
                schemas[name]["default"] = spec.default
        return schemas

    def event_schemas(self) -> dict[str, dict[str, Any]]:
        """Return the JSON Schema of each event's data. ``quiet`` and ``stops`` are there where true."""
        schemas = {}
        for name, spec in self.events.items():
            flags = {flag: True for flag in ("quiet", "stops") if getattr(spec, flag)}
            schemas[name] = {"description": spec.help} | fields_schema(spec.args) | flags
        return schemas

    def observation_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of an observation's data."""
        return fields_schema(self.observation)

    def settings_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a world's settings."""
        optional = {name: msgspec.structs.replace(spec, optional=True) for name, spec in self.settings.items()}
        return fields_schema(optional)
