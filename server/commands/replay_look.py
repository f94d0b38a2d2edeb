"""``worldline replay state`` and ``diff``: what stood in a world after any tick, and what differs between two of them.

Needs no server, and disturbs none that is running. Not here: how a tick is gone to (``replays/seeing.py``), and how two
states are compared (``replays/differences.py``).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from server.commands.addresses import Spot, spot
from server.commands.output import (
    Column,
    CommandError,
    data_option,
    fail,
    json_option,
    print_json,
    print_line,
    print_table,
)

if TYPE_CHECKING:
    from games.runtime.plain import Path as Steps
    from replays.differences import Difference
    from replays.seeing import State

DIFFERENCES: Final = (Column("PATH"), Column("A", wrap=True), Column("B", wrap=True))
SHOWN: Final = 200
"""Differences that a person is shown."""
LONGEST: Final = 160
"""Characters of a value in a table."""
NOTHING: Final = "-"


def path_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--path`` (argument ``path``, a text or None) to a command."""
    return click.option("--path", metavar="A.B", help="Only what stands here, as state.players.p_1 or scene.nodes.12.")(
        function
    )


@click.command("state")
@click.argument("world", metavar="WORLD[@TICK]|FILE[@TICK]")
@path_option
@click.option("--as", "player", metavar="PLAYER", help="What this player could know then, instead of everything.")
@data_option
@json_option
def state(world: str, path: str | None, player: str | None, data: Path, as_json: bool) -> int:
    """Print what stood in WORLD after TICK (default: at the end of its log).

    It is computed again, with the code and engine of then. Exit code 1 if nothing stands at --path.
    """
    from replays.seeing import observation, replay_at
    from replays.seeing import state as state_of

    if player is not None and path is not None:
        raise click.UsageError("--as shows what a player could know, --path a part of everything: name one of them")
    steps = steps_of(path)
    with spot(data, world) as place:
        walk = replay_at(place.data, place.world, place.tick)
        if player is not None:
            seen = observation(walk, player, events=20)
            print_json(seen) if as_json else _print_value(f"{place.world}@{seen.tick} as {player}", seen)
            return 0
        whole = state_of(walk)
    found = _at(whole, steps)
    if as_json:
        print_json({"world": whole.world, "tick": whole.tick, "hash": whole.hash, "path": path, "value": found})
    elif steps:
        _print_value(None, found)
    else:
        hashed = f", hash {whole.hash}" if whole.hash else ", which cannot be saved"
        _print_value(f"{whole.world}@{whole.tick}{hashed}", _short(found))
    return 0


@click.command("diff")
@click.argument("a", metavar="A[@TICK]")
@click.argument("b", metavar="B[@TICK]")
@path_option
@data_option
@json_option
def diff(a: str, b: str, path: str | None, data: Path, as_json: bool) -> int:
    """Print what differs between two ticks of a world, or between two worlds (default: at the end of their logs).

    Each is the address of a world or of a replay file; `@TICK` alone as B is another tick of A. Exit code 1 if they
    differ.
    """
    from replays.differences import differences

    steps = steps_of(path)
    (name_a, of_a), (name_b, of_b) = _both(data, a, f"{_world_in(a)}{b}" if b.startswith("@") else b)
    found = list(differences(_at(of_a, steps), _at(of_b, steps), steps))
    if as_json:
        for each in found:
            print_json(each)
    else:
        print_differences(found, (name_a, name_b))
    if not found:
        click.echo(f"{name_a} and {name_b} are the same", err=True)
        return 0
    places = "1 place" if len(found) == 1 else f"{len(found)} places"
    return fail(
        f"{name_a} and {name_b} differ at {places}",
        "narrow it with --path; `worldline replay why` names what changed a value",
    )


def _world_in(text: str) -> str:
    return text.rpartition("@")[0] if "@" in text else text


def print_differences(found: list[Difference], names: tuple[str, str]) -> None:
    """Print a table of differences, headed by the ``names`` of the two sides."""
    columns = (DIFFERENCES[0], Column(names[0], wrap=True), Column(names[1], wrap=True))
    print_table(
        columns, ((each.path or "everything", value_text(each.a), value_text(each.b)) for each in found[:SHOWN]), _style
    )
    if len(found) > SHOWN:
        click.echo(f"and {len(found) - SHOWN} more: narrow it with --path, or see all with --json", err=True)


def value_text(value: Any) -> str:
    """A value as one short text; a dash where there is none."""
    if value is msgspec.UNSET:
        return NOTHING
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def score_text(score: float | None) -> str:
    """A score; a dash where there is none."""
    return NOTHING if score is None else f"{score:g}"


def _style(row: Any) -> tuple[str, str, str]:
    """Green is what is only on the right, red what is only on the left, yellow what is another."""
    _, left, right = row
    if left == NOTHING:
        return "green", "", "green"
    return ("red", "red", "") if right == NOTHING else ("yellow", "red", "green")


def _both(data: Path, *texts: str) -> Iterator[tuple[str, State]]:
    from replays.seeing import replay_at
    from replays.seeing import state as state_of

    for text in texts:
        with spot(data, text) as place:
            walk = replay_at(place.data, place.world, place.tick)
            with contextlib.closing(walk):
                found = state_of(walk)
        yield _name(place, found.tick), found


def _name(place: Spot, tick: int) -> str:
    return f"{place.world}@{tick}"


def steps_of(path: str | None, option: str = "--path") -> Steps:
    """Read a path; None is everything. Raises `click.UsageError`."""
    from games.runtime.plain import NoSuchPath, parse_path

    if path is None:
        return ()
    try:
        return parse_path(path)
    except NoSuchPath as error:
        raise click.UsageError(f"{option}: {error}") from error


def _at(whole: State, steps: Steps) -> Any:
    from games.runtime.plain import path_text, walk

    for count in range(len(steps) + 1):
        found = walk(whole.state, steps[:count])
        if found is msgspec.UNSET:
            above, here = walk(whole.state, steps[: count - 1]), path_text(steps[: count - 1]) or "the top"
            raise CommandError(
                f"{whole.world}@{whole.tick} has nothing at {path_text(steps)}", f"at {here} there is {_choice(above)}"
            )
    return found


def _choice(value: Any) -> str:
    if isinstance(value, dict) and value:
        names = list(islice(value, 12))
        return ", ".join(names) + (f" and {len(value) - 12} more" if len(value) > 12 else "")
    if isinstance(value, list) and value:
        return f"a list of {len(value)}: 1 to {len(value)}"
    return value_text(value)


def _short(whole: dict[str, Any]) -> dict[str, Any]:
    """A whole state without what would be thousands of lines."""
    nodes = whole["scene"]["nodes"]
    if len(nodes) <= 20:
        return whole
    kinds = Counter(node["kind"] for node in nodes.values()).most_common()
    said = f"{len(nodes)}, see --path scene.nodes: " + ", ".join(f"{count} {kind}" for kind, count in kinds)
    return {**whole, "scene": {**whole["scene"], "nodes": said}}


def _print_value(heading: str | None, value: Any) -> None:
    if heading is not None:
        print_line(heading)
    print_line(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())
