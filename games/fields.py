"""Types of values that a game declares: for inputs' args, events, observations and settings.

One `ArgSpec` answers three questions about a value: does it fit (and why not), what value nearby would fit, and what
is its JSON Schema. Not here: which fields a game has (``games/manifest.py``).
"""

from __future__ import annotations

import math
from typing import Any, Final, Literal

import msgspec

from games.nearest import nearest

FieldType = Literal["number", "integer", "string", "boolean", "enum", "point", "id", "list", "object"]

MAX_INTEGER: Final = 2**53 - 1
"""Beyond this, integers are not exact in Lua, nor in many clients."""
DEFAULT_MAX_LENGTH: Final = 200
"""Of a string, in characters, and of a list, where the game says nothing."""
MAX_ID_LENGTH: Final = 40
COORDINATES: Final = ("x", "y", "z")


class ArgSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The declared type of one value. Which members count depends on ``type``."""

    type: FieldType
    help: str = ""
    optional: bool = False
    min: float | None = None
    """number, integer; each coordinate of a point."""
    max: float | None = None
    max_length: int | None = None
    """string: characters; list: items."""
    values: tuple[str, ...] = ()
    """enum."""
    of: ArgSpec | None = None
    """list: what its items are."""
    fields: dict[str, ArgSpec] = {}
    """object."""
    default: Any = None
    """settings only."""

    @property
    def longest(self) -> int:
        """The most characters or items a value may have."""
        return DEFAULT_MAX_LENGTH if self.max_length is None else self.max_length

    def describe(self) -> str:
        """Say in words what fits: ``a number from -500 to 500``."""
        match self.type:
            case "number" | "integer":
                return ("an integer" if self.type == "integer" else "a number") + self._range()
            case "string":
                return f"a text of at most {self.longest} characters"
            case "boolean":
                return "true or false"
            case "enum":
                return "one of " + ", ".join(self.values)
            case "point":
                return 'a point {"x": …, "z": …}' + (f", each{self._range()}" if self._range() else "")
            case "id":
                return f"an id of 1 to {MAX_ID_LENGTH} printable ASCII characters"
            case "list":
                assert self.of is not None
                return f"a list of at most {self.longest} items, each {self.of.describe()}"
            case "object":
                return "an object with " + ", ".join(self.fields)

    def _range(self) -> str:
        low, high = (None if v is None else show(v) for v in (self.min, self.max))
        if low is not None and high is not None:
            return f" from {low} to {high}"
        if low is not None:
            return f" of at least {low}"
        return f" of at most {high}" if high is not None else ""

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of this value."""
        schema: dict[str, Any] = {"description": self.help} if self.help else {}
        if self.default is not None:
            schema["default"] = self.default
        match self.type:
            case "number" | "integer":
                schema |= {"type": self.type} | self._bounds()
            case "string":
                schema |= {"type": "string", "maxLength": self.longest}
            case "boolean":
                schema |= {"type": "boolean"}
            case "enum":
                schema |= {"type": "string", "enum": list(self.values)}
            case "point":
                coordinate = {"type": "number"} | self._bounds()
                schema |= object_schema(dict.fromkeys(COORDINATES, coordinate), ["x", "z"])
            case "id":
                schema |= {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH, "pattern": "^[!-~]+$"}
            case "list":
                assert self.of is not None
                schema |= {"type": "array", "maxItems": self.longest, "items": self.of.schema()}
            case "object":
                schema |= fields_schema(self.fields)
        return schema

    def _bounds(self) -> dict[str, float]:
        bounds = {}
        if self.min is not None:
            bounds["minimum"] = whole(self.min)
        if self.max is not None:
            bounds["maximum"] = whole(self.max)
        return bounds

    def check(self, value: Any) -> Any:
        """Return the value as Lua shall get it (3.0 for an integer becomes 3). Raises ValueError: what it should be."""
        match self.type:
            case "number" | "integer":
                return self._check_number(value)
            case "string":
                fits = isinstance(value, str) and len(value) <= self.longest
            case "boolean":
                fits = isinstance(value, bool)
            case "enum":
                fits = isinstance(value, str) and value in self.values
            case "id":
                fits = isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and is_printable_ascii(value)
            case "point":
                return self._check_point(value)
            case "list":
                return self._check_list(value)
            case "object":
                raise ValueError("objects are for observations and events")
        if not fits:
            raise ValueError(self._refusal(value))
        return value

    def _refusal(self, value: Any) -> str:
        return f"must be {self.describe()}, got {show(value)}"

    def _check_number(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(self._refusal(value))
        if abs(value) <= MAX_INTEGER:
            value = whole(value)
        low = self.min if self.min is not None else -MAX_INTEGER if self.type == "integer" else -math.inf
        high = self.max if self.max is not None else MAX_INTEGER if self.type == "integer" else math.inf
        if not low <= value <= high or (self.type == "integer" and not isinstance(value, int)):
            raise ValueError(self._refusal(value))
        # Lua knows doubles only: hand over, and log, the number that it will see.
        return value if abs(value) <= MAX_INTEGER else float(value)

    def _check_point(self, value: Any) -> dict[str, int | float]:
        if not isinstance(value, dict) or not {"x", "z"} <= value.keys() <= set(COORDINATES):
            raise ValueError(self._refusal(value))
        try:
            return {name: self._check_number(value[name]) for name in COORDINATES if name in value}
        except ValueError:
            raise ValueError(self._refusal(value)) from None

    def _check_list(self, value: Any) -> list[Any]:
        assert self.of is not None
        if not isinstance(value, list) or len(value) > self.longest:
            raise ValueError(self._refusal(value))
        checked = []
        for i, item in enumerate(value):
            try:
                checked.append(self.of.check(item))
            except ValueError as error:
                raise ValueError(f"[{i}] {error}") from None
        return checked

    def near(self, value: Any) -> Any:
        """Return a value that fits, as near to ``value`` as is easily told; an example where nothing is near."""
        try:
            return self.check(value)
        except ValueError:
            pass  # that is why we are here
        match self.type:
            case "number" | "integer":
                return self._near_number(value)
            case "string" | "id":
                return (
                    value[: self.longest] if self.type == "string" and isinstance(value, str) else "a"[: self.longest]
                )
            case "boolean":
                return value in ("true", "yes", 1)
            case "enum":
                return nearest_value(value, self.values)
            case "point":
                given = value if isinstance(value, dict) else {}
                return {name: self._near_number(given.get(name)) for name in ("x", "z")}
            case "list":
                assert self.of is not None
                items = value if isinstance(value, list) else []
                return [self.of.near(item) for item in items[: self.longest]]
            case "object":
                return {}

    def _near_number(self, value: Any) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            value = parsed_number(value)
        low = self.min if self.min is not None else -MAX_INTEGER
        high = self.max if self.max is not None else MAX_INTEGER
        value = min(max(value, low), high)
        if self.type == "integer":
            value = min(max(round(value), math.ceil(low)), math.floor(high))
        return whole(value)


def whole(value: float) -> int | float:
    """Return a number without fraction as an int."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parsed_number(value: Any) -> float:
    """Return the number that a text like "12.5" holds, else 0."""
    try:
        number = float(value) if isinstance(value, str) else 0.0
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def nearest_value(value: Any, values: tuple[str, ...]) -> str:
    """Return the value of an enum that somebody may have meant, else the first."""
    return (nearest(value, values) if isinstance(value, str) else None) or values[0]


def is_printable_ascii(text: str) -> bool:
    """Whether a text holds only visible ASCII characters."""
    return text.isascii() and all("!" <= character <= "~" for character in text)


def show(value: Any) -> str:
    """Return a value as JSON, cut to a readable length."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    text = msgspec.json.encode(whole(value) if isinstance(value, float) else value).decode()
    return text if len(text) <= 60 else text[:57] + "…"


def object_schema(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Return the JSON Schema of an object that allows nothing else."""
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def fields_schema(fields: dict[str, ArgSpec]) -> dict[str, Any]:
    """Return the JSON Schema of an object with these fields."""
    return object_schema(
        {name: spec.schema() for name, spec in fields.items()},
        [name for name, spec in fields.items() if not spec.optional],
    )


def lua_fields(fields: dict[str, ArgSpec]) -> list[dict[str, Any]]:
    """Return these fields as the engine's ``declared.lua`` takes them, in the order of their declaration."""
    return [lua_field(spec) | {"name": name} for name, spec in fields.items()]


def lua_field(spec: ArgSpec) -> dict[str, Any]:
    """Return one declaration as ``declared.lua`` takes it."""
    form: dict[str, Any] = {"type": spec.type, "optional": spec.optional, "longest": spec.longest}
    if spec.min is not None:
        form["min"] = whole(spec.min)
    if spec.max is not None:
        form["max"] = whole(spec.max)
    if spec.type == "enum":
        form["values"] = list(spec.values)
    if spec.of is not None:
        form["of"] = lua_field(spec.of)
    if spec.type == "object":
        form["fields"] = lua_fields(spec.fields)
    return form
