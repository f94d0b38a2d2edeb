"""Which fork was made for which key: notes in the data folder, so that a `fork` request that is repeated after the
server has died gives the world that is there already.

A key is noted before its fork is begun; a start of the server reads what was noted, and keeps what is of worlds that
there are. So a note without a world, of a fork that was broken off, does no harm.

Not here: that a key is used once while the server runs (``forking.py``). The file is no part of any world.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from pathlib import Path
from typing import Final

import msgspec

from server.notebook import Notebook

FILE_NAME: Final = "forks.jsonl"
KEYS_KEPT: Final = 10_000
"""The latest: whoever repeats a request does so soon."""

ByKey = OrderedDict[tuple[str, str], str]
"""Forks by agent and key, the latest last."""


class _Asked(msgspec.Struct, frozen=True):
    """``world`` is made for this key of this agent."""

    agent: str
    key: str
    world: str


def note(data: Path, agent: str, key: str, world: str) -> None:
    """Note that ``world`` is made for this key of this agent. Durable on return. Raises OSError."""
    _notebook(data).add(_Asked(agent, key, world), durable=True)


def take_over(data: Path, worlds: Container[str]) -> ByKey:
    """What earlier servers have noted of these ``worlds``; the rest is forgotten. Nobody may note anything then."""

    def wanted(notes: list[_Asked]) -> list[_Asked]:
        latest = {(asked.agent, asked.key): asked for asked in notes}
        return [asked for asked in latest.values() if asked.world in worlds][-KEYS_KEPT:]

    kept = _notebook(data).take_over(wanted)
    return OrderedDict(((asked.agent, asked.key), asked.world) for asked in kept)


def _notebook(data: Path) -> Notebook[_Asked]:
    return Notebook(data / FILE_NAME, _Asked)
