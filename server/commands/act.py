"""``worldline act``: one input and one observation, for whoever has only a shell. The work is in ``server/byhand``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import click

from server.byhand import memory
from server.byhand.act import Asked, act
from server.byhand.words import WordsError
from server.commands.output import CommandError, json_option, print_json, print_line
from worldline import WorldlineError, protocol
from worldline.client import DEFAULT_URL


@click.command("act")
@click.argument("game")
@click.argument("words", nargs=-1, metavar="[INPUT [NAME=VALUE]...]")
@click.option("--note", help="Why: it goes into the log, and spectators may read it.")
@click.option("--wait", "wait_s", type=click.FloatRange(0, 25), metavar="S", help="Wait so many seconds at most.")
@click.option(
    "--until",
    type=click.Choice(["tick", "event", "turn", "end"]),
    help="Without an input: look when this has happened.  [default with --wait: event]",
)
@click.option("--world", help="Play in this world, not in any one of the game.")
@click.option("--join-code", help="With --world: opens a private one.")
@click.option("--leave", is_flag=True, help="Give the seat back.")
@click.option("--name", help="What others see.")
@click.option("--url", envvar="WORLDLINE_URL", help="The server's address.  [default: ws://127.0.0.1:8765/ws]")
@click.option("--token", envvar="WORLDLINE_TOKEN", show_envvar=True, help="Play as the agent of this token.")
@click.option(
    "--session",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where the session is kept between calls.  [default: one for each server and game]",
)
@json_option
def command(
    game: str,
    words: tuple[str, ...],
    note: str | None,
    wait_s: float | None,
    until: str | None,
    world: str | None,
    join_code: str | None,
    leave: bool,
    name: str | None,
    url: str | None,
    token: str | None,
    session: Path | None,
    as_json: bool,
) -> int:
    """Play GAME one step at a time: send one input, see what comes of it.

    \b
        worldline act tsunami                     look
        worldline act tsunami move to=home        do something, then look
        worldline act tsunami --wait 20           look when something happens

    The first call takes a seat; later ones go on with it, as long as they come within the game's grace (mostly two
    minutes). Exit code 0 if the input was applied, 1 if it was rejected or refused.
    """
    if join_code is not None and world is None:
        raise click.UsageError("--join-code opens a world: name it with --world")
    if words and until is not None:
        raise click.UsageError("--until is for looking: leave it out, or leave out the input")
    address = url or DEFAULT_URL
    asked = Asked(
        game=game,
        words=words,
        url=address,
        session=session or memory.default_path(address, game),
        token=token,
        name=name,
        world=world,
        join_code=join_code,
        note=note,
        wait_s=wait_s,
        until=next((each for each in get_args(protocol.Until) if each == until), None),
        leave=leave,
    )
    return _show(asked, as_json=as_json)


def _show(asked: Asked, *, as_json: bool) -> int:
    """Do what is asked, print what came of it, and return the exit code."""
    try:
        answer = asyncio.run(act(asked, lambda line: click.echo(line, err=True)))
    except WordsError as error:
        raise CommandError(error.what, error.remedy) from error
    except WorldlineError as error:
        raise CommandError(
            f"{error.code}: {error.message}", error.hint or f"see `worldline act {asked.game}`"
        ) from error
    if as_json:
        print_json(answer)
    else:
        for line in answer.lines():
            print_line(line)
    return 1 if answer.outcome is not None and answer.outcome.status == "rejected" else 0
