"""``worldline index``: the cache from which listings are made. ``rebuild`` makes it from the logs.

Not here: what is in it and when it is believed (``eventlog/index.py``, ``eventlog/listing.py``).
"""

from __future__ import annotations

from pathlib import Path

import click

from eventlog.index import NAME, IndexBroken
from eventlog.listing import rebuild_index
from server.commands.output import CommandError, data_option, print_line
from server.commands.progress import progress
from server.commands.world_rows import existing


@click.group("index")
def command() -> None:
    """The cache from which listings of worlds are made. Needs no server."""


@command.command("rebuild")
@data_option
def rebuild(data: Path) -> None:
    """Make index.sqlite in a data folder from the logs, whatever it holds now.

    It is never needed: without it, or if it is wrong, listings read the logs. A server keeps it up to date as worlds
    end, and may be running meanwhile.
    """
    try:
        with progress("reading") as on_progress:
            count = rebuild_index(existing(data), on_progress=on_progress)
    except IndexBroken as broken:
        raise CommandError(f"cannot write {data / NAME}: {broken}", "remove that file, or look at the disk") from broken
    print_line(f"{data / NAME} has {count} {'world' if count == 1 else 'worlds'}")
