"""Reads game.toml and refuses what it does not understand, with file, line and the nearest name that exists.

Invariant: whatever this file accepts has an effect. A key that would be ignored is an error, because its author
believes that it does something.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Callable
from typing import Any, Final, NoReturn, get_args

import msgspec

from games.arguments import check_args
from games.errors import ArgumentProblem, GameError
from games.fields import ArgSpec, FieldType, show
from games.manifest import Actions, Clock, EventSpec, InputSpec, Manifest, Spectate, SpectateWhen
from games.nearest import did_you_mean
from games.toml_lines import line_of

MAX_PLAYERS: Final = 1000
"""Of one world: every player's observation is computed by the one process that runs it."""
MAX_TICK_HZ: Final = 1000.0
"""A tick shorter than a millisecond is below what a scheduler can keep."""
CLOCKS: Final = get_args(Clock)
MAX_DEADLINE_MS: Final = 86_400_000
"""A day: nobody waits for a move for longer than that."""
ACTIONS: Final = get_args(Actions)
SPECTATE: Final = get_args(SpectateWhen)
LARGEST: Final = 1e15
"""Of min and max: whole numbers up to here are exact in doubles, with room for one digit behind the point."""

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_BY_TYPE: Final[dict[str, tuple[str, ...]]] = {
    "number": ("min", "max"),
    "integer": ("min", "max"),
    "string": ("max_length",),
    "boolean": (),
    "enum": ("values",),
    "point": ("min", "max"),
    "id": (),
    "list": ("of", "max_length"),
    "object": ("fields",),
}
"""Every type, with the keys that only it has."""


