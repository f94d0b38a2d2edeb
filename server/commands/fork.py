"""``worldline fork WORLD@TICK``: a new world that begins where another was at that tick. Needs no server.

The new world is in the data folder when the command ends, and the next server on that folder serves it. A folder that a
server uses is refused: that server would not know of the world, and makes forks itself when it is asked to by a `fork`
request. Not here: how a fork is made (``replays/fork.py``).
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eventlog.errors import StoreInUse
from eventlog.store import Store
from server.commands.addresses import Spot, spot
from server.commands.output import CommandError, data_option, json_option, print_json, print_line
from server.commands.world_rows import existing

if TYPE_CHECKING:
    from replays.fork import Fork


@click.command("fork")
@click.argument("address", metavar="WORLD@TICK|FILE@TICK")
@click.option("--owner", metavar="AGENT", help="The agent (its id) who may step it; default: whoever plays in it.")
@click.option("--private", is_flag=True, help="Only who has the join code may join. A private world's fork always is.")
@data_option
@json_option
def command(address: str, owner: str | None, private: bool, data: Path, as_json: bool) -> int:
    """Make a new world that begins where WORLD, or the world in a replay FILE, was after TICK.

    Every seat is vacant: whoever joins takes the first player whom nobody plays. It stands still until it is stepped or
    plays, and is not ranked. The world that it comes from is not changed, and need not be kept.
    """
    from replays.fork import write_fork
    from server.identifiers import WorldNames

    _check_owner(owner)
    with _locked(data) as store, spot(data, address) as parent:
        world = WorldNames(store.world_ids()).next()
        made = _fork(parent, world, owner=owner, private=private)
        write_fork(made, parent.data, data)
        code = _join_code(world, data) if made.genesis.private else None
    _report(made, data, code, as_json)
    return 0


def _fork(parent: Spot, world: str, *, owner: str | None, private: bool) -> Fork:
    from replays.fork import Identity, fork
    from replays.report import versions_here

    if parent.tick is None:
        raise click.UsageError(f"say at which tick {parent.world} is forked: {parent.world}@812")
    identity = Identity(
        world=world,
        owner=owner,
        private=private,
        versions=versions_here(),
        created_ms=time.time_ns() // 1_000_000,
    )
    # No server has the parent: what its log promises is all that will ever be known of it.
    return fork(parent.data, parent.world, parent.tick, identity, up_to=sys.maxsize)


def _check_owner(owner: str | None) -> None:
    if owner is not None and not owner.startswith("a_"):
        raise click.UsageError(f"--owner {owner}: an agent's id is written like a_0123456789 (`worldline tokens ls`)")


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[Store]:
    """The data folder, which no server uses meanwhile. Raises `CommandError`."""
    try:
        store = Store.open(existing(data))
    except StoreInUse as error:
        raise CommandError(
            f"a server uses {data}, and would not know of the new world",
            "ask that server with a `fork` request (in Python: client.fork), stop it first, or name another --data",
        ) from error
    try:
        yield store
    finally:
        store.close()


def _report(made: Fork, data: Path, code: str | None, as_json: bool) -> None:
    genesis = made.genesis
    assert genesis.forked_from is not None
    parent, tick = genesis.forked_from
    if as_json:
        facts = {
            "world": genesis.world,
            "forked_from": f"{parent}@{tick}",
            "game": genesis.game,
            "tick": tick,
            "owner": genesis.owner,
            "private": genesis.private,
            "join_code": code,
        }
        print_json({name: value for name, value in facts.items() if value is not None})
        return
    private = "" if code is None else f", join code {code}"
    print_line(f"{genesis.world} forked from {parent}@{tick} ({genesis.game}{private}): a server on {data} serves it")


def _join_code(world: str, data: Path) -> str:
    from server.gateway.joincode import join_code
    from server.startup import open_secret

    return join_code(world, open_secret(data))
