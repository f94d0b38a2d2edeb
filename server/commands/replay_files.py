"""``worldline replay export`` and ``import``: a world in one file, to be sent, kept and verified elsewhere.

Needs no server, and disturbs none that is running. Not here: what the file holds and how (``replays/bundle.py``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from server.commands import world_rows
from server.commands.output import CommandError, data_option, human_bytes, json_option, print_json, print_line

if TYPE_CHECKING:
    from replays.bundle import Contents


@click.command("export")
@click.argument("world", required=False)
@click.option(
    "--to",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; default: WORLD.replay in this folder.",
)
@click.option("--no-keyframes", is_flag=True, help="Leave the world's snapshots out.")
@data_option
@json_option
def export(world: str | None, target: Path | None, no_keyframes: bool, data: Path, as_json: bool) -> int:
    """Write WORLD (default: the newest) into one file: its log, the code and the engines that it names, its snapshots.

    The same world gives the same bytes. A world that is still running is written up to what is durable; such a file can
    be verified, but not imported.
    """
    from replays.bundle import SUFFIX, export_world

    world_id = world_rows.one_world(data, world)
    path = Path(f"{world_id}{SUFFIX}") if target is None else target
    try:
        done = export_world(data, world_id, path, keyframes=not no_keyframes)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror or error}", "name another file with --to") from error
    return _report(done, as_json, "the same was there already" if done.there_already else "exported")


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@data_option
@json_option
def import_(file: Path, data: Path, as_json: bool) -> int:
    """Put the world in a replay FILE into a data folder, where it is listed, shown and verified like any other.

    A world that is there already with the same log is left as it is; with another log it is an error. A server may be
    running on the folder.
    """
    from replays.bundle import import_bundle

    try:
        done = import_bundle(file, data)
    except OSError as error:
        raise CommandError(
            f"cannot read {file}: {error.strerror or error}", "name a file from `worldline replay export`"
        ) from error
    return _report(done, as_json, f"was in {data} already" if done.there_already else f"imported into {data}")


def _report(done: Contents, as_json: bool, what: str) -> int:
    """Print what a replay file holds, and what was done; returns exit code 0."""
    if as_json:
        print_json(done)
        return 0
    until = "ended" if done.ended else "not ended yet: it can be verified, but not imported"
    print_line(
        f"{done.world} {what}: {done.game}, {done.last_tick} ticks, {until}; "
        f"{done.path}, {human_bytes(done.bytes)}, {done.keyframes} keyframes"
    )
    return 0
