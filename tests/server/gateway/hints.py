"""Reads what a refusal suggests, as a program would: the JSON between backquotes in its hint.

An object with ``type`` is a whole message to send instead; anything else is a value for the error's ``path``.
"""

from __future__ import annotations

import copy
import json
import re
from typing import Any

_QUOTED = re.compile(r"`([^`]+)`")


def mended(request: dict[str, Any], error: dict[str, Any]) -> dict[str, Any]:
    """``request`` with what the hint of ``error`` suggests. Fails if the hint suggests nothing that can be sent."""
    quoted = _QUOTED.search(error["hint"])
    assert quoted is not None, f"no value in the hint: {error}"
    value = json.loads(quoted[1])
    if isinstance(value, dict) and "type" in value:
        return value
    fixed = copy.deepcopy(request)
    place: Any = fixed
    *parents, last = path_parts(error["path"])
    for part in parents:
        place = place[part]
    place[last] = value
    return fixed


def path_parts(path: str) -> list[str | int]:
    """``args.x[3]`` → ["args", "x", 3]."""
    return [int(part[1:-1]) if part.startswith("[") else part for part in re.findall(r"\[\d+\]|[^.\[\]]+", path)]
