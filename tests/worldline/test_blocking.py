"""The blocking client is the asynchronous one without await: the same names, arguments and results."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

import worldline
from worldline import blocking

PAIRS = [(worldline.Client, blocking.Client), (worldline.Player, blocking.Player)]


def public(kind: type) -> set[str]:
    """The names that somebody may use of a class: what it defines, and what its instances are given when made."""
    made = re.findall(r"self\.([a-z]\w*)\b[^=\n(]*= ", inspect.getsource(kind.__init__))  # type: ignore[misc]
    return {name for name in vars(kind) if not name.startswith("_")} | set(made)


def arguments(function: Callable[..., Any]) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("awaited", "direct"), PAIRS)
def test_both_clients_have_the_same_names(awaited: type, direct: type) -> None:
    only_said_to_connect = {"think_s", "patient"}
    assert public(awaited) - only_said_to_connect == public(direct)
    assert len(public(direct)) > 10


@pytest.mark.parametrize(("awaited", "direct"), PAIRS)
def test_both_clients_take_the_same_arguments(awaited: type, direct: type) -> None:
    compared = 0
    for name, function in vars(direct).items():
        if inspect.isfunction(function) and not name.startswith("_"):
            assert arguments(function) == arguments(vars(awaited)[name]), name
            compared += 1
    assert compared >= 5
    assert arguments(blocking.connect) == arguments(worldline.connect)
