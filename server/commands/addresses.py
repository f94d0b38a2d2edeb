"""How commands are told which world is meant, and at which tick: ``w_0k3f@812``.

A world is named by its id or any beginning of it that is unique; where a command says so, a replay file stands for the
world in it (``game.replay@812``).

Not here: what is done there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from server.commands import world_rows
from server.commands.output import CommandError
from server.identifiers import CHARACTERS

if TYPE_CHECKING:
    import worldline

ID_CHARACTERS: Final = len("w_") + CHARACTERS


class Spot(msgspec.Struct, frozen=True):
    """A world (a whole id) in a data folder; ``tick`` where one was named."""

    data: Path
    world: str
    tick: int | None


def address(text: str | None) -> tuple[str | None, int | None]:
    """Read ``WORLD``, ``WORLD@TICK`` or ``@TICK`` (of the newest world). Raises `click.UsageError`."""
    if text is None:
        return None, None
    name, at, tick = text.rpartition("@") if "@" in text else (text, "", "")
    if at and not (tick.isascii() and tick.isdigit()):
        raise click.UsageError(f"{text!r} is no address: a world at a tick is written like w_0k3f@812")
    return name or None, int(tick) if at else None


def is_file_name(name: str) -> bool:
    """Whether this names a replay file, not a world: the id of a world has neither dots nor slashes."""
    return "." in name or "/" in name


def whole(name: str, worlds: Iterable[str]) -> str:
    """The id of the one of these worlds that begins with ``name``; a name of none is for the server to refuse."""
    found = [world for world in worlds if world.startswith(name)]
    if len(found) > 1:
        raise CommandError(f"{name} is the beginning of {len(found)} worlds: {', '.join(found)}", "write more of it")
    return found[0] if found else name


async def served(client: worldline.Client, name: str) -> str:
    """The id of the world of a running server that is meant. Raises `CommandError`, `worldline.WorldlineError`."""
    if len(name) >= ID_CHARACTERS:
        return name
    world = whole(name, [world.world for world in await client.worlds()])
    if world == name:
        raise CommandError(
            f"the server lists no world that begins with {name}",
            "write the whole id of one that ended before the server started: `worldline log ls` on its data folder",
        )
    return world


@contextlib.contextmanager
def spot(data: Path, text: str | None) -> Iterator[Spot]:
    """The world that an address means, as long as the block runs: a file's is unpacked meanwhile.

    Raises `click.UsageError`, `CommandError`, and what unpacking does.
    """
    name, tick = address(text)
    if name is None or not is_file_name(name):
        yield Spot(data, world_rows.one_world(data, name), tick)
        return
    from replays.bundle import unpacked

    with contextlib.ExitStack() as stack:
        try:
            folder, world = stack.enter_context(unpacked(Path(name)))
        except OSError as error:
            raise CommandError(
                f"cannot read {name}: {error.strerror or error}", "name a file from `worldline replay export`"
            ) from error
        yield Spot(folder, world, tick)
