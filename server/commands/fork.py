"""``worldline fork WORLD@TICK``: a new world that begins where another was at that tick.

Without a server, the new world is in the data folder when the command ends, and the next server on that folder serves
it. A folder that a server uses is refused: that server would not know of the world. With ``--url`` a running server is
asked, as any client could. Not here: how a fork is made (``replays/fork.py``).
"""

from __future__ import annotations

import contextlib
import secrets
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from eventlog.errors import StoreInUse
from eventlog.store import Store
from server.commands import addresses
from server.commands.addresses import Spot, spot
from server.commands.output import CommandError, data_option, json_option, print_json, print_line
from server.commands.world_rows import existing

if TYPE_CHECKING:
    from replays.fork import Fork

GIVE_UP_AFTER_S: Final = 15.0
"""A server that restarts is back sooner."""


@click.command("fork")
@click.argument("address", metavar="WORLD@TICK|FILE@TICK")
@click.option("--owner", metavar="AGENT", help="The agent (its id) who may step it; default: whoever plays in it.")
@click.option("--private", is_flag=True, help="Only who has the join code may join. A private world's fork always is.")
@click.option("--url", help="Ask the server at this address, as ws://127.0.0.1:8765/ws, instead of needing none.")
@click.option(
    "--token", envvar="WORLDLINE_TOKEN", show_envvar=True, help="With --url: the agent to whom the fork belongs."
)
@click.option("--play", is_flag=True, help="With --url: let it play at once, by its game's clock.")
@data_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    address: str,
    owner: str | None,
    private: bool,
    url: str | None,
    token: str | None,
    play: bool,
    data: Path,
    as_json: bool,
) -> int:
    """Make a new world that begins where WORLD, or the world in a replay FILE, was after TICK.

    Every seat is vacant: whoever joins takes the first player whom nobody plays. It stands still until it is stepped or
    plays, and is not ranked. The world that it comes from is not changed, and need not be kept.
    """
    if url is not None:
        _check_online(context, owner=owner, token=token, play=play)
        return _fork_there(address, url, token, private=private, play=play, as_json=as_json)
    if play:
        raise click.UsageError("--play needs a server that plays it: name one with --url")
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


def _check_online(context: click.Context, *, owner: str | None, token: str | None, play: bool) -> None:
    if context.get_parameter_source("data") is click.core.ParameterSource.COMMANDLINE:
        raise click.UsageError("--url asks a server, which has a data folder of its own: leave out --data")
    if owner is not None:
        raise click.UsageError(
            "with --url a fork belongs to who asks for it: say with --token who that is, not --owner"
        )
    if token is None and not play:
        raise click.UsageError(
            "a fork belongs to who asks for it, and a guest is gone when this command ends: "
            "say with --token who you are, or let it play at once with --play"
        )


def _fork_there(address: str, url: str, token: str | None, *, private: bool, play: bool, as_json: bool) -> int:
    """Have a running server make it."""
    import asyncio

    import worldline

    name, tick = addresses.address(address)
    if name is None or tick is None:
        raise click.UsageError(f"say which world is forked, and at which tick: {name or 'w_0k3f'}@812")
    if addresses.is_file_name(name):
        raise click.UsageError(f"{name} is a file: a server forks its own worlds; without --url it can be forked here")

    async def ask(name: str) -> tuple[str, worldline.protocol.Forked]:
        async with worldline.connect(url, token=token, name="fork", give_up_after_s=GIVE_UP_AFTER_S) as client:
            parent = await addresses.served(client, name)
            # With a key: over a connection that breaks, the same is asked again, and is to be made once.
            made = await client.fork(parent, tick, private=private, key=secrets.token_hex(8))
            if play:
                await client.play(made.world)
            return parent, made

    try:
        parent, made = asyncio.run(ask(name))
    except worldline.WorldlineError as error:
        raise CommandError(f"{error.code}: {error.message}", error.hint or "see `worldline fork --help`") from error
    if as_json:
        facts = {"world": made.world, "forked_from": f"{parent}@{tick}", "tick": tick, "join_code": made.join_code}
        print_json({name: value for name, value in facts.items() if value is not None})
    else:
        code = "" if made.join_code is None else f" (join code {made.join_code})"
        state = "it plays" if play else "it stands still until it is stepped or plays"
        print_line(f"{made.world} forked from {parent}@{tick}{code}: {state}")
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
            "ask that server: `worldline fork --url` (in Python: client.fork), or stop it, or name another --data",
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