def read_manifest(source: bytes, path: str) -> Manifest:
    """Read game.toml. ``path`` is for messages. Raises GameError with line and reason."""
    try:
        text = source.decode()
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        raise GameError(path, line, "this is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise _syntax_error(path, text, str(error)) from None
    return _Reader(path, text).manifest(table)


def _syntax_error(path: str, text: str, message: str) -> GameError:
    found = re.search(r" \(at (?:line (\d+), column \d+|end of document)\)", message)
    if found is None:
        return GameError(path, None, f"this is not TOML: {message}")
    line = int(found.group(1)) if found.group(1) else len(text.splitlines())
    return GameError(path, line, f"this is not TOML: {message.replace(found.group(), '')}")


class _Reader:
    """Makes a Manifest of a parsed table. ``at`` is the way of keys to what is being read."""

    def __init__(self, path: str, text: str) -> None:
        self._path = path
        self._text = text

    def fail(self, at: tuple[str, ...], reason: str) -> NoReturn:
        raise GameError(self._path, line_of(self._text, at), reason)

    def manifest(self, table: dict[str, Any]) -> Manifest:
        self.known((), table, tuple(Manifest.__struct_fields__))
        clock: Clock = self.value((), table, "clock", lambda v: v in CLOCKS, "one of " + ", ".join(CLOCKS), "realtime")
        events = {name: self.event(("events", name), value) for name, value in self.named(table, "events").items()}
        manifest = Manifest(
            title=self.text((), table, "title"),
            summary=self.text((), table, "summary"),
            max_players=self.whole((), table, "max_players", 1, MAX_PLAYERS, None),
            min_players=self.whole((), table, "min_players", 1, MAX_PLAYERS, 1),
            clock=clock,
            tick_hz=self.number((), table, "tick_hz", 1.0, MAX_TICK_HZ, 60.0 if clock == "realtime" else 1.0),
            deadline_ms=self.whole((), table, "deadline_ms", 1, MAX_DEADLINE_MS, 30_000),
            max_ticks=self.whole((), table, "max_ticks", 0, 2**53 - 1, 0),
            grace_s=self.number((), table, "grace_s", 0.0, 86400.0, 120.0),
            idle_s=self.number((), table, "idle_s", 0.0, 86400.0, 120.0),
            actions=self.value((), table, "actions", lambda v: v in ACTIONS, "one of " + ", ".join(ACTIONS), "names"),
            seats_per_agent=self.whole((), table, "seats_per_agent", 1, MAX_PLAYERS, 1),
            spectate=self.spectate(table),
            settings={
                name: self.setting(("settings", name), value) for name, value in self.named(table, "settings").items()
            },
            inputs={
                name: self.input(("inputs", name), value, tuple(events))
                for name, value in self.named(table, "inputs").items()
            },
            events=events,
            observation=self.observation(table),
        )
        for name in ("min_players", "seats_per_agent"):
            if getattr(manifest, name) > manifest.max_players:
                self.fail((name,), f"{name} must be at most max_players ({manifest.max_players})")
        self.fit_to_clock(manifest, table)
        return manifest

    def fit_to_clock(self, manifest: Manifest, table: dict[str, Any]) -> None:
        """Refuse what has no effect with the game's clock, and the absence of what it needs."""
        waits = manifest.clock in ("lockstep", "turn")
        defaults = [name for name, spec in manifest.inputs.items() if spec.default is not None]
        if not waits and "deadline_ms" in table:
            self.fail(("deadline_ms",), f"a {manifest.clock} world waits for nobody: leave deadline_ms out")
        if waits and "tick_hz" in table:
            self.fail(("tick_hz",), f"a {manifest.clock} world ticks when all have acted: leave tick_hz out")
        if not waits and defaults:
            at = ("inputs", defaults[0], "default")
            self.fail(at, f"a {manifest.clock} world applies no default input: leave it out")
        if waits and len(defaults) != 1:
            self.fail(
                ("inputs", defaults[1], "default") if defaults else ("clock",),
                f"a {manifest.clock} game has one default input, for agents that are silent: "
                + (f"this is one more than {defaults[0]}" if defaults else "mark it with [inputs.NAME.default]"),
            )

    def spectate(self, table: dict[str, Any]) -> Spectate:
        at = ("spectate",)
        section = self.table(at, table.get("spectate", {}))
        self.known(at, section, ("when", "delay_s"))
        when = self.value(at, section, "when", lambda v: v in SPECTATE, "one of " + ", ".join(SPECTATE), "live")
        delay_s = self.number(at, section, "delay_s", 0.0, 86400.0, 0.0)
        if (when == "delayed") != (delay_s > 0):
            self.fail((*at, "delay_s"), 'delay_s goes with when = "delayed", and says by how many seconds')
        return Spectate(when=when, delay_s=delay_s)

    def known(self, at: tuple[str, ...], table: dict[str, Any], names: tuple[str, ...]) -> None:
        for key in table:
            if key not in names:
                where = f" in [{'.'.join(at)}]" if at else ""
                listed = ", ".join(names)
                self.fail((*at, key), f"unknown key {key}{where}{did_you_mean(key, names)} (known: {listed})")

    def table(self, at: tuple[str, ...], value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.fail(at, f"{'.'.join(at)} must be a table, got {show(value)}")
        return value

    def named(self, table: dict[str, Any], section: str) -> dict[str, Any]:
        """Return a table whose keys are names that the game chose."""
        return self.names((section,), self.table((section,), table.get(section, {})))

    def names(self, at: tuple[str, ...], table: dict[str, Any]) -> dict[str, Any]:
        for name in table:
            if not _NAME.fullmatch(name):
                self.fail((*at, name), f"{name!r} is no name: a-z first, then a-z, 0-9 and _, at most 40 characters")
        return table

    def value(
        self, at: tuple[str, ...], table: dict[str, Any], key: str, fits: Callable[[Any], bool], what: str, default: Any
    ) -> Any:
        if key not in table:
            if default is None:
                self.fail(at, f"{'.'.join((*at, key))} is missing: {what}")
            return default
        if not fits(table[key]):
            self.fail((*at, key), f"{key} must be {what}, got {show(table[key])}")
        return table[key]

    def text(self, at: tuple[str, ...], table: dict[str, Any], key: str, default: str | None = None) -> str:
        return str(self.value(at, table, key, lambda v: isinstance(v, str) and v != "", "a text", default))

    def flag(self, at: tuple[str, ...], table: dict[str, Any], key: str) -> bool:
        return bool(self.value(at, table, key, lambda v: isinstance(v, bool), "true or false", False))

    def whole(
        self, at: tuple[str, ...], table: dict[str, Any], key: str, low: int, high: int, default: int | None
    ) -> int:
        def fits(value: Any) -> bool:
            return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

        return int(self.value(at, table, key, fits, f"a whole number from {low} to {high}", default))

    def number(
        self, at: tuple[str, ...], table: dict[str, Any], key: str, low: float, high: float, default: float
    ) -> float:
        def fits(value: Any) -> bool:
            return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high

        return float(self.value(at, table, key, fits, f"a number from {low:g} to {high:g}", default))

    def input(self, at: tuple[str, ...], value: Any, events: tuple[str, ...]) -> InputSpec:
        table = self.table(at, value)
        self.known(at, table, ("help", "args", "done_on", "default"))
        done_on = self.text(at, table, "done_on") if "done_on" in table else None
        if done_on is not None and done_on not in events:
            self.fail(
                (*at, "done_on"),
                f"done_on names event {done_on}, which is not declared"
                f"{did_you_mean(done_on, events)}: add [events.{done_on}]",
            )
        args = self.fields((*at, "args"), table, "args")
        default = None
        if "default" in table:
            default = self.table((*at, "default"), table["default"])
            try:
                default = check_args("default", default, args)
            except ArgumentProblem as problem:
                self.fail((*at, "default"), f"{problem.path}: {problem.message}")
        return InputSpec(help=self.text(at, table, "help"), args=args, done_on=done_on, default=default)

    def event(self, at: tuple[str, ...], value: Any) -> EventSpec:
        table = self.table(at, value)
        self.known(at, table, ("help", "args", "quiet", "stops"))
        return EventSpec(
            help=self.text(at, table, "help"),
            args=self.fields((*at, "args"), table, "args", nested=True),
            quiet=self.flag(at, table, "quiet"),
            stops=self.flag(at, table, "stops"),
        )

    def observation(self, table: dict[str, Any]) -> dict[str, ArgSpec]:
        section = self.table(("observation",), table.get("observation", {}))
        self.known(("observation",), section, ("fields",))
        return self.fields(("observation", "fields"), section, "fields", nested=True)

    def fields(
        self, at: tuple[str, ...], table: dict[str, Any], key: str, *, nested: bool = False
    ) -> dict[str, ArgSpec]:
        values = self.names(at, self.table(at, table.get(key, {})))
        return {name: self.field((*at, name), value, nested=nested) for name, value in values.items()}

    def field(self, at: tuple[str, ...], value: Any, *, nested: bool = False) -> ArgSpec:
        """Read the type of one value. ``nested``: objects are allowed too."""
        table = self.table(at, value)
        types = tuple(name for name in _BY_TYPE if nested or name != "object")
        kind = self.value(at, table, "type", lambda v: v in types, "one of " + ", ".join(types), None)
        self.known(at, table, ("type", "help", "optional", *_BY_TYPE[kind]))
        return self.spec(at, table, kind, nested=nested)

    def spec(self, at: tuple[str, ...], table: dict[str, Any], kind: FieldType, *, nested: bool) -> ArgSpec:
        bounds = {key: self.number(at, table, key, -LARGEST, LARGEST, 0.0) for key in ("min", "max") if key in table}
        low, high = bounds.get("min"), bounds.get("max")
        if low is not None and high is not None and low > high:
            self.fail((*at, "min"), f"min must be at most max, got {show(low)} and {show(high)}")
        if kind == "integer" and math.ceil(low if low is not None else 0) > (high if high is not None else LARGEST):
            self.fail((*at, "min"), f"there is no integer from {show(low)} to {show(high)}")
        return ArgSpec(
            type=kind,
            help=self.text(at, table, "help") if "help" in table else "",
            optional=self.flag(at, table, "optional"),
            min=low,
            max=high,
            max_length=self.whole(at, table, "max_length", 1, 1_000_000, 0) if "max_length" in table else None,
            values=self.enum_values(at, table) if kind == "enum" else (),
            of=self.field((*at, "of"), self.item_type(at, table), nested=nested) if kind == "list" else None,
            fields=self.fields((*at, "fields"), table, "fields", nested=True) if kind == "object" else {},
        )

    def enum_values(self, at: tuple[str, ...], table: dict[str, Any]) -> tuple[str, ...]:
        def fits(value: Any) -> bool:
            return (
                isinstance(value, list)
                and value != []
                and all(isinstance(item, str) for item in value)
                and len(set(value)) == len(value)
            )

        return tuple(self.value(at, table, "values", fits, "a list of different texts", None))

    def item_type(self, at: tuple[str, ...], table: dict[str, Any]) -> Any:
        """Return what ``of`` says; a bare type name is short for a table with only that."""
        of = self.value(at, table, "of", lambda v: isinstance(v, str | dict), "the type of the list's items", None)
        return {"type": of} if isinstance(of, str) else of

    def setting(self, at: tuple[str, ...], value: Any) -> ArgSpec:
        """Read a setting: a plain default, whose type it shows, or a table with type and default."""
        if not isinstance(value, dict):
            kind = _type_of(value)
            if kind is None:
                self.fail(at, f"a setting is a number, a text, true or false, or a table, got {show(value)}")
            return ArgSpec(type=kind, default=value)
        table = dict(value)
        if "default" not in table:
            self.fail(at, f"{'.'.join((*at, 'default'))} is missing: what a world has that was made without it")
        default = table.pop("default")
        spec = self.field(at, table)
        try:
            return msgspec.structs.replace(spec, default=spec.check(default))
        except ValueError as error:
            self.fail((*at, "default"), f"default {error}")


def _type_of(value: Any) -> FieldType | None:
    """Return the type that a setting's default shows. Whole numbers may become fractions: both are numbers."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else None
