"""``worldline play``: a person plays from the terminal. The work is in ``server/byhand``."""

from __future__ import annotations

import click

from server.commands.output import CommandError


@click.command("play")
@click.argument("game")
@click.option("--world", help="Play in this world, not in any one of the game.")
@click.option("--join-code", help="With --world: opens a private one.")
@click.option("--name", help="What others see.")
@click.option("--url", envvar="WORLDLINE_URL", help="The server's address.  [default: ws://127.0.0.1:8765/ws]")
@click.option("--token", envvar="WORLDLINE_TOKEN", show_envvar=True, help="Play as the agent of this token.")
def command(
    game: str, world: str | None, join_code: str | None, name: str | None, url: str | None, token: str | None
) -> int:
    """Play GAME from the terminal: type inputs, as `move to=home`; Tab completes, `help` says more.

    Ctrl-C or Ctrl-D gives the seat back and ends. Where standard input is no terminal, each of its lines is one input.
    """
    import asyncio

    import worldline
    from server.byhand.terminal import sit

    if join_code is not None and world is None:
        raise click.UsageError("--join-code opens a world: name it with --world")

    async def play() -> None:
        async with worldline.connect(url, name=name, token=token, patient=False) as client:
            player = await client.join(game) if world is None else await client.join(world=world, join_code=join_code)
            await sit(client, player, player.game)

    try:
        asyncio.run(play())
    except worldline.WorldlineError as error:
        raise CommandError(f"{error.code}: {error.message}", error.hint or "try again") from error
    except KeyboardInterrupt:
        return 0
    return 0
