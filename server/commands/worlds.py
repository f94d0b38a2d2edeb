"""``worldline worlds``: the worlds of a data folder. ``ls`` lists them, ``rm`` removes ended ones for good.

``stop`` ends worlds of a running server, as any client could that owns them or develops.

Not here: how a world is removed without a trace (``eventlog/removal.py``), and removing by age, count and size, which
a running server does (``server/housekeeping.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from eventlog.index import Index, IndexBroken, WorldListing
from eventlog.recovery import recover
from eventlog.removal import finish_removals, remove_world
from eventlog.store import Store
from eventlog.summary import Status, WorldInfo
from server.commands import world_rows
from server.commands.addresses import whole
from server.commands.output import (
    Column,
    CommandError,
    data_option,
    human_bytes,
    json_option,
    print_json,
    print_line,
    print_table,
)

COLUMNS: Final = (
    world_rows.WORLD,
    world_rows.GAME,
    world_rows.STATUS,
    world_rows.TICK,
    Column("PLAYERS", number=True),
    world_rows.CREATED,
    Column("ENDED"),
    world_rows.SIZE,
    Column("ARCHIVED"),
    world_rows.REASON,
)

RUNNING: Final = ("waiting", "running", "paused", "recovering")


@click.group("worlds")
def command() -> None:
    """List the worlds of a data folder, remove ended ones; end those of a running server."""


@command.command("ls")
@click.option("--game", help="Only worlds of this game.")
@click.option(
    "--status", type=click.Choice(["open", "closed", "faulted", "damaged"]), help="Only worlds that stand like this."
)
@data_option
@json_option
def list_worlds(game: str | None, status: Status | None, data: Path, as_json: bool) -> None:
    """List the worlds of a data folder, oldest first, with how many have played in each and what it takes on the disk.

    A server may be running on the folder. With --json also every player and the game's result.
    """
    found = world_rows.listings(world_rows.existing(data)).worlds
    shown = [each for each in found if game in (None, each.info.game) and status in (None, each.info.status)]
    if as_json:
        for each in shown:
            facts = msgspec.structs.asdict(each.info)
            print_json({**facts, "result": each.result, "players": each.players})
        return
    print_table(COLUMNS, map(_row, shown))
    if not shown:
        click.echo(f"no {'such ' if found else ''}worlds in {data}", err=True)


@command.command("stop")
@click.argument("worlds", nargs=-1, required=True, metavar="WORLD...")
@click.option("--url", envvar="WORLDLINE_URL", help="The server's address.  [default: ws://127.0.0.1:8765/ws]")
@click.option(
    "--token", envvar="WORLDLINE_TOKEN", show_envvar=True, help="That of their owner, or one of the role developer."
)
def stop_worlds(worlds: Sequence[str], url: str | None, token: str | None) -> None:
    """End worlds on a running server, for good. Whoever plays there is told; their logs stay."""
    import asyncio

    asyncio.run(_stop(worlds, url, token))


async def _stop(worlds: Sequence[str], url: str | None, token: str | None) -> None:
    import worldline

    try:
        async with worldline.connect(url, token=token, name="worlds stop", patient=False) as client:
            running = [world.world for world in await client.worlds() if world.status in RUNNING]
            for name in dict.fromkeys(whole(name, running) for name in worlds):
                tick = await client.stop(name)
                print_line(f"stopped {name} at tick {tick}")
    except worldline.WorldlineError as error:
        remedy = error.hint or "see `worldline worlds stop --help`"
        raise CommandError(error.message, remedy) from error


@command.command("rm")
@click.argument("worlds", nargs=-1, required=True, metavar="WORLD...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_option
def remove_worlds(worlds: Sequence[str], yes: bool, data: Path) -> None:
    """Remove ended worlds for good, logs and all. No server may be running on the data folder.

    A world that has not ended is refused, and then nothing is removed. What a crash interrupts is finished by the next
    start of a server.
    """
    store = Store.open(world_rows.existing(data))  # fails if a server has it
    try:
        recover(data)  # else the journal of a crashed server would bring its worlds back
        finish_removals(data)
        infos = {info.world: info for info in store.worlds()}
        chosen = [infos[world] for world in dict.fromkeys(map(store.resolve_world, worlds))]
        _refuse_unfinished(chosen)
        if not yes:
            _confirm(chosen, data)
        for info in chosen:
            remove_world(data, info.world)
            _forget(data, info.world)
            print_line(f"removed {info.world} ({info.game}, {human_bytes(info.bytes)})")
    finally:
        store.close()


def _refuse_unfinished(chosen: Sequence[WorldInfo]) -> None:
    unfinished = [info.world for info in chosen if info.status == "open"]
    if unfinished:
        raise CommandError(
            f"{', '.join(unfinished)} {'has' if len(unfinished) == 1 else 'have'} not ended; nothing was removed",
            "leave out what has not ended, or end it with `worldline worlds stop` while a server has the folder",
        )


def _confirm(chosen: Sequence[WorldInfo], data: Path) -> None:
    if not sys.stdin.isatty():
        raise CommandError("nobody is here to confirm that worlds are to be removed", "add --yes")
    print_table(COLUMNS[:4], ((info.world, info.game, info.status, str(info.last_tick)) for info in chosen))
    size = human_bytes(sum(info.bytes for info in chosen))
    if not click.confirm(f"Remove {len(chosen)} worlds ({size}) from {data} for good?", err=True):
        raise CommandError("nothing was removed", "say y to remove, or leave them")


def _forget(data: Path, world: str) -> None:
    """Take a removed world out of the index. Left there, its row would be wrong, and so never believed."""
    try:
        with Index.open(data) as index:
            if index is not None:
                index.forget(world)
    except IndexBroken:
        return  # whoever lists worlds next says so and makes it anew


def _row(listing: WorldListing) -> tuple[str, ...]:
    info = listing.info
    return (
        info.world,
        info.game,
        info.status,
        str(info.last_tick),
        str(len(listing.players)),
        world_rows.when(info.created_ms),
        "" if info.ended_ms is None else world_rows.when(info.ended_ms),
        world_rows.size(info),
        "yes" if info.archived else "no",
        info.reason or "",
    )
