"""Does what an agent sent fit what the game declares? If not: what is wrong, where, and args that work instead.

Every hint ends in JSON that passes the same check, so that whoever reads it can send it back as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import msgspec

from games.errors import ArgumentProblem
from games.fields import ArgSpec, show
from games.nearest import MAX_LISTED, by_nearness, did_you_mean, nearest


def json_text(value: Any) -> str:
    """Return a value as compact JSON."""
    return msgspec.json.encode(value).decode()


def example_args(fields: Mapping[str, ArgSpec]) -> dict[str, Any]:
    """Return args that fit: the required ones, each as near to nothing as it may be."""
    return {name: spec.near(None) for name, spec in fields.items() if not spec.optional}


def check_args(where: str, args: Mapping[str, Any], fields: Mapping[str, ArgSpec]) -> dict[str, Any]:
    """Return the args as Lua shall get them. ``where`` is ``args`` or ``settings``. Raises ArgumentProblem."""
    checked = {}
    for name, spec in fields.items():
        value = args.get(name)
        if value is None:
            if not spec.optional:
                _refuse(where, name, f"{name} is missing: {spec.describe()}", args, fields)
            continue
        try:
            checked[name] = spec.check(value)
        except ValueError as error:
            _refuse(where, name, f"{name} {error}", args, fields)
    for name in args:
        if name not in fields:
            what = "setting" if where == "settings" else "arg"
            message = f"there is no {what} {show(name)}{did_you_mean(name, fields)}"
            _refuse(where, name, message, args, fields, valid=by_nearness(name, fields))
    return checked


def _refuse(
    where: str,
    name: str,
    message: str,
    args: Mapping[str, Any],
    fields: Mapping[str, ArgSpec],
    *,
    valid: list[str] | None = None,
) -> NoReturn:
    """Raise with args that work: what fits is kept, what does not is mended, misspelt names are put right."""
    renamed = dict(args)
    for given in args:
        meant = None if given in fields else nearest(given, fields)
        if meant and renamed.get(meant) is None:
            renamed[meant] = args[given]
    mended = {}
    for known, spec in fields.items():
        value = renamed.get(known)
        if value is not None or not spec.optional:
            mended[known] = spec.near(value)
    spec_at = fields.get(name)
    if valid is None and spec_at is not None and spec_at.values:
        valid = list(spec_at.values)[:MAX_LISTED]
    what = "these settings work" if where == "settings" else "these args work"
    raise ArgumentProblem(
        "invalid_args", f"{where}.{name}", message, f"{what}: {json_text(mended)}", valid=valid, suggestion=mended
    )
