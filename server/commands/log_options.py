"""What the sub-commands of ``worldline log`` share: how a part of a log is named.

Not here: what a part of a log is (``eventlog/selection.py``).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, Final

import click

from eventlog.selection import KINDS, Selection
from server.commands.output import Decorated

_PLAYER: Final = re.compile(r"p_[1-9][0-9]*", re.ASCII)
_TICKS: Final = re.compile(r"(?P<first>[0-9]*)(?P<dash>-?)(?P<last>[0-9]*)", re.ASCII)


def selection_options(*, ticks: bool = True) -> Callable[[Decorated], Decorated]:
    """Add the options that name a part of a log (argument ``selection``, a `Selection`) to a command.

    ``ticks``: with a range of ticks.
    """
    options = [
        click.option("--player", "players", multiple=True, metavar="P", help="Only what is of this player, as p_3."),
        click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only records or entries."),
        click.option("--input", "inputs", multiple=True, metavar="NAME", help="Only inputs of this name."),
    ]
    if ticks:
        options.append(click.option("--ticks", metavar="A-B", help="Only these ticks: 100-200, 100-, -200 or 812."))

    def add(function: Decorated) -> Decorated:
        @functools.wraps(function)
        def with_selection(
            *args: Any,
            players: tuple[str, ...],
            kinds: tuple[str, ...],
            inputs: tuple[str, ...],
            ticks: str | None = None,
            **others: Any,
        ) -> Any:
            first, last = _ticks(ticks)
            selection = Selection(
                players=frozenset(map(_player, players)),
                kinds=frozenset(kinds),
                inputs=frozenset(inputs),
                from_tick=first,
                to_tick=last,
            )
            return function(*args, selection=selection, **others)

        decorated: Any = with_selection
        for option in reversed(options):
            decorated = option(decorated)
        result: Decorated = decorated
        return result

    return add


def _player(text: str) -> str:
    if not _PLAYER.fullmatch(text):
        raise click.UsageError(f"--player {text}: a player is written like p_3 (`worldline log show --kind join`)")
    return text


def _ticks(text: str | None) -> tuple[int, int | None]:
    if text is None:
        return 0, None
    found = _TICKS.fullmatch(text)
    if found is None or not (found["first"] or found["last"]):
        raise click.UsageError(f"--ticks {text}: write a range of ticks like 100-200, 100-, -200 or 812")
    first = int(found["first"] or 0)
    last = int(found["last"]) if found["last"] else None if found["dash"] else first
    if last is not None and last < first:
        raise click.UsageError(f"--ticks {text}: the range ends before it begins")
    return first, last
