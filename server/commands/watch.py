"""``worldline watch WORLD[@TICK]``: watch a world of a running server from the terminal. The work is in
``server/onlooker``."""

from __future__ import annotations

import sys
from typing import Final

import click

from server.commands.addresses import address, served
from server.commands.output import CommandError, json_option

GIVE_UP_AFTER_S: Final = 15.0
"""A server that restarts is back sooner; a person is not kept before a picture that stands still for longer."""


@click.command("watch")
@click.argument("world", metavar="WORLD[@TICK]")
@click.option("--as", "view_as", metavar="PLAYER", help="With what this player (as p_1) was sent.")
@click.option(
    "--speed",
    type=click.FloatRange(0.25, 64),
    help="So many times as fast: 0.25 to 64. Of a world that runs: what has been, from the beginning or TICK on.",
)
@click.option("--url", envvar="WORLDLINE_URL", help="The server's address.  [default: ws://127.0.0.1:8765/ws]")
@click.option("--token", envvar="WORLDLINE_TOKEN", show_envvar=True, help="Watch as the agent of this token.")
@json_option
def command(
    world: str, view_as: str | None, speed: float | None, url: str | None, token: str | None, as_json: bool
) -> int:
    """Watch WORLD of a running server: one that runs as it runs, one that has ended from its beginning; from TICK on as
    it went.

    On a terminal with a map and keys (`?` shows them); in a pipe a line for each thing that happens: tick, player,
    what, note. With --json one object a line: the scene, the players, and what happened since the line before.
    """
    import asyncio

    import worldline

    name, tick = address(world)
    if name is None:
        raise click.UsageError("say which world: w_0k3f@812")
    try:
        asyncio.run(_watch(name, tick, view_as, speed, url, token, as_json=as_json))
    except worldline.WorldlineError as error:
        raise CommandError(f"{error.code}: {error.message}", error.hint or "see `worldline watch --help`") from error
    except KeyboardInterrupt:
        return 0
    return 0


async def _watch(
    name: str,
    tick: int | None,
    view_as: str | None,
    speed: float | None,
    url: str | None,
    token: str | None,
    *,
    as_json: bool,
) -> None:
    import worldline
    from server.onlooker import plain
    from server.onlooker.watching import Onlooker

    async with worldline.connect(url, token=token, name="watch", give_up_after_s=GIVE_UP_AFTER_S) as client:
        world = await served(client, name)
        screen = await client.watch(world, from_tick=tick, as_player=view_as, speed=speed)
        if as_json:
            await plain.until_nobody_reads(plain.print_moments(screen))
        elif sys.stdin.isatty() and sys.stdout.isatty():
            onlooker = Onlooker(client, screen)
            await onlooker.look()
            screen = onlooker.screen
        else:
            await plain.until_nobody_reads(plain.print_story(screen))
        if screen.lost:
            raise CommandError(
                f"{screen.world} cannot be watched any further: {screen.ended}", "run it again when the server is back"
            )
